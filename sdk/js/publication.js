import { Leg } from "./leg.js";
import { StageParticipantPublishState as State } from "./names.js";
import { send } from "./streams.js";

/**
 * Publication sends the local streams.
 *
 * `on` has state(state), and error(error, over) with whether it has ended by that.
 */
export class Publication {
  #leg; #on; #streams; #state;

  constructor(claims, token, streams, on) {
    this.#on = on;
    this.#streams = streams;
    this.#become(State.ATTEMPTING_PUBLISH);
    this.#leg = new Leg({
      url: () => `${claims.whip_url}/publish/${claims.jti}`, token, category: "PUBLISH_ERROR",
      build: (pc) => send(pc, this.#streams),
      up: () => this.#become(State.PUBLISHED),
      down: () => this.#become(State.ATTEMPTING_PUBLISH),
      trouble: (error) => this.#fail(error, false),
      refused: (error) => this.#fail(error, true),
    });
  }

  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#on.state(state);
  }

  #fail(error, over) {
    this.#become(State.ERRORED);
    this.#on.error(error, over);
  }

  get streams() { return this.#streams; }
  quality() { return this.#leg.quality(); }

  /**
   * Sends other tracks over the same connection; false if that takes a new
   * one, because the kinds or the layers are not the same.
   */
  replace(streams) {
    const form = (list) => list.map((s) => `${s.streamType} ${JSON.stringify(s.options)}`).sort().join();
    if (form(streams) !== form(this.#streams)) return false;
    this.#streams = streams;
    for (const { streamType, mediaStreamTrack } of streams) {
      const sender = this.#leg.senders.find((s) => s.track?.kind === streamType);
      if (sender && sender.track !== mediaStreamTrack) sender.replaceTrack(mediaStreamTrack);
    }
    return true;
  }

  /** Ends it; `refused` leaves the state at that. */
  end(quietly, refused = false) {
    this.#leg.end(quietly);
    if (!refused) this.#become(State.NOT_PUBLISHED);
  }
}
