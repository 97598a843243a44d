// A participant with nothing but what every browser has: WebSocket, fetch,
// RTCPeerConnection. The test calls the functions of `participant` and awaits
// their promises.
"use strict";

const participant = {
  token: "", claims: null, socket: null, state: null, states: 0,
  watchers: new Set(), calls: new Map(), widths: {},
  way: "", // media go over "tcp" or "turn" alone, "" for whatever works
};

const failed = (what) => { throw new Error(what); };

// join opens the presence socket and resolves with the first state.
participant.join = async (token) => {
  participant.token = token;
  const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const claims = participant.claims = JSON.parse(atob(payload));
  const url = `${claims.events_url}/?error_over_ws=1&topic=${claims.topic}/publishers&traceid=1`;
  const socket = participant.socket = new WebSocket(url, token);
  socket.onmessage = (message) => {
    const frame = JSON.parse(message.data);
    if (frame.type !== "STAGE_STATE") return;
    if (!Number.isInteger(frame.payload.sequenceNumber)) failed("a state without a number");
    participant.state = frame.payload;
    participant.states++;
    for (const look of [...participant.watchers]) look();
  };
  socket.onopen = () => {
    if (socket.protocol !== token) failed("the server chose another subprotocol");
    participant.mute(false, false);
  };
  return participant.sees(claims.jti, () => true);
};

participant.mute = (audioMuted, videoStopped) =>
  participant.socket.send(JSON.stringify({ type: "SET_STATE", version: "0", audioMuted, videoStopped }));

// sees resolves when somebody's entry in the state is as wanted.
participant.sees = (id, wanted) => new Promise((resolve) => {
  const look = () => {
    const entry = participant.state?.participants.find((p) => p.id === id);
    if (!entry || !wanted(entry)) return;
    participant.watchers.delete(look);
    resolve(entry);
  };
  participant.watchers.add(look);
  look();
});

// misses resolves when somebody's entry has gone from the state.
participant.misses = (id) => new Promise((resolve) => {
  const look = () => {
    if (participant.state.participants.some((p) => p.id === id)) return;
    participant.watchers.delete(look);
    resolve(true);
  };
  participant.watchers.add(look);
  look();
});

const headers = (more) => ({
  "Authorization": `Bearer ${participant.token}`, "Content-Type": "application/sdp",
  "x-stages-sdk": "1.41.0", "x-stages-platform": "web", "x-stages-session-id": "s", "x-stages-request-id": "r",
  "x-stages-trace-id": "t", "x-stages-whip-version": "draft-ietf-wish-whip-04",
  "x-stages-options": btoa('{"cap":["sau"]}'), ...more,
});

// iceServers are those that the answer names (RFC 9725, section 4.6).
const iceServers = (answer) =>
  [...(answer.headers.get("Link") ?? "").matchAll(/<(turns?:[^>]+)>; rel="ice-server"; username="([^"]*)"; credential="([^"]*)"/g)]
    .map(([, urls, username, credential]) => ({ urls, username, credential }));

// call offers without candidates, as the IVS clients do, and resolves when the connection is up.
const call = async (name, pc, path, more) => {
  const connected = new Promise((resolve, reject) => {
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === "connected") resolve();
      if (pc.connectionState === "failed") reject(new Error(`${name}: the connection failed`));
    };
  });
  const local = await pc.createOffer();
  const offer = local.sdp.split("\r\n").filter((line) => !line.startsWith("a=candidate:")).join("\r\n");
  const url = `${participant.claims.whip_url}/${path}`;
  const answer = await fetch(url, { method: "POST", headers: headers(more), body: offer });
  if (answer.status !== 201) failed(`${name}: ${answer.status} ${await answer.text()}`);
  const resource = new URL(answer.headers.get("Location"), url).href;
  if (!answer.headers.get("ETag")) failed(`${name}: no ETag that a page may read`);
  if (participant.way === "turn") pc.setConfiguration({ ...pc.getConfiguration(), iceTransportPolicy: "relay", iceServers: iceServers(answer) });
  await pc.setLocalDescription(local); // not earlier, so that the servers of the answer are used
  let sdp = await answer.text();
  if (participant.way === "tcp") sdp = sdp.split("\r\n").filter((line) => !/^a=candidate:\S+ \d+ udp /.test(line)).join("\r\n");
  await pc.setRemoteDescription({ type: "answer", sdp });
  await connected;
  const link = answer.headers.get("Link")?.match(/<([^>]*)>; rel="urn:callboard:whep:ext:layer"/)?.[1];
  participant.calls.set(name, { pc, resource, layer: link && new URL(link, url).href });
};

const encodings = [
  { rid: "low", scaleResolutionDownBy: 4, maxBitrate: 200_000 },
  { rid: "mid", scaleResolutionDownBy: 2, maxBitrate: 700_000 },
  { rid: "hi", maxBitrate: 1_700_000 },
];

// publish sends the fake camera and microphone, in one layer or three.
participant.publish = async (simulcast) => {
  const size = simulcast ? { width: 1280, height: 720, frameRate: 15 } : { width: 640, height: 360, frameRate: 15 };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: size });
  const [video] = stream.getVideoTracks();
  video.contentHint = "detail"; // rather fewer frames than smaller ones
  const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  pc.addTransceiver(stream.getAudioTracks()[0], { direction: "sendonly", streams: [stream] });
  pc.addTransceiver(video, { direction: "sendonly", streams: [stream], sendEncodings: simulcast ? encodings : [{}] });
  await call("publish", pc, `publish/${participant.claims.jti}`, {});
  return video.getSettings().width;
};

// subscribe plays what somebody else publishes.
participant.subscribe = async (id, query) => {
  const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const video = document.createElement("video");
  video.id = id;
  video.muted = video.autoplay = video.playsInline = true;
  document.getElementById("videos").append(video);
  participant.widths[id] = [];
  video.onresize = () => participant.widths[id].push(video.videoWidth);
  const stream = new MediaStream();
  video.srcObject = stream;
  pc.ontrack = ({ track, streams }) => {
    if (streams[0]?.id !== id) failed(`the stream is called ${streams[0]?.id}`);
    stream.addTrack(track);
  };
  pc.addTransceiver("audio", { direction: "recvonly" });
  pc.addTransceiver("video", { direction: "recvonly" });
  await call(id, pc, `subscribe/${id}${query}`, { "x-stages-initial-layer-pref": "lowest" });
  video.play();
};

// choose changes what is received from somebody, and resolves with the status.
participant.choose = async (id, choice) => {
  const headers = { "Authorization": `Bearer ${participant.token}`, "Content-Type": "application/json" };
  const answer = await fetch(participant.calls.get(id).layer, { method: "PUT", headers, body: JSON.stringify(choice) });
  return answer.status;
};

// choices tells what there is to choose from.
participant.choices = async (id) => {
  const answer = await fetch(participant.calls.get(id).layer, { headers: { "Authorization": `Bearer ${participant.token}` } });
  return answer.json();
};

// stop ends a publication or a subscription.
participant.stop = async (name) => {
  const { pc, resource } = participant.calls.get(name);
  participant.calls.delete(name);
  document.getElementById(name)?.remove();
  const gone = await fetch(resource, { method: "DELETE", headers: { "Authorization": `Bearer ${participant.token}` } });
  pc.close();
  return gone.status;
};

// stats tells what flows in a call.
participant.stats = async (name) => {
  const report = [...(await participant.calls.get(name).pc.getStats()).values()];
  const find = (type, wanted) => report.find((s) => s.type === type && (!wanted || wanted(s)));
  const video = find("inbound-rtp", (s) => s.kind === "video") ?? find("outbound-rtp", (s) => s.kind === "video");
  const audio = find("inbound-rtp", (s) => s.kind === "audio") ?? find("outbound-rtp", (s) => s.kind === "audio");
  const codec = (stream) => report.find((s) => s.id === stream?.codecId);
  const transport = find("transport");
  const pair = report.find((s) => s.id === transport?.selectedCandidatePairId);
  const near = report.find((s) => s.id === pair?.localCandidateId);
  const element = document.getElementById(name);
  return {
    way: near ? `${near.candidateType} ${near.protocol}` : "",
    framesDecoded: video?.framesDecoded ?? 0,
    framesSent: report.filter((s) => s.type === "outbound-rtp" && s.kind === "video").map((s) => s.framesSent ?? 0),
    widthsSent: Object.fromEntries(report.filter((s) => s.type === "outbound-rtp" && s.rid).map((s) => [s.rid, s.framesPerSecond ? s.frameWidth : 0])),
    audioPackets: audio?.packetsReceived ?? audio?.packetsSent ?? 0,
    width: element?.videoWidth ?? 0,
    widths: participant.widths[name] ?? [],
    codec: codec(video)?.mimeType ?? "", fmtp: codec(video)?.sdpFmtpLine ?? "", audioCodec: codec(audio)?.mimeType ?? "",
    srtpCipher: transport?.srtpCipher ?? "", dtlsCipher: transport?.dtlsCipher ?? "", tlsVersion: transport?.tlsVersion ?? "",
  };
};
