// Keys for what the buttons do, and the dialog that lists them. Keys are left alone while somebody types.

import { byId, make } from "./dom.js";

/** `keys` are `{ key, text, run }`. Until `signal` is aborted. */
export function startKeys(keys, signal) {
  byId("keys").replaceChildren(...keys.flatMap(({ key, text }) =>
    [make("dt", {}, make("kbd", { textContent: key === "?" ? "?" : key.toUpperCase() })), make("dd", { textContent: text })]));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.closest?.("input:not([type='radio']), select, textarea, dialog, .menu")) return;
    const found = keys.find(({ key }) => key === event.key.toLowerCase());
    if (!found) return;
    event.preventDefault();
    found.run();
  }, { signal });
}
