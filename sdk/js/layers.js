// The simulcast layers of what somebody publishes: which there are, and which
// one comes. The server tells when it is asked.

import { StageStreamLayerSelectedReason as Reason } from "./names.js";

const every = 2000; // ms between two questions

/** Reads what of the server's answer belongs to the model. */
export function readLayers({ layers, selected, auto, video, paused }) {
  const read = ({ label, width, height, bitsPerSecond, fps, active }) => ({ label, width, height, bitrate: bitsPerSecond, fps, active });
  return { layers: layers.map(read), selected, auto, video, paused };
}

/**
 * LayerWatch asks again and again, and tells what is otherwise than before; wished() is the layer that is wanted.
 *
 * `on` has changed(layers), selected(layer or undefined, reason) and adaption(auto).
 */
export class LayerWatch {
  #ask; #wished; #on; #timer;
  #known = { layers: [], selected: "", auto: true };

  constructor(ask, wished, on) {
    this.#ask = ask;
    this.#wished = wished;
    this.#on = on;
  }

  start() {
    this.#timer ??= setInterval(() => this.look(), every);
    this.look();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Asks now, if it is watching. */
  async look() {
    const now = this.#timer && await this.#ask().catch(() => null);
    if (!now || !this.#timer) return;
    const before = this.#known, forms = [before, now].map(form);
    this.#known = now;
    if (before.auto !== now.auto) this.#on.adaption(now.auto);
    if (forms[0] !== forms[1]) this.#on.changed(now.layers);
    if (before.selected !== now.selected) this.#on.selected(now.layers.find((l) => l.label === now.selected), this.#why(now));
  }

  // why tells a choice from what there is instead of it.
  #why({ auto, layers }) {
    const missing = !auto && layers.some((l) => l.label === this.#wished() && !l.active);
    return missing ? Reason.UNAVAILABLE : Reason.SELECTED;
  }
}

// form is what has to be otherwise for layers to have changed: rates always are.
const form = ({ layers, selected }) =>
  JSON.stringify([selected, layers.map(({ label, width, height, active }) => [label, width, height, active])]);
