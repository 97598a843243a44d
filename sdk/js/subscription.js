import { LayerWatch } from "./layers.js";
import { Leg } from "./leg.js";
import { StageErrorCode, StageParticipantSubscribeState as State, SubscribeType } from "./names.js";
import { StageStream } from "./streams.js";

/**
 * Subscription receives what one participant publishes, as its wish says: `type`
 * (a SubscribeType), `layer` (a label, or null to adapt) and `initial`.
 *
 * `on` has state(state), added(streams), removed(streams), and error(error, over) with whether it has ended by
 * that; layers(stream, layers), selected(stream, layer, reason) and adaption(stream, auto) if watch is called.
 */
export class Subscription {
  #claims; #token; #participant; #leg; #on; #wish; #watch;
  #kinds = ["audio", "video"]; // both, whatever is wanted now: so it may be otherwise later
  #streams = []; #shown = []; #up = false; #watched = false; #state;

  constructor(claims, token, participant, wish, on) {
    this.#claims = claims;
    this.#token = token;
    this.#participant = participant;
    this.#wish = wish;
    this.#on = on;
    this.#watch = new LayerWatch(() => this.layers(), () => this.#wish.layer, {
      changed: (layers) => this.#tell("layers", layers),
      selected: (layer, reason) => this.#tell("selected", layer, reason),
      adaption: (auto) => this.#tell("adaption", auto),
    });
    this.#connect();
  }

  get streams() { return this.#shown; }
  quality() { return this.#leg.quality(); }
  layers() { return this.#leg.layers(); }

  /** Receives in another way from now on, over the same connection. */
  change(wish) {
    if (JSON.stringify(wish) === JSON.stringify(this.#wish)) return;
    this.#wish = wish;
    this.#choose();
    if (this.#up) this.#rearrange();
  }

  /** Tells of layers from now on. */
  watch() {
    this.#watched = true;
    if (this.#up) this.#watch.start();
  }

  end(quietly) {
    this.#leg.end(quietly);
    this.#hide(State.NOT_SUBSCRIBED);
  }

  #connect() {
    this.#become(State.ATTEMPTING_SUBSCRIBE);
    this.#leg = new Leg({
      url: () => address(this.#claims, this.#participant, this.#wish), token: this.#token,
      category: "SUBSCRIBE_ERROR", participantId: this.#participant.id,
      build: (pc) => {
        this.#streams = [];
        for (const kind of this.#kinds) pc.addTransceiver(kind, { direction: "recvonly" });
      },
      track: ({ track }) => {
        const muted = track.kind === "audio" ? this.#participant.audioMuted : this.#participant.videoStopped;
        this.#streams.push(new StageStream(track, muted));
      },
      outdated: () => this.#choose(),
      up: () => this.#show(),
      down: () => this.#hide(State.ATTEMPTING_SUBSCRIBE),
      trouble: (error) => {
        this.#become(State.ERRORED);
        this.#on.error(error, false);
      },
      refused: (error) => this.#refused(error),
    });
  }

  // refused ends it, but for a picture that cannot be played: then sound is better than nothing.
  #refused(error) {
    const deaf = error.code !== StageErrorCode.CODEC_MISMATCH || !this.#kinds.includes("video");
    if (deaf) this.#hide(State.ERRORED);
    this.#on.error(error, deaf);
    if (deaf) return;
    this.#kinds = ["audio"];
    this.#connect();
  }

  #choose() {
    const { type, layer } = this.#wish, video = type === SubscribeType.AUDIO_VIDEO;
    let done = this.#leg.choose({ video });
    if (video) done = this.#leg.choose({ layer: layer ?? "auto" }); // apart: a layer that does not exist is no reason for silence
    done.then(() => this.#watch.look());
  }

  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#on.state(state);
  }

  #tell(what, ...about) {
    const stream = this.#shown.find((s) => s.streamType === "video");
    if (stream) this.#on[what](stream, ...about);
  }

  #wanted() {
    return this.#streams.filter((s) => s.streamType === "audio" || this.#wish.type === SubscribeType.AUDIO_VIDEO);
  }

  #show() {
    if (this.#up) return; // ICE was restarted: nothing is new
    this.#up = true;
    this.#become(State.SUBSCRIBED);
    this.#rearrange();
    if (this.#watched) this.#watch.start();
  }

  #rearrange() {
    const before = this.#shown, wanted = this.#shown = this.#wanted();
    const gone = before.filter((s) => !wanted.includes(s)), come = wanted.filter((s) => !before.includes(s));
    if (gone.length) this.#on.removed(gone);
    if (come.length) this.#on.added(come);
  }

  #hide(state) {
    const gone = this.#shown;
    this.#shown = [];
    this.#up = false;
    this.#watch.stop();
    if (gone.length) this.#on.removed(gone);
    this.#become(state);
  }
}

function address(claims, participant, wish) {
  const url = new URL(`${claims.whip_url}/subscribe/${participant.id}`);
  if (wish.type === SubscribeType.AUDIO_ONLY) url.searchParams.set("audio", "only");
  if (wish.layer) url.searchParams.set("layer", wish.layer);
  url.searchParams.set("initial", wish.initial);
  return url.href;
}
