// The tiles of a call: which there are, and what each shows, from the state of the session. It changes nothing in the
// session except for the layers that tiles wish for.

import { Explanations } from "./explanations.js";
import { receivedFigures, sentFigures } from "./figures.js";
import { History } from "./history.js";
import { spatialLayerFor } from "./layers.js";
import { options } from "./options.js";
import { quality } from "./stats.js";
import { Tile } from "./tile.js";

const SCREEN_RANK = 0;
const PEER_RANK = 1;
const SELF_RANK = 2;

const scoreOf = (score) => (typeof score === "object" ? score?.score : score) ?? undefined;

export class Tiles {
  #session;
  #stats;
  #grid;
  #callbacks;
  #explanations;
  #tiles = new Map();
  #history = new History();
  #allStats = false;
  /** consumer id -> what the user picked, where that is not "auto" */
  #picks = new Map();
  /** consumer id -> the layer that its tile wanted a second ago, so that a passing size asks for nothing */
  #wants = new Map();

  /** `callbacks` are `onMenu(tile, button)` and `onSpotlight(tile)`. */
  constructor({ session, stats, grid, callbacks }) {
    this.#session = session;
    this.#stats = stats;
    this.#explanations = new Explanations(session);
    this.#grid = grid;
    this.#callbacks = callbacks;
    this.#add({ id: "self", name: `${session.displayName} (you)`, rank: SELF_RANK, mirror: true });
    this.refreshSelf();
  }

  get allStats() {
    return this.#allStats;
  }

  addPeer({ id, displayName }) {
    if (!this.#tiles.has(id)) this.#add({ id, name: displayName, rank: PEER_RANK });
    this.refreshPeer(id);
  }

  removePeer(id) {
    this.#remove(id);
  }

  addScreen(consumer) {
    const name = `${this.#session.remote.peers.get(consumer.peerId)?.displayName ?? "Somebody"}: screen`;
    const tile = this.#add({ id: consumer.id, name, rank: SCREEN_RANK, screen: true });
    tile.setTrack(consumer.paused ? null : consumer.track);
    this.#grid.setSpotlight(tile);
  }

  removeConsumer(consumer) {
    this.#picks.delete(consumer.id);
    this.#wants.delete(consumer.id);
    this.#explanations.forget(consumer.id);
    if (consumer.screen && consumer.kind === "video") {
      this.#remove(consumer.id);
      const another = [...this.#tiles.values()].find((tile) => tile.screen);
      if (another && !this.#grid.spotlight) this.#grid.setSpotlight(another);
    }
  }

  refreshPeer(peerId) {
    const tile = this.#tiles.get(peerId);
    const peer = this.#session.remote.peers.get(peerId);
    if (!tile || !peer) return;
    const { audio, video } = this.#consumersOf(peerId);
    tile.setName(peer.displayName);
    tile.setTrack(video && !video.paused ? video.track : null);
    tile.setMuted(!audio || audio.paused);
    for (const consumer of this.#session.remote.consumersOf(peerId)) {
      if (consumer.screen) this.#tiles.get(consumer.id)?.setTrack(consumer.paused ? null : consumer.track);
    }
  }

  refreshSelf() {
    const { mic, cam, screen } = this.#session.publisher.sources;
    const self = this.#tiles.get("self");
    self.setTrack(cam.active ? cam.track : null);
    self.setMuted(!mic.active);
    const shown = this.#tiles.get("self-screen");
    if (screen.active && !shown) {
      const tile = this.#add({ id: "self-screen", name: "Your screen", rank: SCREEN_RANK, screen: true });
      tile.setTrack(screen.track);
    } else if (!screen.active && shown) {
      this.#remove("self-screen");
    }
  }

  /** `peerId` is the server's: ours or another's, or null. */
  setSpeaker(peerId) {
    const id = peerId === this.#session.peerId ? "self" : peerId;
    for (const tile of this.#tiles.values()) tile.setSpeaking(tile.id === id);
  }

  /** The received video behind a tile; undefined for our own. */
  videoOf(tile) {
    if (tile.screen) return this.#session.remote.consumers.get(tile.id);
    return this.#consumersOf(tile.id).video;
  }

  pickOf(consumer) {
    return this.#picks.get(consumer.id) ?? "auto";
  }

  pick(consumer, value) {
    if (value === "auto") this.#picks.delete(consumer.id);
    else this.#picks.set(consumer.id, value);
    const tile = [...this.#tiles.values()].find((tile) => this.videoOf(tile) === consumer);
    return this.#wish(consumer, this.#wantedLayer(consumer, tile));
  }

  toggleStats(tile) {
    tile.showStats(!tile.statsShown);
    this.#show(tile);
  }

  /** That of the tile with the focus, else of all. */
  toggleStatsByKey() {
    const focused = [...this.#tiles.values()].find((tile) => tile.element.contains(document.activeElement));
    if (focused) {
      this.toggleStats(focused);
      return;
    }
    this.#allStats = !this.#allStats;
    for (const tile of this.#tiles.values()) {
      tile.showStats(this.#allStats);
      this.#show(tile);
    }
  }

  /** New numbers are there. */
  onSample() {
    for (const tile of this.#tiles.values()) {
      const { video, audio } = this.#streamsOf(tile);
      this.#history.add(tile.id, [video, audio].filter(Boolean));
      this.#show(tile);
      if (options.adaptive) this.#adapt(tile);
    }
  }

  #add(properties) {
    const tile = new Tile({
      ...properties,
      onMenu: (button) => this.#callbacks.onMenu(tile, button),
      onSpotlight: () => this.#callbacks.onSpotlight(tile),
    });
    this.#tiles.set(tile.id, tile);
    this.#grid.add(tile);
    tile.showStats(this.#allStats);
    return tile;
  }

  #remove(id) {
    const tile = this.#tiles.get(id);
    if (!tile) return;
    tile.setTrack(null);
    this.#history.forget(id);
    this.#tiles.delete(id);
    this.#grid.remove(tile);
  }

  #consumersOf(peerId) {
    const consumers = this.#session.remote.consumersOf(peerId).filter(({ screen }) => !screen);
    return {
      audio: consumers.find(({ kind }) => kind === "audio"),
      video: consumers.find(({ kind }) => kind === "video"),
    };
  }

  /** The newest numbers of what a tile shows and sounds like. */
  #streamsOf(tile) {
    const { samples } = this.#stats;
    if (tile.id.startsWith("self")) {
      const { mic, cam, screen } = this.#session.publisher.sources;
      const video = tile.screen ? screen.active && samples.get("screen") : cam.active && samples.get("cam");
      return { video, audio: !tile.screen && mic.active && samples.get("mic") };
    }
    const read = (consumer) => (consumer && !consumer.paused ? samples.get(consumer.id) : undefined);
    return { video: read(this.videoOf(tile)), audio: tile.screen ? undefined : read(this.#consumersOf(tile.id).audio) };
  }

  #show(tile) {
    if (tile.id.startsWith("self")) this.#showSent(tile);
    else this.#showReceived(tile);
  }

  #showSent(tile) {
    const { video, audio } = this.#streamsOf(tile);
    tile.setQuality(quality(video || audio || null));
    tile.setStats(sentFigures({ video, audio }), "sent", this.#history.of(tile.id));
  }

  #showReceived(tile) {
    const { video, audio } = this.#streamsOf(tile);
    const videoConsumer = this.videoOf(tile);
    const audioConsumer = tile.screen ? undefined : this.#consumersOf(tile.id).audio;
    const consumer = videoConsumer?.paused === false ? videoConsumer : audioConsumer;
    const active = consumer && !consumer.paused;
    tile.setQuality(active ? quality(video ?? audio ?? null, scoreOf(consumer.score)) : 0);
    const explanation = tile.statsShown && videoConsumer ? this.#explanations.of(videoConsumer.id) : undefined;
    const figures = receivedFigures({ video, videoConsumer, audio, explanation });
    tile.setStats(figures, "received", this.#history.of(tile.id));
  }

  #wantedLayer(consumer, tile) {
    const { width = 0, height = 0 } = tile?.size ?? {};
    const shown = Math.max(height, (width * 9) / 16) * Math.min(devicePixelRatio, 2);
    const matters = options.adaptive && tile && !tile.screen && !document.fullscreenElement;
    return spatialLayerFor(this.pickOf(consumer), consumer.layers.spatial, matters ? shown : null);
  }

  #adapt(tile) {
    const consumer = tile.id.startsWith("self") ? undefined : this.videoOf(tile);
    if (!consumer || consumer.layers.spatial < 2) return;
    const wanted = this.#wantedLayer(consumer, tile);
    const before = this.#wants.get(consumer.id);
    this.#wants.set(consumer.id, wanted);
    const present = consumer.preferred?.spatialLayer ?? consumer.layers.spatial - 1;
    if (wanted === before && wanted !== present) this.#wish(consumer, wanted).catch(() => {});
  }

  #wish(consumer, spatialLayer) {
    return this.#session.preferLayers(consumer.id, spatialLayer, consumer.layers.temporal - 1);
  }
}
