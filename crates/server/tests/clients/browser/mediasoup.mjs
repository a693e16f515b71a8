// mediasoup-client, as it is published, over the room protocol. Options: { url, room, browser }
// One page publishes simulcast video and audio, the other consumes; then pause and resume on both sides, an ICE restart and
// the close of a producer.

import { build } from "esbuild";
import { pause, scenario, until } from "./lib-browsers.mjs";

const bundle = async () => {
  const { outputFiles } = await build({
    entryPoints: [new URL("mediasoup-entry.js", import.meta.url).pathname],
    bundle: true, format: "iife", platform: "browser", write: false, logLevel: "error",
  });
  return outputFiles[0].text;
};

const frames = (page) => page.evaluate(() => window.client.figures().then(({ frames }) => frames));

/** How many frames come within a second, once it is a number that pleases: a busy machine may need a while. */
async function rate(what, page, pleases) {
  let last;
  await until(() => `${what}, last at ${last} frames a second`, async () => {
    const before = await frames(page);
    await pause(1000);
    last = (await frames(page)) - before;
    return pleases(last);
  });
  return last;
}

const flows = (rate) => rate >= 8;
const stands = (rate) => rate === 0;
const NOTIFICATIONS = ["consumerPaused", "consumerResumed", "consumerClosed", "consumerScore", "consumerLayersChanged"];

scenario(async (options, start) => {
  const code = await bundle();
  const pages = [];
  for (const peer of ["publisher", "viewer"]) {
    const browser = await start(options.browser ?? "chromium");
    // A page of the server's origin that runs nothing of its own.
    const page = await browser.open(new URL("/healthz", options.url).href);
    await page.evaluate(code);
    const socket = new URL(`/?roomId=${options.room}&peerId=${peer}`, options.url).href.replace(/^http/, "ws");
    await page.evaluate(([url, name]) => {
      window.client = new window.Client(url);
      return window.client.join(name);
    }, [socket, peer]);
    pages.push(page);
  }
  const [publisher, viewer] = pages;
  const call = (page, method, ...rest) => page.evaluate(([name, args]) => window.client.signalling.request(name, ...args), [method, rest]);
  const producers = await publisher.evaluate(() => window.client.publish());
  const flowing = await rate("pictures", viewer, flows);

  await call(publisher, "pauseProducer", { producerId: producers.video });
  await rate("the producer's pause", viewer, stands);
  await call(publisher, "resumeProducer", { producerId: producers.video });
  await rate("pictures after the producer's pause", viewer, flows);

  const consumerId = await viewer.evaluate(() => [...window.client.consumers.values()].find(({ kind }) => kind === "video").id);
  await call(viewer, "pauseConsumer", { consumerId });
  await rate("the consumer's pause", viewer, stands);
  await call(viewer, "resumeConsumer", { consumerId });
  await rate("pictures after the consumer's pause", viewer, flows);

  await publisher.evaluate(() => window.client.restartIce());
  await viewer.evaluate(() => window.client.restartIce());
  await pause(1500);
  const restarted = await rate("pictures after new ICE credentials", viewer, flows);

  await call(publisher, "closeProducer", { producerId: producers.video });
  await until("the consumer's end", () => viewer.evaluate((id) =>
    window.client.signalling.log.some(({ method, data }) => method === "consumerClosed" && data.consumerId === id), consumerId));
  const { width } = await viewer.evaluate(() => window.client.figures());
  let notified = [];
  await until(() => `all notifications, so far ${notified}`, async () => {
    notified = await viewer.evaluate(() => [...new Set(window.client.signalling.log.map(({ method }) => method))]);
    return NOTIFICATIONS.every((method) => notified.includes(method));
  });
  return { flowing, restarted, width, notified };
});
