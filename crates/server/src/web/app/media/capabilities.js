// What this browser and the router have in common, as pure functions over ORTC dictionaries; and the one question that
// needs a browser: which codecs and header extensions it offers to receive. It knows no signalling.

import { parseSdp } from "./sdp.js";

const isRtx = (mimeType) => mimeType.toLowerCase().endsWith("/rtx");
const isRed = (mimeType) => mimeType.toLowerCase().endsWith("/red");
const isParity = (mimeType) => mimeType.toLowerCase().endsWith("/flexfec-03");

/** Whether two codecs are the same stream format, profile included. Both have mimeType, clockRate and parameters. */
export function sameCodec(a, b) {
  if (a.mimeType.toLowerCase() !== b.mimeType.toLowerCase() || a.clockRate !== b.clockRate) return false;
  if ((a.channels ?? 1) !== (b.channels ?? 1)) return false;
  const same = (name, byDefault) =>
    String(a.parameters?.[name] ?? byDefault) === String(b.parameters?.[name] ?? byDefault);
  switch (a.mimeType.toLowerCase()) {
    case "video/vp9": return same("profile-id", 0);
    case "video/av1": return same("profile", 0);
    case "video/h265": return same("profile-id", 1) && same("tier-flag", 0);
    case "video/h264": return same("packetization-mode", 0) && h264Profile(a) === h264Profile(b);
    default: return true;
  }
}

/** The profile behind `profile-level-id` (RFC 6184 section 8.1, table 5); the level does not matter here. */
function h264Profile({ parameters = {} }) {
  const id = Number.parseInt(String(parameters["profile-level-id"] ?? "42e01f"), 16);
  const [profile, constraints] = [id >> 16, (id >> 8) & 0xff];
  if (profile === 0x42) return constraints & 0x40 ? "constrained-baseline" : "baseline";
  if (profile === 0x4d) return constraints & 0x80 ? "constrained-baseline" : "main";
  if (profile === 0x64) return (constraints & 0x0c) === 0x0c ? "constrained-high" : "high";
  return `${profile}/${constraints}`;
}

/** The codecs of a parsed media section, in the form of `RtpCodecParameters`. */
export function sectionCodecs(section) {
  return [...section.codecs.values()].filter(({ name }) => name).map((codec) => {
    const { name, payloadType, clockRate, channels, parameters, rtcpFeedback } = codec;
    const described = { mimeType: `${section.kind}/${name}`, payloadType, clockRate, parameters, rtcpFeedback };
    return channels ? { ...described, channels } : described;
  });
}

function rtxFor(codecs, payloadType, member) {
  return codecs.find((codec) => isRtx(codec.mimeType) && Number(codec.parameters.apt) === payloadType)?.[member];
}

function commonFeedback(a, b) {
  const has = (feedback) => b.some((other) =>
    other.type === feedback.type && (other.parameter ?? "") === (feedback.parameter ?? ""));
  return a.filter(has).map(({ type, parameter }) => ({ type, parameter: parameter ?? "" }));
}

/** The codec whose packets hold earlier ones of `codec` too (RFC 2198), in front of it: whoever has it sends it. */
function redundancyFor(codec, local, router) {
  const red = local.find(({ mimeType, parameters }) =>
    isRed(mimeType) && parameters[""]?.split("/").every((payloadType) => Number(payloadType) === codec.payloadType));
  const known = red && router.codecs.find((known) => sameCodec(known, red));
  return known ? [{ ...red, mimeType: known.mimeType, rtcpFeedback: [] }] : [];
}

/**
 * The codec of a local offer's section that is sent, and what repairs it, RTX behind it or RED in front, with the browser's
 * payload types. `preferred` is a mime type such as `video/vp9`; without it the router's order decides. Null if the
 * router takes none.
 */
export function sendingCodecs(section, router, preferred) {
  const local = sectionCodecs(section);
  const candidates = router.codecs.filter(({ mimeType }) =>
    mimeType.startsWith(`${section.kind}/`) && !isRtx(mimeType) && !isRed(mimeType) && !isParity(mimeType) &&
    (!preferred || mimeType.toLowerCase() === preferred.toLowerCase()));
  for (const known of candidates) {
    const codec = local.find((codec) => sameCodec(codec, known));
    if (!codec) continue;
    const rtcpFeedback = commonFeedback(codec.rtcpFeedback, known.rtcpFeedback ?? []);
    const localRtx = rtxFor(local, codec.payloadType, "payloadType");
    const routerRtx = rtxFor(router.codecs, known.preferredPayloadType, "preferredPayloadType");
    const sent = [...redundancyFor(codec, local, router), { ...codec, mimeType: known.mimeType, rtcpFeedback }];
    if (localRtx !== undefined && routerRtx !== undefined) {
      const { clockRate, payloadType } = codec;
      const mimeType = `${section.kind}/rtx`;
      sent.push({ mimeType, payloadType: localRtx, clockRate, parameters: { apt: payloadType }, rtcpFeedback: [] });
    }
    return sent;
  }
  return null;
}

/** A router that is not asked for redundancy, be it of sound or of pictures. */
export function withoutRedundancy(router) {
  return { ...router, codecs: router.codecs.filter(({ mimeType }) => !isRed(mimeType) && !isParity(mimeType)) };
}

/** The extensions of a local offer's section that the router receives, with the browser's ids. */
export function sendingExtensions(section, router) {
  return section.extensions.filter(({ uri }) => router.headerExtensions.some((known) =>
    known.uri === uri && known.kind === section.kind && receives(known.direction)));
}

const receives = (direction) => direction === undefined || direction === "sendrecv" || direction === "recvonly";
const sends = (direction) => direction === undefined || direction === "sendrecv" || direction === "sendonly";

/** What this browser can receive of what the router sends, in the router's payload types and extension ids. */
export function receivingCapabilities(offer, router) {
  const receiving = offer.media.filter(({ direction }) => direction === "recvonly");
  const codecs = receiving.flatMap((section) => receivingCodecs(section, router));
  const headerExtensions = router.headerExtensions
    .filter((known) => sends(known.direction) && offer.media.some((section) =>
      section.kind === known.kind && section.extensions.some(({ uri }) => uri === known.uri)))
    .map(({ kind, uri, preferredId, direction }) => ({
      kind, uri, preferredId, preferredEncrypt: false, direction: direction === "sendonly" ? "recvonly" : "sendrecv",
    }));
  return { codecs, headerExtensions };
}

function receivingCodecs(section, router) {
  const local = sectionCodecs(section);
  return router.codecs.flatMap((known) => {
    if (isRtx(known.mimeType)) return [];
    const codec = local.find((codec) => sameCodec(codec, known));
    if (!codec) return [];
    const { mimeType, clockRate, channels, preferredPayloadType } = known;
    const common = { kind: section.kind, clockRate };
    const rtcpFeedback = commonFeedback(codec.rtcpFeedback, known.rtcpFeedback ?? []);
    // The list of RED has payload types, and those are the router's.
    const { parameters: own } = isRed(mimeType) ? known : codec;
    const media = { ...common, mimeType, preferredPayloadType, parameters: own, rtcpFeedback };
    if (channels) media.channels = channels;
    const rtx = rtxFor(router.codecs, preferredPayloadType, "preferredPayloadType");
    if (rtx === undefined || rtxFor(local, codec.payloadType, "payloadType") === undefined) return [media];
    const parameters = { apt: preferredPayloadType };
    const mimeTypeOfRtx = `${section.kind}/rtx`;
    return [media, { ...common, mimeType: mimeTypeOfRtx, preferredPayloadType: rtx, parameters, rtcpFeedback: [] }];
  });
}

/**
 * Asks the browser what it would offer to receive. Chromium takes dependency descriptors that it is offered, and needs them
 * for layers of AV1, but names them only where it sends layers itself.
 */
export async function receivingOffer() {
  const pc = new RTCPeerConnection();
  try {
    pc.addTransceiver("audio", { direction: "recvonly" });
    pc.addTransceiver("video", { direction: "recvonly" });
    pc.addTransceiver("video", { direction: "sendonly", sendEncodings: [{ scalabilityMode: "L3T3" }] });
    return parseSdp((await pc.createOffer()).sdp);
  } finally {
    pc.close();
  }
}
