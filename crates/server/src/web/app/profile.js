// How microphone, camera and screen are encoded: what the page's options and the browser's abilities make of it. It knows
// no transport.

import { options } from "./options.js";

const isFirefox = /firefox/i.test(navigator.userAgent);

const CAMERA_BITRATES = [150_000, 500_000, 2_500_000];
const SCREEN_BITRATE = 3_000_000;

const MIME_TYPES = { vp8: "video/VP8", vp9: "video/VP9", h264: "video/H264", av1: "video/AV1" };

/**
 * A speaker who pauses costs next to nothing, and the odd lost packet is mended (RFC 7587 section 6.1). One channel: what
 * the browser says of stereo is about receiving.
 */
export const microphone = {
  encodings: [{ maxBitrate: 64_000 }],
  codec: "audio/opus",
  parameters: { useinbandfec: 1, usedtx: 1, stereo: undefined },
};

export function camera() {
  const name = options.codec ?? (options.svc ? "vp9" : "vp8");
  const codec = MIME_TYPES[name] ?? MIME_TYPES.vp8;
  return { codec, encodings: cameraEncodings(name) };
}

function cameraEncodings(name) {
  const [, , maxBitrate] = CAMERA_BITRATES;
  // Firefox takes no scalability mode.
  const mode = (scalabilityMode) => (isFirefox ? {} : { scalabilityMode });
  if (options.svc) return [{ maxBitrate, ...mode(options.svc) }];
  if (!options.simulcast) return [{ maxBitrate, ...mode("L1T1") }];
  if (name === "vp9" || name === "av1") return [{ maxBitrate, ...mode("L3T3_KEY") }];
  // H264 encoders in browsers make one temporal layer as often as three; only VP8 is asked for them.
  const temporal = name === "vp8" ? mode("L1T3") : {};
  return CAMERA_BITRATES.map((maxBitrate, i) => ({ maxBitrate, scaleResolutionDownBy: 2 ** (2 - i), ...temporal }));
}

export function screen() {
  const codec = MIME_TYPES[["vp9", "av1"].includes(options.codec) ? options.codec : "vp8"];
  return { codec, encodings: [{ maxBitrate: SCREEN_BITRATE }] };
}

export const cameraConstraints = {
  width: { ideal: Math.round((options.height * 16) / 9) },
  height: { ideal: options.height },
  frameRate: { ideal: 30 },
};
export const screenConstraints = { video: { frameRate: { ideal: 15, max: 30 } }, audio: false };

/** What others see beside the name. */
export function device() {
  const agent = navigator.userAgent;
  const known = [["Firefox", /firefox\/([\d.]+)/i], ["Edge", /edg\/([\d.]+)/i], ["Chromium", /chrom(?:e|ium)\/([\d.]+)/i],
    ["Safari", /version\/([\d.]+).*safari/i]];
  for (const [name, pattern] of known) {
    const version = pattern.exec(agent)?.[1];
    if (version) return { flag: name.toLowerCase(), name, version };
  }
  return { flag: "unknown", name: "Browser", version: "" };
}
