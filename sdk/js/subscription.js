import { Leg } from "./leg.js";
import { StageParticipantSubscribeState as State, SubscribeType } from "./names.js";
import { StageStream } from "./streams.js";

/**
 * Subscription receives what one participant publishes.
 *
 * `on` has state(state), added(streams), removed(streams) and error(error).
 */
export class Subscription {
  #leg; #on; #streams = []; #shown = [];

  constructor(claims, token, participant, wish, on) {
    this.wish = wish;
    this.#on = on;
    const url = new URL(`${claims.whip_url}/subscribe/${participant.id}`);
    const audioOnly = wish.type === SubscribeType.AUDIO_ONLY;
    if (audioOnly) url.searchParams.set("audio", "only");
    if (wish.layer) url.searchParams.set("layer", wish.layer);
    url.searchParams.set("initial", wish.initial);
    on.state(State.ATTEMPTING_SUBSCRIBE);
    this.#leg = new Leg({
      url, token, category: "SUBSCRIBE_ERROR",
      build: (pc) => {
        this.#streams = [];
        for (const kind of audioOnly ? ["audio"] : ["audio", "video"]) pc.addTransceiver(kind, { direction: "recvonly" });
      },
      track: ({ track }) => {
        const muted = track.kind === "audio" ? participant.audioMuted : participant.videoStopped;
        this.#streams.push(new StageStream(track, muted));
      },
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

  end(quietly) {
    this.#leg.end(quietly);
    this.#hide(State.NOT_SUBSCRIBED);
  }

  #show() {
    if (this.#shown.length) return; // ICE was restarted: nothing is new
    this.#shown = this.#streams;
    this.#on.state(State.SUBSCRIBED);
    this.#on.added(this.#shown);
  }

  #hide(state) {
    const gone = this.#shown;
    this.#shown = [];
    if (gone.length) this.#on.removed(gone);
    this.#on.state(state);
  }
}
