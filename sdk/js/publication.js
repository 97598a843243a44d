import { Leg } from "./leg.js";
import { StageParticipantPublishState as State } from "./names.js";
import { send } from "./streams.js";

/**
 * Publication sends the local streams.
 *
 * `on` has state(state) and error(error).
 */
export class Publication {
  #leg; #on; #streams;

  constructor(claims, token, streams, on) {
    this.#on = on;
    this.#streams = streams;
    on.state(State.ATTEMPTING_PUBLISH);
    this.#leg = new Leg({
      url: () => `${claims.whip_url}/publish/${claims.jti}`, token, category: "PUBLISH_ERROR",
      build: (pc) => send(pc, this.#streams),
      up: () => on.state(State.PUBLISHED),
      down: () => on.state(State.ATTEMPTING_PUBLISH),
      refused: (error) => {
        on.state(State.ERRORED);
        on.error(error);
      },
    });
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

  end(quietly) {
    this.#leg.end(quietly);
    this.#on.state(State.NOT_PUBLISHED);
  }
}
