// Which layer of a received video to wish for: what the user picked, or what the tile can show. Pure.

/** Pixels that the top layer is taken to have in height; those below have half of it each. */
const TOP_HEIGHT = 720;
/** A picture may be stretched this much before the next layer is worth its bits. */
const STRETCH = 1.25;

/** What a person can pick for this many spatial layers. */
export function layerChoices(spatialLayers) {
  const auto = { value: "auto", text: "Automatic" };
  if (spatialLayers < 2) return [auto];
  const [high, low] = [{ value: "high", text: "High" }, { value: "low", text: "Low" }];
  return spatialLayers === 2 ? [auto, high, low] : [auto, high, { value: "mid", text: "Medium" }, low];
}

/** The spatial layer for a pick. `pixels` is the height that the picture has on the screen, null for no matter. */
export function spatialLayerFor(pick, spatialLayers, pixels) {
  const top = spatialLayers - 1;
  switch (pick) {
    case "high": return top;
    case "mid": return Math.floor(top / 2);
    case "low": return 0;
  }
  if (pixels === null) return top;
  for (let layer = 0; layer < top; layer++) {
    if ((TOP_HEIGHT / 2 ** (top - layer)) * STRETCH >= pixels) return layer;
  }
  return top;
}
