// One person publishes in layers, another watches behind a relay whose rate changes. Options:
//   { url, api, room, query, fps, flags, bitrates, relay: { ip, port }, settle, steps: [{ rate, seconds }], screenshots }
// The publisher's encodings may take `bitrates`. Once the viewer has had the top layer for `settle` seconds, the script asks for
// each rate by a line `rate NUMBER` on standard error, and tells what the time after it brought. `api` is where the server says why it
// sends what it sends; `screenshots` is what the files of the pictures of the viewer's page begin with. Times are milliseconds of the machine's clock.

import { pause, receiveThrough, scenario, until } from "./lib-browsers.mjs";

/** In the publisher: a camera whose pictures cost bits, since they are full of grain that moves. Runs before the page's scripts. */
function grainyCamera(fps) {
  const make = ({ width, height }) => {
    const [canvas, grain] = [document.createElement("canvas"), document.createElement("canvas")];
    Object.assign(canvas, { width, height });
    Object.assign(grain, { width: width * 1.5, height: height * 1.5 });
    const noise = grain.getContext("2d").createImageData(grain.width, grain.height);
    const words = new Uint32Array(noise.data.buffer);
    // A linear congruential generator draws the same grain in each run.
    for (let i = 0, state = 7; i < words.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      words[i] = 0xff000000 | (state >>> 24) * 0x010101;
    }
    grain.getContext("2d").putImageData(noise, 0, 0);
    const context = canvas.getContext("2d");
    let number = 0;
    const draw = () => {
      number += 1;
      context.globalAlpha = 1;
      context.fillStyle = `hsl(${number % 360} 40% 45%)`;
      context.fillRect(0, 0, width, height);
      context.fillStyle = "#fff";
      context.fillRect((number * 5) % width, height * 0.4, height / 4, height / 4);
      context.globalAlpha = 0.05;
      context.drawImage(grain, -((number * 37) % (width / 2)), -((number * 53) % (height / 2)));
    };
    draw();
    setInterval(draw, 1000 / fps);
    return canvas.captureStream(fps);
  };
  const native = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    if (!constraints.video) return native(constraints);
    const { width, height } = constraints.video;
    const stream = make({ width: width.ideal, height: height.ideal });
    if (constraints.audio) (await native({ audio: constraints.audio })).getTracks().forEach((track) => stream.addTrack(track));
    return stream;
  };
}

/** In the publisher: has the camera keep its size and the encodings their bit rates; false while there is none. */
async function settleEncodings(bitrates) {
  const sender = window.tureen?.sendTransport?.pc.getSenders().find(({ track }) => track?.kind === "video");
  if (!sender) return false;
  const parameters = sender.getParameters();
  parameters.encodings.forEach((encoding, i) => { encoding.maxBitrate = bitrates[i]; });
  await sender.setParameters({ ...parameters, degradationPreference: "maintain-framerate-and-resolution" });
  return true;
}

/** In the publisher: what leaves of each encoding. */
async function sending() {
  const all = [...(await window.tureen.sendTransport.pc.getStats()).values()];
  return all.filter(({ type, kind }) => type === "outbound-rtp" && kind === "video").map((entry) => ({
    rid: entry.rid ?? null, width: entry.frameWidth ?? null, bytes: entry.bytesSent, keyFrames: entry.keyFramesEncoded,
    frames: entry.framesEncoded, mode: entry.scalabilityMode ?? null, limited: entry.qualityLimitationReason ?? null,
  }));
}

/** In the viewer: takes samples all the time. */
function watch() {
  window.samples = [];
  const look = async () => {
    const pc = window.tureen?.receiveTransport?.pc;
    const all = pc ? [...(await pc.getStats()).values()] : [];
    const video = all.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    const audio = all.find(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
    const current = window.tureen?.consumers.find(({ kind }) => kind === "video")?.current;
    if (video) window.samples.push({
      at: video.timestamp, width: video.frameWidth ?? 0, decoded: video.framesDecoded,
      frozen: video.totalFreezesDuration ?? 0, freezes: video.freezeCount ?? 0, bytes: video.bytesReceived,
      lost: video.packetsLost, nacks: video.nackCount, plis: video.pliCount, keyFrames: video.keyFramesDecoded,
      spatial: current?.spatial ?? null, temporal: current?.temporal ?? null, concealed: audio?.concealedSamples ?? 0,
      downlink: window.tureen.downlink?.availableBitrate ?? null,
    });
  };
  setInterval(() => look().catch(() => {}), 100);
}

/** Pictures of the page with its statistics: by day, by night, and as small as on a telephone. What the plot of the publisher's tile says. */
async function takePictures(viewer, path) {
  await viewer.keyboard.press("i");
  for (const [name, colorScheme, width, height] of [["light", "light", 1280, 800], ["dark", "dark", 1280, 800], ["phone", "dark", 390, 780]]) {
    await viewer.setViewportSize({ width, height });
    await viewer.emulateMedia({ colorScheme });
    await pause(1500);
    await viewer.screenshot({ path: `${path}-${name}.png` });
  }
  return viewer.evaluate(() => document.querySelector(".tile:not([data-tile^='self']) .plot").getAttribute("aria-label"));
}

/** What the samples of a step say: how long until the picture had the size that it kept, and what that time was like. */
const judge = (samples, from, until) => {
  const before = samples.findLast(({ at }) => at <= from);
  const during = samples.filter(({ at }) => at > from && at <= until);
  const last = during.at(-1);
  const other = during.findLastIndex((sample) => sample.width !== last.width);
  const settled = during[other + 1];
  const grown = (name) => last[name] - before[name];
  const half = during[during.length >> 1];
  return {
    width: last.width, spatial: last.spatial, temporal: last.temporal,
    followed: last.width === before.width && other < 0 ? 0 : Math.round(settled.at - from),
    frozen: Math.round(grown("frozen") * 1000), freezes: grown("freezes"), lost: grown("lost"), nacks: grown("nacks"),
    plis: grown("plis"), keyFrames: grown("keyFrames"), fps: Math.round(grown("decoded") * 1000 / (last.at - before.at)),
    kbps: Math.round((last.bytes - half.bytes) * 8 / (last.at - half.at)), concealed: grown("concealed"), downlink: last.downlink,
  };
};

scenario(async (options, start) => {
  const address = (query) => {
    const full = new URL(options.url);
    for (const [key, value] of Object.entries({ join: "1", room: options.room, adaptive: "0", ...query })) full.searchParams.set(key, value);
    return full.href;
  };
  const publishing = await start("chromium", { flags: options.flags });
  const publisher = await publishing.open(address({ name: "Publisher", ...options.query }), grainyCamera, options.fps);
  await until("a camera", () => publisher.evaluate(settleEncodings, options.bitrates));
  const watching = await start("chromium", { flags: options.flags });
  const viewer = await watching.open(address({ name: "Viewer", video: "0", audio: "0" }), receiveThrough, options.relay);
  await viewer.evaluate(watch);
  let last = null;
  await until(() => `the top layer: ${last}`, async () => {
    const [seen, sent] = [await viewer.evaluate(() => window.samples.at(-1)), await publisher.evaluate(sending)];
    last = JSON.stringify([seen, sent]);
    return seen?.spatial === 2 && seen.width === Math.max(...sent.map(({ width }) => width));
  }, 60);
  const consumer = await viewer.evaluate(() => window.tureen.consumers.find(({ kind }) => kind === "video").id);
  const peer = await viewer.evaluate(() => window.tureen.peerId);
  const explain = async () => {
    const answer = await fetch(`${options.api}/rooms/${options.room}/peers/${peer}/consumers/${consumer}`);
    return answer.json();
  };
  const told = [];
  const listen = setInterval(async () => {
    const at = Date.now();
    const { path, currentLayers, targetLayers, obstacle } = await explain().catch(() => ({}));
    if (path) told.push({ at, ...path, current: currentLayers, target: targetLayers, obstacle: obstacle?.reason ?? null });
  }, 250);
  // A machine that has no time for pictures would be taken for a network that has none.
  let settledAt;
  for (let attempt = 0; attempt < 4; attempt++) {
    settledAt = Date.now();
    await pause(options.settle * 1000);
    const { freezes, fps, spatial, temporal } = judge(await viewer.evaluate(() => window.samples), settledAt, Date.now());
    if (freezes === 0 && fps >= 0.9 * options.fps && spatial === 2 && temporal === 2) break;
  }
  const marks = [Date.now()];
  const sentBefore = await publisher.evaluate(sending);
  for (const { rate, seconds } of options.steps) {
    process.stderr.write(`rate ${rate}\n`);
    await pause(seconds * 1000);
    marks.push(Date.now());
  }
  const sent = await publisher.evaluate(sending);
  const plot = await takePictures(viewer, options.screenshots);
  clearInterval(listen);
  for (const { at, ...rest } of told) process.stderr.write(`${at - marks[0]} ${JSON.stringify(rest)}\n`);
  const { switches } = await explain();
  for (const { at, ...rest } of switches.toReversed()) process.stderr.write(`switch ${JSON.stringify(rest)}\n`);
  const samples = await viewer.evaluate(() => window.samples);
  const seconds = (marks.at(-1) - marks[0]) / 1000;
  return {
    settled: judge(samples, settledAt, marks[0]),
    steps: options.steps.map(({ rate }, i) => ({ rate, ...judge(samples, marks[i], marks[i + 1]) })),
    sent: sent.map((entry, i) => ({ ...entry, kbps: Math.round((entry.bytes - sentBefore[i].bytes) * 8 / seconds / 1000) })),
    plot,
    told: told.filter(({ at }) => at >= marks[0]).map(({ at, availableBitrate, queue, backlog }) => ({ at: at - marks[0], availableBitrate, queue, backlog })),
  };
});
