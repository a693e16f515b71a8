// People in a room of the server's own page. Options:
//   { url, room, seconds, peers: [{ browser, query, flags, executable, url? }], screenshot?, outage?, overlay?, step?, chat? }
// Every peer joins, at a page of its own where it has one; once each sees all the others' pictures move, figures are taken over `seconds`.
// `outage` is { cut, seconds, mend }: commands that then break a network, and after so many seconds those that mend it. With `overlay` the
// first peer looks at the statistics of the others. With `step` it is watched until sound and picture are so many milliseconds apart or
// less. With `chat` the peers write to each other at last.

import { execFileSync } from "node:child_process";
import { pause, scenario, until } from "./lib-browsers.mjs";

const address = ({ url, room }, { query = {}, url: own = url }, index) => {
  const full = new URL(own);
  const all = { join: "1", room, name: `Peer ${index + 1}`, adaptive: "0", ...query };
  for (const [key, value] of Object.entries(all)) full.searchParams.set(key, value);
  return full.href;
};

/** Notes how long the first decoded picture takes from the moment that its connection stands. Runs in the page. */
function watchFirstFrame() {
  window.firstFrame = { connected: null, decoded: null };
  const Native = window.RTCPeerConnection;
  const look = async (pc) => {
    const entries = [...(await pc.getStats()).values()];
    if (entries.some(({ type, kind, framesDecoded }) => type === "inbound-rtp" && kind === "video" && framesDecoded > 0)) {
      window.firstFrame.decoded ??= performance.now();
    } else if (pc.connectionState === "connected") {
      setTimeout(look, 20, pc);
    }
  };
  window.RTCPeerConnection = class extends Native {
    constructor(...options) {
      super(...options);
      this.addEventListener("connectionstatechange", () => {
        const receives = this.getTransceivers().some(({ currentDirection }) => currentDirection === "recvonly");
        if (this.connectionState !== "connected" || !receives) return;
        window.firstFrame.connected ??= performance.now();
        look(this);
      });
    }
  };
}

/** What the page's connections say of themselves. Runs in the page. */
async function figures() {
  const of = async (transport) => (transport ? [...(await transport.pc.getStats()).values()] : []);
  const [sent, received] = [await of(window.tureen.sendTransport), await of(window.tureen.receiveTransport)];
  const codec = (all, { codecId }) => all.find(({ id }) => id === codecId)?.mimeType ?? null;
  const path = (all) => {
    const transport = all.find(({ type }) => type === "transport");
    const pair = all.find(({ id, type, nominated, state }) =>
      type === "candidate-pair" && (id === transport?.selectedCandidatePairId || (nominated && state === "succeeded")));
    const local = all.find(({ id }) => id === pair?.localCandidateId);
    const remote = all.find(({ id }) => id === pair?.remoteCandidateId);
    return {
      tls: transport?.tlsVersion ?? null,
      srtp: transport?.srtpCipher ?? null,
      dtls: transport?.dtlsState ?? null,
      protocol: local?.protocol ?? null,
      remote: remote?.address ?? remote?.ip ?? null,
      availableOutgoing: pair?.availableOutgoingBitrate ?? null,
    };
  };
  const canvas = document.createElement("canvas");
  canvas.width = 32;
  canvas.height = 18;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const pictures = [...document.querySelectorAll("video")].filter((video) => video.videoWidth > 0).map((video) => {
    context.drawImage(video, 0, 0, 32, 18);
    return { width: video.videoWidth, height: video.videoHeight, pixels: [...context.getImageData(0, 0, 32, 18).data] };
  });
  return {
    send: path(sent),
    receive: path(received),
    outbound: sent.filter(({ type }) => type === "outbound-rtp").map((entry) => ({
      kind: entry.kind, rid: entry.rid ?? null, codec: codec(sent, entry), width: entry.frameWidth ?? null,
      fps: entry.framesPerSecond ?? null, frames: entry.framesEncoded ?? null, bytes: entry.bytesSent,
      target: entry.targetBitrate ?? null, limited: entry.qualityLimitationReason ?? null,
      limitedFor: entry.qualityLimitationDurations ?? null, mode: entry.scalabilityMode ?? null,
      plis: entry.pliCount ?? null,
    })),
    inbound: received.filter(({ type, kind }) => type === "inbound-rtp" && kind).map((entry) => ({
      kind: entry.kind, codec: codec(received, entry), width: entry.frameWidth ?? null,
      frames: entry.framesDecoded ?? null, keyFrames: entry.keyFramesDecoded ?? null,
      energy: entry.totalAudioEnergy ?? null, lost: entry.packetsLost ?? null, bytes: entry.bytesReceived,
    })),
    pictures,
    consumers: window.tureen.consumers,
    firstFrame: window.firstFrame,
  };
}

/** What the statistics of each tile but our own say, as pairs. Runs in the page. */
function overlayTexts() {
  const others = document.querySelectorAll(".tile:not([data-tile^='self']) .tile-stats");
  return [...others].map((list) => Object.fromEntries(
    [...list.querySelectorAll("dt")].map((name) => [name.textContent, name.nextElementSibling.textContent])));
}

/** By how many milliseconds what is heard was captured later than what is seen, nine times within two seconds. Runs in the page. */
async function skews() {
  const found = [];
  for (let sample = 0; sample < 9; sample++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const entries = [...(await window.tureen.receiveTransport.pc.getStats()).values()];
    const playout = (wanted) => entries.find(({ type, kind, estimatedPlayoutTimestamp }) =>
      type === "inbound-rtp" && kind === wanted && estimatedPlayoutTimestamp)?.estimatedPlayoutTimestamp;
    const [heard, seen] = [playout("audio"), playout("video")];
    if (heard && seen) found.push(heard - seen);
  }
  return found;
}

const middle = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** The skews once they are small, or the last after half a minute: browsers move sound and picture together slowly. */
async function settledSkews(page, limit) {
  for (let round = 1; ; round++) {
    const found = await page.evaluate(skews);
    process.stderr.write(`sound against picture, ms: ${found.map(Math.round)}\n`);
    if (round === 15 || Math.abs(middle(found)) <= limit) return found;
  }
}

/** Whom the page marked as speaking within so many seconds. */
async function speakers(page, seconds) {
  const marked = new Set();
  const until = Date.now() + seconds * 1000;
  while (Date.now() < until) {
    for (const id of await page.evaluate(() => [...document.querySelectorAll(".tile.speaking")].map(({ dataset }) => dataset.tile))) {
      marked.add(id);
    }
    await pause(Math.min(250, Math.max(0, until - Date.now())));
  }
  return [...marked];
}

/** The largest difference of one channel between two grabs of the same picture. */
const difference = (before, after) =>
  Math.max(0, ...before.pixels.map((value, at) => Math.abs(value - (after.pixels[at] ?? 0))));

const expectedConsumers = (options, own) =>
  options.peers.reduce((sum, { query = {} }, index) =>
    index === own ? sum : sum + (query.video === "0" ? 0 : 1) + (query.audio === "0" ? 0 : 1), 0);

/** Breaks a network and mends it; gives the milliseconds until every peer sees pictures again, and how many it saw meanwhile. */
async function heal(pages, { cut, seconds, mend }) {
  const decoded = (page) => page.evaluate(() =>
    window.tureen.framesDecoded().then((all) => Object.values(all).reduce((sum, frames) => sum + frames, 0)));
  const all = () => Promise.all(pages.map(decoded));
  const run = (commands) => { for (const [program, ...rest] of commands) execFileSync(program, rest); };
  const identity = await pages[0].evaluate(() => window.tureen.peerId);
  run(cut);
  await pause(seconds * 500);
  const amid = await all();
  await pause(seconds * 500);
  const late = await all();
  run(mend);
  const started = Date.now();
  // What was under way may still come in for a moment.
  await pause(200);
  const before = await all();
  const took = await Promise.all(pages.map(async (page, index) => {
    await until(`pictures at peer ${index} after the outage`, async () => (await decoded(page)) > before[index] + 3);
    return Date.now() - started;
  }));
  const { state, peerId } = await pages[0].evaluate(() => ({ state: window.tureen.state, peerId: window.tureen.peerId }));
  return { took, leaked: late.map((frames, index) => frames - amid[index]), state, same: identity === peerId };
}

/** Has every peer say hello until all the others have read it; what each has read. */
async function converse(pages) {
  const texts = (page) => page.evaluate(() => window.tureen.messages.map(({ own, name, text }) => ({ own, name, text })));
  for (const [index, page] of pages.entries()) {
    const text = `Hello from ${index + 1}`;
    await until(`"${text}" to be read`, async () => {
      await page.evaluate((text) => window.tureen.say(text), text);
      await pause(500);
      const read = await Promise.all(pages.map(texts));
      return read.every((messages) => messages.some((message) => message.text === text));
    });
  }
  return Promise.all(pages.map(texts));
}

scenario(async (options, start) => {
  const pages = [];
  for (const [index, peer] of options.peers.entries()) {
    const browser = await start(peer.browser, { flags: peer.flags, executable: peer.executable });
    const page = await browser.open(address(options, peer, index), watchFirstFrame);
    page.on("pageerror", (error) => process.stderr.write(`page ${index}: ${error}\n`));
    await until(`peer ${index} to be in the room`, () => page.evaluate(() => window.tureen?.state === "joined"));
    pages.push(page);
  }
  for (const [index, page] of pages.entries()) {
    const wanted = expectedConsumers(options, index);
    let last = null;
    await until(() => `peer ${index} to receive ${wanted} streams: ${last}`, async () => {
      const { inbound, consumers } = await page.evaluate(figures);
      last = JSON.stringify({ inbound, consumers });
      const alive = inbound.filter(({ kind, frames, bytes }) => (kind === "video" ? frames > 0 : bytes > 0));
      return consumers.length >= wanted && alive.length >= wanted;
    });
  }
  if (options.overlay) await pages[0].keyboard.press("i");
  const before = await Promise.all(pages.map((page) => page.evaluate(figures)));
  const started = Date.now();
  const spoke = await speakers(pages[0], options.seconds);
  const after = await Promise.all(pages.map((page) => page.evaluate(figures)));
  const seconds = (Date.now() - started) / 1000;
  if (options.screenshot) await pages[0].screenshot({ path: options.screenshot });
  const overlay = options.overlay ? await pages[0].evaluate(overlayTexts) : null;
  const skew = options.step ? await settledSkews(pages[0], options.step) : [];
  const moved = pages.map((_, at) =>
    after[at].pictures.map((picture, nth) => before[at].pictures[nth] ? difference(before[at].pictures[nth], picture) : 0));
  const healed = options.outage ? await heal(pages, options.outage) : null;
  const chat = options.chat ? await converse(pages) : null;
  const strip = (all) => all.map(({ pictures, ...rest }) =>
    ({ ...rest, pictures: pictures.map(({ width, height }) => ({ width, height })) }));
  return { seconds, before: strip(before), after: strip(after), moved, healed, overlay, skew, spoke, chat };
});
