import { Leg } from "./leg.js";
import { StageParticipantSubscribeState as State, SubscribeType } from "./names.js";
import { StageStream } from "./streams.js";

/**
 * Subscription receives what one participant publishes, as its wish says: `type`
 * (a SubscribeType), `layer` (a label, or null to adapt) and `initial`.
 *
 * `on` has state(state), added(streams), removed(streams) and error(error).
 */
export class Subscription {
  #leg; #on; #wish; #streams = []; #shown = []; #up = false;

  constructor(claims, token, participant, wish, on) {
    this.#wish = wish;
    this.#on = on;
    on.state(State.ATTEMPTING_SUBSCRIBE);
    this.#leg = new Leg({
      url: () => address(claims, participant, this.#wish), token, category: "SUBSCRIBE_ERROR",
      build: (pc) => { // both kinds, whatever is wanted now: so it may be otherwise later
        this.#streams = [];
        for (const kind of ["audio", "video"]) pc.addTransceiver(kind, { direction: "recvonly" });
      },
      track: ({ track }) => {
        const muted = track.kind === "audio" ? participant.audioMuted : participant.videoStopped;
        this.#streams.push(new StageStream(track, muted));
      },
      outdated: () => this.#choose(),
      up: () => this.#show(),
      down: () => this.#hide(State.ATTEMPTING_SUBSCRIBE),
      refused: (error) => {
        this.#hide(State.ERRORED);
        on.error(error);
      },
    });
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

  end(quietly) {
    this.#leg.end(quietly);
    this.#hide(State.NOT_SUBSCRIBED);
  }

  #choose() {
    const { type, layer } = this.#wish, video = type === SubscribeType.AUDIO_VIDEO;
    this.#leg.choose({ video });
    if (video) this.#leg.choose({ layer: layer ?? "auto" }); // apart: a layer that does not exist is no reason for silence
  }

  #wanted() {
    return this.#streams.filter((s) => s.streamType === "audio" || this.#wish.type === SubscribeType.AUDIO_VIDEO);
  }

  #show() {
    if (this.#up) return; // ICE was restarted: nothing is new
    this.#up = true;
    this.#on.state(State.SUBSCRIBED);
    this.#rearrange();
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
    if (gone.length) this.#on.removed(gone);
    this.#on.state(state);
  }
}

function address(claims, participant, wish) {
  const url = new URL(`${claims.whip_url}/subscribe/${participant.id}`);
  if (wish.type === SubscribeType.AUDIO_ONLY) url.searchParams.set("audio", "only");
  if (wish.layer) url.searchParams.set("layer", wish.layer);
  url.searchParams.set("initial", wish.initial);
  return url.href;
}
