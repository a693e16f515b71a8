// When media was captured, from one Chromium to another through WHIP and WHEP. Options:
//   { url, room, seconds }
// Both ask for abs-capture-time. Gives what the viewer's receivers tell of it, over `seconds`.

import { scenario, until } from "./lib-browsers.mjs";

/** Publishes or plays, with abs-capture-time in the offer. Runs in the page. */
async function connect({ endpoint, publishes }) {
  const uri = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
  const pc = new RTCPeerConnection();
  window.pc = pc;
  if (publishes) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 180 } });
    for (const track of stream.getTracks()) pc.addTransceiver(track, { direction: "sendonly", streams: [stream] });
  } else {
    for (const kind of ["audio", "video"]) pc.addTransceiver(kind, { direction: "recvonly" });
  }
  for (const transceiver of pc.getTransceivers()) {
    const extensions = transceiver.getHeaderExtensionsToNegotiate();
    transceiver.setHeaderExtensionsToNegotiate(
      extensions.map((extension) => (extension.uri === uri ? { ...extension, direction: "sendrecv" } : extension)));
  }
  await pc.setLocalDescription();
  const response = await fetch(endpoint, {
    method: "POST", headers: { "Content-Type": "application/sdp" }, body: pc.localDescription.sdp,
  });
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
  await pc.setRemoteDescription({ type: "answer", sdp: await response.text() });
  const offered = (sdp) => sdp.split(uri).length - 1;
  return { offered: offered(pc.localDescription.sdp), answered: offered(pc.remoteDescription.sdp) };
}

/** What each receiver tells, every 100 ms. Times are in ms; ages are those at the time of asking. Runs in the page. */
async function watch(seconds) {
  const NTP_TO_UNIX = 2_208_988_800_000;
  const video = document.createElement("video");
  video.muted = true;
  const receivers = Object.fromEntries(window.pc.getReceivers().map((receiver) => [receiver.track.kind, receiver]));
  video.srcObject = new MediaStream([receivers.video.track, receivers.audio.track]);
  document.body.append(video);
  await video.play();
  const told = { audio: [], video: [] };
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const kind of ["audio", "video"]) {
      const [source] = receivers[kind].getSynchronizationSources();
      if (source?.captureTimestamp === undefined) continue;
      const time = source.captureTimestamp - NTP_TO_UNIX;
      told[kind].push({ time, age: performance.timeOrigin + performance.now() - time, offset: source.senderCaptureTimeOffset ?? null });
    }
  }
  return told;
}

scenario(async (options, start) => {
  const open = async (publishes) => {
    const page = await (await start("chromium")).open(new URL("/healthz", options.url).href);
    const endpoint = `/${publishes ? "whip" : "whep"}/${options.room}`;
    return { page, connected: await page.evaluate(connect, { endpoint, publishes }) };
  };
  const publisher = await open(true);
  await until("media to leave", () => publisher.page.evaluate(async () =>
    [...(await window.pc.getStats()).values()].filter(({ type, packetsSent }) => type === "outbound-rtp" && packetsSent > 10).length === 2));
  const viewer = await open(false);
  await until("pictures", () => viewer.page.evaluate(async () =>
    [...(await window.pc.getStats()).values()].some(({ type, framesDecoded }) => type === "inbound-rtp" && framesDecoded > 0)));
  const told = await viewer.page.evaluate(watch, options.seconds);
  return { published: publisher.connected, played: viewer.connected, ...told };
});
