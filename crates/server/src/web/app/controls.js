// The bar of buttons below the call. It knows what a button says, not what it does.

import { canCapture, canShareScreen } from "./devices.js";
import { byId, icon, make, setIcon } from "./dom.js";

const BUTTONS = [
  {
    name: "mic", key: "m", kind: "device", label: "Microphone",
    icons: ["mic", "mic-off"], texts: ["Mute microphone", "Unmute microphone"],
  },
  {
    name: "cam", key: "v", kind: "device", label: "Camera",
    icons: ["cam", "cam-off"], texts: ["Turn camera off", "Turn camera on"],
  },
  {
    name: "screen", key: "s", kind: "toggle", label: "Screen sharing",
    icons: ["screen-off", "screen"], texts: ["Stop sharing your screen", "Share your screen"],
  },
  {
    name: "stats", key: "i", kind: "toggle wide", label: "Statistics",
    icons: ["stats", "stats"], texts: ["Hide statistics", "Show statistics"],
  },
  {
    name: "chat", key: "t", kind: "toggle", label: "Chat",
    icons: ["chat", "chat"], texts: ["Close the chat", "Open the chat"],
  },
  { name: "link", key: "c", icons: ["link"], texts: ["Copy the link to this room"] },
  { name: "settings", icons: ["settings"], texts: ["Choose devices"] },
  { name: "help", key: "?", kind: "wide", icons: ["help"], texts: ["Keys"] },
  { name: "leave", kind: "leave", icons: ["leave"], texts: ["Leave the room"] },
];

export class Controls {
  #buttons = new Map();

  /** `run` has a function for each name. */
  constructor(run) {
    const usable = BUTTONS.filter(({ name }) => name !== "screen" || canShareScreen);
    byId("controls").replaceChildren(...usable.map((button) => this.#make(button, run[button.name])));
    byId("controls").onkeydown = (event) => this.#moveFocus(event);
    for (const name of ["mic", "cam"]) this.#buttons.get(name).element.disabled = !canCapture;
  }

  /** Shows whether a toggle is on. */
  setOn(name, on) {
    const button = this.#buttons.get(name);
    if (!button) return;
    const { element, key, icons, texts } = button;
    element.setAttribute("aria-pressed", String(on));
    const text = texts[on ? 0 : 1];
    element.title = `${text} (${key.toUpperCase()})`;
    setIcon(element.firstElementChild, icons[on ? 0 : 1]);
  }

  /** Shows a number at a button, and says what it counts; none for 0. */
  setBadge(name, count, what) {
    const button = this.#buttons.get(name);
    if (!button) return;
    const { element, label } = button;
    element.querySelector(".badge")?.remove();
    if (count > 0) element.append(make("span", { className: "badge", textContent: count > 99 ? "99+" : String(count) }));
    element.setAttribute("aria-label", count > 0 ? `${label}, ${count} ${what}` : label);
  }

  /** The call itself takes the focus where the button cannot: a key must not hit "leave" by accident. */
  focus(name) {
    const button = this.#buttons.get(name)?.element;
    (button && !button.disabled ? button : byId("call")).focus();
  }

  #make(button, run) {
    const { name, key, icons, texts, label, kind = "" } = button;
    const title = key ? `${texts.at(-1)} (${key.toUpperCase()})` : texts[0];
    const element = make("button", {
      type: "button", id: `control-${name}`, className: `control ${kind}`, title, "aria-label": label ?? texts[0],
    }, icon(icons[0]));
    if (key) element.setAttribute("aria-keyshortcuts", key === "?" ? "Shift+?" : key.toUpperCase());
    element.addEventListener("click", run);
    this.#buttons.set(name, { ...button, element });
    if (texts.length > 1) this.setOn(name, false);
    return element;
  }

  /** Arrow keys go along a toolbar. */
  #moveFocus(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const stops = [...byId("controls").children].filter((stop) => !stop.disabled && stop.offsetParent);
    stops.at((stops.indexOf(document.activeElement) + step) % stops.length).focus();
    event.preventDefault();
  }
}
