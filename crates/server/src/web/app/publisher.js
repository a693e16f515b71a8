// What this page sends: microphone, camera and screen, each a track and a producer of the server. It knows neither where
// tracks come from nor what shows them.
//
// Event: `change` (detail.source).

import { OperationQueue } from "./media/queue.js";
import { WANT_ALL, limitEncodings } from "./media/wanted.js";
import { camera, microphone, screen } from "./profile.js";
import { SocketLostError } from "./protoo.js";

/** What the producer's appData says, as other clients of this protocol say it. */
const APP_DATA = {
  mic: { source: "mic" },
  cam: { source: "webcam" },
  screen: { source: "screensharing", share: true },
};

/** What is given up first on a narrow path: of a screen motion, of a camera sharpness and motion by turns. */
const CONTENT_HINTS = { cam: "motion", screen: "detail" };

const PROFILES = { mic: () => microphone, cam: camera, screen };

function newSource() {
  return { track: null, active: false, mid: null, sender: null, producerId: null, score: null, wanted: WANT_ALL };
}

export class Publisher extends EventTarget {
  sources = { mic: newSource(), cam: newSource(), screen: newSource() };
  #queue = new OperationQueue();
  #transport = null;
  #request = null;
  #peerId = null;
  /** producer id -> the highest layers that anybody wants, as the server told. */
  #wanted = new Map();

  /** Takes a new transport into use, and sends over it what is on. `request` is `(method, data) => Promise`. */
  attach(transport, request, peerId) {
    this.#transport = transport;
    this.#request = request;
    this.#peerId = peerId;
    return this.#queue.run(async () => {
      const failures = [];
      for (const [name, source] of Object.entries(this.sources)) {
        Object.assign(source, { mid: null, sender: null, producerId: null, score: null, wanted: WANT_ALL });
        if (!source.track) continue;
        try {
          await this.#produce(name);
        } catch (error) {
          if (error instanceof SocketLostError) throw error;
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    });
  }

  detach() {
    this.#transport = null;
    this.#request = null;
    this.#wanted.clear();
  }

  isOn(name) {
    return this.sources[name].active;
  }

  /** Sends this track as `name` from now on, in place of an earlier one. */
  publish(name, track) {
    const source = this.sources[name];
    source.track = track;
    source.active = true;
    this.#changed(name);
    return this.#queue.run(async () => {
      if (!this.#transport || source.track !== track) return;
      if (!source.producerId) return this.#produce(name);
      await source.sender.replaceTrack(track);
      await this.#tellActive(name);
    });
  }

  /** Stops sending; the producer stays, so that going on is quick. With `keepTrack` the device stays open. */
  mute(name, { keepTrack }) {
    const source = this.sources[name];
    const { track } = source;
    source.active = false;
    if (keepTrack) {
      if (track) track.enabled = false;
    } else {
      track?.stop();
      source.track = null;
    }
    this.#changed(name);
    return this.#queue.run(async () => {
      if (!keepTrack && source.track === null) await source.sender?.replaceTrack(null);
      await this.#tellActive(name);
    });
  }

  /** Goes on with the track that mute() kept. */
  unmute(name) {
    const source = this.sources[name];
    if (!source.track) throw new Error("there is no track to go on with");
    source.track.enabled = true;
    source.active = true;
    this.#changed(name);
    return this.#queue.run(() => this.#tellActive(name));
  }

  /** Ends the producer. */
  unpublish(name) {
    this.#switchOff(name);
    return this.#queue.run(() => this.#closeProducer(this.sources[name]));
  }

  /** Says again what may have been lost with a socket. */
  resync() {
    return this.#queue.run(async () => {
      for (const name of Object.keys(this.sources)) await this.#tellActive(name);
    });
  }

  onProducerScore({ producerId, score }) {
    const found = Object.entries(this.sources).find(([, source]) => source.producerId === producerId);
    if (!found) return;
    found[1].score = score;
    this.#changed(found[0]);
  }

  /** Sends no layers that nobody wants, and those again that somebody does. */
  onWantedLayers({ producerId, spatialLayer, temporalLayer }) {
    // The server may tell of a producer before it has answered that it made it.
    this.#wanted.set(producerId, { spatialLayer, temporalLayer });
    const source = Object.values(this.sources).find((source) => source.producerId === producerId);
    return source ? this.#limit(source) : undefined;
  }

  async #limit(source) {
    const wanted = this.#wanted.get(source.producerId);
    if (!wanted || !source.sender) return;
    source.wanted = wanted;
    try {
      await limitEncodings(source.sender, wanted);
    } catch {
      // All that it has is sent on.
    }
  }

  /** Ends all tracks: the devices' lights go out. */
  stop() {
    for (const source of Object.values(this.sources)) {
      source.track?.stop();
      Object.assign(source, newSource());
    }
    this.detach();
  }

  async #produce(name) {
    const source = this.sources[name];
    let sent;
    try {
      sent = await this.#negotiate(name, source);
    } catch (error) {
      // What was lost with the socket is sent anew after it; what was refused is off.
      if (!(error instanceof SocketLostError)) this.#switchOff(name);
      throw error;
    }
    // It may have been switched off or given another track while the server was asked.
    if (sent.sender.track !== source.track) await sent.sender.replaceTrack(source.track);
    if (!source.active) await this.#tellActive(name);
  }

  async #negotiate(name, source) {
    const [transport, request] = [this.#transport, this.#request];
    const streamId = name === "screen" ? `${this.#peerId}-screen` : this.#peerId;
    const sent = await transport.send({ track: source.track, streamId, ...PROFILES[name]() });
    try {
      const { kind, rtpParameters } = sent;
      const [appData, contentHint] = [APP_DATA[name], CONTENT_HINTS[name]];
      const data = { transportId: transport.id, kind, rtpParameters, appData, contentHint };
      const { id } = await request("produce", data);
      Object.assign(source, { mid: sent.mid, sender: sent.sender, producerId: id });
      this.#limit(source);
      return sent;
    } catch (error) {
      await transport.stopSending(sent.mid).catch(() => {});
      throw error;
    }
  }

  #switchOff(name) {
    const source = this.sources[name];
    source.track?.stop();
    Object.assign(source, { track: null, active: false });
    this.#changed(name);
  }

  async #closeProducer(source) {
    const { producerId, mid } = source;
    Object.assign(source, { producerId: null, mid: null, sender: null, score: null, wanted: WANT_ALL });
    this.#wanted.delete(producerId);
    if (!producerId) return;
    await this.#transport?.stopSending(mid);
    await this.#request?.("closeProducer", { producerId });
  }

  async #tellActive(name) {
    const { producerId, active } = this.sources[name];
    if (!producerId || !this.#request) return;
    await this.#request(active ? "resumeProducer" : "pauseProducer", { producerId });
  }

  #changed(source) {
    this.dispatchEvent(new CustomEvent("change", { detail: { source } }));
  }
}
