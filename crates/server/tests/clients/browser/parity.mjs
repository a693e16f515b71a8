// One person publishes, others watch from far away over paths that lose packets. Options:
//   { url, api, room, query, seconds, asks, viewers: [{ query, relay: { ip, port } }] }
// Viewers ask for what they miss only if `asks` says so.
// Tells what each viewer's browser and the server say of `seconds` of watching, once pictures have come for as long.

import { pause, receiveThrough, scenario, until } from "./lib-browsers.mjs";

/** In a viewer: keeps to itself that it could ask for what it misses. Runs before the page's scripts. */
function keepToItself() {
  const { createOffer } = RTCPeerConnection.prototype;
  // The page reads there what the browser can receive.
  RTCPeerConnection.prototype.createOffer = async function without(...parameters) {
    const { type, sdp } = await createOffer.apply(this, parameters);
    return { type, sdp: sdp.replace(/^a=rtcp-fb:\d+ nack\r\n/gm, "").replace(/^(a=rtpmap:\d+) rtx\//gm, "$1 none/") };
  };
}

/** In a viewer: what its browser says of the pictures that it gets. */
async function receiving() {
  const pc = window.tureen?.receiveTransport?.pc;
  const all = pc ? [...(await pc.getStats()).values()] : [];
  return all.find(({ type, kind }) => type === "inbound-rtp" && kind === "video") ?? null;
}

/** What the members of both that count have grown by; what does not count as it is in the later one. */
const grown = (before, after) => Object.fromEntries([
  "framesDecoded", "freezeCount", "totalFreezesDuration", "packetsReceived", "packetsLost", "nackCount", "pliCount",
  "fecPacketsReceived", "fecPacketsDiscarded", "fecBytesReceived", "bytesReceived", "retransmittedPacketsReceived",
  "jitterBufferDelay", "jitterBufferEmittedCount",
].map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)]));

scenario(async (options, start) => {
  const address = (query) => {
    const full = new URL(options.url);
    for (const [key, value] of Object.entries({ join: "1", room: options.room, adaptive: "0", ...query })) full.searchParams.set(key, value);
    return full.href;
  };
  const publishing = await start("chromium");
  await publishing.open(address({ name: "Publisher", ...options.query }));
  const pages = [];
  for (const [i, { query, relay }] of options.viewers.entries()) {
    const browser = await start("chromium");
    const page = await browser.open("about:blank");
    await page.addInitScript(receiveThrough, relay);
    if (!options.asks) await page.addInitScript(keepToItself);
    await page.goto(address({ name: `Viewer ${i}`, video: "0", audio: "0", ...query }));
    pages.push(page);
  }
  for (const page of pages) {
    await until("pictures", async () => (await page.evaluate(receiving))?.framesDecoded > 10);
  }
  await pause(options.seconds * 1000);
  const before = await Promise.all(pages.map((page) => page.evaluate(receiving)));
  await pause(options.seconds * 1000);
  const after = await Promise.all(pages.map((page) => page.evaluate(receiving)));
  return Promise.all(pages.map(async (page, i) => {
    const [peer, consumer] = await page.evaluate(() =>
      [window.tureen.peerId, window.tureen.consumers.find(({ kind }) => kind === "video").id]);
    const answer = await fetch(`${options.api}/rooms/${options.room}/peers/${peer}/consumers/${consumer}`);
    const { repairs } = await answer.json();
    return { ...grown(before[i], after[i]), fecSsrc: after[i].fecSsrc ?? null, repairs };
  }));
});
