// Pages of the example programs, in Chromium. Options: { url, pages, seconds, heights?, leave? }
// Opens the page `pages` times, waits for pictures and sound from each remote stream, and tells what comes over `seconds`. With `heights` it
// waits until pictures of all these heights have come. With `leave` the last page closes, and the others are to see nobody.

import { pause, scenario, until } from "./lib-browsers.mjs";

/** What the page receives. Runs in the page. */
async function figures() {
  const connections = window.watched ? [...window.watched.values()].map(({ pc }) => pc) : [window.pc];
  const streams = [];
  for (const pc of connections.filter(Boolean)) {
    const all = [...(await pc.getStats()).values()];
    streams.push(...all.filter(({ type }) => type === "inbound-rtp").map((entry) => ({
      kind: entry.kind, frames: entry.framesDecoded ?? null, height: entry.frameHeight ?? null,
      energy: entry.totalAudioEnergy ?? null, lost: entry.packetsLost, keyFrames: entry.keyFramesDecoded ?? null,
    })));
  }
  return { problem: window.failure ?? null, others: window.watched?.size ?? null, streams };
}

const plays = ({ kind, frames, energy }) => (kind === "video" ? frames > 0 : energy > 0);

scenario(async ({ url, pages = 1, seconds = 3, heights = [], leave = false }, launch) => {
  const browser = await launch("chromium");
  const open = [];
  for (let at = 0; at < pages; at += 1) open.push(await browser.open(url));
  const look = async () => {
    const seen = await Promise.all(open.map((page) => page.evaluate(figures)));
    const problem = seen.map(({ problem }) => problem).find(Boolean);
    if (problem) throw new Error(problem);
    return seen;
  };
  const everybody = ({ others, streams }) => streams.length > 0 && (others ?? 0) >= pages - 1 && streams.every(plays);
  await until("pictures and sound", async () => (await look()).every(everybody));
  const before = await look();
  const seen = new Set();
  await until(() => `heights: ${[...seen]} of ${heights}`, async () => {
    for (const { streams } of await look()) for (const { height } of streams) seen.add(height);
    return heights.every((height) => seen.has(height));
  }, 90);
  await pause(seconds * 1000);
  const after = await look();
  if (leave) {
    await open.pop().close();
    await until("nobody", async () => (await look()).every(({ others }) => others === 0), 60);
  }
  return { before, after, left: leave };
});
