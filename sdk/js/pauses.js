// How long to wait between two attempts: doubling, with a little chance so that
// a thousand pages do not come back in the same moment.

const first = 250, longest = 5000; // ms

export class Pauses {
  #next = first;

  /** The pause before the next attempt, in milliseconds; at least `atLeast`. */
  take(atLeast = 0) {
    const pause = this.#next * (0.75 + Math.random() / 2);
    this.#next = Math.min(2 * this.#next, longest);
    return Math.max(pause, atLeast);
  }

  /** An attempt went well. */
  reset() { this.#next = first; }
}
