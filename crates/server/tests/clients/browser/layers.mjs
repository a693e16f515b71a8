// One person publishes in layers, another watches and changes their mind. Options:
//   { url, room, query, fps, flags, steps: [[spatialLayer, temporalLayer]], rest }
// The publisher's camera is a picture with its number burnt in, so that the viewer can tell what is shown and in which order.
// After each step the viewer rests for `rest` seconds, and tells what that time brought.

import { pause, scenario, until } from "./lib-browsers.mjs";

/** In the publisher: a camera that counts its pictures in squares of black and white. Runs before the page's scripts. */
function numberedCamera(fps) {
  const make = ({ width, height }) => {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    let number = 0;
    const draw = () => {
      number += 1;
      context.fillStyle = `hsl(${number % 360} 60% 50%)`;
      context.fillRect(0, 0, width, height);
      context.fillStyle = "#fff";
      context.fillRect((number * 7) % width, height * 0.7, height / 4, height / 4);
      // Two rows of eight bits at the top.
      const side = width / 8;
      for (let bit = 0; bit < 16; bit++) {
        context.fillStyle = number >> bit & 1 ? "#fff" : "#000";
        context.fillRect((bit % 8) * side, Math.floor(bit / 8) * side, side, side);
      }
    };
    draw();
    setInterval(draw, 1000 / fps);
    return canvas.captureStream(fps);
  };
  const native = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    if (!constraints.video) return native(constraints);
    const size = ({ ideal, exact } = {}, byDefault) => ideal ?? exact ?? byDefault;
    const { width, height } = constraints.video;
    const stream = make({ width: size(width, 1280), height: size(height, 720) });
    if (constraints.audio) (await native({ audio: constraints.audio })).getTracks().forEach((track) => stream.addTrack(track));
    return stream;
  };
}

/** In the viewer: notes every picture that is shown. */
function watchPictures() {
  window.pictures = [];
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 64, height: 36 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const read = (video) => {
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, 64, 16);
    // The green in the middle of each square of eight by eight.
    const isWhite = (bit) => data[(64 * (8 * Math.floor(bit / 8) + 4) + 8 * (bit % 8) + 4) * 4 + 1] > 127;
    let number = 0;
    for (let bit = 0; bit < 16; bit++) number |= isWhite(bit) << bit;
    return number;
  };
  const watched = new WeakSet();
  setInterval(() => {
    for (const video of document.querySelectorAll("video")) {
      if (watched.has(video)) continue;
      watched.add(video);
      const shown = (_, { width }) => {
        window.pictures.push({ at: performance.now(), width, number: read(video) });
        video.requestVideoFrameCallback(shown);
      };
      video.requestVideoFrameCallback(shown);
    }
  }, 100);
}

/** In the viewer: what its connection and the room say now. */
async function look() {
  const consumer = window.tureen.consumers.find(({ kind }) => kind === "video");
  const all = [...((await window.tureen.receiveTransport?.pc.getStats())?.values() ?? [])];
  const inbound = all.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
  return {
    at: performance.now(), id: consumer?.id, type: consumer?.type, current: consumer?.current ?? null,
    width: inbound?.frameWidth ?? 0, decoded: inbound?.framesDecoded ?? 0, bytes: inbound?.bytesReceived ?? 0,
    lost: inbound?.packetsLost ?? 0, plis: inbound?.pliCount ?? 0, nacks: inbound?.nackCount ?? 0,
    freezes: inbound?.freezeCount ?? 0, dropped: inbound?.framesDropped ?? 0, keyFrames: inbound?.keyFramesDecoded ?? 0,
  };
}

/** What the pictures since `from` were like. */
const judge = (pictures, from, before) => {
  const since = pictures.filter(({ at }) => at >= from);
  const times = [from, ...since.map(({ at }) => at)];
  const gaps = times.slice(1).map((at, i) => at - times[i]);
  const numbers = since.map(({ number }) => number);
  const steps = numbers.slice(1).map((number, i) => (number - numbers[i]) & 0xffff);
  const widths = since.map(({ width }) => width);
  const last = widths.at(-1) ?? before;
  const firstOfLast = since.length - widths.toReversed().findIndex((width) => width !== last);
  const settled = since[firstOfLast > since.length ? 0 : firstOfLast];
  return {
    pictures: since.length,
    width: last,
    changedAfter: last === before ? 0 : Math.round((settled?.at ?? from) - from),
    longestGap: Math.round(Math.max(0, ...gaps)),
    backwards: steps.filter((step) => step > 0x8000).length,
    // An instant that two encodings show, one after the other.
    repeated: steps.filter((step) => step === 0).length,
  };
};

scenario(async (options, start) => {
  const address = (query) => {
    const full = new URL(options.url);
    for (const [key, value] of Object.entries({ join: "1", room: options.room, adaptive: "0", ...query })) full.searchParams.set(key, value);
    return full.href;
  };
  const publishing = await start("chromium", { flags: options.flags });
  const publisher = await publishing.open(address({ name: "Publisher", audio: "0", ...options.query }), numberedCamera, options.fps ?? 30);
  await until("the publisher in the room", () => publisher.evaluate(() => window.tureen?.state === "joined"));
  // A busy machine would make the pictures smaller, and what is seen here would be the encoder's doing.
  await until("a camera that keeps its size", () => publisher.evaluate(async () => {
    const sender = window.tureen.sendTransport?.pc.getSenders().find(({ track }) => track?.kind === "video");
    if (!sender) return false;
    await sender.setParameters({ ...sender.getParameters(), degradationPreference: "maintain-framerate-and-resolution" });
    return true;
  }));
  const watching = await start("chromium", { flags: options.flags });
  const viewer = await watching.open(address({ name: "Viewer", audio: "0", video: "0" }), watchPictures);
  let first = null;
  await until("pictures", async () => {
    first = await viewer.evaluate(look);
    return first.decoded > 10 && first.current;
  });
  // The publisher's estimate grows until it sends all layers.
  const sent = () => publisher.evaluate(async () => {
    const all = [...(await window.tureen.sendTransport.pc.getStats()).values()];
    return all.filter(({ type, kind }) => type === "outbound-rtp" && kind === "video").map(({ rid, frameWidth, framesPerSecond, scalabilityMode, qualityLimitationReason }) =>
      ({ rid: rid ?? null, width: frameWidth ?? null, fps: framesPerSecond ?? null, mode: scalabilityMode ?? null, limited: qualityLimitationReason ?? null }));
  });
  const [top] = options.steps;
  await viewer.evaluate(([id, s, t]) => window.tureen.preferLayers(id, s, t), [first.id, ...top]);
  let last = null;
  await until(() => `the layers to begin with: ${last}`, async () => {
    const { current, ...rest } = await viewer.evaluate(look);
    last = JSON.stringify([current, rest, await sent()]);
    return current?.spatial === top[0];
  }, 40);
  await pause(options.rest * 1000);
  const steps = [];
  let before = await viewer.evaluate(look);
  for (const [spatialLayer, temporalLayer] of options.steps.slice(1)) {
    await viewer.evaluate(([id, s, t]) => window.tureen.preferLayers(id, s, t), [first.id, spatialLayer, temporalLayer]);
    await pause(options.rest * 1000);
    const after = await viewer.evaluate(look);
    const shown = judge(await viewer.evaluate(() => window.pictures), before.at, before.width);
    const grown = (name) => after[name] - before[name];
    steps.push({
      wanted: [spatialLayer, temporalLayer], current: [after.current?.spatial ?? null, after.current?.temporal ?? null], ...shown,
      kbps: Math.round(grown("bytes") * 8 / (after.at - before.at)), fps: Math.round(grown("decoded") * 1000 / (after.at - before.at)),
      lost: grown("lost"), plis: grown("plis"), nacks: grown("nacks"), freezes: grown("freezes"), dropped: grown("dropped"), keyFrames: grown("keyFrames"),
    });
    before = await viewer.evaluate(look);
  }
  return { type: first.type, sent: await sent(), steps };
});
