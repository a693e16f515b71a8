// One person publishes, another watches; both say in which way bandwidth is estimated. Options:
//   { url, api, room, flags, seconds }; api is the operators' one, without a token
// Figures: of the publisher what it heard of its packets, of the viewer what it was offered, what it answered and how its packets were
// marked, and what the server knows of the viewer's path.

import { pause, scenario, until } from "./lib-browsers.mjs";

const address = ({ url, room }, query) => {
  const full = new URL(url);
  const all = { join: "1", room, adaptive: "0", height: "360", ...query };
  for (const [key, value] of Object.entries(all)) full.searchParams.set(key, value);
  return full.href;
};

/** The lines of a description about feedback on the path. */
const feedbackLines = ({ sdp }) => sdp.split(/\r\n/).filter((line) => /ccfb|transport-cc|transport-wide-cc|goog-remb/.test(line));

/** Runs in the page. */
async function sending() {
  const { pc } = window.tureen.sendTransport;
  const all = [...(await pc.getStats()).values()];
  const sum = (name) => all.reduce((total, entry) => total + (entry[name] ?? 0), 0);
  return {
    answer: pc.remoteDescription.sdp, reports: sum("ccfbMessagesReceived"), marked: sum("packetsSentWithEct1"),
    available: Math.max(0, ...all.map(({ availableOutgoingBitrate }) => availableOutgoingBitrate ?? 0)),
  };
}

/** Runs in the page. */
async function watching() {
  const { pc } = window.tureen.receiveTransport;
  const all = [...(await pc.getStats()).values()];
  const inbound = all.filter(({ type }) => type === "inbound-rtp");
  const sum = (name) => inbound.reduce((total, entry) => total + (entry[name] ?? 0), 0);
  const { roomId, peerId, consumers } = window.tureen;
  const { id } = consumers.find(({ kind }) => kind === "video");
  return {
    offer: pc.remoteDescription.sdp, answer: pc.localDescription.sdp, decoded: sum("framesDecoded"),
    packets: sum("packetsReceived"), marked: sum("packetsReceivedWithEct1"),
    width: Math.max(0, ...inbound.map(({ frameWidth }) => frameWidth ?? 0)),
    path: `/rooms/${roomId}/peers/${peerId}/consumers/${id}`,
  };
}

scenario(async (options, start) => {
  const open = async (query) => {
    const browser = await start("chromium", { flags: options.flags });
    const page = await browser.open(address(options, query));
    await until("a peer to be in the room", () => page.evaluate(() => window.tureen?.state === "joined"));
    return page;
  };
  const publisher = await open({ name: "Publisher" });
  const viewer = await open({ name: "Viewer", video: "0", audio: "0" });
  const decoded = () => viewer.evaluate(() =>
    window.tureen.framesDecoded().then((all) => Object.values(all).reduce((sum, frames) => sum + frames, 0)));
  await until("pictures", async () => (await decoded()) > 10, 60);
  await pause(options.seconds * 1000);
  const [sent, received] = [await publisher.evaluate(sending), await viewer.evaluate(watching)];
  const explained = await fetch(`${options.api}${received.path}`);
  received.explanation = await explained.json();
  return {
    publisher: { ...sent, answer: feedbackLines({ sdp: sent.answer }) },
    viewer: { ...received, offer: feedbackLines({ sdp: received.offer }), answer: feedbackLines({ sdp: received.answer }) },
  };
});
