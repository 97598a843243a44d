// @callboard/stage: join a stage from a browser, say what to publish and whom
// to see, and be told what happens. See README.md beside this file.

import {
  StageConnectionState as Connection, StageError, StageEvents as Events, StageLeftReason,
  StageParticipantPublishState as PublishState, SubscribeType,
} from "./names.js";
import { Presence } from "./presence.js";
import { Publication } from "./publication.js";
import { Subscription } from "./subscription.js";
import { readToken } from "./token.js";

export * from "./names.js";
export { LocalStageStream, StageStream } from "./streams.js";

const layerEvents = [Events.STAGE_STREAM_LAYERS_CHANGED, Events.STAGE_STREAM_LAYER_SELECTED, Events.STAGE_STREAM_ADAPTION_CHANGED];
const patience = 30_000; // ms of reconnecting before it is called an error
const firstState = 12_000; // ms that joining may take

/**
 * A Stage is one participant's presence. The strategy says what is wanted;
 * after anything it depends on has changed, call refreshStrategy.
 */
export class Stage {
  #token; #claims; #strategy; #options; #presence; #publication; #unwatch = [];
  #connection = Connection.DISCONNECTED; #impatience; #number = -1;
  #people = new Map(); // id -> info, as last told
  #subscriptions = new Map(); // id -> Subscription
  #givenUp = new Map(); // id of whom one was refused -> publishEpoch
  #publishRefused = false;
  #listeners = new Map();
  #goodbye = () => this.#go(false);

  /** `options.viewers` has those who only watch told as joined, too. */
  constructor(token, strategy, options = {}) {
    this.#claims = readToken(token);
    this.#token = token;
    this.#strategy = strategy;
    this.#options = options;
  }

  get connectionState() { return this.#connection; }
  get id() { return this.#claims.jti; }
  get participants() { return [...this.#people.values()].filter((p) => this.#visible(p)); }

  on(event, listener) {
    if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
    this.#listeners.get(event).add(listener);
    if (layerEvents.includes(event)) for (const subscription of this.#subscriptions.values()) subscription.watch();
    return this;
  }

  off(event, listener) {
    this.#listeners.get(event)?.delete(listener);
    return this;
  }

  #emit(event, ...about) {
    for (const listener of [...this.#listeners.get(event) ?? []]) {
      try { listener(...about); } catch (error) { reportError(error); } // one listener's trouble is not another's
    }
  }

  /** Joins; resolves once connected, and rejects with a StageError if that fails. */
  join() {
    if (this.#presence) return Promise.reject(new StageError("FAILED", "JOIN_ERROR", "This stage has been joined already"));
    this.#publishRefused = false;
    this.#givenUp.clear();
    this.#become(Connection.CONNECTING);
    return new Promise((resolve, reject) => {
      const settle = (act) => (value) => { clearTimeout(timeout); act(value); };
      const done = settle(resolve), failed = settle(reject);
      let trouble = new StageError("TIMEOUT", "JOIN_ERROR", "The server did not answer");
      const timeout = setTimeout(() => {
        this.#presence?.leave();
        this.#depart(false);
        this.#become(Connection.DISCONNECTED);
        reject(trouble);
      }, firstState);
      this.#presence = new Presence(`${this.#claims.events_url}/${this.#claims.topic}`, this.#token, {
        state: (payload) => { this.#hear(payload); done(); },
        lost: (error) => { trouble = error ?? trouble; this.#lost(); },
        left: (reason) => {
          this.#leave(reason);
          failed(new StageError("FAILED", "JOIN_ERROR", `The server said goodbye: ${reason}`));
        },
        refused: (error) => { this.#refused(error); failed(error); },
      });
      addEventListener("pagehide", this.#goodbye);
      this.#presence.open();
    });
  }

  /** Leaves for good. */
  leave() { this.#go(true); }

  replaceStrategy(strategy) {
    this.#strategy = strategy;
    this.refreshStrategy();
  }

  /** Asks the strategy again and does what has changed. Cheap, and may be called any time. */
  refreshStrategy() {
    if (!this.#presence || this.#number < 0) return;
    this.#givenUp.clear();
    this.#publishRefused = false;
    this.#publish();
    this.#subscribe();
  }

  /**
   * How well somebody's media get through, or one's own: bitrate, loss, rtt,
   * width, height, fps since the last call, and a level. Null without a connection.
   */
  async quality(id) {
    return (id === this.id ? this.#publication : this.#subscriptions.get(id))?.quality() ?? null;
  }

  /** The simulcast layers of somebody: `{ layers, selected, auto, video, paused }`; null without a subscription. */
  async layers(id) { return this.#subscriptions.get(id)?.layers() ?? null; }

  /**
   * Goes on with another token of the same participant: other capabilities,
   * attributes, user id or expiry. Rejects with a StageError; one that the server
   * refuses ends the connection, with the reason `failed-exchange`.
   */
  async exchangeToken(token) {
    const claims = readToken(token);
    const other = ["jti", "topic", "resource", "whip_url", "events_url"].find((name) => claims[name] !== this.#claims[name]);
    if (other) throw new StageError("TOKEN_EXCHANGE_REQUEST_INVALID", "JOIN_ERROR", `The new token has another ${other}`);
    if (!this.#presence) throw new StageError("TOKEN_EXCHANGE_FAILED", "JOIN_ERROR", "This stage has not been joined");
    await this.#presence.exchange(token);
    this.#token = token;
    this.#claims = claims;
    const local = this.#people.get(this.id), may = claims.capabilities ?? {};
    if (local) local.capabilities = new Set(["publish", "subscribe"].filter((what) => may[`allow_${what}`]));
    this.refreshStrategy();
  }

  // The connection.

  #become(state) {
    if (state === this.#connection) return;
    this.#connection = state;
    this.#emit(Events.STAGE_CONNECTION_STATE_CHANGED, state);
  }

  #lost() {
    this.#number = -1; // a server that begins anew counts anew
    this.#become(Connection.CONNECTING);
    this.#impatience ??= setTimeout(() => {
      this.#become(Connection.ERRORED);
      this.#emit(Events.ERROR, new StageError("FAILED", "JOIN_ERROR", "The connection is lost; still trying"));
    }, patience);
  }

  #refused(error) {
    this.#depart(true);
    this.#become(Connection.ERRORED);
    this.#emit(Events.ERROR, error);
  }

  // go leaves; if the server is trusted to have heard the goodbye, everything is over with that.
  #go(trusting) {
    const heard = this.#presence?.leave();
    if (heard !== undefined) this.#leave(StageLeftReason.USER_INITIATED, trusting && heard);
  }

  #leave(reason, known = true) {
    this.#depart(known);
    this.#become(Connection.DISCONNECTED);
    this.#emit(Events.STAGE_LEFT, reason);
  }

  // depart ends everything; quietly when the server knows.
  #depart(quietly) {
    clearTimeout(this.#impatience);
    this.#impatience = undefined;
    removeEventListener("pagehide", this.#goodbye);
    this.#presence = undefined;
    for (const id of [...this.#subscriptions.keys()]) this.#unsubscribe(id, quietly);
    this.#unpublish(quietly);
    for (const info of [...this.#people.values()]) this.#forget(info);
    this.#number = -1;
  }

  // Who is there.

  #hear({ sequenceNumber, participants }) {
    if (sequenceNumber <= this.#number) return;
    this.#number = sequenceNumber;
    clearTimeout(this.#impatience);
    this.#impatience = undefined;
    this.#become(Connection.CONNECTED);
    const listed = new Set(participants.map((p) => p.id));
    for (const info of [...this.#people.values()]) if (!listed.has(info.id)) this.#forget(info);
    for (const told of participants) this.#learn(told);
    this.#publish();
    this.#subscribe();
  }

  #visible(info) { return info.isLocal || info.isPublishing || Boolean(this.#options.viewers); }

  #learn(told) {
    const before = this.#people.get(told.id);
    const info = before ?? { userInfo: {} };
    const was = { ...info };
    Object.assign(info, told, { isLocal: told.id === this.id, capabilities: new Set(told.capabilities) });
    this.#people.set(info.id, info);
    const seen = before !== undefined && this.#visible(was);
    if (!this.#visible(info)) {
      if (seen) this.#vanish(info);
      return;
    }
    if (!seen) this.#emit(Events.STAGE_PARTICIPANT_JOINED, info);
    else this.#compare(was, info);
    if (!info.isLocal && info.isPublishing !== (seen && was.isPublishing)) {
      const state = info.isPublishing ? PublishState.PUBLISHED : PublishState.NOT_PUBLISHED;
      this.#emit(Events.STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED, info, state);
    }
  }

  #compare(was, info) {
    if (was.userId !== info.userId || JSON.stringify(was.attributes) !== JSON.stringify(info.attributes)) {
      this.#emit(Events.STAGE_PARTICIPANT_METADATA_CHANGED, info);
    }
    if (info.isLocal) return; // it knows
    for (const [name, kind] of [["audioMuted", "audio"], ["videoStopped", "video"]]) {
      if (was[name] === info[name]) continue;
      for (const stream of this.#subscriptions.get(info.id)?.streams ?? []) {
        if (stream.streamType !== kind) continue;
        stream.isMuted = info[name];
        this.#emit(Events.STAGE_STREAM_MUTE_CHANGED, info, stream);
      }
    }
  }

  #forget(info) {
    this.#people.delete(info.id);
    if (this.#visible(info)) this.#vanish(info);
  }

  #vanish(info) {
    this.#unsubscribe(info.id, false);
    if (!info.isLocal && info.isPublishing) {
      this.#emit(Events.STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED, info, PublishState.NOT_PUBLISHED);
    }
    this.#emit(Events.STAGE_PARTICIPANT_LEFT, info);
  }

  // Publishing.

  #publish() {
    const local = this.#people.get(this.id);
    const may = local?.capabilities.has("publish") && !this.#publishRefused;
    const streams = may && this.#strategy.shouldPublishParticipant(local) ? this.#strategy.stageStreamsToPublish() ?? [] : [];
    if (streams.length === 0) return this.#unpublish(false);
    const current = this.#publication?.streams ?? [];
    if (streams.length === current.length && streams.every((s) => current.includes(s))) return;
    if (!this.#publication?.replace(streams)) {
      this.#publication?.end(false);
      this.#publication = new Publication(this.#claims, () => this.#token, streams, {
        state: (state) => this.#emit(Events.STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED, local, state),
        error: (error, over) => {
          if (over) {
            this.#publishRefused = true; // until the strategy is refreshed
            this.#unpublish(true, true);
          }
          this.#emit(Events.ERROR, error);
        },
      });
    }
    this.#watch(local, streams, current);
  }

  // watch follows the mute state of what is published.
  #watch(local, streams, before) {
    for (const end of this.#unwatch) end();
    const lacks = (kind) => !streams.some((s) => s.streamType === kind && !s.isMuted);
    const tell = () => this.#presence?.tell({ audioMuted: lacks("audio"), videoStopped: lacks("video") });
    this.#unwatch = streams.map((s) => s.watch(() => {
      tell();
      this.#emit(Events.STAGE_STREAM_MUTE_CHANGED, local, s);
    }));
    tell();
    const gone = before.filter((s) => !streams.includes(s)), come = streams.filter((s) => !before.includes(s));
    if (gone.length) this.#emit(Events.STAGE_PARTICIPANT_STREAMS_REMOVED, local, gone);
    if (come.length) this.#emit(Events.STAGE_PARTICIPANT_STREAMS_ADDED, local, come);
  }

  #unpublish(quietly, refused = false) {
    const publication = this.#publication;
    if (!publication) return;
    this.#publication = undefined;
    for (const end of this.#unwatch) end();
    this.#unwatch = [];
    publication.end(quietly, refused);
    const local = this.#people.get(this.id);
    if (local) this.#emit(Events.STAGE_PARTICIPANT_STREAMS_REMOVED, local, publication.streams);
  }

  // Subscribing.

  #subscribe() {
    const may = this.#people.get(this.id)?.capabilities.has("subscribe");
    for (const info of this.#people.values()) {
      const wish = may && !info.isLocal && info.isPublishing ? this.#wish(info) : null;
      const current = this.#subscriptions.get(info.id);
      if (current && wish) current.change(wish);
      else if (current) this.#unsubscribe(info.id, false);
      else if (wish && this.#givenUp.get(info.id) !== info.publishEpoch) this.#follow(info, wish);
    }
  }

  // wish is how somebody is to be received, null for not at all.
  #wish(info) {
    const type = this.#strategy.shouldSubscribeToParticipant(info) ?? SubscribeType.NONE;
    if (type === SubscribeType.NONE) return null;
    const preference = this.#strategy.subscribeConfiguration?.(info)?.simulcast?.initialLayerPreference;
    const stream = this.#subscriptions.get(info.id)?.streams.find((s) => s.streamType === "video");
    const layer = type === SubscribeType.AUDIO_VIDEO ? this.#strategy.preferredLayerForStream?.(info, stream) : null;
    return { type, layer: layer?.label ?? layer ?? null, initial: /highest/i.test(preference ?? "") ? "highest" : "lowest" };
  }

  #follow(info, wish) {
    const subscription = new Subscription(this.#claims, () => this.#token, info, wish, {
      state: (state) => this.#emit(Events.STAGE_PARTICIPANT_SUBSCRIBE_STATE_CHANGED, info, state),
      added: (streams) => this.#emit(Events.STAGE_PARTICIPANT_STREAMS_ADDED, info, streams),
      removed: (streams) => this.#emit(Events.STAGE_PARTICIPANT_STREAMS_REMOVED, info, streams),
      layers: (stream, layers) => this.#emit(Events.STAGE_STREAM_LAYERS_CHANGED, info, stream, layers),
      selected: (stream, layer, reason) => this.#emit(Events.STAGE_STREAM_LAYER_SELECTED, info, stream, layer, reason),
      adaption: (stream, auto) => this.#emit(Events.STAGE_STREAM_ADAPTION_CHANGED, info, stream, auto),
      error: (error, over) => {
        if (over) {
          this.#subscriptions.delete(info.id);
          this.#givenUp.set(info.id, info.publishEpoch); // not again before it publishes anew
        }
        this.#emit(Events.ERROR, error);
      },
    });
    this.#subscriptions.set(info.id, subscription);
    if (layerEvents.some((event) => this.#listeners.get(event)?.size)) subscription.watch();
  }

  #unsubscribe(id, quietly) {
    const subscription = this.#subscriptions.get(id);
    this.#subscriptions.delete(id);
    subscription?.end(quietly);
  }
}
