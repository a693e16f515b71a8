// Before the call: who, where, and with which devices. It hands the tracks over and knows no server.

import { INSECURE, canCapture, onDeviceChange, open, openBoth, showChoices } from "./devices.js";
import { byId, setIcon } from "./dom.js";
import { LevelMeter } from "./meter.js";
import { memory, options, pronounceableName } from "./options.js";
import { problem } from "./toast.js";

const HINTS = {
  off: "Your camera is off.",
  none: "No camera or microphone in use. You can join all the same, to watch and listen.",
};

export class Lobby {
  tracks = { mic: null, cam: null };
  #wanted = { mic: options.audio, cam: options.video };
  #meter = new LevelMeter();
  #busy = false;
  #visit = null;

  /** `onJoin({ name, room, tracks })`. */
  constructor(onJoin) {
    byId("name").value = options.name ?? memory.get("name") ?? "";
    byId("room").value = options.room ?? pronounceableName();
    byId("shuffle").addEventListener("click", () => { byId("room").value = pronounceableName(); });
    byId("join-form").addEventListener("submit", (event) => {
      event.preventDefault();
      onJoin(this.#takeAll());
    });
    for (const name of ["mic", "cam"]) byId(`lobby-${name}`).addEventListener("click", () => this.#toggle(name));
    if (!canCapture) {
      byId("notice").textContent = `${INSECURE} You can still join to watch and listen.`;
      byId("notice").hidden = false;
    }
  }

  /** Shows it, and opens the devices. */
  async enter() {
    byId("lobby").hidden = false;
    this.setJoining(false);
    this.#visit = new AbortController();
    const { signal } = this.#visit;
    onDeviceChange(() => this.#showChoices(), signal);
    this.#busy = true;
    const { mic, cam, errors } = await openBoth({ mic: this.#wanted.mic, cam: this.#wanted.cam });
    this.#busy = false;
    if (signal.aborted) {
      mic?.stop();
      cam?.stop();
      return;
    }
    this.tracks = { mic, cam };
    this.#show(Object.values(errors));
    await this.#showChoices();
  }

  /** Hides it; the tracks go with whoever took them. */
  leave() {
    this.#visit?.abort();
    this.#meter.stop();
    byId("preview").srcObject = null;
    byId("lobby").hidden = true;
    this.tracks = { mic: null, cam: null };
  }

  setJoining(joining) {
    byId("join").disabled = joining;
    byId("join").textContent = joining ? "Joining …" : "Join";
  }

  #takeAll() {
    const name = byId("name").value.trim() || "Guest";
    const room = byId("room").value.trim() || pronounceableName();
    if (byId("name").value.trim()) memory.set("name", name);
    return { name, room, tracks: this.tracks };
  }

  async #toggle(name) {
    if (this.#busy) return;
    const track = this.tracks[name];
    this.#wanted[name] = !track;
    if (track) {
      track.stop();
      this.tracks[name] = null;
      this.#show();
      return;
    }
    await this.#open(name);
  }

  async #open(name) {
    this.#busy = true;
    try {
      this.tracks[name]?.stop();
      this.tracks[name] = null;
      this.tracks[name] = await open(name);
    } catch (error) {
      problem(error.message);
    }
    this.#busy = false;
    this.#show();
    await this.#showChoices();
  }

  #showChoices() {
    return showChoices(byId("lobby-devices"), (name) => {
      if (name !== "speaker" && this.tracks[name]) this.#open(name);
    });
  }

  #show(reasons = []) {
    const { mic, cam } = this.tracks;
    this.#showButton("mic", mic);
    this.#showButton("cam", cam);
    byId("preview").srcObject = cam ? new MediaStream([cam]) : null;
    byId("preview").hidden = !cam;
    const hint = byId("preview-hint");
    hint.hidden = Boolean(cam);
    hint.textContent = [...new Set(canCapture ? reasons : []), mic ? HINTS.off : HINTS.none].join(" ");
    byId("level").hidden = !mic;
    if (mic) this.#meter.start(mic, (level) => { byId("level").value = level; });
    else this.#meter.stop();
  }

  #showButton(name, track) {
    const button = byId(`lobby-${name}`);
    button.disabled = !canCapture;
    button.setAttribute("aria-pressed", String(Boolean(track)));
    setIcon(button.firstElementChild, track ? name : `${name}-off`);
  }
}
