// Short messages above the controls, and words for screen readers. Errors stay longer and say what to do.

import { byId, icon, make } from "./dom.js";

const SHORT_MS = 3_000;
const LONG_MS = 12_000;

/** `action` is `{ label, run }`. */
export function toast(text, { error = false, action = null } = {}) {
  const box = byId("toasts");
  for (const old of box.children) if (old.dataset.text === text) old.remove();
  const element = make("div", {
    className: error ? "toast error" : "toast", role: error ? "alert" : "status", "data-text": text,
  });
  if (error) element.append(icon("warning"));
  element.append(make("span", { textContent: text }));
  const remove = () => {
    element.remove();
    if (box.children.length === 0) box.hidePopover?.();
  };
  if (action) {
    element.append(make("button", { type: "button", textContent: action.label, onclick: () => { remove(); action.run(); } }));
  }
  if (error) element.append(make("button", { type: "button", textContent: "Dismiss", onclick: remove }));
  show(box);
  box.append(element);
  while (box.children.length > 4) box.firstElementChild.remove();
  setTimeout(remove, error || action ? LONG_MS : SHORT_MS);
}

/** In the top layer, above an open dialog. */
function show(box) {
  if (!box.showPopover) return;
  if (box.matches(":popover-open")) box.hidePopover();
  box.showPopover();
}

export const problem = (text, action = null) => toast(text, { error: true, action });

/** For ears only. */
export function announce(text) {
  const announcer = byId("announcer");
  announcer.textContent = "";
  setTimeout(() => { announcer.textContent = text; }, 50);
}
