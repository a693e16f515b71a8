// What a publisher sends while viewers want more or less of it. Options:
//   { url, room, query, fps, flags, rest }
// Times of both pages are milliseconds of the machine's clock.

import { pause, scenario, until } from "./lib-browsers.mjs";

/** In the publisher: which encodings are on, and what left of each. */
async function sending() {
  const sender = window.tureen.sendTransport?.pc.getSenders().find(({ track }) => track?.kind === "video");
  if (!sender) return { encodings: [], producer: null };
  const outbound = [...(await sender.getStats()).values()].filter(({ type }) => type === "outbound-rtp");
  const encodings = sender.getParameters().encodings.map(({ rid, active, scalabilityMode, scaleResolutionDownBy }) => {
    const entry = outbound.find((entry) => rid === undefined || entry.rid === rid);
    return {
      rid: rid ?? null, active, mode: scalabilityMode ?? null, scale: scaleResolutionDownBy ?? null,
      frames: entry?.framesSent ?? 0, bytes: entry?.bytesSent ?? 0, width: entry?.frameWidth ?? null,
      sentMode: entry?.scalabilityMode ?? null,
    };
  });
  return { encodings, producer: window.tureen.producers.cam };
}

/** In the publisher: when frames of an encoding leave again, and when it was switched on. */
function watchSending(index) {
  window.leaves = { active: null, frames: null };
  const sender = window.tureen.sendTransport.pc.getSenders().find(({ track }) => track?.kind === "video");
  const { rid } = sender.getParameters().encodings[index];
  const sent = async () => [...(await sender.getStats()).values()]
    .find((entry) => entry.type === "outbound-rtp" && (rid === undefined || entry.rid === rid))?.framesSent ?? 0;
  const now = () => performance.timeOrigin + performance.now();
  (async () => {
    const before = await sent();
    const started = Date.now();
    while (window.leaves.frames === null && Date.now() - started < 20_000) {
      if (window.leaves.active === null && sender.getParameters().encodings[index].active) window.leaves.active = now();
      if ((await sent()) > before) window.leaves.frames = now();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
}

/** In a viewer: the width of each picture, when it is shown. */
function watchWidths() {
  window.widths = [];
  const watched = new WeakSet();
  setInterval(() => {
    for (const video of document.querySelectorAll("video")) {
      if (watched.has(video)) continue;
      watched.add(video);
      const shown = (_, { width }) => {
        window.widths.push({ at: performance.timeOrigin + performance.now(), width });
        video.requestVideoFrameCallback(shown);
      };
      video.requestVideoFrameCallback(shown);
    }
  }, 50);
}

/** In a viewer: what the room says. */
function watching() {
  const consumer = window.tureen.consumers.find(({ kind }) => kind === "video");
  return { id: consumer?.id ?? null, type: consumer?.type ?? null, current: consumer?.current ?? null, score: consumer?.score ?? null, width: window.widths.at(-1)?.width ?? 0, shown: window.widths.length };
}

/** In a viewer: asks for layers; says when it did. */
async function ask([id, spatialLayer, temporalLayer]) {
  const at = performance.timeOrigin + performance.now();
  await window.tureen.preferLayers(id, spatialLayer, temporalLayer);
  return at;
}

scenario(async (options, start) => {
  const address = (query) => {
    const full = new URL(options.url);
    for (const [key, value] of Object.entries({ join: "1", room: options.room, adaptive: "0", audio: "0", ...query })) full.searchParams.set(key, value);
    return full.href;
  };
  const publishing = await start("chromium", { flags: options.flags, fps: options.fps });
  const publisher = await publishing.open(address({ name: "Publisher", ...options.query }));
  await until("a camera that keeps its size", () => publisher.evaluate(async () => {
    const sender = window.tureen?.sendTransport?.pc.getSenders().find(({ track }) => track?.kind === "video");
    if (!sender) return false;
    await sender.setParameters({ ...sender.getParameters(), degradationPreference: "maintain-framerate-and-resolution" });
    return true;
  }));
  const viewing = await start("chromium", { flags: options.flags });
  const viewer = await viewing.open(address({ name: "Viewer", video: "0" }), watchWidths);
  const { top } = options;
  let last = null;
  await until(() => `the top layer: ${last}`, async () => {
    const seen = await viewer.evaluate(watching);
    const { encodings } = await publisher.evaluate(sending);
    last = JSON.stringify([seen, encodings]);
    if (seen.id) await viewer.evaluate(ask, [seen.id, top, 2]);
    return seen.current?.spatial === top && seen.width > 0;
  }, 60);
  await pause(1500);
  const before = { seen: await viewer.evaluate(watching), ...(await publisher.evaluate(sending)) };
  const { id } = before.seen;

  // Less is wanted.
  const asked = await viewer.evaluate(ask, [id, 0, 2]);
  await until(() => `unwanted layers to stop: ${last}`, async () => {
    const { encodings, producer } = await publisher.evaluate(sending);
    last = JSON.stringify([encodings, producer]);
    return producer.wanted.spatialLayer === 0 && (encodings.length === 1 || encodings.every(({ active }, i) => active === (i === 0)));
  }, 30);
  const stopped = (await publisher.evaluate(() => performance.timeOrigin + performance.now())) - asked;
  // What the encoder had at work is out by then, and so is the time after which silence would be an end.
  await pause(2500);
  const rested = { seen: await viewer.evaluate(watching), ...(await publisher.evaluate(sending)) };
  await pause(options.rest * 1000);
  const later = { seen: await viewer.evaluate(watching), ...(await publisher.evaluate(sending)) };

  // All is wanted again.
  await publisher.evaluate(watchSending, options.encoding);
  await pause(300);
  const again = await viewer.evaluate(ask, [id, top, 2]);
  await until(() => `the top layer again: ${last}`, async () => {
    const seen = await viewer.evaluate(watching);
    const { encodings } = await publisher.evaluate(sending);
    last = JSON.stringify([seen, encodings]);
    return seen.current?.spatial === top && seen.width === before.seen.width;
  }, 20).catch((error) => process.stderr.write(`${error}\n`));
  const leaves = await publisher.evaluate(() => window.leaves);
  const widths = (await viewer.evaluate(() => window.widths)).filter(({ at }) => at >= again);
  const wide = widths.find(({ width }) => width === before.seen.width);
  const gaps = widths.slice(1).map(({ at }, i) => at - widths[i].at);
  await pause(1500);
  const after = { seen: await viewer.evaluate(watching), ...(await publisher.evaluate(sending)) };

  // Nobody watches, and then somebody does.
  await viewing.close();
  await until(() => `everything to stop: ${last}`, async () => {
    const { encodings, producer } = await publisher.evaluate(sending);
    last = JSON.stringify([encodings, producer]);
    return encodings.every(({ active }) => !active);
  }, 60);
  await pause(2500);
  const joining = await start("chromium", { flags: options.flags });
  const joiner = await joining.open(address({ name: "Joiner", video: "0" }), watchWidths);
  await until("the joiner's connection", () => joiner.evaluate(() => {
    if (window.tureen?.receiveTransport?.pc.connectionState !== "connected") return false;
    window.connected ??= performance.timeOrigin + performance.now();
    return true;
  }));
  await until("the joiner's first picture", () => joiner.evaluate(() => window.widths.length > 0));
  const firstPicture = await joiner.evaluate(() => window.widths[0].at - window.connected);
  return {
    before, rested, later, after, stopped,
    switchedOn: leaves.active === null ? null : leaves.active - again,
    left: leaves.frames === null ? null : leaves.frames - again,
    wide: wide ? wide.at - again : null,
    longestGap: Math.max(0, ...gaps),
    firstPicture,
  };
});
