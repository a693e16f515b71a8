// The call on the screen: what the session says goes to tiles and messages, what the user does goes to the session.

import { ChatPanel } from "./chat-panel.js";
import { Controls } from "./controls.js";
import {
  DeviceError, canCapture, canShareScreen, choose, chosen, onDeviceChange, open, openScreen, showChoices,
} from "./devices.js";
import { byId } from "./dom.js";
import { Grid } from "./grid.js";
import { startKeys } from "./keys.js";
import { layerChoices } from "./layers.js";
import { linkTo } from "./options.js";
import { SocketLostError } from "./protoo.js";
import { Sound } from "./sound.js";
import { openTileMenu } from "./tile-menu.js";
import { Tiles } from "./tiles.js";
import { announce, problem, toast } from "./toast.js";

const WORDS = { mic: "Microphone", cam: "Camera", screen: "Screen sharing" };

export class Call {
  #session;
  #grid;
  #tiles;
  #controls;
  #chat;
  #sound = new Sound();
  #busy = new Set();
  #visit = new AbortController();

  constructor({ session, stats, onLeave }) {
    this.#session = session;
    byId("call").hidden = false;
    this.#grid = new Grid(byId("grid"));
    const callbacks = {
      onMenu: (tile, button) => this.#openMenu(tile, button),
      onSpotlight: (tile) => this.#toggleSpotlight(tile),
    };
    this.#tiles = new Tiles({ session, stats, grid: this.#grid, callbacks });
    const run = this.#actions(onLeave);
    this.#controls = new Controls(run);
    this.#chat = new ChatPanel({
      chat: session.chat,
      onChange: (open, unread) => {
        this.#controls.setOn("chat", open);
        this.#controls.setBadge("chat", unread, unread === 1 ? "unread message" : "unread messages");
      },
      signal: this.#visit.signal,
    });
    this.#startKeys(run);
    this.#listen(stats);
    for (const peer of session.remote.peers.values()) this.#tiles.addPeer(peer);
    for (const consumer of session.remote.consumers.values()) this.#addConsumer(consumer);
    for (const [name, { track }] of Object.entries(session.publisher.sources)) if (track) this.#watchEnd(name, track);
    this.#refreshSelf();
    this.#refreshCount();
    byId("alone-copy").onclick = run.link;
    this.#controls.focus("mic");
  }

  dispose() {
    this.#visit.abort();
    this.#sound.dispose();
    this.#grid.dispose();
    for (const id of ["settings", "help"]) byId(id).close();
    for (const id of ["call", "banner", "alone", "count", "chat"]) byId(id).hidden = true;
  }

  #actions(onLeave) {
    return {
      mic: () => this.#once("mic", () => this.#toggleMic()),
      cam: () => this.#once("cam", () => this.#toggleCam()),
      screen: () => this.#once("screen", () => this.#toggleScreen()),
      stats: () => {
        this.#tiles.toggleStatsByKey();
        this.#controls.setOn("stats", this.#tiles.allStats);
      },
      chat: () => this.#chat.toggle(),
      link: () => copyLink(this.#session.roomId),
      settings: () => this.#openSettings(),
      help: () => byId("help").showModal(),
      leave: onLeave,
    };
  }

  #startKeys(run) {
    const keys = [
      { key: "m", text: "Microphone on or off", run: run.mic },
      { key: "v", text: "Camera on or off", run: run.cam },
      { key: "s", text: "Share your screen, or stop", run: run.screen },
      { key: "i", text: "Statistics of the focused tile, or of all", run: run.stats },
      { key: "t", text: "Open or close the chat", run: run.chat },
      { key: "c", text: "Copy the link to this room", run: run.link },
      { key: "?", text: "This help", run: run.help },
    ];
    const usable = keys.filter(({ key }) => (key !== "s" || canShareScreen) && (!"mv".includes(key) || canCapture));
    startKeys(usable, this.#visit.signal);
  }

  #listen(stats) {
    const { signal } = this.#visit;
    const session = this.#session;
    const { remote, publisher } = session;
    const on = (target, type, run) => target.addEventListener(type, ({ detail }) => run(detail), { signal });
    on(remote, "peer-joined", (peer) => this.#peerJoined(peer));
    on(remote, "peer-left", (peer) => this.#peerLeft(peer));
    on(remote, "peer-changed", ({ id }) => this.#tiles.refreshPeer(id));
    on(remote, "consumer-added", (consumer) => this.#addConsumer(consumer));
    on(remote, "consumer-removed", (consumer) => this.#removeConsumer(consumer));
    on(remote, "consumer-changed", ({ peerId }) => this.#tiles.refreshPeer(peerId));
    on(remote, "speaker", ({ peerId }) => this.#tiles.setSpeaker(peerId));
    on(publisher, "change", () => this.#refreshSelf());
    on(session, "state", () => this.#showState());
    on(stats, "sample", () => this.#tiles.onSample());
    onDeviceChange(() => byId("settings").open && this.#fillSettings(), signal);
  }

  #peerJoined(peer) {
    this.#tiles.addPeer(peer);
    this.#refreshCount();
    if (peer.announce) this.#tell(`${peer.displayName} joined`);
  }

  #peerLeft(peer) {
    this.#tiles.removePeer(peer.id);
    this.#refreshCount();
    if (peer.announce) this.#tell(`${peer.displayName} left`);
  }

  #tell(text) {
    toast(text);
    announce(text);
  }

  #addConsumer(consumer) {
    if (consumer.kind === "audio") this.#sound.add(consumer.id, consumer.track);
    else if (consumer.screen) this.#tiles.addScreen(consumer);
    this.#tiles.refreshPeer(consumer.peerId);
  }

  #removeConsumer(consumer) {
    if (consumer.kind === "audio") this.#sound.remove(consumer.id);
    this.#tiles.removeConsumer(consumer);
    this.#tiles.refreshPeer(consumer.peerId);
  }

  #refreshSelf() {
    const { publisher } = this.#session;
    for (const name of Object.keys(WORDS)) this.#controls.setOn(name, publisher.isOn(name));
    this.#tiles.refreshSelf();
  }

  #refreshCount() {
    const people = this.#session.remote.peers.size + 1;
    byId("count").hidden = false;
    byId("count-text").textContent = String(people);
    byId("count").setAttribute("aria-label", people === 1 ? "1 person" : `${people} people`);
    byId("alone").hidden = people > 1 || this.#session.state !== "joined";
  }

  #showState() {
    const { state, mediaLost } = this.#session;
    const banner = byId("banner");
    const lost = state === "reconnecting" || (state === "joined" && mediaLost);
    if (!lost && !banner.hidden && state === "joined") this.#tell("Connected again");
    banner.hidden = !lost;
    banner.textContent = lost ? "The connection is lost. Reconnecting …" : "";
    this.#refreshCount();
  }

  /** One change of a device at a time, and an error in plain words. */
  async #once(name, run) {
    if (this.#busy.has(name)) return;
    this.#busy.add(name);
    try {
      await run();
      const on = this.#session.publisher.isOn(name);
      announce(`${WORDS[name]} ${on ? "on" : "off"}`);
    } catch (error) {
      // What a lost socket swallowed is said again after the reconnection.
      if (error instanceof DeviceError) problem(error.message);
      else if (!(error instanceof SocketLostError)) problem(`${WORDS[name]}: ${error.message}. Try again.`);
    } finally {
      this.#busy.delete(name);
    }
  }

  #toggleMic() {
    const { publisher } = this.#session;
    if (publisher.isOn("mic")) return publisher.mute("mic", { keepTrack: true });
    if (publisher.sources.mic.track?.readyState === "live") return publisher.unmute("mic");
    return this.#publish("mic", open);
  }

  #toggleCam() {
    const { publisher } = this.#session;
    return publisher.isOn("cam") ? publisher.mute("cam", { keepTrack: false }) : this.#publish("cam", open);
  }

  async #toggleScreen() {
    const { publisher } = this.#session;
    if (publisher.isOn("screen")) await publisher.unpublish("screen");
    else await this.#publish("screen", openScreen);
  }

  async #publish(name, opener) {
    const track = await opener(name);
    if (!track) return;
    if (this.#visit.signal.aborted) {
      track.stop();
      return;
    }
    this.#watchEnd(name, track);
    await this.#session.publisher.publish(name, track);
  }

  /** A device may be unplugged, and the browser has a button of its own that ends sharing. */
  #watchEnd(name, track) {
    track.addEventListener("ended", () => {
      const { publisher } = this.#session;
      if (publisher.sources[name].track !== track) return;
      if (name === "screen") {
        this.#once(name, () => publisher.unpublish(name));
        return;
      }
      problem(`${WORDS[name]} was disconnected. Choose another in the settings.`);
      this.#once(name, () => publisher.mute(name, { keepTrack: false }));
    }, { signal: this.#visit.signal });
  }

  async #openSettings() {
    await this.#fillSettings();
    if (!byId("settings").open) byId("settings").showModal();
  }

  async #fillSettings() {
    const box = byId("call-devices");
    await showChoices(box, (name) => this.#useChosen(name));
    if (box.children.length === 0) box.textContent = "The browser shows no devices to this page.";
  }

  #useChosen(name) {
    if (name === "speaker") {
      this.#sound.reroute();
      return;
    }
    this.#once(name, async () => {
      const { publisher } = this.#session;
      const { track: old, active } = publisher.sources[name];
      if (!old) return;
      old.stop();
      const track = await this.#openOr(name, old);
      this.#watchEnd(name, track);
      await publisher.publish(name, track);
      if (!active) await publisher.mute(name, { keepTrack: true });
    });
  }

  /** The chosen device, else the one that was in use. */
  async #openOr(name, old) {
    try {
      return await open(name);
    } catch (error) {
      problem(error.message);
      choose(name, old.getSettings().deviceId ?? chosen(name));
      return open(name);
    }
  }

  #toggleSpotlight(tile) {
    this.#grid.setSpotlight(this.#grid.spotlight === tile ? null : tile);
  }

  #openMenu(tile, button) {
    const lit = this.#grid.spotlight === tile;
    const [light, stats] = [() => this.#toggleSpotlight(tile), () => this.#tiles.toggleStats(tile)];
    const actions = [
      { icon: "pin", text: lit ? "Leave the spotlight" : "Put in the spotlight", run: light },
      { icon: "stats", text: tile.statsShown ? "Hide statistics" : "Show statistics", run: stats },
    ];
    if (tile.element.requestFullscreen) {
      const leave = document.fullscreenElement === tile.element;
      const run = () => (leave ? document.exitFullscreen() : tile.element.requestFullscreen()).catch(() => {});
      actions.push({ icon: "full", text: leave ? "Leave full screen" : "Full screen", run });
    }
    openTileMenu(button, { label: `Menu for ${tile.name}`, actions, quality: this.#qualityOf(tile) });
  }

  #qualityOf(tile) {
    const consumer = tile.id.startsWith("self") ? undefined : this.#tiles.videoOf(tile);
    if (!consumer || consumer.layers.spatial < 2) return null;
    const onChoice = (value) => this.#tiles.pick(consumer, value)
      .catch((error) => problem(`The picture quality stays as it is: ${error.message}.`));
    return { choices: layerChoices(consumer.layers.spatial), value: this.#tiles.pickOf(consumer), onChoice };
  }
}

/** Old browsers and insecure pages have no clipboard: there the link is shown, to be copied by hand. */
async function copyLink(room) {
  const link = linkTo(room);
  try {
    await navigator.clipboard.writeText(link);
    toast("Link copied");
    announce("Link copied");
  } catch {
    problem(`Copy this link by hand: ${link}`);
  }
}
