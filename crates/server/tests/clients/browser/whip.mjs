// WHIP and WHEP in browsers. Options:
//   { url, room, publish?, play?, foreign?, query?, rids?, seconds?, screenshot?, again? }
// `publish` and `play` name browsers. Both go through the server's page /whip.html, which `query` has more for, or with
// `foreign` through a page of another origin (whip-client.js), which also restarts ICE and deletes the session.
// With `again` the publisher stops and comes back at the end. Figures are taken over `seconds`. A publisher alone says `publishing` on standard error and then waits for a line.

import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { pause, scenario, until } from "./lib-browsers.mjs";

/** A page of an origin of its own that holds whip-client.js; its address. */
async function foreignOrigin() {
  const code = readFileSync(new URL("whip-client.js", import.meta.url), "utf8");
  const body = `<!doctype html><title>Foreign</title><video autoplay></video><script>${code}</script>`;
  const server = createServer((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end(body));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  return `http://127.0.0.1:${server.address().port}/`;
}

/** Starts one role, and notes when what happened. Runs in the page. */
async function start({ role, endpoint, foreign, rids }) {
  const times = { started: performance.now(), frame: null };
  window.times = times;
  const video = document.querySelector(foreign ? "video" : `#${role}-video`);
  video.requestVideoFrameCallback(() => { times.frame = performance.now(); });
  if (foreign) await window.client[role](endpoint, { rids });
  // With ?play=1 or ?publish=1 the page starts by itself, and again where nobody sends yet.
  else if (!new URLSearchParams(location.search).has(role)) document.getElementById(role).click();
}

/** What the connection of one role says of itself. Runs in the page. */
async function figures(role) {
  const pc = window.client ? window.client.pc : window.tureen[role].pc;
  if (!pc) return { state: "idle", problem: window.tureen?.[role].problem ?? null };
  const all = [...(await pc.getStats()).values()];
  const transport = all.find(({ type }) => type === "transport");
  const codec = ({ codecId }) => all.find(({ id }) => id === codecId)?.mimeType ?? null;
  const { started, frame } = window.times;
  const streams = all.filter(({ type }) => type === "inbound-rtp" || type === "outbound-rtp");
  return {
    state: pc.connectionState,
    problem: window.tureen?.[role].problem ?? null,
    setup: /^a=setup:(\S+)/m.exec(pc.remoteDescription?.sdp ?? "")?.[1] ?? null,
    role: transport?.dtlsRole ?? null,
    tls: transport?.tlsVersion ?? null,
    cipher: transport?.srtpCipher ?? null,
    firstFrameMs: frame && Math.round(frame - started),
    streams: streams.map((entry) => ({
      kind: entry.kind, rid: entry.rid ?? null, codec: codec(entry), width: entry.frameWidth ?? null,
      frames: entry.framesDecoded ?? entry.framesEncoded ?? null, bytes: entry.bytesReceived ?? entry.bytesSent,
      energy: entry.totalAudioEnergy ?? null, lost: entry.packetsLost ?? null, keyFrames: entry.keyFramesDecoded ?? null,
    })),
  };
}

async function open(options, start_, role, origin) {
  const browser = await start_(options[role]);
  const address = new URL(origin ?? new URL("/whip.html", options.url));
  if (!origin) {
    for (const [key, value] of Object.entries({ room: options.room, ...options.query })) address.searchParams.set(key, value);
  }
  const page = await browser.open(address.href);
  page.on("pageerror", (error) => process.stderr.write(`${role}: ${error}\n`));
  const endpoint = new URL(`/${role === "publish" ? "whip" : "whep"}/${options.room}`, options.url).href;
  await page.evaluate(start, { role, endpoint, foreign: Boolean(origin), rids: options.rids ?? [] });
  const look = () => page.evaluate(figures, role);
  await until(`${role}: frames`, async () => {
    const { problem, streams = [] } = await look();
    if (problem && !options.query?.[role]) throw new Error(`${role}: ${problem}`);
    return streams.some(({ kind, frames }) => kind === "video" && frames > 0);
  });
  return { page, look };
}

/** An ICE restart, and whether media goes on. */
async function restart({ page, look }) {
  const answer = await page.evaluate(() => window.client.restart());
  await pause(1500);
  const frames = async () => (await look()).streams.reduce((sum, { frames }) => sum + (frames ?? 0), 0);
  const before = await frames();
  await pause(1000);
  return { ...answer, frames: (await frames()) - before };
}

/** The publisher stops, and comes back: how long both take to reach the viewer, in ms. */
async function again({ publish, play }) {
  const connection = () => play.page.evaluate(() => window.tureen.play.pc?.connectionState ?? "idle");
  const click = () => publish.page.evaluate(() => document.getElementById("publish").click());
  const stopped = Date.now();
  await click();
  await until("the viewer's session to end", async () => (await connection()) === "idle");
  const endedMs = Date.now() - stopped;
  const started = Date.now();
  await click();
  await until("pictures again", async () =>
    (await play.look()).streams?.some(({ kind, frames }) => kind === "video" && frames > 0));
  return { endedMs, backMs: Date.now() - started };
}

scenario(async (options, launch) => {
  const browsers = new Map();
  // One of each kind is enough for two pages.
  const get = async (name) => {
    if (!browsers.has(name)) browsers.set(name, await launch(name));
    return browsers.get(name);
  };
  const origin = options.foreign ? await foreignOrigin() : null;
  const roles = ["publish", "play"].filter((role) => options[role]);
  const open_ = {};
  for (const role of roles) open_[role] = await open(options, get, role, origin);
  const report = {};
  for (const role of roles) report[role] = { before: await open_[role].look() };
  if (options.play) {
    await pause((options.seconds ?? 3) * 1000);
  } else {
    process.stderr.write("publishing\n");
    await Promise.race([once(process.stdin, "data"), once(process.stdin, "end")]);
  }
  for (const role of roles) report[role].after = await open_[role].look();
  if (options.screenshot) await open_[roles.at(-1)].page.screenshot({ path: options.screenshot });
  if (origin && options.play) {
    for (const role of roles) report[role].restart = await restart(open_[role]);
    // The viewer first: its session would end with the publisher's.
    for (const role of roles.toReversed()) report[role].removed = await open_[role].page.evaluate(() => window.client.remove());
  }
  if (options.again) report.again = await again(open_);
  process.stdin.destroy();
  return report;
});
