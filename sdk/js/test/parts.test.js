// node --test sdk/js/test

import assert from "node:assert/strict";
import { test } from "node:test";
import { LayerWatch, readLayers } from "../layers.js";
import { fragment, renewed } from "../leg.js";
import { StageError, StageErrorCode } from "../names.js";
import { Pauses } from "../pauses.js";
import { quality } from "../quality.js";
import { encodings, LocalStageStream } from "../streams.js";
import { readToken } from "../token.js";

const jwt = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.sig`;

test("a token is read, whatever letters are in it", () => {
  const claims = { jti: "p", topic: "s", whip_url: "http://x/whip", events_url: "ws://x/events", user_id: "Zoë ✓ ??>>" };
  assert.deepEqual(readToken(jwt(claims)), claims);
});

test("what is not a participant token is refused in the words of the model", () => {
  const good = { jti: "p", topic: "s", whip_url: "http://x/whip", events_url: "ws://x/events" };
  const bad = [{ topic: "/evil/x", events_url: "wss:" }, { events_url: "/events" }, { whip_url: "https:evil" }, { whip_url: "http://" }, { jti: "../p" }];
  for (const text of ["", "a.b", "a.%%.c", jwt({}), jwt({ jti: "p", topic: "s", whip_url: "http://x" }), ...bad.map((b) => jwt({ ...good, ...b }))]) {
    assert.throws(() => readToken(text), (e) => e instanceof StageError && e.code === StageErrorCode.TOKEN_MALFORMED && e.category === "JOIN_ERROR");
  }
});

const offer = ["v=0", "a=group:BUNDLE 0 1", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=ice-ufrag:new", "a=ice-pwd:newpassword", "a=mid:0",
  "a=candidate:1 1 udp 1 10.0.0.1 5 typ host", "m=video 9 UDP/TLS/RTP/SAVPF 96", "a=ice-ufrag:new", "a=mid:1", ""].join("\r\n");

test("an ICE restart sends what of the offer is about ICE, once", () => {
  assert.equal(fragment(offer), ["a=ice-ufrag:new", "a=ice-pwd:newpassword", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0",
    "a=candidate:1 1 udp 1 10.0.0.1 5 typ host", ""].join("\r\n"));
});

test("the answer to an ICE restart takes the place of the old ICE lines in every section, and of nothing else", () => {
  const old = ["v=0", "a=ice-lite", "m=audio 9 x 111", "a=ice-ufrag:old", "a=ice-pwd:oldpassword", "a=candidate:1 1 udp 1 10.0.0.9 9 typ host",
    "a=end-of-candidates", "a=mid:0", "m=video 9 x 96", "a=mid:1", "a=ice-ufrag:old", "a=ice-pwd:oldpassword", ""].join("\r\n");
  const got = renewed(old, ["a=ice-ufrag:two", "a=ice-pwd:twopassword", "m=audio 9 x 0", "a=mid:0", "a=candidate:7 1 udp 1 10.0.0.2 7 typ host", ""].join("\r\n"));
  const fresh = ["a=ice-ufrag:two", "a=ice-pwd:twopassword", "a=candidate:7 1 udp 1 10.0.0.2 7 typ host"];
  assert.equal(got, ["v=0", "a=ice-lite", "m=audio 9 x 111", "a=mid:0", ...fresh, "m=video 9 x 96", "a=mid:1", ...fresh, ""].join("\r\n"));
});

test("pauses grow to five seconds and begin anew after success", () => {
  const pauses = new Pauses();
  const taken = Array.from({ length: 8 }, () => pauses.take());
  assert.ok(taken[0] <= 313 && taken[7] >= 3750 && taken[7] <= 6250, String(taken));
  assert.ok(pauses.take(9000) >= 9000);
  pauses.reset();
  assert.ok(pauses.take() <= 313);
});

const report = (at, bytes, packets, lost) => new Map([
  ["a", { type: "inbound-rtp", kind: "video", timestamp: at, bytesReceived: bytes, packetsReceived: packets, packetsLost: lost, frameWidth: 640, frameHeight: 360, framesPerSecond: 29.7 }],
  ["b", { type: "candidate-pair", timestamp: at, nominated: true, state: "succeeded", currentRoundTripTime: 0.03 }],
]);

test("quality is what has changed since the last look", () => {
  const [numbers] = quality(report(1000, 0, 0, 0));
  const [, judged] = quality(report(3000, 250_000, 190, 10), numbers);
  assert.deepEqual(judged, { bitrate: 1_000_000, loss: 0.05, rtt: 0.03, width: 640, height: 360, fps: 30, level: "fair" });
  assert.equal(quality(report(5000, 250_000, 190, 10), numbers)[1].level, "fair");
  assert.equal(quality(report(3000, 0, 0, 0), numbers)[1].level, "poor", "nothing arrives");
});

const camera = (height, width) => ({ kind: "video", id: "v", enabled: true, getSettings: () => ({ height, width }) });

test("as many layers are sent as the size of the picture has room for", () => {
  const rids = (height, options) => encodings(new LocalStageStream(camera(height), options)).map((e) => e.rid);
  assert.deepEqual(rids(720, { simulcast: true }), ["low", "mid", "hi"]);
  assert.deepEqual(rids(540, { simulcast: true }), ["low", "hi"]);
  assert.deepEqual(rids(270, { simulcast: true }), [undefined]);
  assert.deepEqual(rids(720, { simulcast: true, maxBitrate: 899_999 }), [undefined]);
  assert.deepEqual(rids(720, {}), [undefined]);
  assert.deepEqual(rids(720, { simulcast: { enabled: true } }), ["low", "mid", "hi"]);
  assert.deepEqual(rids(720, { simulcast: { enabled: false } }), [undefined]);
});

test("smaller layers have 360 and 180 lines, whatever the camera has, upright as well", () => {
  const lines = (...size) => encodings(new LocalStageStream(camera(...size), { simulcast: true })).map((e) => Math.min(...size) / e.scaleResolutionDownBy);
  assert.deepEqual(lines(720, 1280), [180, 360, 720]);
  assert.deepEqual(lines(1280, 720), [180, 360, 720]);
  assert.deepEqual(lines(1080, 1920), [180, 360, 1080]);
  assert.deepEqual(lines(540, 960), [180, 540]);
  assert.deepEqual(lines(360, 640), [180, 360]);
});

const layer = (label, more) => ({ label, width: 1280, height: 720, bitrate: 1000, fps: 30, active: true, ...more });

test("of layers is told what has changed, and why", async () => {
  const told = [];
  let answer = { layers: [layer("hi"), layer("low")], selected: "low", auto: true }, wished = null;
  const watch = new LayerWatch(async () => answer, () => wished, {
    changed: (layers) => told.push(layers.map((l) => l.label + (l.active ? "" : " off")).join()),
    selected: (l, reason) => told.push(`${l?.label} ${reason}`),
    adaption: (auto) => told.push(auto),
  });
  const after = async (more) => {
    answer = { ...answer, ...more };
    told.length = 0;
    await watch.look();
    return told;
  };
  assert.deepEqual(await after(), [], "nobody watches yet");
  watch.start();
  await new Promise(setImmediate);
  assert.deepEqual(told, ["hi,low", "low SELECTED"]);
  assert.deepEqual(await after({ layers: [layer("hi", { bitrate: 1200 }), layer("low")] }), [], "a rate is no news");
  wished = "hi";
  assert.deepEqual(await after({ auto: false, selected: "hi" }), [false, "hi,low", "hi SELECTED"]);
  assert.deepEqual(await after({ layers: [layer("hi", { active: false }), layer("low")], selected: "low" }), ["hi off,low", "low UNAVAILABLE"]);
  assert.deepEqual(await after({ selected: "" }), ["hi off,low", "undefined UNAVAILABLE"]);
  watch.stop();
  assert.deepEqual(await after({ auto: true }), [], "nobody watches any more");
});

test("of what the server says of layers, that of the model is read", () => {
  const answer = { layers: [{ ...layer("hi"), bitsPerSecond: 900_000, encodingId: "hi", framesPerSecond: 31, selected: true }], selected: "hi", auto: false, video: true, paused: false };
  assert.deepEqual(readLayers(answer), { ...answer, layers: [layer("hi", { bitrate: 900_000 })] });
});

test("muting is heard of once, and does to the track what it says", () => {
  const track = camera(720), stream = new LocalStageStream(track);
  let heard = 0;
  const end = stream.watch(() => heard++);
  stream.setMuted(true);
  stream.setMuted(true);
  assert.deepEqual([heard, track.enabled, stream.isMuted], [1, false, true]);
  end();
  stream.setMuted(false);
  assert.deepEqual([heard, track.enabled], [1, true]);
});
