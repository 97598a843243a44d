// A participant made of Amazon's SDK. The test calls the functions of
// `participant` and awaits their promises; it finds out the rest by looking at
// `told`, `people` and what the page plays.

import {
  LocalStageStream, Stage, StageEvents, StreamType, SubscribeType,
} from "amazon-ivs-web-broadcast";

const participant = window.participant = {
  stage: null, streams: [], told: [], state: "", left: "",
  people: {}, // id -> what is known of somebody else
  layer: null, // what preferredLayerForStream answers
  type: SubscribeType.AUDIO_VIDEO,
};

const strategy = {
  stageStreamsToPublish: () => participant.streams,
  shouldPublishParticipant: () => participant.streams.length > 0,
  shouldSubscribeToParticipant: () => participant.type,
  preferredLayerForStream: () => participant.layer,
};

const person = (info) => participant.people[info.id] ??= { streams: new Map(), widths: [] };

function note(event, ...about) {
  const words = about.map((a) => a?.mediaStreamTrack ? a.streamType : Array.isArray(a) ? a.map((x) => x?.streamType ?? x?.label ?? String(x)).join("+") : a?.id && a?.userId !== undefined ? a.userId : a instanceof Error ? `${a.category} ${a.code} ${a.message}` : JSON.stringify(a));
  participant.told.push([event, ...words].join(" "));
}

function show(info, streams) {
  const { id } = info;
  let video = document.getElementById(id);
  if (!video) {
    video = Object.assign(document.createElement("video"), { id, muted: true, autoplay: true, playsInline: true });
    video.srcObject = new MediaStream();
    video.onresize = () => person(info).widths.push(video.videoWidth);
    document.getElementById("videos").append(video);
  }
  for (const stream of streams) {
    person(info).streams.set(stream.streamType, stream);
    video.srcObject.addTrack(stream.mediaStreamTrack);
  }
  video.play().catch(() => {});
}

/** Joins and resolves when the SDK says so. */
participant.join = async (token) => {
  const stage = participant.stage = new Stage(token, strategy);
  for (const event of Object.values(StageEvents)) stage.on(event, (...about) => note(event, ...about));
  stage.on(StageEvents.STAGE_CONNECTION_STATE_CHANGED, (state) => { participant.state = state; });
  stage.on(StageEvents.STAGE_LEFT, (reason) => { participant.left = reason; });
  stage.on(StageEvents.STAGE_PARTICIPANT_JOINED, (info) => { if (!info.isLocal) person(info).userId = info.userId; });
  stage.on(StageEvents.STAGE_PARTICIPANT_LEFT, (info) => {
    document.getElementById(info.id)?.remove();
    delete participant.people[info.id];
  });
  stage.on(StageEvents.STAGE_PARTICIPANT_STREAMS_ADDED, (info, streams) => { if (!info.isLocal) show(info, streams); });
  stage.on(StageEvents.STAGE_STREAM_MUTE_CHANGED, (info, stream) => {
    if (!info.isLocal) person(info)[stream.streamType === StreamType.AUDIO ? "audioMuted" : "videoMuted"] = stream.isMuted;
  });
  await stage.join();
};

/** Publishes the fake camera and microphone, in one layer or three. */
participant.publish = async (simulcast) => {
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720, frameRate: 15 } });
  participant.streams = media.getTracks().map((track) =>
    new LocalStageStream(track, track.kind === "video" ? { simulcast: { enabled: simulcast } } : {}));
  participant.stage.refreshStrategy();
};

participant.mute = (kind, muted) =>
  participant.streams.find((s) => s.mediaStreamTrack.kind === kind).setMuted(muted);

participant.exchange = (token) => participant.stage.exchangeToken(token);

participant.leave = () => participant.stage.leave();

/** What the page plays of somebody. */
participant.plays = (id) => {
  const video = document.getElementById(id), known = participant.people[id];
  return {
    frames: video?.getVideoPlaybackQuality().totalVideoFrames ?? 0, width: video?.videoWidth ?? 0, widths: known?.widths ?? [],
    audioMuted: known?.audioMuted ?? false, videoMuted: known?.videoMuted ?? false, here: Boolean(known),
    streams: [...known?.streams.keys() ?? []],
  };
};
