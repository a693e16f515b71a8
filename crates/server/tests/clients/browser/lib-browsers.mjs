// Browsers under one roof: Chromium through Playwright, Firefox through WebDriver BiDi. What comes back of `launch` has
// `open(url, init, argument)`, which gives a page that ran `init(argument)` before its own scripts, and `close()`.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";

const CHROMIUM_FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream", "--ignore-certificate-errors",
  "--autoplay-policy=no-user-gesture-required",
  // Throttled pages would decode less than they could.
  "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding", "--disable-background-timer-throttling",
];

const FIREFOX_PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.autoplay.default": 0,
};

/** A fresh profile, and how to be rid of it. */
function profile() {
  const directory = mkdtempSync(join(tmpdir(), "tureen-browser-"));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }) };
}

async function launchChromium({ flags = [], executable = "/usr/bin/chromium", fps = 30 } = {}) {
  const { directory, remove } = profile();
  const context = await chromium.launchPersistentContext(directory, {
    executablePath: executable,
    headless: true,
    ignoreHTTPSErrors: true,
    viewport: { width: 1280, height: 800 },
    args: [...CHROMIUM_FLAGS, `--use-fake-device-for-media-stream=fps=${fps}`, ...flags],
  });
  return {
    name: "chromium",
    async open(url, init, argument) {
      const page = await context.newPage();
      if (init) await page.addInitScript(init, argument);
      // A network that has just come up may break off the first load.
      await page.goto(url, { timeout: 10_000 }).catch(() => page.goto(url));
      return page;
    },
    async close() {
      await context.close();
      remove();
    },
  };
}

async function launchFirefox({ executable = "/usr/bin/firefox-esr" } = {}) {
  const options = {
    browser: "firefox",
    executablePath: executable,
    headless: true,
    acceptInsecureCerts: true,
    extraPrefsFirefox: FIREFOX_PREFERENCES,
    defaultViewport: { width: 1280, height: 800 },
  };
  // Its first start in a fresh home sometimes ends before it listens.
  const browser = await puppeteer.launch(options).catch(() => puppeteer.launch(options));
  return {
    name: "firefox",
    async open(url, init, argument) {
      const page = await browser.newPage();
      if (init) await page.evaluateOnNewDocument(init, argument);
      await page.goto(url);
      return page;
    },
    close: () => browser.close(),
  };
}

export const launch = (name, options) => (name === "firefox" ? launchFirefox(options) : launchChromium(options));

/** Calls `look` until it gives something, or says what was waited for: a text, or a function that gives one. */
export async function until(what, look, seconds = 30) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) {
      throw new Error(`waited ${seconds} s for ${typeof what === "function" ? what() : what}`);
    }
    await pause(100);
  }
}

/** In a viewer: has what it receives go through a relay. Runs before the page's scripts. */
export function receiveThrough({ ip, port }) {
  const { setRemoteDescription } = RTCPeerConnection.prototype;
  // Offers of the server are for what it sends; answers are for what this page sends.
  RTCPeerConnection.prototype.setRemoteDescription = function through({ type, sdp }) {
    const lines = sdp.split("\r\n").filter((line) => !/^a=candidate:\S+ \d+ tcp /i.test(line));
    const led = lines.map((line) => line.replace(/^(a=candidate:\S+ \d+ udp \d+) \S+ \d+ /i, `$1 ${ip} ${port} `));
    return setRemoteDescription.call(this, { type, sdp: (type === "offer" ? led : lines).join("\r\n") });
  };
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a scenario with the options that came as JSON, and prints its figures as JSON. */
export async function scenario(run) {
  const browsers = [];
  const start = async (name, options) => {
    const browser = await launch(name, options);
    browsers.push(browser);
    return browser;
  };
  try {
    const figures = await run(JSON.parse(process.argv[2]), start);
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  } catch (error) {
    process.stderr.write(`${error.stack}\n`);
    process.exitCode = 1;
  } finally {
    // A browser that does not close is ended with this process.
    await Promise.race([pause(10_000), Promise.all(browsers.map((browser) => browser.close().catch(() => {})))]);
    process.exit();
  }
}
