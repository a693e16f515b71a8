// Making elements. Text is always text: nothing that a stranger wrote is read as HTML.

export const byId = (id) => document.getElementById(id);

/** An element with properties, `aria-` and `data-` attributes, and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "popover" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** A symbol of the sprite; the label belongs to what it stands in. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  svg.append(use);
  setIcon(svg, name);
  return svg;
}

export function setIcon(svg, name) {
  const use = svg.querySelector("use");
  const href = `/icons.svg#${name}`;
  if (use.getAttribute("href") !== href) use.setAttribute("href", href);
}
