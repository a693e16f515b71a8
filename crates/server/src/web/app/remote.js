// The others in the room, and what is received from them: peers and consumers as the server's messages describe them.
// It touches no element and opens no connection; it is given the receiving transport.
//
// Events (detail is the peer or consumer): `peer-joined`, `peer-left`, `peer-changed`, `consumer-added`,
// `consumer-removed`, `consumer-changed`, `speaker` (detail.peerId).

/** The layers in `L3T3_KEY`, `S3T3` and the like; one of each if nothing is said. */
export function layersOf(rtpParameters) {
  const mode = rtpParameters.encodings?.[0]?.scalabilityMode ?? "";
  const [, spatial, temporal] = /^[LS](\d+)T(\d+)/.exec(mode) ?? [null, 1, 1];
  return { spatial: Number(spatial), temporal: Number(temporal) };
}

const isScreen = (appData) => Boolean(appData?.share) || /screen|share/i.test(appData?.source ?? "");

export class RemoteRoom extends EventTarget {
  peers = new Map();
  consumers = new Map();
  transport = null;
  speaker = null;
  /** id -> what the server said of a consumer that the browser is not ready for. */
  #pending = new Map();

  /** Starts afresh with the reply to `join`. */
  enter(transport, peers) {
    this.clear();
    this.transport = transport;
    for (const peer of peers) this.#addPeer(peer, { announce: false });
  }

  clear() {
    for (const consumer of [...this.consumers.values()]) this.#removeConsumer(consumer.id);
    for (const peer of [...this.peers.values()]) this.#removePeer(peer.id, { announce: false });
    this.transport = null;
    this.#setSpeaker(null);
  }

  consumersOf(peerId) {
    return [...this.consumers.values()].filter((consumer) => consumer.peerId === peerId);
  }

  /** The server wants us to receive something. */
  async addConsumer(data) {
    const { id } = data;
    if (this.consumers.has(id)) return;
    if (this.#pending.has(id)) {
      await this.#pending.get(id).done;
      return;
    }
    const pending = { changes: {}, done: null };
    this.#pending.set(id, pending);
    try {
      pending.done = this.#receive(data, pending.changes);
      await pending.done;
    } finally {
      this.#pending.delete(id);
    }
  }

  async #receive({ peerId, producerId, id, kind, rtpParameters, type, appData, producerPaused }, changes) {
    const { transport } = this;
    if (!transport) throw new Error("not in the room");
    if (!this.peers.has(peerId)) this.#addPeer({ id: peerId }, { announce: false });
    const screen = isScreen(appData);
    const streamId = `${peerId}${screen ? "-screen" : ""}`;
    const { track, receiver, mid } = await transport.receive({ id, kind, rtpParameters, streamId });
    if (transport !== this.transport || !this.peers.has(peerId)) {
      transport.stopReceiving(id).catch(() => {});
      throw new Error("the peer has left");
    }
    const consumer = {
      id, peerId, producerId, kind, type, rtpParameters, appData, screen, track, receiver, mid,
      paused: Boolean(producerPaused), score: null, current: null, preferred: null, layers: layersOf(rtpParameters),
      ...changes,
    };
    this.consumers.set(id, consumer);
    this.#emit("consumer-added", consumer);
  }

  onNotification({ method, data }) {
    switch (method) {
      case "newPeer": this.#addPeer(data); break;
      case "peerClosed": this.#removePeer(data.peerId); break;
      case "peerDisplayNameChanged": this.#changePeer(data.peerId, { displayName: data.displayName }); break;
      case "consumerClosed": this.#removeConsumer(data.consumerId); break;
      case "consumerPaused": this.#changeConsumer(data.consumerId, { paused: true }); break;
      case "consumerResumed": this.#changeConsumer(data.consumerId, { paused: false }); break;
      case "consumerScore": this.#changeConsumer(data.consumerId, { score: data.score }); break;
      case "consumerLayersChanged": this.#changeLayers(data); break;
      case "activeSpeaker": this.#setSpeaker(data.peerId ?? null); break;
    }
  }

  #changeLayers({ consumerId, spatialLayer, temporalLayer }) {
    const current = spatialLayer == null ? null : { spatial: spatialLayer, temporal: temporalLayer ?? null };
    this.#changeConsumer(consumerId, { current });
  }

  #changeConsumer(id, change) {
    const consumer = this.consumers.get(id);
    // The browser may still be busy with it.
    Object.assign(consumer ?? this.#pending.get(id)?.changes ?? {}, change);
    if (consumer) this.#emit("consumer-changed", consumer);
  }

  #changePeer(id, change) {
    const peer = this.peers.get(id);
    if (!peer) return;
    Object.assign(peer, change);
    this.#emit("peer-changed", peer);
  }

  #addPeer({ id, displayName, device }, { announce = true } = {}) {
    if (this.peers.has(id)) {
      this.#changePeer(id, { displayName: displayName ?? id, device });
      return;
    }
    const peer = { id, displayName: displayName || id, device };
    this.peers.set(id, peer);
    this.#emit("peer-joined", { ...peer, announce });
  }

  #removePeer(id, { announce = true } = {}) {
    const peer = this.peers.get(id);
    if (!peer) return;
    for (const consumer of this.consumersOf(id)) this.#removeConsumer(consumer.id);
    this.peers.delete(id);
    if (this.speaker === id) this.#setSpeaker(null);
    this.#emit("peer-left", { ...peer, announce });
  }

  #removeConsumer(id) {
    // One that is still being negotiated is not in the map yet.
    this.transport?.stopReceiving(id).catch(() => {});
    const consumer = this.consumers.get(id);
    if (!consumer) return;
    this.consumers.delete(id);
    this.#emit("consumer-removed", consumer);
  }

  #setSpeaker(peerId) {
    if (this.speaker === peerId) return;
    this.speaker = peerId;
    this.#emit("speaker", { peerId });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
