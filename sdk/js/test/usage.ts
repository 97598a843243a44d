// An application that uses all of the module. It is checked, not run.

import {
  InitialLayerPreference, LocalStageStream, Stage, StageConnectionState, StageError, StageErrorCategory, StageErrorCode,
  StageEvents, StageLeftReason, StageParticipantPublishState, StageParticipantSubscribeState, StageStream,
  StageStreamLayerSelectedReason, SubscribeType,
  type Layers, type LocalStreamOptions, type Quality, type StageParticipantInfo, type StageStrategy, type StageStreamLayer,
} from "../stage.js";

const options: LocalStreamOptions = { simulcast: true, maxBitrate: 1_500_000 };
const camera = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
const streams = camera.getTracks().map((track) => new LocalStageStream(track, options));
const like = new LocalStageStream(camera.getTracks()[0]!, { simulcast: { enabled: true } });
const end: () => void = like.watch((stream) => stream.setMuted(!stream.isMuted));

const strategy: StageStrategy = {
  shouldPublishParticipant: (local) => local.capabilities.has("publish"),
  stageStreamsToPublish: () => streams,
  shouldSubscribeToParticipant: ({ attributes }) => attributes["role"] === "host" ? SubscribeType.AUDIO_VIDEO : SubscribeType.NONE,
  subscribeConfiguration: () => ({ simulcast: { initialLayerPreference: InitialLayerPreference.HIGHEST_QUALITY } }),
  preferredLayerForStream: (participant, stream) => stream?.isMuted ? "low" : participant.isLocal ? { label: "hi" } : null,
};
const smallest: StageStrategy = {
  shouldPublishParticipant: () => false, stageStreamsToPublish: () => [], shouldSubscribeToParticipant: () => SubscribeType.AUDIO_ONLY,
};

const stage = new Stage("token", strategy, { viewers: true });
stage
  .on(StageEvents.STAGE_CONNECTION_STATE_CHANGED, (state) => { const known: StageConnectionState = state; if (known === StageConnectionState.ERRORED) end(); })
  .on(StageEvents.STAGE_LEFT, (reason) => { if (reason === StageLeftReason.TOKEN_REUSED) end(); })
  .on(StageEvents.STAGE_PARTICIPANT_JOINED, (participant) => { participant.userInfo["seen"] = true; })
  .on(StageEvents.STAGE_PARTICIPANT_LEFT, ({ id, userId, joinedAt, publishEpoch }) => console.log(id, userId, joinedAt, publishEpoch + 1))
  .on(StageEvents.STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED, (_, state) => { if (state === StageParticipantPublishState.PUBLISHED) end(); })
  .on(StageEvents.STAGE_PARTICIPANT_SUBSCRIBE_STATE_CHANGED, (_, state) => { if (state === StageParticipantSubscribeState.ERRORED) end(); })
  .on(StageEvents.STAGE_PARTICIPANT_STREAMS_ADDED, (_, added) => { new MediaStream(added.map((s) => s.mediaStreamTrack)); })
  .on(StageEvents.STAGE_PARTICIPANT_STREAMS_REMOVED, (_, removed) => { removed.map((s) => `${s.streamType} ${s.id}`); })
  .on(StageEvents.STAGE_PARTICIPANT_METADATA_CHANGED, (participant: StageParticipantInfo) => console.log(participant.attributes))
  .on(StageEvents.STAGE_STREAM_MUTE_CHANGED, (_, stream: StageStream | LocalStageStream) => console.log(stream.isMuted))
  .on(StageEvents.STAGE_STREAM_LAYERS_CHANGED, (_, stream, layers) => { const all: readonly StageStreamLayer[] = layers; console.log(stream.id, all.length); })
  .on(StageEvents.STAGE_STREAM_LAYER_SELECTED, (_, _stream, layer, reason) => { if (reason === StageStreamLayerSelectedReason.UNAVAILABLE) console.log(layer?.label, layer?.bitrate); })
  .on(StageEvents.STAGE_STREAM_ADAPTION_CHANGED, (_, _stream, adapting: boolean) => console.log(adapting));

function told(error: StageError) {
  const { code, category, participantId } = error;
  if (code === StageErrorCode.CODEC_MISMATCH && category === StageErrorCategory.SUBSCRIBE_ERROR) console.log(participantId, error.message);
}
stage.on(StageEvents.ERROR, told).off(StageEvents.ERROR, told);

await stage.join();
stage.replaceStrategy(smallest);
stage.refreshStrategy();
const quality: Quality | null = await stage.quality(stage.id);
const layers: Layers | null = await stage.layers(stage.participants[0]?.id ?? "");
console.log(quality?.level === "good", quality?.rtt?.toFixed(3), layers?.paused, layers?.layers[0]?.fps, stage.connectionState);
await stage.exchangeToken("another");
stage.leave();

// @ts-expect-error: a strategy answers all three questions
new Stage("token", { shouldPublishParticipant: () => true });
// @ts-expect-error: there is no such event
stage.on("stageExploded", () => {});
// @ts-expect-error: a listener gets what belongs to its event
stage.on(StageEvents.STAGE_LEFT, (reason: number) => reason);
// @ts-expect-error: streams of others are made by the stage
new StageStream(camera.getTracks()[0]!, false);
// @ts-expect-error: mute states change by setMuted
like.isMuted = true;
