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

export class Client {
  constructor(url) {
    this.signalling = new Signalling(url);
    this.consumers = new Map();
    this.producers = {};
    this.signalling.onRequest = (method, data) => (method === "newConsumer" ? this.consume(data) : null);
  }

  async transport(direction) {
    const options = await this.signalling.request("createWebRtcTransport",
      { forceTcp: false, producing: direction === "send", consuming: direction === "recv" });
    const make = direction === "send" ? "createSendTransport" : "createRecvTransport";
    const transport = this.device[make](options);
    transport.on("connect", ({ dtlsParameters }, done, failed) =>
      this.signalling.request("connectWebRtcTransport", { transportId: transport.id, dtlsParameters }).then(done, failed));
    transport.on("produce", ({ kind, rtpParameters, appData }, done, failed) =>
      this.signalling.request("produce", { transportId: transport.id, kind, rtpParameters, appData }).then(done, failed));
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
