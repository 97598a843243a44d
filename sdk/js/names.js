// The words of the programming model: events, states, reasons and errors.

export const StageEvents = Object.freeze({
  STAGE_CONNECTION_STATE_CHANGED: "stageConnectionStateChanged",
  STAGE_LEFT: "stageLeft",
  STAGE_PARTICIPANT_JOINED: "stageParticipantJoined",
  STAGE_PARTICIPANT_LEFT: "stageParticipantLeft",
  STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED: "stageParticipantPublishStateChanged",
  STAGE_PARTICIPANT_SUBSCRIBE_STATE_CHANGED: "stageParticipantSubscribeStateChanged",
  STAGE_PARTICIPANT_STREAMS_ADDED: "stageParticipantStreamsAdded",
  STAGE_PARTICIPANT_STREAMS_REMOVED: "stageParticipantStreamsRemoved",
  STAGE_PARTICIPANT_METADATA_CHANGED: "stageParticipantMetadataChanged",
  STAGE_STREAM_MUTE_CHANGED: "stageStreamMuteChanged",
  STAGE_STREAM_LAYERS_CHANGED: "stageStreamLayersChanged",
  STAGE_STREAM_LAYER_SELECTED: "stageStreamLayerSelected",
  STAGE_STREAM_ADAPTION_CHANGED: "stageStreamAdaptionChanged",
  ERROR: "error",
});

export const StageConnectionState = Object.freeze({
  DISCONNECTED: "disconnected", CONNECTING: "connecting", CONNECTED: "connected", ERRORED: "errored",
});

export const StageParticipantPublishState = Object.freeze({
  NOT_PUBLISHED: "not_published", ATTEMPTING_PUBLISH: "attempting_publish", PUBLISHED: "published", ERRORED: "errored",
});

export const StageParticipantSubscribeState = Object.freeze({
  NOT_SUBSCRIBED: "not_subscribed", ATTEMPTING_SUBSCRIBE: "attempting_subscribe", SUBSCRIBED: "subscribed", ERRORED: "errored",
});

export const SubscribeType = Object.freeze({ NONE: "none", AUDIO_ONLY: "audio_only", AUDIO_VIDEO: "audio_video" });

export const InitialLayerPreference = Object.freeze({ LOWEST_QUALITY: "LOWEST_QUALITY", HIGHEST_QUALITY: "HIGHEST_QUALITY" });

/** Why a layer comes: it was chosen, or the one that was asked for is not sent at present. */
export const StageStreamLayerSelectedReason = Object.freeze({ SELECTED: "SELECTED", UNAVAILABLE: "UNAVAILABLE" });

export const StageLeftReason = Object.freeze({
  USER_INITIATED: "user-initiated", TOKEN_REUSED: "token-reused", STAGE_DELETED: "stage-deleted",
  PARTICIPANT_DISCONNECTED: "participant-disconnected", FAILED_EXCHANGE: "failed-exchange", UNKNOWN: "unknown",
});

export const StageErrorCode = Object.freeze({
  TOKEN_MALFORMED: 1, TOKEN_EXPIRED: 2, TIMEOUT: 3, FAILED: 4, CANCELED: 5,
  STAGE_AT_CAPACITY: 6, CODEC_MISMATCH: 7, TOKEN_NOT_ALLOWED: 8, STAGE_DELETED: 9, PARTICIPANT_DISCONNECTED: 10,
  TOKEN_EXCHANGE_REQUEST_INVALID: 11, TOKEN_EXCHANGE_FAILED: 12,
});

export const StageErrorCategory = Object.freeze({
  JOIN_ERROR: "JOIN_ERROR", PUBLISH_ERROR: "PUBLISH_ERROR", SUBSCRIBE_ERROR: "SUBSCRIBE_ERROR",
});

/**
 * What went wrong, in the words of the model. `code` is one of StageErrorCode;
 * `participantId` says with whom, if it is about somebody else's media.
 */
export class StageError extends Error {
  constructor(name, category, message, participantId = "") {
    super(message || name);
    this.name = "StageError";
    this.code = StageErrorCode[name] ?? StageErrorCode.FAILED;
    this.category = category;
    this.participantId = participantId;
  }
}
