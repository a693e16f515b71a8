// What a sender sends, given what anybody wants. It knows no signalling.

/** As the server says it: the highest layers; a spatial layer of null for nothing. */
export const WANT_ALL = Object.freeze({ spatialLayer: Infinity, temporalLayer: null });

/** By sender: the newest wish, whether somebody is at it, and how its one encoding was when nobody had wished anything. */
const states = new WeakMap();

/**
 * Limits a sender to layers. With simulcast each encoding is a spatial layer, the lowest first, and is switched on and off. One encoding of
 * several spatial layers is given fewer, which keep their size. The newest wish counts, at once: no other operation of the
 * connection is waited for.
 */
export async function limitEncodings(sender, { spatialLayer }) {
  const state = states.get(sender) ?? { busy: false, whole: null };
  states.set(sender, state);
  state.wish = spatialLayer;
  if (state.busy) return;
  state.busy = true;
  try {
    for (let done; done !== state.wish;) {
      done = state.wish;
      await apply(sender, state, done);
    }
  } finally {
    state.busy = false;
  }
}

async function apply(sender, state, spatialLayer) {
  const parameters = sender.getParameters();
  const before = JSON.stringify(parameters.encodings);
  const top = spatialLayer ?? -1;
  if (parameters.encodings.length > 1) {
    parameters.encodings.forEach((encoding, i) => { encoding.active = i <= top; });
  } else {
    for (const encoding of parameters.encodings) limitLayers(encoding, state, top);
  }
  if (JSON.stringify(parameters.encodings) !== before) await sender.setParameters(parameters);
}

function limitLayers(encoding, state, top) {
  const { scalabilityMode, scaleResolutionDownBy = 1, maxBitrate } = encoding;
  state.whole ??= { scalabilityMode, scaleResolutionDownBy, maxBitrate };
  encoding.active = top >= 0;
  const [, letter, layers, rest] = /^([LS])(\d)(T\d.*)$/.exec(state.whole.scalabilityMode ?? "") ?? [];
  // Streams beside each other are not told from layers by their number, and a rest of `h` is a ratio other than two.
  if (letter !== "L" || layers === "1" || rest.includes("h") || top < 0) return;
  const kept = Math.min(top + 1, Number(layers));
  const left = Number(layers) - kept;
  encoding.scalabilityMode = left === 0 ? state.whole.scalabilityMode : `L${kept}${kept > 1 ? rest : rest.replace("_KEY", "")}`;
  encoding.scaleResolutionDownBy = state.whole.scaleResolutionDownBy * 2 ** left;
  // A picture of a quarter of the pixels is worth a quarter of the bits.
  if (state.whole.maxBitrate) encoding.maxBitrate = Math.round(state.whole.maxBitrate / 4 ** left);
}
