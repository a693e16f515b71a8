// The small page for WHIP and WHEP: one panel publishes, the other plays.
//
// Options: ?room=NAME ?token=TOKEN ?peer=ID (play this peer) ?publish=1 ?play=1 (start at once) ?simulcast=1
//          ?source=screen ?codec=vp8|vp9|h264|av1
// Tests read `window.tureen`: { publish, play }, each { state, pc, problem } with pc null while idle.

import { canCapture, INSECURE, open, openScreen } from "./devices.js";
import { byId, make } from "./dom.js";
import { bitrateText } from "./figures.js";
import { options, pronounceableName } from "./options.js";
import { startTheme } from "./theme.js";
import { HttpSession } from "./whip-client.js";

const query = new URLSearchParams(location.search);
const CAMERA_BITRATES = [150_000, 500_000, 2_500_000];
const RETRY_MS = 2_000;

class Panel {
  session = null;
  tracks = [];
  problem = null;
  #name;
  #verb;
  #prepare;
  #attempt = 0;
  // Tries again for as long as nobody sends.
  #patient;
  #timer = 0;
  #bytes = null;

  /** `prepare(pc, panel)` adds the media and resolves with the URL. */
  constructor(name, verb, prepare) {
    this.#name = name;
    this.#verb = verb;
    this.#prepare = prepare;
    this.#patient = query.get(name) === "1";
    byId(name).addEventListener("click", () => (this.session ? this.stop() : this.start()));
    this.#show();
  }

  get state() {
    return this.session?.state ?? "idle";
  }

  async start() {
    const attempt = ++this.#attempt;
    const session = new HttpSession({ token: byId("token").value.trim() });
    this.session = session;
    this.#say(null);
    session.addEventListener("statechange", () => this.#show());
    session.addEventListener("ended", () => session === this.session && this.#ended());
    this.#timer = setInterval(() => this.#measure(), 1000);
    this.#show();
    try {
      const url = await this.#prepare(session.pc, this);
      if (!url) return void this.stop();
      if (attempt === this.#attempt) await session.start(url);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.stop();
      this.#say(error.message);
      // Whoever plays may be there before whoever publishes: 409 for nobody, 404 for a peer that is not there yet.
      const early = error.status === 409 || error.status === 404;
      if (this.#patient && early) this.#startLater();
    }
  }

  #startLater() {
    setTimeout(() => !this.session && this.start(), RETRY_MS);
  }

  /** The server ended the session. What is played goes on once somebody sends again. */
  #ended() {
    this.stop();
    this.#say("The session has ended.");
    if (this.#name !== "play") return;
    this.#patient = true;
    this.#startLater();
  }

  stop() {
    this.#attempt += 1;
    clearInterval(this.#timer);
    this.session?.stop();
    this.session = null;
    for (const track of this.tracks) track.stop();
    this.tracks = [];
    this.#bytes = null;
    byId(`${this.#name}-video`).srcObject = null;
    this.#figures({});
    this.#show();
  }

  #say(problem) {
    this.problem = problem;
    const element = byId(`${this.#name}-problem`);
    element.hidden = !problem;
    element.textContent = problem ?? "";
  }

  #show() {
    const element = byId(`${this.#name}-state`);
    element.textContent = this.state;
    element.dataset.state = this.state;
    byId(this.#name).textContent = this.session ? "Stop" : this.#verb;
    if (!this.session) this.#figures({});
  }

  async #measure() {
    const { session } = this;
    if (!session) return;
    const entries = [...(await session.pc.getStats()).values()];
    const streams = entries.filter(({ type }) => type === "inbound-rtp" || type === "outbound-rtp");
    const total = streams.reduce((sum, entry) => sum + (entry.bytesReceived ?? entry.bytesSent ?? 0), 0);
    const videos = streams.filter(({ kind, frameWidth }) => kind === "video" && frameWidth);
    const top = videos.sort((a, b) => b.frameHeight - a.frameHeight)[0];
    const now = performance.now();
    const rate = this.#bytes ? ((total - this.#bytes.total) * 8000) / (now - this.#bytes.now) : 0;
    this.#bytes = { total, now };
    if (session === this.session) {
      this.#figures({ size: top && `${top.frameWidth} × ${top.frameHeight}`, frames: top?.framesPerSecond, rate });
    }
  }

  #figures({ size = "–", frames = null, rate = null }) {
    const pairs = [["Resolution", size], ["Frames/s", frames === null ? "–" : String(Math.round(frames))],
      ["Bit rate", rate === null ? "–" : bitrateText(rate)]];
    byId(`${this.#name}-figures`).replaceChildren(...pairs.map(([name, text]) =>
      make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: text }))));
  }
}

const room = () => encodeURIComponent(byId("room").value.trim());

async function preparePublishing(pc, panel) {
  const tracks = await captured();
  if (tracks.length === 0) return null;
  panel.tracks = tracks;
  const stream = new MediaStream(tracks);
  byId("publish-video").srcObject = stream;
  for (const track of tracks) {
    track.addEventListener("ended", () => panel.stop());
    const sendEncodings = track.kind === "video" ? videoEncodings() : [{}];
    preferCodec(pc.addTransceiver(track, { direction: "sendonly", streams: [stream], sendEncodings }), track.kind);
  }
  return `/whip/${room()}`;
}

/** Sound goes with the camera where there is a microphone. */
async function captured() {
  if (document.querySelector("[name=source]:checked").value === "screen") return [await openScreen()].filter(Boolean);
  const camera = await open("cam");
  const microphone = await open("mic").catch(() => null);
  return [microphone, camera].filter(Boolean);
}

function videoEncodings() {
  if (!byId("simulcast").checked) return [{ maxBitrate: CAMERA_BITRATES[2] }];
  return CAMERA_BITRATES.map((maxBitrate, i) => ({ rid: `r${i}`, maxBitrate, scaleResolutionDownBy: 2 ** (2 - i) }));
}

function preferCodec(transceiver, kind) {
  const codecs = RTCRtpSender.getCapabilities?.(kind)?.codecs;
  if (kind !== "video" || !options.codec || !codecs || !transceiver.setCodecPreferences) return;
  const wanted = ({ mimeType }) => mimeType.toLowerCase() === `video/${options.codec}`;
  transceiver.setCodecPreferences([...codecs.filter(wanted), ...codecs.filter((codec) => !wanted(codec))]);
}

async function preparePlaying(pc) {
  const stream = new MediaStream();
  byId("play-video").srcObject = stream;
  pc.addEventListener("track", ({ track }) => stream.addTrack(track));
  for (const kind of ["audio", "video"]) pc.addTransceiver(kind, { direction: "recvonly" });
  const peer = query.get("peer");
  return `/whep/${room()}${peer ? `?peer=${encodeURIComponent(peer)}` : ""}`;
}

function hook(panel) {
  return {
    get state() { return panel.state; },
    get pc() { return panel.session?.pc ?? null; },
    get problem() { return panel.problem; },
  };
}

startTheme();
byId("room").value = options.room ?? pronounceableName();
byId("token").value = options.token ?? "";
byId("simulcast").checked = query.get("simulcast") === "1";
if (query.get("source") === "screen") document.querySelector("[name=source][value=screen]").checked = true;
const link = () => { byId("room-link").href = `/?room=${room()}`; };
byId("room").addEventListener("input", link);
link();

const publish = new Panel("publish", "Publish", preparePublishing);
const play = new Panel("play", "Play", preparePlaying);
if (!canCapture) {
  byId("publish").disabled = true;
  byId("notice").textContent = `${INSECURE} Playing works here too.`;
  byId("notice").hidden = false;
}
window.addEventListener("pagehide", () => [publish, play].forEach((panel) => panel.stop()));
Object.defineProperty(window, "tureen", { value: Object.freeze({ publish: hook(publish), play: hook(play) }) });

function startWanted() {
  if (query.get("publish") === "1" && canCapture) publish.start();
  if (query.get("play") === "1") play.start();
}

// A video that waits for its first frame would hold up the page's own `load`.
if (document.readyState === "complete") startWanted();
else window.addEventListener("load", startWanted);
