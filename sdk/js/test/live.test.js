// A stage against a server that is not there: what it sends, and what it makes
// of the answers. WebRTC, WebSocket and fetch are stand-ins.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { iceServers, readLinks } from "../links.js";
import { LocalStageStream, Stage, StageErrorCode, StageEvents, SubscribeType } from "../stage.js";

const claims = {
  jti: "me", topic: "s", resource: "arn:s", whip_url: "http://board/whip", events_url: "ws://board/events",
  capabilities: { allow_publish: true, allow_subscribe: true },
};
const jwt = (more) => `e30.${Buffer.from(JSON.stringify({ ...claims, ...more })).toString("base64url")}.sig`;
const layer = '</whip/sessions/1/layer>; rel="urn:callboard:whep:ext:layer"';
const turn = '<turn:board:3478?transport=udp>; rel="ice-server"; username="u"; credential="p="; credential-type="password"';

let socket, calls, connections, stage, answers;

class Socket {
  static OPEN = 1;
  readyState = 1;
  sent = [];
  constructor() { socket = this; queueMicrotask(() => this.onopen()); }
  send(text) { this.sent.push(JSON.parse(text)); }
  close() { this.readyState = 3; }
  tell(type, payload, id) { this.onmessage({ data: JSON.stringify({ type, payload, id }) }); }
}

class Connection {
  connectionState = "new";
  log = [];
  constructor(configuration) { this.configuration = configuration; connections.push(this); }
  addTransceiver(kind) { this.log.push(kind); return {}; }
  async createOffer() { return { type: "offer", sdp: this.log.join() }; }
  setConfiguration(configuration) { this.configuration = configuration; this.log.push("configured"); }
  async setLocalDescription() { this.log.push("local"); }
  async setRemoteDescription() {
    for (const kind of this.log.filter((l) => /audio|video/.test(l))) this.ontrack({ track: { kind, id: kind } });
    this.connectionState = "connected";
    this.onconnectionstatechange();
  }
  getSenders() { return []; }
  close() {}
}

beforeEach(() => {
  calls = [];
  connections = [];
  answers = { layers: { layers: [{ label: "hi", width: 1280, height: 720, bitsPerSecond: 900_000, fps: 30, active: true }], selected: "hi", auto: true, video: true, paused: false } };
  Object.assign(globalThis, {
    WebSocket: Socket, RTCPeerConnection: Connection, addEventListener() {}, removeEventListener() {},
    async fetch(url, { method = "GET", body, headers }) {
      calls.push({ method, url: String(url), body, token: headers.Authorization.slice("Bearer ".length) });
      const refused = method === "POST" && answers.refusal?.(body);
      if (refused) return { ok: false, headers: { get: () => null }, ...refused };
      const made = { Location: "/whip/sessions/1", Link: `${layer}, ${turn}` };
      return { ok: true, status: 201, url: "http://board/whip/x", headers: { get: (name) => made[name] ?? null }, text: async () => "answer", json: async () => answers.layers };
    },
  });
});

afterEach(() => stage?.leave());

const settled = () => new Promise((resolve) => setImmediate(resolve));
let number = 1;
const state = (...more) => socket.tell("STAGE_STATE", { sequenceNumber: number++, participants: [
  { id: "me", userId: "", attributes: {}, isPublishing: false, capabilities: ["publish", "subscribe"] },
  { id: "ada", userId: "ada", attributes: {}, isPublishing: true, publishEpoch: 1, capabilities: [] }, ...more] });

async function joined(strategy) {
  stage = new Stage(jwt(), { shouldPublishParticipant: () => false, stageStreamsToPublish: () => [], ...strategy });
  const events = [];
  stage.on(StageEvents.STAGE_PARTICIPANT_STREAMS_ADDED, (_, streams) => events.push(`+${streams.map((s) => s.streamType)}`));
  stage.on(StageEvents.STAGE_PARTICIPANT_STREAMS_REMOVED, (_, streams) => events.push(`-${streams.map((s) => s.streamType)}`));
  stage.on(StageEvents.ERROR, ({ code, category, participantId, message }) => events.push([code, category, participantId, message]));
  const join = stage.join();
  await settled();
  state();
  await join;
  for (let i = 0; i < 5; i++) await settled();
  return [stage, events];
}

test("links are read, with what belongs to them", () => {
  const links = readLinks(`${layer}, ${turn}, <stun:board:3478>; rel="ice-server"`);
  assert.deepEqual(links[0], { target: "/whip/sessions/1/layer", rel: "urn:callboard:whep:ext:layer" });
  assert.deepEqual(iceServers(links), [
    { urls: "turn:board:3478?transport=udp", username: "u", credential: "p=" }, { urls: "stun:board:3478" }]);
  assert.deepEqual(readLinks(null), []);
});

test("servers that the answer names are known before candidates are gathered", async () => {
  await joined({ shouldSubscribeToParticipant: () => SubscribeType.AUDIO_VIDEO });
  assert.deepEqual(connections[0].log, ["audio", "video", "configured", "local"]);
  assert.equal(connections[0].configuration.iceServers[0].username, "u");
  assert.equal(connections[0].configuration.bundlePolicy, "max-bundle");
});

test("layers and audio alone are chosen over the same connection", async () => {
  let type = SubscribeType.AUDIO_VIDEO, preferred = null;
  const [, events] = await joined({ shouldSubscribeToParticipant: () => type, preferredLayerForStream: () => preferred });
  const chosen = async () => {
    calls = [];
    stage.refreshStrategy();
    for (let i = 0; i < 5; i++) await settled();
    return calls.map(({ method, url, body }) => `${method} ${url} ${body}`);
  };
  assert.deepEqual(await chosen(), [], "nothing has changed");
  preferred = "hi";
  const put = "PUT http://board/whip/sessions/1/layer ";
  assert.deepEqual(await chosen(), [`${put}{"video":true}`, `${put}{"layer":"hi"}`]);
  type = SubscribeType.AUDIO_ONLY;
  assert.deepEqual(await chosen(), [`${put}{"video":false}`]);
  [type, preferred] = [SubscribeType.AUDIO_VIDEO, null];
  assert.deepEqual(await chosen(), [`${put}{"video":true}`, `${put}{"layer":"auto"}`]);
  assert.deepEqual(events, ["+audio,video", "-video", "+video"]);
  assert.equal(connections.length, 1);
});

test("a wish that changes while the server answers is told it afterwards", async () => {
  let preferred = null;
  const first = joined({ shouldSubscribeToParticipant: () => SubscribeType.AUDIO_VIDEO, preferredLayerForStream: () => preferred });
  const answer = globalThis.fetch;
  let release;
  globalThis.fetch = (url, request) => request.method === "POST" ? new Promise((resolve) => { release = () => resolve(answer(url, request)); }) : answer(url, request);
  await first;
  preferred = "low";
  stage.refreshStrategy();
  release();
  for (let i = 0; i < 5; i++) await settled();
  assert.equal(calls.at(-1).body, '{"layer":"low"}');
});

test("a token is exchanged on the live connection and used from then on", async () => {
  await joined({ shouldSubscribeToParticipant: () => SubscribeType.NONE });
  const next = jwt({ user_id: "new" });
  const exchange = stage.exchangeToken(next);
  await settled();
  const { type, id, payload } = socket.sent.at(-1);
  assert.deepEqual([type, payload], ["EXCHANGE_TOKEN", { token: next }]);
  socket.tell("TOKEN_EXCHANGED", { id }, id);
  await exchange;
  stage.replaceStrategy({ shouldPublishParticipant: () => false, stageStreamsToPublish: () => [], shouldSubscribeToParticipant: () => SubscribeType.AUDIO_VIDEO });
  await settled();
  assert.equal(calls.at(-1).token, next);
});

test("a token that the server refuses ends the connection, one of another stage is not even sent", async () => {
  await joined({ shouldSubscribeToParticipant: () => SubscribeType.NONE });
  await assert.rejects(stage.exchangeToken(jwt({ topic: "other" })), { code: StageErrorCode.TOKEN_EXCHANGE_REQUEST_INVALID });
  let reason;
  stage.on(StageEvents.STAGE_LEFT, (r) => { reason = r; });
  const exchange = stage.exchangeToken(jwt({ exp: 1 }));
  await settled();
  const { id } = socket.sent.at(-1);
  socket.tell("ERROR", { code: "TOKEN_EXPIRED", message: "It has expired" }, id);
  await assert.rejects(exchange, { code: StageErrorCode.TOKEN_EXCHANGE_FAILED, message: "It has expired" });
  socket.tell("LEFT", { reason: "failed-exchange" });
  assert.equal(reason, "failed-exchange");
});

const everything = { shouldSubscribeToParticipant: () => SubscribeType.AUDIO_VIDEO };

test("who listens to layers is told of them, and nobody else has the server asked", async () => {
  await joined(everything);
  assert.equal(calls.filter(({ method }) => method === "GET").length, 0);
  const told = [];
  stage.on(StageEvents.STAGE_STREAM_LAYERS_CHANGED, ({ id }, { streamType }, layers) => told.push([id, streamType, layers[0].bitrate]));
  stage.on(StageEvents.STAGE_STREAM_LAYER_SELECTED, (_, stream, layer, reason) => told.push([layer.label, reason]));
  await settled();
  assert.deepEqual(told, [["ada", "video", 900_000], ["hi", "SELECTED"]]);
});

test("the strategy is asked for a layer with the picture that it is about", async () => {
  const asked = [];
  await joined({ ...everything, preferredLayerForStream: (info, stream) => { asked.push([info.id, stream?.streamType]); } });
  stage.refreshStrategy();
  assert.deepEqual(asked, [["ada", undefined], ["ada", "video"]]);
});

test("a picture that cannot be played is said so, and sound comes alone", async () => {
  answers.refusal = (offer) => offer.includes("video") && { status: 422, text: async () => '{"detail":"It is sent as H264"}' };
  const [, events] = await joined(everything);
  assert.deepEqual(events, [[StageErrorCode.CODEC_MISMATCH, "SUBSCRIBE_ERROR", "ada", "It is sent as H264"], "+audio"]);
  assert.deepEqual(connections.map(({ log }) => log[0] + log[1]), ["audiovideo", "audioconfigured"]);
});

test("a full stage is said so once, and tried again", async () => {
  let times = 0;
  answers.refusal = () => ++times <= 2 && { status: 503, text: async () => '{"code":"STAGE_AT_CAPACITY","detail":"It is full"}' };
  const [, events] = await joined(everything);
  assert.deepEqual(events, [[StageErrorCode.STAGE_AT_CAPACITY, "SUBSCRIBE_ERROR", "ada", "It is full"]]);
  await new Promise((resolve) => {
    stage.on(StageEvents.STAGE_PARTICIPANT_SUBSCRIBE_STATE_CHANGED, (_, now) => now === "subscribed" && resolve());
  });
  await settled();
  assert.deepEqual(events.slice(1), ["+audio,video"]);
});

test("what is not sent is told as muted, as if it were by choice", async () => {
  const microphone = new LocalStageStream({ kind: "audio", id: "a", enabled: true, getSettings: () => ({}) });
  globalThis.MediaStream = class {};
  await joined({ shouldPublishParticipant: () => true, stageStreamsToPublish: () => [microphone], shouldSubscribeToParticipant: () => SubscribeType.NONE });
  const told = () => socket.sent.filter(({ type }) => type === "SET_STATE").at(-1).payload;
  assert.deepEqual(told(), { audioMuted: false, videoStopped: true });
  microphone.setMuted(true);
  assert.deepEqual(told(), { audioMuted: true, videoStopped: true });
});

test("who leaves says so once: what the server ends by itself is not deleted as well", async () => {
  await joined(everything);
  stage.leave();
  await settled();
  assert.equal(socket.sent.at(-1).type, "LEAVE");
  assert.deepEqual(calls.filter(({ method }) => method === "DELETE"), []);
});

test("who leaves without a connection to say so on deletes what there is", async () => {
  await joined(everything);
  socket.readyState = 3;
  stage.leave();
  await settled();
  assert.equal(calls.at(-1).method, "DELETE");
});
