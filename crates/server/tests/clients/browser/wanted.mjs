// What a publisher sends while viewers want more or less of it. Options:
//   { url, room, query, fps, flags, rest, top }
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

/** In the publisher: when the last encoding is told to send more, and when frames leave that it did not send: of an encoding that rested, or wider ones. */
async function watchSending() {
  window.leaves = { active: null, frames: null };
  const sender = window.tureen.sendTransport.pc.getSenders().find(({ track }) => track?.kind === "video");
  const { rid, active } = sender.getParameters().encodings.at(-1);
  const sent = async () => {
    const entry = [...(await sender.getStats()).values()].find((entry) => entry.type === "outbound-rtp" && (rid === undefined || entry.rid === rid));
    return active ? entry?.frameWidth ?? 0 : entry?.framesSent ?? 0;
  };
  const told = () => JSON.stringify(sender.getParameters().encodings.at(-1));
  const now = () => performance.timeOrigin + performance.now();
  const [before, limited] = [await sent(), told()];
  const look = async () => {
    if (window.leaves.active === null && told() !== limited) window.leaves.active = now();
    if ((await sent()) > before) window.leaves.frames = now();
    else setTimeout(look, 5);
  };
  look();
}

/** In a viewer: the width of each picture, when it is shown; and when the connection stands that pictures come over. */
function watchWidths() {
  window.widths = [];
  window.connected = null;
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...options) {
      super(...options);
      this.addEventListener("connectionstatechange", () => {
        const receives = this.getTransceivers().some(({ currentDirection }) => currentDirection === "recvonly");
        if (this.connectionState === "connected" && receives) window.connected ??= performance.timeOrigin + performance.now();
      });
    }
  };
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
  await publisher.evaluate(watchSending);
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
  await until("the joiner's first picture", () => joiner.evaluate(() => window.connected !== null && window.widths.length > 0));
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
