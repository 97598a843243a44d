// quality turns two looks at the statistics of a connection into what people
// want to know: how much flows, how much is lost, how far away the server is.

const sum = (list, name) => list.reduce((total, entry) => total + (entry[name] ?? 0), 0);

/**
 * Gives [numbers, judgement]; numbers are for the next call. The judgement has
 * bitrate (bit/s), loss (0 to 1), rtt (s or null), width, height, fps, and
 * level: "good", "fair" or "poor".
 */
export function quality(report, before) {
  const all = [...report.values()];
  const received = all.filter((s) => s.type === "inbound-rtp"), sent = all.filter((s) => s.type === "outbound-rtp");
  const distant = all.filter((s) => s.type === "remote-inbound-rtp");
  const pair = all.find((s) => s.type === "candidate-pair" && s.nominated && s.state === "succeeded");
  const numbers = {
    at: all[0]?.timestamp ?? 0,
    bytes: sum(received, "bytesReceived") + sum(sent, "bytesSent"),
    packets: sum(received, "packetsReceived") + sum(sent, "packetsSent"),
    lost: sum(received, "packetsLost") + sum(distant, "packetsLost"),
  };
  const since = before ?? { at: numbers.at - 1000, bytes: 0, packets: 0, lost: 0 };
  const seconds = Math.max((numbers.at - since.at) / 1000, 0.001);
  const lost = Math.max(numbers.lost - since.lost, 0), packets = numbers.packets - since.packets;
  const picture = [...received, ...sent].filter((s) => s.kind === "video" && s.frameHeight)
    .sort((a, b) => b.frameHeight - a.frameHeight)[0];
  const judged = {
    bitrate: Math.max(Math.round(8 * (numbers.bytes - since.bytes) / seconds), 0),
    loss: lost === 0 ? 0 : Math.min(lost / Math.max(packets + (received.length ? lost : 0), 1), 1),
    rtt: pair?.currentRoundTripTime ?? null,
    width: picture?.frameWidth ?? 0, height: picture?.frameHeight ?? 0, fps: Math.round(picture?.framesPerSecond ?? 0),
  };
  const poor = judged.loss > 0.05 || judged.rtt > 0.4 || judged.bitrate === 0;
  const fair = judged.loss > 0.01 || judged.rtt > 0.2;
  return [numbers, { ...judged, level: poor ? "poor" : fair ? "fair" : "good" }];
}
