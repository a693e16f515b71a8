// One picture in the grid: a person or a screen, with a name, a menu and, on demand, numbers. It shows what it is told.

import { icon, make } from "./dom.js";
import { Plot } from "./plot.js";

const QUALITY_WORDS = ["", "poor connection", "fair connection", "good connection"];

export function initials(name) {
  const words = name.split(/\s+/).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0]).join("").toUpperCase() || "?";
}

export class Tile {
  size = { width: 0, height: 0 };
  muted = false;
  statsShown = false;
  #name;
  #stats;
  #figures;
  #plot;
  #quality;
  #muteIcon;
  #avatar;
  #notes = { quality: "" };

  /** `rank` orders tiles; `screen` shows all of the picture; `onMenu(button)` and `onSpotlight()` are called back. */
  constructor({ id, name, rank, screen = false, mirror = false, onMenu, onSpotlight }) {
    this.id = id;
    this.rank = rank;
    this.screen = screen;
    this.video = make("video", { autoplay: true, playsInline: true, muted: true });
    // The attribute decides, in some browsers, whether playing needs a gesture.
    this.video.setAttribute("playsinline", "");
    this.#avatar = make("span", { className: "avatar", "aria-hidden": "true" });
    this.#name = make("span", { className: "name" });
    this.#muteIcon = icon("mic-off");
    this.#muteIcon.classList.add("muted");
    const bars = [make("i"), make("i"), make("i")];
    this.#quality = make("span", { className: "quality", "data-level": "0", role: "img" }, ...bars);
    const chip = make("span", { className: "chip" }, this.#muteIcon, this.#name, this.#quality);
    this.menuButton = make("button", {
      type: "button", className: "tile-more", "aria-haspopup": "true", "aria-expanded": "false",
    }, icon("more"));
    this.menuButton.addEventListener("click", () => onMenu(this.menuButton));
    this.#figures = make("dl");
    this.#plot = new Plot();
    this.#stats = make("div", { className: "tile-stats", hidden: true }, this.#figures, this.#plot.element);
    const className = `tile new no-video${screen ? " screen" : ""}${mirror ? " mirror" : ""}`;
    this.element = make("li", { className, "data-tile": id }, this.video, this.#avatar, this.#stats, chip, this.menuButton);
    this.element.addEventListener("dblclick", (event) => {
      if (!event.target.closest("button")) onSpotlight();
    });
    this.setMuted(false);
    this.setName(name);
  }

  setName(name) {
    this.name = name;
    this.#name.textContent = name;
    this.#avatar.textContent = initials(name);
    this.menuButton.setAttribute("aria-label", `Menu for ${name}`);
    this.#describe();
  }

  /** Null shows the initials. */
  setTrack(track) {
    const current = this.video.srcObject?.getTracks()[0] ?? null;
    this.element.classList.toggle("no-video", !track);
    if (track !== current) this.video.srcObject = track ? new MediaStream([track]) : null;
    if (track) this.video.play?.().catch(() => {});
    this.#describe();
  }

  setMuted(muted) {
    this.muted = muted;
    this.#muteIcon.toggleAttribute("hidden", !muted);
    this.#describe();
  }

  setSpeaking(speaking) {
    if (this.element.classList.contains("speaking") === speaking) return;
    this.element.classList.toggle("speaking", speaking);
    this.#describe();
  }

  /** 0 hides the sign; 1 to 3. */
  setQuality(level) {
    this.#quality.dataset.level = String(level);
    this.#quality.setAttribute("aria-label", QUALITY_WORDS[level]);
    this.#quality.title = QUALITY_WORDS[level];
    if (this.#notes.quality === QUALITY_WORDS[level]) return;
    this.#notes.quality = QUALITY_WORDS[level];
    this.#describe();
  }

  showStats(shown) {
    this.statsShown = shown;
    this.#stats.hidden = !shown;
  }

  /** Pairs of a name and a text, and the last minute: `verb` is what is done with the bits, `points` are as of History. */
  setStats(pairs, verb, points) {
    if (!this.statsShown) return;
    this.#figures.replaceChildren(...pairs.flatMap(([name, text]) =>
      [make("dt", { textContent: name }), make("dd", { textContent: text, title: text })]));
    this.#plot.show(verb, points);
  }

  /** `fill` is the space around it, which a screen may use up. */
  moveTo({ left, top, width, height }, { fill } = {}) {
    const place = this.screen && fill ? fill : { left, top, width, height };
    const { style } = this.element;
    style.width = `${Math.floor(place.width)}px`;
    style.height = `${Math.floor(place.height)}px`;
    style.transform = `translate(${Math.round(place.left)}px, ${Math.round(place.top)}px)`;
    this.size = { width: place.width, height: place.height };
  }

  #describe() {
    if (!this.name) return;
    const parts = [this.name];
    if (this.muted) parts.push("microphone off");
    if (!this.screen && this.element.classList.contains("no-video")) parts.push("camera off");
    if (this.element.classList.contains("speaking")) parts.push("speaking");
    if (this.#notes.quality) parts.push(this.#notes.quality);
    this.element.setAttribute("aria-label", parts.join(", "));
  }
}
