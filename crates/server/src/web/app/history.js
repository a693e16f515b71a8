// The last minute of what a tile receives or sends, a point for each second. Pure but for what it remembers.

/** Seconds that are remembered. */
export const SPAN = 60;

const known = (samples, member) => samples.map((sample) => sample[member]).filter((value) => value != null);
const most = (values) => (values.length > 0 ? Math.max(...values) : null);

/** One point of all streams together; null where there are none. Rates are bits a second, times milliseconds, losses parts of one. */
function pointOf(samples) {
  if (samples.length === 0) return null;
  return {
    bitrate: known(samples, "bitrate").reduce((sum, bitrate) => sum + bitrate, 0),
    available: most(known(samples, "available")),
    loss: most(known(samples, "loss")) ?? 0,
    roundTripMs: most(known(samples, "roundTripMs")),
    jitterMs: most(known(samples, "jitterMs")),
  };
}

export class History {
  #points = new Map();

  /** Takes the newest samples of a tile's streams. */
  add(id, samples) {
    const points = this.#points.get(id) ?? [];
    this.#points.set(id, [...points, pointOf(samples)].slice(-SPAN));
  }

  /** The points of a tile, the newest last; null for seconds without streams. */
  of(id) {
    return this.#points.get(id) ?? [];
  }

  forget(id) {
    this.#points.delete(id);
  }
}
