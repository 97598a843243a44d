import { StageError } from "./names.js";
import { Pauses } from "./pauses.js";

const pingEvery = 5000, silence = 15000, patience = 8000; // ms

// Close codes that say goodbye for good, and what the application is told.
const goodbyes = {
  1000: "unknown", 4001: "token-reused", 4002: "stage-deleted", 4003: "participant-disconnected", 4004: "failed-exchange",
};
// Refusals that trying again cannot change.
const refusals = {
  4400: "TOKEN_MALFORMED", 4401: "TOKEN_EXPIRED", 4403: "TOKEN_NOT_ALLOWED", 4404: "STAGE_DELETED",
};

/**
 * Presence is the WebSocket on which the server tells who is on the stage. A
 * lost one is opened again, by itself, for as long as it takes.
 *
 * `on` has state(payload), lost(error, if the server said one), left(reason) and refused(error).
 */
export class Presence {
  #url; #token; #on; #socket; #timer; #heard; #resume; #told; #error; #exchanges = new Map(); // id -> { resolve, reject, token }
  #pauses = new Pauses();
  #over = false;

  constructor(url, token, on) {
    this.#url = url;
    this.#token = token;
    this.#on = on;
  }

  open() {
    this.#error = undefined;
    const socket = this.#socket = new WebSocket(this.#url, ["callboard.events.v1", this.#token]);
    this.#heard = Date.now();
    socket.onopen = () => {
      if (this.#resume) this.#send("HELLO", { resume: this.#resume });
      if (this.#told) this.#send("SET_STATE", this.#told);
      this.#timer = setInterval(() => this.#beat(socket), pingEvery);
    };
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = ({ code }) => this.#closed(socket, code);
  }

  /** Tells the others, now and after every reconnect, what of oneself is muted. */
  tell(state) {
    this.#told = state;
    this.#send("SET_STATE", state);
  }

  /** Goes on with another token; rejects with a StageError if the server does not take it. */
  exchange(token) {
    return new Promise((resolve, reject) => {
      const id = String(Math.random());
      const timer = setTimeout(() => this.#exchanged(id, "The server did not answer"), patience);
      this.#exchanges.set(id, { resolve, reject, token, timer });
      if (!this.#send("EXCHANGE_TOKEN", { token }, id)) this.#exchanged(id, "There is no connection");
    });
  }

  #exchanged(id, refusal) {
    const exchange = this.#exchanges.get(id);
    if (!exchange) return false;
    this.#exchanges.delete(id);
    clearTimeout(exchange.timer);
    if (refusal) exchange.reject(new StageError("TOKEN_EXCHANGE_FAILED", "JOIN_ERROR", refusal));
    else {
      this.#token = exchange.token;
      exchange.resolve();
    }
    return true;
  }

  /** Says goodbye: everything of this participant ends at the server. False if there is no connection to say it on. */
  leave() {
    const said = this.#send("LEAVE");
    this.#end();
    return said;
  }

  #send(type, payload, id) {
    const open = this.#socket?.readyState === WebSocket.OPEN;
    if (open) this.#socket.send(JSON.stringify({ type, payload, id }));
    return open;
  }

  #hear({ type, payload, id }) {
    this.#heard = Date.now();
    if (this.#over) return;
    if (type === "STAGE_STATE") {
      this.#pauses.reset();
      this.#resume = payload.resume;
      this.#on.state(payload);
    } else if (type === "TOKEN_EXCHANGED") {
      this.#exchanged(id);
    } else if (type === "ERROR") {
      if (!this.#exchanged(id, payload.message)) this.#error = payload;
    } else if (type === "LEFT") {
      this.#end();
      this.#on.left(payload.reason);
    }
  }

  #beat(socket) {
    if (Date.now() - this.#heard < silence) return this.#send("PING");
    this.#closed(socket, 1006); // the browser may take minutes to notice
    socket.close();
  }

  #closed(socket, code) {
    if (socket !== this.#socket || this.#over) return;
    clearInterval(this.#timer);
    this.#socket = undefined;
    this.#abandon();
    const refusal = refusals[code] ?? (this.#error && code === 4003 ? "PARTICIPANT_DISCONNECTED" : undefined);
    if (refusal) {
      this.#end();
      this.#on.refused(new StageError(refusal, "JOIN_ERROR", this.#error?.message));
    } else if (goodbyes[code]) {
      this.#end();
      this.#on.left(goodbyes[code]);
    } else {
      this.#on.lost(this.#error && new StageError(this.#error.code, "JOIN_ERROR", this.#error.message));
      this.#timer = setTimeout(() => this.open(), this.#pauses.take(code === 4503 ? 5000 : 0));
    }
  }

  #abandon() {
    for (const id of [...this.#exchanges.keys()]) this.#exchanged(id, "The connection is lost");
  }

  #end() {
    this.#over = true;
    this.#abandon();
    clearInterval(this.#timer);
    this.#socket?.close(1000);
    this.#socket = undefined;
  }
}
