// Numbers of each stream, once a second, from the browser's own statistics: bit rate, resolution, frame rate, loss, round
// trip, codec. It shows nothing.
//
// Event: `sample`.

const INTERVAL_MS = 1000;

export class StatsCollector extends EventTarget {
  /** Consumer id, or `mic`, `cam`, `screen` -> numbers; see #inbound and #outbound. */
  samples = new Map();
  #session;
  #timer;
  #before = new Map();

  constructor(session) {
    super();
    this.#session = session;
    this.#timer = setInterval(() => this.#collect(), INTERVAL_MS);
  }

  stop() {
    clearInterval(this.#timer);
  }

  async #collect() {
    const { send, receive } = this.#session;
    const [sent, received] = await Promise.all([report(send), report(receive)]);
    const samples = new Map();
    if (received) this.#readReceived(received, samples);
    if (sent) this.#readSent(sent, samples);
    this.samples = samples;
    this.dispatchEvent(new Event("sample"));
  }

  #readReceived(entries, samples) {
    const byMid = new Map();
    const byTrack = new Map();
    for (const entry of entries.values()) {
      if (entry.type !== "inbound-rtp") continue;
      if (entry.mid !== undefined) byMid.set(entry.mid, entry);
      byTrack.set(entry.trackIdentifier, entry);
    }
    const { roundTripMs } = pathOf(entries);
    for (const consumer of this.#session.remote.consumers.values()) {
      const entry = byTrack.get(consumer.track.id) ?? byMid.get(consumer.mid);
      if (!entry) continue;
      const available = this.#session.downlink?.availableBitrate ?? null;
      samples.set(consumer.id, { ...this.#inbound(consumer.id, entry, entries), roundTripMs, available });
    }
  }

  #readSent(entries, samples) {
    const outbound = [...entries.values()].filter(({ type }) => type === "outbound-rtp");
    const path = pathOf(entries);
    for (const [name, { mid }] of Object.entries(this.#session.publisher.sources)) {
      if (mid === null) continue;
      const streams = outbound.filter((entry) => entry.mid === mid);
      if (streams.length > 0) samples.set(name, this.#outbound(name, streams, entries, path));
    }
  }

  #inbound(key, entry, entries) {
    const { packetsReceived = 0, packetsLost = 0, framesDecoded = 0 } = entry;
    const delta = this.#delta(key, entry.timestamp, { bytes: entry.bytesReceived, packetsReceived, packetsLost, framesDecoded });
    const expected = delta.packetsReceived + Math.max(delta.packetsLost, 0);
    return {
      bitrate: (delta.bytes * 8) / delta.seconds,
      width: entry.frameWidth ?? null,
      height: entry.frameHeight ?? null,
      frameRate: entry.framesPerSecond ?? delta.framesDecoded / delta.seconds,
      loss: expected > 0 ? Math.max(delta.packetsLost, 0) / expected : 0,
      jitterMs: (entry.jitter ?? 0) * 1000,
      codec: codecName(entries.get(entry.codecId)),
      framesDecoded,
      keyFramesDecoded: entry.keyFramesDecoded ?? null,
      freezeCount: entry.freezeCount ?? null,
      totalAudioEnergy: entry.totalAudioEnergy ?? null,
      packetsReceived,
    };
  }

  #outbound(key, streams, entries, path) {
    const bytes = sum(streams, "bytesSent");
    const { seconds, bytes: sent } = this.#delta(key, streams[0].timestamp, { bytes });
    const top = streams.reduce((a, b) => ((b.frameHeight ?? 0) > (a.frameHeight ?? 0) ? b : a));
    const remotes = streams.map(({ remoteId }) => entries.get(remoteId)).filter(Boolean);
    const roundTrip = remotes.find(({ roundTripTime }) => roundTripTime !== undefined)?.roundTripTime;
    return {
      bitrate: (sent * 8) / seconds,
      width: top.frameWidth ?? null,
      height: top.frameHeight ?? null,
      frameRate: top.framesPerSecond ?? 0,
      loss: Math.max(0, ...remotes.map(({ fractionLost }) => fractionLost ?? 0)),
      roundTripMs: path.roundTripMs ?? (roundTrip === undefined ? null : roundTrip * 1000),
      jitterMs: remotes.length > 0 ? Math.max(...remotes.map(({ jitter }) => jitter ?? 0)) * 1000 : null,
      available: path.available,
      codec: codecName(entries.get(top.codecId)),
      scalabilityMode: top.scalabilityMode ?? null,
      limitation: top.qualityLimitationReason ?? null,
      encodings: streams.map(({ rid, frameWidth, frameHeight, framesPerSecond, active, framesEncoded }) =>
        ({ rid, frameWidth, frameHeight, framesPerSecond, active, framesEncoded })),
    };
  }

  /** What changed since the last time, and in how many seconds. */
  #delta(key, timestamp, counters) {
    const before = this.#before.get(key);
    this.#before.set(key, { timestamp, counters });
    const delta = { seconds: before ? Math.max((timestamp - before.timestamp) / 1000, 0.001) : 1 };
    for (const [name, value] of Object.entries(counters)) {
      delta[name] = before ? Math.max((value ?? 0) - (before.counters[name] ?? 0), 0) : 0;
    }
    return delta;
  }
}

async function report(transport) {
  if (!transport || transport.closed) return null;
  try {
    return await transport.pc.getStats();
  } catch {
    return null;
  }
}

/** The path in use: its round trip, and the bits a second that the browser believes it may send. */
function pathOf(entries) {
  for (const entry of entries.values()) {
    const { type, state, nominated, currentRoundTripTime, availableOutgoingBitrate = null } = entry;
    if (type === "candidate-pair" && state === "succeeded" && nominated && currentRoundTripTime !== undefined) {
      return { roundTripMs: currentRoundTripTime * 1000, available: availableOutgoingBitrate };
    }
  }
  return { roundTripMs: null, available: null };
}

const sum = (entries, member) => entries.reduce((total, entry) => total + (entry[member] ?? 0), 0);

const codecName = (codec) => codec?.mimeType?.split("/")[1] ?? null;

/** 0 (unknown) to 3 (good), from the server's score (0 to 10) and the browser's loss and round trip. */
export function quality(sample, score = undefined) {
  if (!sample || sample.packetsReceived === 0) return 0;
  const { loss, roundTripMs } = sample;
  if (score <= 4 || loss > 0.1 || roundTripMs > 600) return 1;
  if (score <= 7 || loss > 0.03 || roundTripMs > 300) return 2;
  return 3;
}
