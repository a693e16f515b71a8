// What automated tests of the page may read, as `window.tureen`. Nothing in the page uses it, and it only reads:
//
//   state           lobby, connecting, joined, reconnecting, closed
//   roomId, peerId  of this stay
//   peers           [{ id, displayName }]
//   consumers       [{ id, peerId, producerId, kind, type, source, paused, score, current, preferred, layers, mid }]
//   producers       { mic, cam, screen }, each { on, producerId, mid, score, wanted }
//   sendTransport, receiveTransport
//                   { id, state, pc }: pc is the RTCPeerConnection, for getStats()
//   stats           { [consumer id | mic | cam | screen]: numbers }, renewed once a second
//   downlink        what the server last said of its way to us, { desiredBitrate, effectiveDesiredBitrate, availableBitrate }
//   framesDecoded() resolves with { [consumer id]: number } of this moment
//   messages        of the chat, [{ own, peerId, name, text, at }]
//   say(text)       as the chat's field
//   preferLayers(consumerId, spatialLayer, temporalLayer)
//                   as the menu of a tile; use ?adaptive=0 with it
//   dropSocket()    loses the WebSocket without a goodbye; the page must come back by itself

let session = null;
let stats = null;

export function hookSession(current, collector) {
  session = current;
  stats = collector;
}

const transport = (of) => (of ? { id: of.id, state: of.state, pc: of.pc } : null);

async function framesDecoded() {
  const frames = {};
  if (!session?.receive || session.receive.closed) return frames;
  const entries = [...(await session.receive.pc.getStats()).values()];
  for (const { id, track } of session.remote.consumers.values()) {
    const entry = entries.find(({ type, trackIdentifier }) => type === "inbound-rtp" && trackIdentifier === track.id);
    if (entry?.kind === "video") frames[id] = entry.framesDecoded ?? 0;
  }
  return frames;
}

const hooks = {
  get state() { return session?.state ?? "lobby"; },
  get roomId() { return session?.roomId ?? null; },
  get peerId() { return session?.peerId ?? null; },
  get peers() {
    return [...(session?.remote.peers.values() ?? [])].map(({ id, displayName }) => ({ id, displayName }));
  },
  get consumers() {
    return [...(session?.remote.consumers.values() ?? [])].map((consumer) => {
      const { id, peerId, producerId, kind, type, appData, paused, score, current, preferred, layers, mid } = consumer;
      const source = appData?.source ?? null;
      return { id, peerId, producerId, kind, type, source, paused, score, current, preferred, layers, mid };
    });
  },
  get producers() {
    const read = ({ active, producerId, mid, score, wanted }) => ({ on: active, producerId, mid, score, wanted });
    const sources = Object.entries(session?.publisher.sources ?? {});
    return Object.fromEntries(sources.map(([name, source]) => [name, read(source)]));
  },
  get sendTransport() { return transport(session?.send); },
  get receiveTransport() { return transport(session?.receive); },
  get stats() { return Object.fromEntries(stats?.samples ?? []); },
  get downlink() { return session?.downlink ?? null; },
  framesDecoded,
  get messages() { return session?.chat.messages.map((message) => ({ ...message })) ?? []; },
  say: (text) => session.chat.say(text),
  preferLayers: (...wish) => session.preferLayers(...wish),
  dropSocket: () => session?.dropSocket(),
};

Object.defineProperty(window, "tureen", { value: Object.freeze(hooks) });
