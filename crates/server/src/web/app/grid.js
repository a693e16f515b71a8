// Where tiles go: as large as the space allows, or one in the spotlight and the others beside it. It knows elements and
// numbers, and nothing of peers.

/** Width over height: pictures are cut to stand on a screen that stands, and hardly on one that lies. */
const MIN_RATIO_PORTRAIT = 0.75;
const MIN_RATIO_LANDSCAPE = 1.3;
const MAX_RATIO = 16 / 9;
const MIN_RATIO_ALONE = 9 / 16;

function minRatioFor(count, width, height) {
  if (width >= height) return MIN_RATIO_LANDSCAPE;
  return count === 1 ? MIN_RATIO_ALONE : MIN_RATIO_PORTRAIT;
}

/** The number of columns that gives `count` tiles the most area. Pure, for tests. */
export function pack(count, width, height, gap) {
  const minRatio = minRatioFor(count, width, height);
  let best = { columns: 1, rows: 1, width: 0, height: 0, area: -1 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    if (cellWidth <= 0 || cellHeight <= 0) continue;
    const tileWidth = Math.min(cellWidth, cellHeight * MAX_RATIO);
    const tileHeight = Math.min(cellHeight, cellWidth / minRatio);
    const area = tileWidth * tileHeight;
    if (area > best.area) best = { columns, rows, width: tileWidth, height: tileHeight, area };
  }
  return best;
}

/** Rectangles for `count` tiles inside a rectangle, the last row centred. Pure, for tests. */
export function place(count, { left, top, width, height }, gap) {
  const packed = pack(count, width, height, gap);
  const usedHeight = packed.rows * packed.height + (packed.rows - 1) * gap;
  const rectangles = [];
  for (let i = 0; i < count; i++) {
    const row = Math.floor(i / packed.columns);
    const inRow = Math.min(packed.columns, count - row * packed.columns);
    const usedWidth = inRow * packed.width + (inRow - 1) * gap;
    rectangles.push({
      left: left + (width - usedWidth) / 2 + (i % packed.columns) * (packed.width + gap),
      top: top + (height - usedHeight) / 2 + row * (packed.height + gap),
      width: packed.width,
      height: packed.height,
    });
  }
  return rectangles;
}

/** The spotlight and the space for `others` tiles: beside it where the window is wide, else below. */
export function split(others, width, height, gap) {
  const whole = { left: 0, top: 0, width, height };
  if (others === 0) return { spotlight: whole, rest: null };
  if (width > height * 1.1) {
    const strip = Math.round(Math.min(Math.max(width * (others > 6 ? 0.28 : 0.2), 150), others > 6 ? 380 : 280));
    const wide = width - strip - gap;
    return { spotlight: { ...whole, width: wide }, rest: { left: wide + gap, top: 0, width: strip, height } };
  }
  const tall = Math.round(Math.min(height * 0.6, Math.max(width * 0.75, height * 0.4)));
  const top = tall + gap;
  return { spotlight: { ...whole, height: tall }, rest: { left: 0, top, width, height: height - top } };
}

export class Grid {
  #box;
  #tiles = [];
  #spotlight = null;
  #observer;
  #scheduled = false;

  constructor(box) {
    this.#box = box;
    this.#observer = new ResizeObserver(() => this.#schedule());
    this.#observer.observe(box);
  }

  get spotlight() {
    return this.#spotlight;
  }

  add(tile) {
    this.#tiles.push(tile);
    this.#tiles.sort((a, b) => a.rank - b.rank);
    const next = this.#tiles[this.#tiles.indexOf(tile) + 1];
    this.#box.insertBefore(tile.element, next?.element ?? null);
    this.#schedule();
  }

  remove(tile) {
    this.#tiles = this.#tiles.filter((other) => other !== tile);
    if (this.#spotlight === tile) this.#spotlight = null;
    tile.element.remove();
    this.#schedule();
  }

  setSpotlight(tile) {
    this.#spotlight = tile;
    this.#schedule();
  }

  dispose() {
    this.#observer.disconnect();
    this.#box.replaceChildren();
    this.#tiles = [];
    this.#spotlight = null;
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#layOut();
    });
  }

  #layOut() {
    const { clientWidth: width, clientHeight: height } = this.#box;
    if (width === 0 || height === 0) return;
    const gap = Number.parseFloat(getComputedStyle(this.#box).getPropertyValue("--gap")) || 8;
    const others = this.#tiles.filter((tile) => tile !== this.#spotlight);
    let space = { left: 0, top: 0, width, height };
    if (this.#spotlight) {
      const { spotlight, rest } = split(others.length, width, height, gap);
      this.#spotlight.moveTo(place(1, spotlight, gap)[0], { fill: spotlight });
      space = rest;
    }
    if (!space) return;
    const rectangles = place(others.length, space, gap);
    others.forEach((tile, i) => tile.moveTo(rectangles[i]));
  }
}
