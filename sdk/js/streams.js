// What is sent and what is received, as the application sees it.

// The layers below the best one, by the length of their shorter side.
const best = { rid: "hi", scaleResolutionDownBy: 1, maxBitrate: 1_700_000, maxFramerate: 30 };
const smaller = [
  { side: 180, rid: "low", maxBitrate: 200_000, maxFramerate: 15 },
  { side: 360, rid: "mid", maxBitrate: 700_000, maxFramerate: 20 },
];

/** A track that can be published. */
export class LocalStageStream {
  #muted; #changed = new Set();

  /**
   * `options.simulcast` sends a picture in up to three sizes. `options.maxBitrate`
   * bounds it, in bit/s; one below 900,000 leaves no room for simulcast.
   */
  constructor(mediaStreamTrack, options = {}) {
    this.mediaStreamTrack = mediaStreamTrack;
    this.options = options;
    this.#muted = !mediaStreamTrack.enabled;
  }

  get id() { return this.mediaStreamTrack.id; }
  get streamType() { return this.mediaStreamTrack.kind; }
  get isMuted() { return this.#muted; }

  /** Sends silence or a black picture and tells the others. Cheap, unlike unpublishing. */
  setMuted(muted) {
    if (muted === this.#muted) return;
    this.#muted = muted;
    this.mediaStreamTrack.enabled = !muted;
    for (const tell of this.#changed) tell(this);
  }

  /** Has `tell` called whenever the mute state changes; gives a function that ends it. */
  watch(tell) {
    this.#changed.add(tell);
    return () => this.#changed.delete(tell);
  }
}

/** A track of somebody else. */
export class StageStream {
  constructor(mediaStreamTrack, muted) {
    this.mediaStreamTrack = mediaStreamTrack;
    this.isMuted = muted;
  }

  get id() { return this.mediaStreamTrack.id; }
  get streamType() { return this.mediaStreamTrack.kind; }
}

/** Adds what `streams` send to a connection. */
export function send(pc, streams) {
  const together = new MediaStream(streams.map((s) => s.mediaStreamTrack));
  for (const stream of streams) {
    const transceiver = pc.addTransceiver(stream.mediaStreamTrack, {
      direction: "sendonly", streams: [together], sendEncodings: encodings(stream),
    });
    prefer(transceiver, stream.streamType);
  }
}

/** The layers a stream is sent in: one, or as many as differ for its size. */
export function encodings({ streamType, mediaStreamTrack, options: { simulcast, maxBitrate } }) {
  if (streamType === "audio") return [{ maxBitrate: maxBitrate ?? 64_000 }];
  const { width = Infinity, height = 720 } = mediaStreamTrack.getSettings(), size = Math.min(width, height);
  const wanted = simulcast?.enabled ?? simulcast; // Amazon's SDK has an object here
  if (!wanted || (maxBitrate ?? Infinity) < 900_000 || size <= 270) return [{ maxBitrate: maxBitrate ?? 2_500_000 }];
  const fitting = smaller.filter(({ side }) => 2 * side <= size && (side === 180 || size >= 720));
  return [...fitting.map(({ side, ...l }) => ({ ...l, scaleResolutionDownBy: size / side })), best]
    .map((l) => ({ ...l, maxBitrate: Math.min(l.maxBitrate, maxBitrate ?? Infinity) }));
}

// prefer puts H.264 first: what the service records, and what most devices do in hardware.
function prefer(transceiver, kind) {
  const codecs = RTCRtpSender.getCapabilities?.(kind)?.codecs;
  if (kind !== "video" || !codecs || !transceiver.setCodecPreferences) return;
  const first = (c) => /h264/i.test(c.mimeType) && /packetization-mode=1/.test(c.sdpFmtpLine ?? "");
  transceiver.setCodecPreferences([...codecs.filter(first), ...codecs.filter((c) => !first(c))]);
}
