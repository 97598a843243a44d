// The page at /join: a token in, people and pictures out.

import { LocalStageStream, Stage, StageConnectionState, StageErrorCategory, StageErrorCode, StageEvents, SubscribeType } from "../sdk/stage.js";
import { readToken } from "../sdk/token.js";
import { Devices } from "./devices.js";
import { News } from "./news.js";
import { figures, nameOf, Tiles } from "./tiles.js";

const element = (id) => document.getElementById(id);
const devices = new Devices();
const tiles = new Tiles(element("grid"));
const news = new News(element("news"));
const judged = new Map(); // participant id -> what was measured last
const unplayable = new Set(); // ids of participants whose picture this browser cannot decode
let stage = null, streams = [], judging;

function say(text, bad = false) {
  element("status").textContent = text;
  element("status").classList.toggle("bad", bad);
}

// A link to this page may bring the token behind a #, which no server gets to see.
const handed = new URLSearchParams(location.hash.slice(1)).get("token");
if (handed) {
  element("token").value = handed;
  history.replaceState(null, "", location.pathname);
}

const strategy = {
  shouldPublishParticipant: () => streams.length > 0,
  stageStreamsToPublish: () => streams,
  shouldSubscribeToParticipant: () => element("layer").value === "audio" ? SubscribeType.AUDIO_ONLY : SubscribeType.AUDIO_VIDEO,
  preferredLayerForStream: () => element("layer").value || null,
};

// The door.

// hosts are those that a token leads to, except that of this page.
function hosts({ whip_url, events_url }) {
  const all = [whip_url, events_url].map((url) => new URL(url).host);
  return [...new Set(all)].filter((host) => host !== location.host);
}

// trusted asks whether to go where a token leads: anybody can make a link to this page.
function trusted(token) {
  const there = hosts(readToken(token)); // what cannot be read leads nowhere: it fails
  if (there.length === 0) return true;
  const dialog = element("elsewhere");
  element("host").textContent = there.join(" and ");
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "go");
    dialog.returnValue = "";
    element("stay").onclick = () => dialog.close("");
    element("go").onclick = () => dialog.close("go");
  });
}

function introduce() {
  const token = element("token").value.trim();
  element("who").textContent = "";
  element("token").ariaInvalid = "false";
  if (!token) return;
  try {
    const claims = readToken(token), there = hosts(claims).join(" and ");
    const may = [claims.capabilities?.allow_publish && "publish", claims.capabilities?.allow_subscribe && "watch"].filter(Boolean);
    element("who").textContent = `${claims.user_id || claims.jti}, may ${may.join(" and ") || "only be there"}, ${1000 * claims.exp < Date.now() ? "expired" : "until"} ${new Date(1000 * claims.exp).toLocaleString()}.${there && ` The server is ${there}.`}`;
  } catch {
    element("who").textContent = "This does not look like a participant token.";
  }
}

element("token").addEventListener("input", introduce);
for (const [menu, kind] of [["camera", "video"], ["microphone", "audio"]]) {
  element(menu).addEventListener("change", async () => {
    const why = await devices.choose(kind, element(menu).value);
    say(why, Boolean(why));
  });
}
element("entry").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter ?? element("entry").querySelector("button");
  button.disabled = true;
  const token = element("token").value.trim();
  let failure;
  try { if (await trusted(token)) await join(token); } catch (error) { failure = error; }
  button.disabled = false;
  if (failure) refuse(failure);
});

// refuse says why nobody could join, where it can be mended.
function refuse(error) {
  back(error.message, true);
  if (error.code !== StageErrorCode.TOKEN_MALFORMED && error.code !== StageErrorCode.TOKEN_EXPIRED) return;
  element("token").ariaInvalid = "true";
  element("token").focus();
}

// The stage.

async function join(token) {
  say("Joining…");
  equip();
  stage = new Stage(token, strategy, { viewers: true });
  listen(stage);
  await stage.join();
  devices.hush();
  document.body.dataset.place = "stage";
  element("door").hidden = true;
  element("stage").hidden = false;
  judging = setInterval(judge, 2000);
  element("mic").focus();
}

// equip publishes what the devices give; they may come after the joining, for
// the browser asks and people think.
function equip() {
  streams = Object.values(devices.tracks).filter(Boolean)
    .map((track) => new LocalStageStream(track, { simulcast: track.kind === "video" }));
  for (const [button, kind] of [["mic", "audio"], ["cam", "video"]]) {
    element(button).disabled = !streams.some((s) => s.streamType === kind);
  }
  stage?.refreshStrategy();
}

function listen(on) {
  on.on(StageEvents.STAGE_CONNECTION_STATE_CHANGED, (state) => {
    if (state === StageConnectionState.CONNECTED) say("");
    if (state === StageConnectionState.CONNECTING && !element("stage").hidden) say("The connection is lost. Reconnecting…", true);
  });
  on.on(StageEvents.STAGE_LEFT, (reason) => back(goodbyes[reason] ?? "The server has ended the connection."));
  on.on(StageEvents.ERROR, (error) => {
    if (on.connectionState === StageConnectionState.ERRORED && error.code !== StageErrorCode.FAILED) back(error.message, true);
    else if (error.code === StageErrorCode.CODEC_MISMATCH && error.participantId) unplayable.add(error.participantId); // its tile says so
    else say(explain(error), true);
  });
  on.on(StageEvents.STAGE_PARTICIPANT_STREAMS_ADDED, (info, list) => tiles.add(info, list));
  on.on(StageEvents.STAGE_PARTICIPANT_STREAMS_REMOVED, (info, list) => tiles.remove(info, list));
  on.on(StageEvents.STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED, ({ id }) => unplayable.delete(id));
  on.on(StageEvents.STAGE_STREAM_MUTE_CHANGED, (info) => { look(info); people(); });
  for (const event of ["JOINED", "LEFT", "METADATA_CHANGED", "PUBLISH_STATE_CHANGED"]) {
    on.on(StageEvents[`STAGE_PARTICIPANT_${event}`], (info) => { look(info); people(); });
  }
  const others = (tell) => (info) => !info.isLocal && !element("stage").hidden && tell(nameOf(info));
  on.on(StageEvents.STAGE_PARTICIPANT_JOINED, others((name) => news.joined(name)));
  on.on(StageEvents.STAGE_PARTICIPANT_LEFT, others((name) => news.left(name)));
}

// explain says what an error means for the one who reads it.
function explain({ code, category, participantId, message }) {
  const them = stage?.participants.find((p) => p.id === participantId);
  const whose = them ? nameOf(them) : "somebody";
  if (code !== StageErrorCode.FAILED || category === StageErrorCategory.JOIN_ERROR) return message;
  const what = category === StageErrorCategory.PUBLISH_ERROR ? "What you send does not reach the server" : `What ${whose} sends does not reach you`;
  const firefox = /Firefox/.test(navigator.userAgent) && ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  return `${what}. Still trying. ${firefox ? "Firefox sends no media to 127.0.0.1: the server needs a media address beside it, such as --media 0.0.0.0:7481." : "Something on the way may block the server's media port."}`;
}

const goodbyes = {
  "user-initiated": "You have left.", "token-reused": "This token is in use in another window now.",
  "stage-deleted": "The stage has been closed.", "participant-disconnected": "You have been disconnected by the host.",
};

const muted = (kind) => streams.some((s) => s.streamType === kind && s.isMuted);

function look(info) {
  tiles.update(info, info.isLocal ? { audio: muted("audio"), video: muted("video") } : undefined);
}

function people() {
  const all = stage?.participants ?? [];
  element("who-is-here").textContent = `People (${all.length})`;
  element("people").querySelector("ul").replaceChildren(...all.map((info) => {
    const line = document.createElement("li"), measured = judged.get(info.id);
    const does = !info.isPublishing ? "watching" : (info.isLocal ? muted("audio") : info.audioMuted) ? "muted" : "on stage";
    for (const [className, textContent] of [["name", nameOf(info)], ["does", does], ["figures", measured ? figures(measured) : ""]]) {
      line.append(Object.assign(document.createElement("span"), { className, textContent }));
    }
    return line;
  }));
}

// judge measures everybody. Of what is muted there is nothing to judge.
async function judge() {
  for (const info of stage?.participants ?? []) {
    const { id } = info;
    const silent = info.isLocal ? streams.every((s) => s.isMuted) : info.audioMuted && (info.videoStopped || !tiles.shows(id));
    const measured = await stage?.quality(id) ?? null;
    judged.set(id, silent ? null : measured);
    tiles.judge(id, judged.get(id));
    const waits = measured && !info.isLocal && !measured.fps && tiles.shows(id) && (await stage?.layers(id))?.paused;
    tiles.note(id, unplayable.has(id) ? "This browser cannot play the picture, only the sound." : waits ? "The picture waits: your connection is too slow for it." : "");
  }
  people();
}

function back(text, bad = false) {
  clearInterval(judging);
  stage = null;
  tiles.clear();
  news.clear();
  judged.clear();
  unplayable.clear();
  document.body.dataset.place = "door";
  element("stage").hidden = true;
  element("door").hidden = false;
  for (const stream of streams) stream.setMuted(false);
  for (const [button, words] of [["mic", "Mute"], ["cam", "Stop video"]]) press(button, false, words);
  element("entry").querySelector("button").focus();
  say(text, bad);
}

// Controls.

function press(id, on, words) {
  element(id).classList.toggle("off", on);
  element(id).textContent = words;
}

function mute(kind, button, [off, on]) {
  for (const stream of streams.filter((s) => s.streamType === kind)) {
    stream.setMuted(!stream.isMuted);
    press(button, stream.isMuted, stream.isMuted ? on : off);
  }
}

element("mic").addEventListener("click", () => mute("audio", "mic", ["Mute", "Unmute"]));
element("cam").addEventListener("click", () => mute("video", "cam", ["Stop video", "Start video"]));
element("layer").addEventListener("change", () => stage?.refreshStrategy());
element("leave").addEventListener("click", () => stage?.leave());
element("who-is-here").addEventListener("click", () => {
  const shown = element("people").hidden;
  element("people").hidden = !shown;
  element("who-is-here").ariaExpanded = String(shown);
});

introduce();
const missing = await devices.open();
if (missing) say(missing, true);
if (stage) {
  equip();
  devices.hush();
}
