import { readLayers } from "./layers.js";
import { iceServers, readLinks } from "./links.js";
import { StageError } from "./names.js";
import { Pauses } from "./pauses.js";
import { quality } from "./quality.js";

const configuration = { bundlePolicy: "max-bundle" };
const layerRelation = "urn:callboard:whep:ext:layer";
const restartAfter = 2000; // ms that a connection may be disturbed before ICE is restarted
const patience = 30_000; // ms of trying to connect before it is called an error

/**
 * Leg is one media connection to the server, by WHIP or WHEP: an offer for an
 * answer. It is made again, by itself, when it fails; refusals that trying
 * again cannot change end it.
 *
 * `o` has url() and token(), asked for each attempt; category and participantId, for errors; build(pc), which
 * adds what is sent or received; track(event), up(), down(), refused(error), and trouble(error) for what does
 * not keep it from trying again: it is told once, until it is up.
 */
export class Leg {
  #o; #pc; #resource; #layer; #timer; #numbers; #impatience;
  #choice = Promise.resolve();
  #pauses = new Pauses();
  #over = false;
  #told = false;

  constructor(o) {
    this.#o = o;
    this.#wait();
    this.#make();
  }

  get senders() { return this.#pc?.getSenders() ?? []; }

  /** Measures the connection since the last call; null while there is none. */
  async quality() {
    if (!this.#pc) return null;
    const [numbers, judged] = quality(await this.#pc.getStats(), this.#numbers);
    this.#numbers = numbers;
    return judged;
  }

  /** What layers there are, and which one comes; null while that is not known. */
  async layers() {
    if (!this.#layer) return null;
    const answer = await fetch(this.#layer, { headers: this.#headers() });
    return answer.ok ? readLayers(await answer.json()) : null;
  }

  /**
   * Has the server send something else from now on, in the order of the calls.
   * A layer that does not exist changes nothing; before the server has answered
   * there is nothing to change, for url() is asked when it is. Resolves when it is done.
   */
  choose(wanted) {
    const at = this.#layer;
    if (!at) return this.#choice;
    return this.#choice = this.#choice.then(() => at === this.#layer && fetch(at, {
      method: "PUT", headers: this.#headers("application/json"), body: JSON.stringify(wanted),
    })).catch(() => {}); // a connection that is lost is made again as is wanted by then
  }

  /** Ends the connection; `quietly` when the server knows already. */
  end(quietly = false) {
    this.#over = true;
    this.#calm();
    this.#drop(quietly);
  }

  #wait() {
    this.#impatience ??= setTimeout(() => this.#trouble("FAILED", "Media do not get through; still trying"), patience);
  }

  #calm() {
    clearTimeout(this.#impatience);
    this.#impatience = undefined;
    this.#told = false;
  }

  #trouble(name, message) {
    if (this.#told || this.#over) return;
    this.#told = true;
    this.#o.trouble(this.#error(name, message));
  }

  #error(name, message) { return new StageError(name, this.#o.category, message, this.#o.participantId); }

  #drop(quietly) {
    clearTimeout(this.#timer);
    this.#pc?.close();
    if (this.#resource && !quietly) {
      // keepalive lets the request outlive a page that is being left
      fetch(this.#resource, { method: "DELETE", headers: this.#headers(), keepalive: true }).catch(() => {});
    }
    this.#pc = this.#resource = this.#layer = this.#numbers = undefined;
  }

  #headers(type) {
    return { "Authorization": `Bearer ${this.#o.token()}`, ...(type && { "Content-Type": type }) };
  }

  async #make() {
    const pc = this.#pc = new RTCPeerConnection(configuration);
    const mine = () => this.#pc === pc && !this.#over;
    pc.ontrack = (event) => mine() && this.#o.track?.(event);
    pc.onconnectionstatechange = () => mine() && this.#changed(pc);
    try {
      this.#o.build(pc);
      const offer = await pc.createOffer(), url = this.#o.url();
      const answer = await fetch(url, { method: "POST", headers: this.#headers("application/sdp"), body: offer.sdp });
      const text = await answer.text();
      const resource = answer.ok && new URL(answer.headers.get("Location"), answer.url).href;
      if (!mine()) { // given up meanwhile: nobody else knows of what was made
        if (resource) fetch(resource, { method: "DELETE", headers: this.#headers() }).catch(() => {});
        return;
      }
      if (!answer.ok) return this.#refused(answer, text);
      this.#resource = resource;
      const links = readLinks(answer.headers.get("Link")), servers = iceServers(links);
      const layer = links.find(({ rel }) => rel === layerRelation);
      this.#layer = layer && new URL(layer.target, answer.url).href;
      if (servers.length) pc.setConfiguration({ ...configuration, iceServers: servers });
      await pc.setLocalDescription(offer); // candidates are gathered only now, when the servers are known
      await pc.setRemoteDescription({ type: "answer", sdp: text });
      if (String(url) !== String(this.#o.url())) this.#o.outdated?.();
    } catch {
      if (mine()) this.#again();
    }
  }

  #changed(pc) {
    clearTimeout(this.#timer);
    switch (pc.connectionState) {
      case "connected":
        this.#pauses.reset();
        this.#calm();
        return this.#o.up();
      case "disconnected":
        this.#timer = setTimeout(() => this.#restart(pc).catch(() => this.#failed(pc)), restartAfter);
        return;
      case "failed":
      case "closed":
        this.#failed(pc);
    }
  }

  #failed(pc) {
    if (this.#pc !== pc) return;
    if (!this.#told) this.#o.down();
    this.#wait();
    this.#again();
  }

  #again(atLeast) {
    this.#drop(false);
    this.#timer = setTimeout(() => this.#make(), this.#pauses.take(atLeast));
  }

  #refused(answer, text) {
    const later = Number(answer.headers.get("Retry-After")) * 1000;
    let problem = {};
    try { problem = JSON.parse(text); } catch { /* not from our server */ }
    if (answer.status === 409 || answer.status >= 500) {
      if (problem.code === "STAGE_AT_CAPACITY") this.#trouble(problem.code, problem.detail);
      return this.#again(later);
    }
    const name = answer.status === 422 ? "CODEC_MISMATCH" : problem.code || "FAILED";
    this.end(true);
    this.#o.refused(this.#error(name, problem.detail));
  }

  // restart moves the connection to another network path (RFC 9725, section 4.3.2).
  async #restart(pc) {
    await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
    const answer = await fetch(this.#resource, {
      method: "PATCH", body: fragment(pc.localDescription.sdp),
      headers: { ...this.#headers("application/trickle-ice-sdpfrag"), "If-Match": "*" },
    });
    if (this.#pc !== pc) return;
    if (!answer.ok) return this.#failed(pc);
    const sdp = renewed(pc.remoteDescription.sdp, await answer.text());
    await pc.setRemoteDescription({ type: "answer", sdp });
  }
}

const iceLine = /^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)\b.*\r?\n/gm;

// fragment is what of an offer is about ICE, for its first section, which carries all.
export function fragment(sdp) {
  const [session, first] = sdp.split(/^(?=m=)/m);
  const line = (of, pattern) => of.match(pattern)?.[0].trimEnd();
  const ufrag = /^a=ice-ufrag:.*$/m, pwd = /^a=ice-pwd:.*$/m;
  return [
    line(first, ufrag) ?? line(session, ufrag), line(first, pwd) ?? line(session, pwd),
    first.match(/^m=.*$/m)[0].trimEnd(), line(first, /^a=mid:.*$/m),
    ...(first.match(/^a=candidate:.*$/gm) ?? []).map((c) => c.trimEnd()),
  ].filter(Boolean).join("\r\n") + "\r\n";
}

// renewed is an answer with the ICE lines of a fragment in place of its own.
export function renewed(sdp, answer) {
  const lines = (answer.match(iceLine) ?? []).join("");
  const [session, ...sections] = sdp.split(/^(?=m=)/m).map((part) => part.replace(iceLine, ""));
  return session + sections.map((section) => section.trimEnd() + "\r\n" + lines).join("");
}
