// Data channels through the server, by mediasoup-client as it is published. Options:
//   { url, room, task, ... }, where task is
//   exchange   { browsers, aiortc?: [program, arguments] }: everybody says the same over an ordered and an unordered channel
//   flood      { messages, relays: [{ ip, port }] }: the first page says so many messages over the first relay, the second one
//              counts what comes over the second
//   speed      { seconds }: how fast the first page gets bytes to the second, through the server and directly
// Each gives what the pages heard.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { pause, scenario, until } from "./lib-browsers.mjs";

const LABELS = { ordered: {}, unordered: { ordered: false } };
const TEXTS = 50;
const SIZE = 262_144;
/** Messages under way at most: what the server has no room for is lost. */
const UNDER_WAY = 1_000;

const bundle = async () => {
  const { outputFiles } = await build({
    entryPoints: [new URL("mediasoup-entry.js", import.meta.url).pathname],
    bundle: true, format: "iife", platform: "browser", write: false, logLevel: "error",
  });
  return outputFiles[0].text;
};

/** A page of the server's origin, in the room. */
async function enter(browser, options, peer, settings = {}) {
  const page = await browser.open(new URL("/healthz", options.url).href);
  await page.evaluate(await bundle());
  const socket = new URL(`/?roomId=${options.room}&peerId=${peer}`, options.url).href.replace(/^http/, "ws");
  await page.evaluate(([url, name, rest]) => {
    window.client = new window.Client(url, rest);
    return window.client.join(name);
  }, [socket, peer, settings]);
  return page;
}

const channelsOf = (peers) => peers.flatMap((peer) => Object.keys(LABELS).map((label) => `${peer}/${label}`));

const reads = (what, page, names) => until(what, () => page.evaluate((names) => window.client.reads(names), names));

/** The client in Python, line by line. */
function startAiortc([program, args], options) {
  const settings = { url: options.http, room: options.room, peer: "aiortc", texts: TEXTS, size: SIZE, others: options.browsers.length };
  const child = spawn(program, [...args, JSON.stringify(settings)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  return {
    say: (word) => child.stdin.write(`${word}\n`),
    next: async (what) => {
      await until(what, () => {
        if (child.exitCode !== null && lines.length === 0) throw new Error(`the Python client ended with ${child.exitCode}`);
        return lines.length > 0;
      }, 40);
      return lines.shift();
    },
    end: () => child.kill(),
  };
}

async function exchange(options, start) {
  const peers = options.browsers.map((name, index) => `${name}${index}`);
  const pages = [];
  for (const [index, name] of options.browsers.entries()) pages.push(await enter(await start(name), options, peers[index]));
  const python = options.aiortc ? startAiortc(options.aiortc, options) : null;
  const everybody = python ? [...peers, "aiortc"] : peers;
  try {
    for (const page of pages) {
      await page.evaluate(async (labels) => {
        for (const [label, settings] of Object.entries(labels)) await window.client.produceData(label, settings);
      }, LABELS);
    }
    if (python) await python.next("the Python client to be ready");
    for (const [index, page] of pages.entries()) {
      await reads(`channels at ${peers[index]}`, page, channelsOf(everybody.filter((peer) => peer !== peers[index])));
    }
    python?.say("speak");
    await Promise.all(pages.map((page) => page.evaluate(async ([labels, texts, size]) => {
      for (const label of labels) await window.client.speak(label, texts, size);
    }, [Object.keys(LABELS), TEXTS, SIZE])));
    const heard = {};
    for (const [index, page] of pages.entries()) {
      const names = channelsOf(everybody.filter((peer) => peer !== peers[index]));
      await until(() => `everything at ${peers[index]}: ${JSON.stringify(heard[peers[index]])}`, async () => {
        heard[peers[index]] = await page.evaluate(() => window.client.heard());
        return names.every((name) => heard[peers[index]][name].texts === TEXTS && heard[peers[index]][name].whole);
      });
    }
    if (python) heard.aiortc = JSON.parse(await python.next("what the Python client heard"));
    return { texts: TEXTS, size: SIZE, heard };
  } finally {
    python?.end();
  }
}

async function flood(options, start) {
  const pages = [];
  for (const [index, direction] of ["send", "recv"].entries()) {
    const relays = { [direction]: options.relays[index] };
    pages.push(await enter(await start("chromium"), options, `peer${index}`, { relays }));
  }
  const [speaker, listener] = pages;
  await speaker.evaluate(() => window.client.produceData("chat"));
  await reads("the channel", listener, ["peer0/chat"]);
  const count = () => listener.evaluate(() => window.client.data.get("peer0/chat").heard.length);
  const started = Date.now();
  for (let said = 0, arrived = 0; arrived < options.messages;) {
    const more = Math.min(options.messages - said, UNDER_WAY - (said - arrived));
    // Each has its number, a length that follows from it, and is filled up.
    if (more > 0) await speaker.evaluate(([from, count]) => {
      for (let number = from; number < from + count; number++) {
        window.client.channels.chat.send(`${number} `.padEnd(100 + (number * 37) % 901, "x"));
      }
    }, [said, more]);
    said += Math.max(more, 0);
    await pause(30);
    arrived = await count();
    if (Date.now() - started > 45_000) break;
  }
  const seconds = (Date.now() - started) / 1000;
  const figures = await listener.evaluate(() => {
    const { heard } = window.client.data.get("peer0/chat");
    const right = (text, number) => text === `${number} `.padEnd(100 + (number * 37) % 901, "x");
    return { messages: heard.length, right: heard.filter(right).length };
  });
  return { ...figures, seconds };
}

/** Bytes a second that arrive one way, no more than a window being ahead of what was acknowledged. Runs in the page. */
function pour([seconds, size, way]) {
  const ahead = 1 << 20;
  const chunk = new Uint8Array(size);
  const send = way === "direct" ? (bytes) => window.direct.send(bytes) : (bytes) => window.client.channels.bulk.send(bytes);
  const before = window.acknowledged[way];
  let sent = before;
  return new Promise((resolve) => {
    const started = performance.now();
    const step = () => {
      if (performance.now() - started > seconds * 1000) {
        resolve((window.acknowledged[way] - before) / ((performance.now() - started) / 1000));
        return;
      }
      while (sent - window.acknowledged[way] < ahead) {
        send(chunk);
        sent += size;
      }
      setTimeout(step, 0);
    };
    step();
  });
}

/** Connects two pages with each other, as `window.direct` at both. */
async function connect(from, to) {
  const offer = await from.evaluate(async () => {
    window.pc = new RTCPeerConnection();
    window.direct = window.pc.createDataChannel("bulk", { negotiated: true, id: 0 });
    window.direct.onmessage = ({ data }) => { window.acknowledged.direct = Number(data); };
    await window.pc.setLocalDescription();
    await new Promise((resolve) => {
      window.pc.onicegatheringstatechange = () => window.pc.iceGatheringState === "complete" && resolve();
    });
    return window.pc.localDescription.toJSON();
  });
  const answer = await to.evaluate(async (offer) => {
    window.pc = new RTCPeerConnection();
    window.direct = window.pc.createDataChannel("bulk", { negotiated: true, id: 0 });
    window.direct.binaryType = "arraybuffer";
    let bytes = 0;
    window.direct.onmessage = ({ data }) => window.direct.send(String(bytes += data.byteLength));
    await window.pc.setRemoteDescription(offer);
    await window.pc.setLocalDescription();
    await new Promise((resolve) => {
      window.pc.onicegatheringstatechange = () => window.pc.iceGatheringState === "complete" && resolve();
    });
    return window.pc.localDescription.toJSON();
  }, offer);
  await from.evaluate((answer) => window.pc.setRemoteDescription(answer), answer);
  await until("the two pages to be connected", () => from.evaluate(() => window.direct.readyState === "open"));
}

async function speed(options, start) {
  const pages = [];
  for (const peer of ["from", "to"]) pages.push(await enter(await start("chromium"), options, peer));
  const [from, to] = pages;
  await from.evaluate(() => window.client.produceData("bulk"));
  await to.evaluate(() => window.client.produceData("acknowledgements"));
  await reads("the channel there", to, ["from/bulk"]);
  await reads("the channel back", from, ["to/acknowledgements"]);
  await to.evaluate(() => {
    let bytes = 0;
    window.client.onData = (label, { byteLength }) => {
      if (label !== "bulk") return;
      window.client.channels.acknowledgements.send(String(bytes += byteLength));
      window.client.data.get("from/bulk").heard.length = 0;
    };
  });
  await from.evaluate(() => {
    window.acknowledged = { direct: 0, server: 0 };
    window.client.onData = (label, text) => {
      if (label === "acknowledgements") window.acknowledged.server = Number(text);
    };
  });
  await connect(from, to);
  // Turn by turn, so that a neighbour of the machine disturbs both.
  const measured = { direct: [], server: [] };
  for (let turn = 0; turn < 2; turn++) {
    for (const way of ["direct", "server"]) {
      measured[way].push(await from.evaluate(pour, [options.seconds, 16_384, way]));
      // What is under way arrives.
      await pause(500);
    }
  }
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { direct: mean(measured.direct), server: mean(measured.server) };
}

const tasks = { exchange, flood, speed };
scenario((options, start) => tasks[options.task](options, start));
