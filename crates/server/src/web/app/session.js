// One stay in a room: the socket, the two transports, and what happens when the network takes them away. It shows nothing.
//
// Events: `state` (`state`, which is connecting, joined, reconnecting or closed, or `mediaLost` has changed), `problem` and
// `ended` (detail.message).

import { Chat } from "./chat.js";
import { receivingCapabilities, receivingOffer, withoutRedundancy } from "./media/capabilities.js";
import { ReceiveTransport } from "./media/receive.js";
import { SendTransport } from "./media/send.js";
import { options, renewPeerId } from "./options.js";
import { device } from "./profile.js";
import { Protoo, RequestError, SocketLostError } from "./protoo.js";
import { Publisher } from "./publisher.js";
import { RemoteRoom } from "./remote.js";

/** Time for a connection to come back by itself before ICE is restarted. */
const PATIENCE_MS = 1_500;
/** Where media is lost an open socket may be dead too: an answer has to come soon. */
const PROBE_TIMEOUT_MS = 2_500;
const RESTARTS_BEFORE_REJOIN = 4;
/** Between attempts where nothing has ever come through. */
const BLOCKED_DELAY_MS = 10_000;
const REJOIN_DELAY_MS = 2_000;

export class Session extends EventTarget {
  state = "connecting";
  remote = new RemoteRoom();
  publisher = new Publisher();
  chat = new Chat();
  send = null;
  receive = null;
  /** What the server last said of its way to us, in bits a second: { desiredBitrate, effectiveDesiredBitrate, availableBitrate }. */
  downlink = null;
  #protoo = null;
  #mustRejoin = false;
  #rejoining = false;
  #restarts = 0;
  #unreachable = new Set();
  #reached = new WeakSet();
  #toldBlocked = false;
  #timers = new Set();
  #listening = new AbortController();

  constructor({ roomId, peerId, displayName }) {
    super();
    Object.assign(this, { roomId, peerId, displayName });
    const { signal } = this.#listening;
    // A socket of the time before would only be given up after a while.
    window.addEventListener("online", () => {
      if (this.state === "joined") this.#protoo.reconnect();
      else this.#networkChanged();
    }, { signal });
    // This event also tells of mere estimates; only another kind of network is a change.
    let kind = navigator.connection?.type;
    navigator.connection?.addEventListener?.("change", () => {
      if (navigator.connection.type === kind) return;
      kind = navigator.connection.type;
      if (kind !== "none") this.#networkChanged();
    }, { signal });
  }

  /** Resolves when we are in the room. Tracks given to the publisher before are sent. */
  async join() {
    try {
      await this.#openSocket();
      await this.#enter();
    } catch (error) {
      if (!(error instanceof RequestError && error.method === "join")) throw this.#fail(error);
      // The server may still hold the place of an earlier page under our id.
      this.#closeConnections();
      this.peerId = await renewPeerId();
      try {
        await this.#openSocket();
        await this.#enter();
      } catch (error) {
        throw this.#fail(error);
      }
    }
    this.#setState("joined");
  }

  /** Whether media that came through before does not now. */
  get mediaLost() {
    return this.#unreachable.size > 0;
  }

  leave() {
    if (this.state === "closed") return;
    this.#setState("closed");
    this.#listening.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.remote.clear();
    this.#closeConnections();
    this.publisher.stop();
  }

  request(method, data, timeout) {
    return this.#protoo?.request(method, data, timeout) ?? Promise.reject(new SocketLostError(method));
  }

  /** Wishes layers of a consumer. */
  async preferLayers(consumerId, spatialLayer, temporalLayer) {
    const consumer = this.remote.consumers.get(consumerId);
    if (!consumer) return;
    consumer.preferred = { spatialLayer, temporalLayer };
    await this.request("setConsumerPreferredLayers", { consumerId, spatialLayer, temporalLayer });
  }

  /** Loses the socket as a network would; for tests. */
  dropSocket() {
    this.#protoo?.reconnect();
  }

  #fail(error) {
    this.leave();
    return error;
  }

  #openSocket() {
    const url = new URL("/", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("roomId", this.roomId);
    url.searchParams.set("peerId", this.peerId);
    if (options.token) url.searchParams.set("token", options.token);
    const protoo = new Protoo(url.href);
    this.#protoo = protoo;
    return new Promise((resolve, reject) => {
      const on = (type, handle) =>
        protoo.addEventListener(type, ({ detail }) => { if (this.#protoo === protoo) handle(detail); });
      on("open", ({ again }) => (again ? this.#resume() : resolve()));
      on("lost", () => {
        reject(new SocketLostError("connecting"));
        this.#lost();
      });
      on("refused", ({ reason }) => {
        reject(new Error(reason || "the server ended the session"));
        this.#end(reason || "The server ended the session.");
      });
      on("request", (request) => this.#onRequest(request));
      on("notification", (notification) => this.#onNotification(notification));
    });
  }

  /** From an open socket into the room. */
  async #enter() {
    const offered = await this.request("getRouterRtpCapabilities");
    const router = options.redundancy ? offered : withoutRedundancy(offered);
    const rtpCapabilities = receivingCapabilities(await receivingOffer(), router);
    const { forceTcp } = options;
    const sending = await this.request("createWebRtcTransport", { forceTcp, producing: true, consuming: false });
    this.send = this.#watch(new SendTransport({ parameters: sending, router, connect: this.#connector(sending.id) }));
    const receiving = await this.request("createWebRtcTransport", { forceTcp, producing: false, consuming: true });
    this.receive = this.#watch(
      new ReceiveTransport({ parameters: receiving, connect: this.#connector(receiving.id) }));
    const { displayName } = this;
    this.remote.clear();
    this.remote.transport = this.receive;
    const { peers } = await this.request("join", { displayName, device: device(), rtpCapabilities });
    this.remote.enter(this.receive, peers ?? []);
    this.#mustRejoin = false;
    this.chat.attach(this.send, (method, data) => this.request(method, data));
    try {
      await this.publisher.attach(this.send, (method, data) => this.#produceRequest(method, data), this.peerId);
    } catch (error) {
      if (error instanceof SocketLostError) throw error;
      this.#problem(`Your microphone or camera cannot be sent: ${error.message}.`);
    }
  }

  #connector(transportId) {
    return (dtlsParameters) => this.request("connectWebRtcTransport", { transportId, dtlsParameters });
  }

  /** Whether a producer was made is unknown if the socket is lost meanwhile: then all begins anew. */
  async #produceRequest(method, data) {
    try {
      return await this.request(method, data);
    } catch (error) {
      if (error instanceof SocketLostError && method === "produce") {
        this.#mustRejoin = true;
        if (this.#protoo?.isOpen) this.#protoo.reconnect();
      }
      throw error;
    }
  }

  async #onRequest({ method, data, accept, reject }) {
    const nameOf = (peerId) => (peerId === null ? "Bot" : this.remote.peers.get(peerId)?.displayName ?? peerId);
    const take = {
      newConsumer: () => this.remote.addConsumer(data),
      newDataConsumer: () => this.chat.receive(this.receive, data, nameOf),
    }[method];
    if (!take) {
      reject(405, `this page takes no ${method}`);
      return;
    }
    try {
      await take();
      accept();
    } catch (error) {
      reject(500, error.message);
    }
  }

  #onNotification({ method, data }) {
    if (method === "producerScore") this.publisher.onProducerScore(data);
    else if (method === "producerWantedLayersChanged") this.publisher.onWantedLayers(data);
    else if (method === "downlinkBwe") this.downlink = data;
    else if (method === "dataConsumerClosed") this.chat.stop(data.dataConsumerId);
    else if (method === "dataProducerLimited") this.#problem("You write too fast: not all of it was passed on.");
    else this.remote.onNotification({ method, data: data ?? {} });
  }

  #lost() {
    if (this.state === "joined") this.#setState("reconnecting");
  }

  /** A new socket under the same id: the server has kept our transports, or has forgotten us. */
  async #resume() {
    if (this.state !== "reconnecting" || this.#rejoining) return;
    if (this.#mustRejoin) {
      this.#rejoin();
      return;
    }
    try {
      await Promise.all([this.#restartIce(this.send), this.#restartIce(this.receive)]);
      await this.publisher.resync();
      this.#setState("joined");
    } catch (error) {
      // With the socket lost once more, the next one comes here again.
      if (!(error instanceof SocketLostError)) this.#rejoin();
    }
  }

  async #restartIce(transport, timeout) {
    const reply = await this.request("restartIce", { transportId: transport.id }, timeout);
    await transport.restartIce(reply.iceParameters ?? reply);
  }

  #watch(transport) {
    let patience = 0;
    transport.addEventListener("statechange", () => {
      clearTimeout(patience);
      if (transport.state === "connected") {
        this.#restarts = 0;
        this.#reached.add(transport);
      }
      this.#noteReach(transport);
      if (transport.state === "failed") this.#recover(transport);
      if (transport.state === "disconnected") {
        patience = this.#later(PATIENCE_MS, () => transport.state === "disconnected" && this.#recover(transport));
      }
    });
    return transport;
  }

  #noteReach(transport) {
    const lost = ["failed", "disconnected"].includes(transport.state) && this.#reached.has(transport);
    if (lost === this.#unreachable.has(transport)) return;
    if (lost) this.#unreachable.add(transport);
    else if (["connected", "closed"].includes(transport.state)) this.#unreachable.delete(transport);
    this.dispatchEvent(new Event("state"));
  }

  /** The socket lives, the media does not. */
  async #recover(transport) {
    if (this.state !== "joined" || !this.#protoo.isOpen || transport.closed) return;
    if (!this.#reached.has(transport)) {
      this.#retryBlocked(transport);
      return;
    }
    if (this.#restarts >= RESTARTS_BEFORE_REJOIN) {
      this.#rejoin();
      return;
    }
    this.#restarts += 1;
    await this.#restartOr(transport);
    this.#later(2 * PATIENCE_MS, () => {
      if (["failed", "disconnected"].includes(transport.state)) this.#recover(transport);
    });
  }

  /** A firewall, most likely: joining anew would change nothing, and others would see us come and go. */
  #retryBlocked(transport) {
    if (!this.#toldBlocked) {
      this.#toldBlocked = true;
      const { port } = transport.ice.candidates[0] ?? {};
      const which = port ? `UDP or TCP port ${port}` : "its media port";
      this.#problem(`Sound and pictures do not get through. A firewall may block ${which} of the server.`);
    }
    this.#later(BLOCKED_DELAY_MS, () => transport.state === "failed" && this.#restartOr(transport));
  }

  async #restartOr(transport) {
    try {
      await this.#restartIce(transport, PROBE_TIMEOUT_MS);
    } catch (error) {
      if (error instanceof SocketLostError) this.#protoo.reconnect();
      else if (transport === this.send || transport === this.receive) this.#rejoin();
    }
  }

  #networkChanged() {
    if (this.state === "reconnecting") this.#protoo.hurry();
    if (this.state !== "joined") return;
    const probe = [this.send, this.receive].map((transport) => this.#restartIce(transport, PROBE_TIMEOUT_MS));
    Promise.all(probe).catch((error) => {
      if (!(error instanceof SocketLostError)) this.#rejoin();
      else if (this.state === "joined") this.#protoo.reconnect();
    });
  }

  /** From scratch, as somebody new: nothing of the old place can be in the way. */
  async #rejoin() {
    if (this.state === "closed" || this.#rejoining) return;
    this.#rejoining = true;
    this.#setState("reconnecting");
    while (this.state === "reconnecting") {
      this.#closeConnections();
      this.remote.clear();
      this.#restarts = 0;
      this.peerId = await renewPeerId();
      try {
        await this.#openSocket();
        await this.#enter();
        this.#rejoining = false;
        this.#setState("joined");
      } catch {
        await new Promise((resolve) => this.#later(REJOIN_DELAY_MS, resolve));
      }
    }
  }

  #closeConnections() {
    this.publisher.detach();
    this.chat.detach();
    this.#protoo?.close();
    this.#protoo = null;
    this.send?.close();
    this.receive?.close();
    this.downlink = null;
  }

  #later(delay, run) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, delay);
    this.#timers.add(timer);
    return timer;
  }

  #problem(message) {
    this.dispatchEvent(new CustomEvent("problem", { detail: { message } }));
  }

  #end(message) {
    if (this.state === "closed") return;
    const wasIn = this.state !== "connecting";
    this.leave();
    if (wasIn) this.dispatchEvent(new CustomEvent("ended", { detail: { message } }));
  }

  #setState(state) {
    if (this.state === state || this.state === "closed") return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
