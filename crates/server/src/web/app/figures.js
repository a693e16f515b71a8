// Numbers of a stream as the short texts of a tile's overlay. Pure.

export function bitrateText(bitsPerSecond) {
  if (bitsPerSecond >= 1e6) return `${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`;
  return `${Math.round(bitsPerSecond / 1000)} kbit/s`;
}

const size = ({ width, height }) => (width ? `${width} × ${height}` : "–");
const percent = (part) => `${(part * 100).toFixed(1)} %`;
const milliseconds = (time) => (time == null ? "–" : `${Math.round(time)} ms`);

function layerText({ layers, current }) {
  if (layers.spatial * layers.temporal === 1) return "one";
  if (!current) return "–";
  return `S${current.spatial} T${current.temporal ?? 0} of S${layers.spatial - 1} T${layers.temporal - 1}`;
}

const layerName = (layers) => (layers ? `S${layers.spatialLayer} T${layers.temporalLayer ?? 0}` : "none");

/** What keeps the server from sending more, and its last switch, out of an answer to explainConsumer. */
function reasons({ obstacle, switches, timestamp }) {
  const pairs = obstacle ? [["why", obstacle.text]] : [];
  const [last] = switches;
  if (last) {
    const cause = last.cause.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    const seconds = Math.round((timestamp - last.at) / 1000);
    pairs.push(["switched", `${layerName(last.from)} → ${layerName(last.to)}: ${cause}, ${seconds}\u00a0s ago`]);
  }
  return pairs;
}

/** Pairs for what is received of a tile: its picture, its sound, and what the server says of the picture. */
export function receivedFigures({ video, videoConsumer, audio, explanation }) {
  const pairs = [];
  if (video) {
    pairs.push(["picture", size(video)], ["rate", `${Math.round(video.frameRate)} frames/s`],
      ["video", `${bitrateText(video.bitrate)} ${video.codec ?? ""}`], ["layer", layerText(videoConsumer)],
      ["lost", percent(video.loss)]);
  }
  if (explanation) pairs.push(...reasons(explanation));
  if (audio) {
    pairs.push(["audio", `${bitrateText(audio.bitrate)} ${audio.codec ?? ""}`]);
    if (!video) pairs.push(["lost", percent(audio.loss)]);
  }
  pairs.push(["round trip", milliseconds((video ?? audio)?.roundTripMs)]);
  return pairs;
}

/** Pairs for what is sent. */
export function sentFigures({ video, audio }) {
  const pairs = [];
  if (video) {
    pairs.push(["picture", size(video)], ["rate", `${Math.round(video.frameRate)} frames/s`],
      ["video", `${bitrateText(video.bitrate)} ${video.codec ?? ""}`]);
    const heights = video.encodings.map(({ frameHeight }) => frameHeight ?? "–");
    if (heights.length > 1) pairs.push(["layers", heights.join(" / ")]);
    else if (video.scalabilityMode) pairs.push(["mode", video.scalabilityMode]);
    if (video.limitation && video.limitation !== "none") pairs.push(["limited by", video.limitation]);
    pairs.push(["lost", percent(video.loss)]);
  }
  if (audio) pairs.push(["audio", `${bitrateText(audio.bitrate)} ${audio.codec ?? ""}`]);
  pairs.push(["round trip", milliseconds((video ?? audio)?.roundTripMs)]);
  return pairs;
}
