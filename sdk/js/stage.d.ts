/** Words of the model; the values are what events and states carry. */
export declare const StageEvents: {
  readonly STAGE_CONNECTION_STATE_CHANGED: "stageConnectionStateChanged";
  readonly STAGE_LEFT: "stageLeft";
  readonly STAGE_PARTICIPANT_JOINED: "stageParticipantJoined";
  readonly STAGE_PARTICIPANT_LEFT: "stageParticipantLeft";
  readonly STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED: "stageParticipantPublishStateChanged";
  readonly STAGE_PARTICIPANT_SUBSCRIBE_STATE_CHANGED: "stageParticipantSubscribeStateChanged";
  readonly STAGE_PARTICIPANT_STREAMS_ADDED: "stageParticipantStreamsAdded";
  readonly STAGE_PARTICIPANT_STREAMS_REMOVED: "stageParticipantStreamsRemoved";
  readonly STAGE_PARTICIPANT_METADATA_CHANGED: "stageParticipantMetadataChanged";
  readonly STAGE_STREAM_MUTE_CHANGED: "stageStreamMuteChanged";
  readonly STAGE_STREAM_LAYERS_CHANGED: "stageStreamLayersChanged";
  readonly STAGE_STREAM_LAYER_SELECTED: "stageStreamLayerSelected";
  readonly STAGE_STREAM_ADAPTION_CHANGED: "stageStreamAdaptionChanged";
  readonly ERROR: "error";
};
export declare const StageConnectionState: {
  readonly DISCONNECTED: "disconnected"; readonly CONNECTING: "connecting";
  readonly CONNECTED: "connected"; readonly ERRORED: "errored";
};
export type StageConnectionState = (typeof StageConnectionState)[keyof typeof StageConnectionState];
export declare const StageParticipantPublishState: {
  readonly NOT_PUBLISHED: "not_published"; readonly ATTEMPTING_PUBLISH: "attempting_publish";
  readonly PUBLISHED: "published"; readonly ERRORED: "errored";
};
export type StageParticipantPublishState = (typeof StageParticipantPublishState)[keyof typeof StageParticipantPublishState];
export declare const StageParticipantSubscribeState: {
  readonly NOT_SUBSCRIBED: "not_subscribed"; readonly ATTEMPTING_SUBSCRIBE: "attempting_subscribe";
  readonly SUBSCRIBED: "subscribed"; readonly ERRORED: "errored";
};
export type StageParticipantSubscribeState = (typeof StageParticipantSubscribeState)[keyof typeof StageParticipantSubscribeState];
export declare const SubscribeType: { readonly NONE: "none"; readonly AUDIO_ONLY: "audio_only"; readonly AUDIO_VIDEO: "audio_video" };
export type SubscribeType = (typeof SubscribeType)[keyof typeof SubscribeType];
export declare const InitialLayerPreference: { readonly LOWEST_QUALITY: "LOWEST_QUALITY"; readonly HIGHEST_QUALITY: "HIGHEST_QUALITY" };
export type InitialLayerPreference = (typeof InitialLayerPreference)[keyof typeof InitialLayerPreference];
/** Why a layer comes: it was chosen, or the one that was asked for is not sent at present. */
export declare const StageStreamLayerSelectedReason: { readonly SELECTED: "SELECTED"; readonly UNAVAILABLE: "UNAVAILABLE" };
export type StageStreamLayerSelectedReason = (typeof StageStreamLayerSelectedReason)[keyof typeof StageStreamLayerSelectedReason];
export declare const StageLeftReason: {
  readonly USER_INITIATED: "user-initiated"; readonly TOKEN_REUSED: "token-reused"; readonly STAGE_DELETED: "stage-deleted";
  readonly PARTICIPANT_DISCONNECTED: "participant-disconnected"; readonly FAILED_EXCHANGE: "failed-exchange"; readonly UNKNOWN: "unknown";
};
export type StageLeftReason = (typeof StageLeftReason)[keyof typeof StageLeftReason];
export declare const StageErrorCode: {
  readonly TOKEN_MALFORMED: 1; readonly TOKEN_EXPIRED: 2; readonly TIMEOUT: 3; readonly FAILED: 4; readonly CANCELED: 5;
  readonly STAGE_AT_CAPACITY: 6; readonly CODEC_MISMATCH: 7; readonly TOKEN_NOT_ALLOWED: 8; readonly STAGE_DELETED: 9;
  readonly PARTICIPANT_DISCONNECTED: 10; readonly TOKEN_EXCHANGE_REQUEST_INVALID: 11; readonly TOKEN_EXCHANGE_FAILED: 12;
};
export type StageErrorCode = (typeof StageErrorCode)[keyof typeof StageErrorCode];
export declare const StageErrorCategory: {
  readonly JOIN_ERROR: "JOIN_ERROR"; readonly PUBLISH_ERROR: "PUBLISH_ERROR"; readonly SUBSCRIBE_ERROR: "SUBSCRIBE_ERROR";
};
export type StageErrorCategory = (typeof StageErrorCategory)[keyof typeof StageErrorCategory];
export declare class StageError extends Error {
  constructor(name: string, category: StageErrorCategory, message?: string, participantId?: string);
  readonly name: "StageError";
  readonly code: StageErrorCode;
  readonly category: StageErrorCategory;
  /** With whom, if it is about somebody else's media; otherwise empty. */
  readonly participantId: string;
}

export interface StageParticipantInfo {
  readonly id: string;
  readonly userId: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly capabilities: ReadonlySet<"publish" | "subscribe">;
  readonly isLocal: boolean;
  readonly isPublishing: boolean;
  readonly audioMuted: boolean;
  readonly videoStopped: boolean;
  /** RFC 3339. */
  readonly joinedAt: string;
  /** Grows with each beginning of a publication. */
  readonly publishEpoch: number;
  /** The application's own notes. */
  userInfo: Record<string, unknown>;
}

export interface LocalStreamOptions {
  /** Send a picture in up to three sizes; each viewer gets one. */
  simulcast?: boolean | { enabled: boolean };
  /** Bits per second. */
  maxBitrate?: number;
}
export declare class LocalStageStream {
  constructor(mediaStreamTrack: MediaStreamTrack, options?: LocalStreamOptions);
  readonly mediaStreamTrack: MediaStreamTrack;
  readonly options: LocalStreamOptions;
  readonly id: string;
  readonly streamType: "audio" | "video";
  readonly isMuted: boolean;
  /** Sends silence or a black picture and tells the others. */
  setMuted(muted: boolean): void;
  /** Has `tell` called whenever the mute state changes; gives a function that ends it. */
  watch(tell: (stream: LocalStageStream) => void): () => void;
}
export declare class StageStream {
  private constructor();
  readonly mediaStreamTrack: MediaStreamTrack;
  readonly id: string;
  readonly streamType: "audio" | "video";
  readonly isMuted: boolean;
}

export type LayerLabel = "hi" | "mid" | "low" | (string & {});
export interface StageStrategy {
  /** Asked while connected, for oneself, if the token may publish. */
  shouldPublishParticipant(local: StageParticipantInfo): boolean;
  /** At most one audio and one video stream. Give the same objects again while nothing changes. */
  stageStreamsToPublish(): LocalStageStream[];
  /** Asked for everybody else who publishes. */
  shouldSubscribeToParticipant(participant: StageParticipantInfo): SubscribeType;
  subscribeConfiguration?(participant: StageParticipantInfo): { simulcast?: { initialLayerPreference?: InitialLayerPreference } } | undefined;
  /** A layer, or null to have the server adapt. `stream` is the picture, once there is one. */
  preferredLayerForStream?(participant: StageParticipantInfo, stream?: StageStream): LayerLabel | { label: LayerLabel } | null | undefined;
}

export interface Quality {
  readonly bitrate: number; // bit/s
  readonly loss: number; // 0 to 1
  readonly rtt: number | null; // seconds
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly level: "good" | "fair" | "poor";
}

export interface StageStreamLayer {
  readonly label: LayerLabel;
  /** 0 while not known, and so height. */
  readonly width: number;
  readonly height: number;
  readonly bitrate: number; // bit/s
  readonly fps: number;
  /** It is sent at present. */
  readonly active: boolean;
}

export interface Layers {
  /** From the highest to the lowest; none without simulcast. */
  readonly layers: readonly StageStreamLayer[];
  readonly selected: LayerLabel | "";
  /** The choice is the server's. */
  readonly auto: boolean;
  /** Video is wanted. */
  readonly video: boolean;
  /** It is wanted, but the connection has no room for it at present. */
  readonly paused: boolean;
}

export interface StageEventMap {
  stageConnectionStateChanged: (state: StageConnectionState) => void;
  stageLeft: (reason: StageLeftReason) => void;
  stageParticipantJoined: (participant: StageParticipantInfo) => void;
  stageParticipantLeft: (participant: StageParticipantInfo) => void;
  stageParticipantPublishStateChanged: (participant: StageParticipantInfo, state: StageParticipantPublishState) => void;
  stageParticipantSubscribeStateChanged: (participant: StageParticipantInfo, state: StageParticipantSubscribeState) => void;
  stageParticipantStreamsAdded: (participant: StageParticipantInfo, streams: (StageStream | LocalStageStream)[]) => void;
  stageParticipantStreamsRemoved: (participant: StageParticipantInfo, streams: (StageStream | LocalStageStream)[]) => void;
  stageParticipantMetadataChanged: (participant: StageParticipantInfo) => void;
  stageStreamMuteChanged: (participant: StageParticipantInfo, stream: StageStream | LocalStageStream) => void;
  stageStreamLayersChanged: (participant: StageParticipantInfo, stream: StageStream, layers: readonly StageStreamLayer[]) => void;
  stageStreamLayerSelected: (participant: StageParticipantInfo, stream: StageStream, layer: StageStreamLayer | undefined, reason: StageStreamLayerSelectedReason) => void;
  stageStreamAdaptionChanged: (participant: StageParticipantInfo, stream: StageStream, isAdapting: boolean) => void;
  error: (error: StageError) => void;
}

export declare class Stage {
  /** Throws a StageError if the token cannot be read. `viewers` has those who only watch told as joined. */
  constructor(token: string, strategy: StageStrategy, options?: { viewers?: boolean });
  readonly id: string;
  readonly connectionState: StageConnectionState;
  readonly participants: StageParticipantInfo[];
  join(): Promise<void>;
  leave(): void;
  refreshStrategy(): void;
  replaceStrategy(strategy: StageStrategy): void;
  quality(participantId: string): Promise<Quality | null>;
  layers(participantId: string): Promise<Layers | null>;
  exchangeToken(token: string): Promise<void>;
  on<E extends keyof StageEventMap>(event: E, listener: StageEventMap[E]): this;
  off<E extends keyof StageEventMap>(event: E, listener: StageEventMap[E]): this;
}
