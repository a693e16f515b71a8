// The last minute of a tile as two small plots: bits a second with what there is room for, and delay with losses. The words below
// each say what it shows now; who does not see hears how the minute was. It knows no session.

import { make } from "./dom.js";
import { bitrateText } from "./figures.js";
import { SPAN } from "./history.js";

const SVG = "http://www.w3.org/2000/svg";
/** Units of the drawing: a second is one wide. */
const HEIGHT = 40;
/** The rate above which room is drawn at the edge: so many times the highest that was used. */
const MAX_ROOM = 4;
/** The least that the scales reach: bits a second, milliseconds, and a part of one. */
const LEAST_BITRATE = 50_000;
const LEAST_DELAY_MS = 50;
const LEAST_LOSS = 0.1;

/** The next of 1, 1.5, 2, 3, 4, 6, 8, 10, 15 and so on. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 6, 8, 10].find((factor) => factor * power >= value) * power;
}

const percent = (part) => `${(part * 100).toFixed(part > 0 && part < 0.1 ? 1 : 0)} %`;
const milliseconds = (time) => `${Math.round(time)} ms`;

/** Where the values of a member stand in the drawing; the newest at the right edge. */
function places(points, member, scale) {
  return points.map((point, i) => {
    const value = point?.[member];
    if (value == null) return null;
    const y = HEIGHT - Math.min(value / scale, 1) * HEIGHT;
    return [SPAN - points.length + i + 0.5, Math.round(y * 100) / 100];
  });
}

/** Runs without gaps. */
function runs(spots) {
  const found = [[]];
  for (const spot of spots) {
    if (spot) found.at(-1).push(spot);
    else if (found.at(-1).length > 0) found.push([]);
  }
  return found.filter((run) => run.length > 0);
}

const line = (run) => run.map(([x, y], i) => `${i === 0 ? "M" : "L"}${x} ${y}`).join("");
const area = (run) => `${line(run)}L${run.at(-1)[0]} ${HEIGHT}L${run[0][0]} ${HEIGHT}Z`;
const bars = (run) => run.filter(([, y]) => y < HEIGHT).map(([x, y]) => `M${x} ${HEIGHT}L${x} ${y}`).join("");

/** A drawing of named paths above a grid. */
class Chart {
  #paths = new Map();
  #scale = make("span", { className: "plot-scale" });

  constructor(names) {
    const svg = document.createElementNS(SVG, "svg");
    for (const [name, value] of [["viewBox", `0 0 ${SPAN} ${HEIGHT}`], ["preserveAspectRatio", "none"]]) svg.setAttribute(name, value);
    for (const name of ["grid", ...names]) {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", `plot-${name}`);
      svg.append(path);
      this.#paths.set(name, path);
    }
    this.draw("grid", `M0 ${HEIGHT}H${SPAN}M0 ${HEIGHT / 2}H${SPAN}M0 0H${SPAN}M${SPAN / 2} 0V${HEIGHT}`);
    this.element = make("div", { className: "plot-chart" }, svg, this.#scale);
  }

  draw(name, shape) {
    this.#paths.get(name).setAttribute("d", shape);
  }

  setScale(text) {
    this.#scale.textContent = text;
  }
}

/** Words with the signs of the curves in front, of those that have a value. */
function legend(list, entries) {
  const shown = entries.filter(([, , text]) => text !== null);
  list.replaceChildren(...shown.map(([name, word, text]) =>
    make("span", {}, make("i", { className: `plot-sign plot-${name}` }), `${word} `, make("b", { textContent: text }))));
}

export class Plot {
  #rates = new Chart(["filled", "bitrate", "available"]);
  #delays = new Chart(["loss", "round-trip", "jitter"]);
  #ratesLegend = make("p", { className: "plot-legend" });
  #delaysLegend = make("p", { className: "plot-legend" });

  constructor() {
    this.element = make("div", { className: "plot", role: "img" },
      this.#rates.element, this.#ratesLegend, this.#delays.element, this.#delaysLegend);
  }

  /** `verb` is "received" or "sent". */
  show(verb, points) {
    const values = (member) => points.map((point) => point?.[member]).filter((value) => value != null);
    this.element.hidden = values("bitrate").length === 0;
    const top = (member) => Math.max(0, ...values(member));
    const now = points.at(-1) ?? {};
    const used = top("bitrate");
    const rateScale = roundUp(Math.max(used, Math.min(top("available"), used * MAX_ROOM), LEAST_BITRATE));
    const delayScale = roundUp(Math.max(top("roundTripMs"), top("jitterMs"), LEAST_DELAY_MS));
    const lossScale = Math.max(top("loss"), LEAST_LOSS);
    const draw = (chart, name, member, scale, shape) =>
      chart.draw(name, runs(places(points, member, scale)).map(shape).join(""));
    draw(this.#rates, "filled", "bitrate", rateScale, area);
    draw(this.#rates, "bitrate", "bitrate", rateScale, line);
    draw(this.#rates, "available", "available", rateScale, line);
    this.#rates.setScale(`${rateScale >= 1e6 ? `${rateScale / 1e6} M` : `${rateScale / 1e3} k`}bit/s · 1 min`);
    draw(this.#delays, "loss", "loss", lossScale, bars);
    draw(this.#delays, "round-trip", "roundTripMs", delayScale, line);
    draw(this.#delays, "jitter", "jitterMs", delayScale, line);
    this.#delays.setScale(milliseconds(delayScale));
    const text = (value, spell) => (value == null ? null : spell(value));
    legend(this.#ratesLegend, [
      ["bitrate", verb, text(now.bitrate, bitrateText)],
      ["available", "room", text(now.available, bitrateText)],
    ]);
    legend(this.#delaysLegend, [
      ["round-trip", "round trip", text(now.roundTripMs, milliseconds)],
      ["jitter", "jitter", text(now.jitterMs, milliseconds)],
      ["loss", "lost", text(now.loss, percent)],
    ]);
    this.element.setAttribute("aria-label", describe(verb, now, values));
  }
}

/** The minute in words. */
function describe(verb, now, values) {
  const [rates, room] = [values("bitrate"), values("available")];
  if (rates.length === 0) return "";
  const sentences = [`The last minute, ${verb}: now ${bitrateText(now.bitrate ?? 0)}, from ${bitrateText(Math.min(...rates))} to ${bitrateText(Math.max(...rates))}.`];
  if (room.length > 0) sentences.push(`Room for ${bitrateText(room.at(-1))}, at the least ${bitrateText(Math.min(...room))}.`);
  const worst = (member) => Math.max(0, ...values(member));
  sentences.push(`Round trip up to ${milliseconds(worst("roundTripMs"))}, jitter up to ${milliseconds(worst("jitterMs"))}, losses up to ${percent(worst("loss"))}.`);
  return sentences.join(" ");
}
