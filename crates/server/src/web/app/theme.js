// Light, dark, or as the system says; remembered.

import { byId } from "./dom.js";
import { memory } from "./options.js";

const NAMES = { auto: "as the system", light: "light", dark: "dark" };
const ORDER = Object.keys(NAMES);

export function theme() {
  return ORDER.includes(memory.get("theme")) ? memory.get("theme") : "auto";
}

export function setTheme(name) {
  memory.set("theme", name);
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  const button = byId("theme");
  if (!button) return;
  button.setAttribute("aria-label", `Colours: ${NAMES[name]}`);
  button.title = `Colours: ${NAMES[name]}`;
}

export function startTheme() {
  setTheme(theme());
  byId("theme")?.addEventListener("click", () => setTheme(ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length]));
}
