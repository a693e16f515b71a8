// What the page of the scenario gets: mediasoup-client as it is published, and the room protocol around it.

import * as mediasoupClient from "mediasoup-client";

class Signalling {
  constructor(url) {
    this.socket = new WebSocket(url, "protoo");
    this.waiting = new Map();
    this.nextId = 1;
    this.log = [];
    this.open = new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onerror = () => reject(new Error("no WebSocket"));
    });
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(data));
  }

  async take(message) {
    if (message.response) {
      const { resolve, reject } = this.waiting.get(message.id) ?? {};
      this.waiting.delete(message.id);
      if (message.ok) resolve?.(message.data);
      else reject?.(new Error(`${message.errorCode}: ${message.errorReason}`));
    } else if (message.request) {
      await this.onRequest(message.method, message.data);
      this.socket.send(JSON.stringify({ response: true, id: message.id, ok: true, data: {} }));
    } else {
      this.log.push({ method: message.method, data: message.data });
    }
  }

  request(method, data = {}) {
    const id = this.nextId++;
    this.socket.send(JSON.stringify({ request: true, id, method, data }));
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }
}

const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export class Client {
  /** `relays` may have an address and a port for `send` and for `recv`, which that transport uses instead of the server's. */
  constructor(url, { relays = {} } = {}) {
    this.signalling = new Signalling(url);
    this.relays = relays;
    this.consumers = new Map();
    this.producers = {};
    this.channels = {};
    /** `peer/label` -> { consumer, heard }. */
    this.data = new Map();
    const take = { newConsumer: (data) => this.consume(data), newDataConsumer: (data) => this.consumeData(data) };
    this.signalling.onRequest = (method, data) => take[method]?.(data);
  }

  async transport(direction) {
    const options = await this.signalling.request("createWebRtcTransport",
      { forceTcp: false, producing: direction === "send", consuming: direction === "recv" });
    const relay = this.relays[direction];
    if (relay) {
      const udp = options.iceCandidates.find(({ protocol }) => protocol === "udp");
      options.iceCandidates = [{ ...udp, ip: relay.ip, address: relay.ip, port: relay.port }];
    }
    const make = direction === "send" ? "createSendTransport" : "createRecvTransport";
    const transport = this.device[make](options);
    transport.on("connect", ({ dtlsParameters }, done, failed) =>
      this.signalling.request("connectWebRtcTransport", { transportId: transport.id, dtlsParameters }).then(done, failed));
    transport.on("produce", ({ kind, rtpParameters, appData }, done, failed) =>
      this.signalling.request("produce", { transportId: transport.id, kind, rtpParameters, appData }).then(done, failed));
    transport.on("producedata", ({ sctpStreamParameters, label, protocol, appData }, done, failed) =>
      this.signalling.request("produceData", { transportId: transport.id, sctpStreamParameters, label, protocol, appData }).then(done, failed));
    return transport;
  }

  async join(name) {
    await this.signalling.open;
    const routerRtpCapabilities = await this.signalling.request("getRouterRtpCapabilities");
    this.device = await mediasoupClient.Device.factory();
    await this.device.load({ routerRtpCapabilities });
    this.send = await this.transport("send");
    this.receive = await this.transport("recv");
    return this.signalling.request("join", {
      displayName: name,
      device: { flag: "mediasoup-client", name: this.device.handlerName, version: mediasoupClient.version },
      rtpCapabilities: this.device.recvRtpCapabilities ?? this.device.rtpCapabilities,
    });
  }

  async publish() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720 } });
    const encodings = [
      { maxBitrate: 150_000, scaleResolutionDownBy: 4 },
      { maxBitrate: 500_000, scaleResolutionDownBy: 2 },
      { maxBitrate: 2_000_000, scaleResolutionDownBy: 1 },
    ];
    this.producers.audio = await this.send.produce({ track: stream.getAudioTracks()[0], codecOptions: { opusDtx: true } });
    this.producers.video = await this.send.produce({ track: stream.getVideoTracks()[0], encodings });
    return Object.fromEntries(Object.entries(this.producers).map(([kind, { id }]) => [kind, id]));
  }

  async consume({ id, producerId, kind, rtpParameters, appData }) {
    const consumer = await this.receive.consume({ id, producerId, kind, rtpParameters, appData });
    this.consumers.set(id, consumer);
    if (kind === "video") {
      const video = document.createElement("video");
      video.muted = true;
      video.srcObject = new MediaStream([consumer.track]);
      document.body.append(video);
      // It begins to play with the first picture, which comes once the consumer is accepted.
      video.play().catch(() => {});
    }
  }

  /** Opens a channel to everybody else; resolves once it can be written to. */
  async produceData(label, options = {}) {
    const producer = await this.send.produceData({ label, ...options });
    this.channels[label] = producer;
    if (producer.readyState !== "open") await new Promise((resolve) => producer.on("open", resolve));
  }

  async consumeData({ id, dataProducerId, peerId, sctpStreamParameters, label, protocol, appData }) {
    const consumer = await this.receive.consumeData({ id, dataProducerId, sctpStreamParameters, label, protocol, appData });
    const heard = [];
    consumer.binaryType = "arraybuffer";
    consumer.on("message", (message) => {
      heard.push(message);
      this.onData?.(label, message);
    });
    this.data.set(`${peerId ?? ""}/${label}`, { consumer, heard });
  }

  /** Whether channels of these names can be read. */
  reads(names) {
    return names.every((name) => this.data.get(name)?.consumer.readyState === "open");
  }

  /** Says so many texts in order, bytes of the largest size, and their hash. */
  async speak(label, texts, size) {
    const channel = this.channels[label];
    for (let number = 0; number < texts; number++) channel.send(String(number));
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    channel.send(bytes);
    channel.send(`hash ${hex(await crypto.subtle.digest("SHA-256", bytes))}`);
  }

  /** What was heard of each channel: texts, whether in order, and whether the bytes are those of the hash. */
  async heard() {
    const all = {};
    for (const [name, { heard }] of this.data) {
      const texts = heard.filter((message) => /^\d+$/.test(message)).map(Number);
      const stated = heard.find((message) => typeof message === "string" && message.startsWith("hash "));
      const bytes = heard.find((message) => message instanceof ArrayBuffer);
      const hash = bytes ? `hash ${hex(await crypto.subtle.digest("SHA-256", bytes))}` : null;
      all[name] = {
        texts: new Set(texts).size,
        inOrder: texts.every((text, at) => text === at),
        whole: hash !== null && hash === stated,
        size: bytes?.byteLength ?? 0,
      };
    }
    return all;
  }

  /** Frames decoded, bytes of audio and states, by kind. */
  async figures() {
    const figures = { frames: 0, keyFrames: 0, width: 0, audioBytes: 0, energy: 0, send: this.send.connectionState, receive: this.receive.connectionState };
    for (const consumer of this.consumers.values()) {
      for (const entry of (await consumer.getStats()).values()) {
        if (entry.type !== "inbound-rtp") continue;
        if (entry.kind === "video") {
          figures.frames += entry.framesDecoded ?? 0;
          figures.keyFrames += entry.keyFramesDecoded ?? 0;
          figures.width = Math.max(figures.width, entry.frameWidth ?? 0);
        } else {
          figures.audioBytes += entry.bytesReceived;
          figures.energy += entry.totalAudioEnergy ?? 0;
        }
      }
    }
    return figures;
  }

  async restartIce() {
    for (const transport of [this.send, this.receive]) {
      const iceParameters = await this.signalling.request("restartIce", { transportId: transport.id });
      await transport.restartIce({ iceParameters: iceParameters.iceParameters ?? iceParameters });
    }
  }
}

window.Client = Client;
