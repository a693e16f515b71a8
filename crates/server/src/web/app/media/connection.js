// What the sending and the receiving transport share: one peer connection towards an ICE-lite server, its ICE and DTLS
// parameters, and the state that the two say they are in. It builds no media section.

import { OperationQueue } from "./queue.js";
import { preferredFingerprint } from "./sdp.js";

export class TransportClosedError extends Error {
  constructor() {
    super("the transport is closed");
    this.name = "TransportClosedError";
  }
}

export class Connection extends EventTarget {
  /**
   * `parameters` is the server's reply to createWebRtcTransport; `connect` sends our DTLS parameters to it.
   * Fires `statechange`.
   */
  constructor(parameters, connect) {
    super();
    this.id = parameters.id;
    this.ice = { parameters: parameters.iceParameters, candidates: parameters.iceCandidates };
    this.fingerprint = preferredFingerprint(parameters.dtlsParameters);
    this.sctp = parameters.sctpParameters ?? null;
    this.queue = new OperationQueue();
    this.version = 0;
    this.closed = false;
    this.connected = false;
    this.connect = connect;
    this.pc = new RTCPeerConnection({
      iceServers: parameters.iceServers ?? [],
      bundlePolicy: "max-bundle",
      rtcpMuxPolicy: "require",
    });
    this.pc.addEventListener("connectionstatechange", () => this.dispatchEvent(new Event("statechange")));
  }

  /** `new` until media is negotiated, then as of RTCPeerConnection.connectionState. */
  get state() {
    return this.closed ? "closed" : this.pc.connectionState;
  }

  /** Tells the server our certificate, once. */
  async connectOnce(dtlsParameters) {
    if (this.connected) return;
    this.connected = true;
    try {
      await this.connect(dtlsParameters);
    } catch (error) {
      this.connected = false;
      throw error;
    }
  }

  /** A data channel on a stream that the server knows of too, so that none is opened in the band. */
  makeChannel({ streamId, ordered = true, maxPacketLifeTime, maxRetransmits }, label, protocol = "") {
    if (!this.sctp) throw new Error("the server has no data channels");
    const limit = {};
    if (maxPacketLifeTime !== undefined) limit.maxPacketLifeTime = maxPacketLifeTime;
    if (maxRetransmits !== undefined) limit.maxRetransmits = maxRetransmits;
    return this.pc.createDataChannel(label, { negotiated: true, id: streamId, ordered, protocol, ...limit });
  }

  /** Runs `operation` in turn; after close() it fails. */
  exclusively(operation) {
    return this.queue.run(() => {
      if (this.closed) throw new TransportClosedError();
      return operation();
    });
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    this.pc.close();
    this.dispatchEvent(new Event("statechange"));
  }
}
