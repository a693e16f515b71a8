// The menu of a tile: spotlight, statistics, full screen, picture quality. One is open at a time.

import { icon, make } from "./dom.js";

const MARGIN = 8;

function item(name, text, run) {
  const button = make("button", { type: "button" }, icon(name), text);
  button.addEventListener("click", run);
  return button;
}

/** `actions` are `{ icon, text, run }`; `quality` is null or `{ choices: [{ value, text }], value, onChoice }`. */
export function openTileMenu(button, { label, actions, quality }) {
  const menu = make("div", { className: "menu", popover: "auto", role: "group", "aria-label": label });
  const close = () => menu.hidePopover();
  for (const { icon, text, run } of actions) {
    menu.append(item(icon, text, () => {
      close();
      run();
    }));
  }
  if (quality) menu.append(qualityField(quality, close));
  document.body.append(menu);
  button.setAttribute("aria-expanded", "true");
  menu.addEventListener("toggle", ({ newState }) => {
    if (newState !== "closed") return;
    button.setAttribute("aria-expanded", "false");
    menu.remove();
  });
  menu.addEventListener("keydown", (event) => moveFocus(menu, event));
  menu.showPopover();
  putBeside(menu, button);
  menu.querySelector("button").focus();
}

function qualityField({ choices, value, onChoice }, close) {
  const field = make("fieldset", {}, make("legend", { textContent: "Picture quality" }));
  for (const choice of choices) {
    const input = make("input", { type: "radio", name: "quality", value: choice.value, checked: choice.value === value });
    input.addEventListener("change", () => onChoice(choice.value));
    const label = make("label", {}, input, choice.text);
    // A click chooses and is done; arrow keys go through the choices.
    label.addEventListener("click", (event) => event.detail > 0 && setTimeout(close));
    field.append(label);
  }
  return field;
}

function putBeside(menu, button) {
  const anchor = button.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const left = Math.min(Math.max(anchor.right - width, MARGIN), innerWidth - width - MARGIN);
  const below = anchor.bottom + 4;
  const top = below + height + MARGIN > innerHeight ? Math.max(innerHeight - height - MARGIN, MARGIN) : below;
  Object.assign(menu.style, { left: `${left}px`, top: `${top}px` });
}

function moveFocus(menu, event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.target.type === "radio") return;
  event.preventDefault();
  const stops = [...menu.querySelectorAll("button, input:checked")];
  stops.at((stops.indexOf(document.activeElement) + step) % stops.length).focus();
}
