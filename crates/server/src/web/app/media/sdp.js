// Session descriptions as data: what is read of a local one, and the lines of a remote one (RFC 8866, RFC 8829).
// It knows text only: no peer connection, no server, no codec preference.

const ATTRIBUTE = /^a=([^:]+)(?::(.*))?$/;

/** The members of a description that the media code looks at. */
export function parseSdp(text) {
  const session = newSection();
  const media = [];
  let section = session;
  for (const line of text.split(/\r\n|\n/)) {
    if (line.startsWith("m=")) {
      section = mediaSection(line);
      media.push(section);
    } else {
      const attribute = ATTRIBUTE.exec(line);
      if (attribute) readAttribute(section, attribute[1], attribute[2] ?? "");
    }
  }
  return { session, media };
}

function newSection() {
  return {
    mid: null, direction: "sendrecv", extmapAllowMixed: false, setup: null, fingerprints: [], rids: [],
    codecs: new Map(), extensions: [], ssrcs: [], fidGroups: [], cname: null,
  };
}

function mediaSection(line) {
  const [kind, port, , ...formats] = line.slice(2).split(" ");
  const section = { ...newSection(), kind, port: Number(port), bundleOnly: false };
  if (kind === "application") return section;
  for (const format of formats) {
    const payloadType = Number(format);
    section.codecs.set(payloadType, { payloadType, name: "", clockRate: 0, parameters: {}, rtcpFeedback: [] });
  }
  return section;
}

function readAttribute(section, name, value) {
  switch (name) {
    case "mid": section.mid = value; break;
    case "sendrecv": case "sendonly": case "recvonly": case "inactive": section.direction = name; break;
    case "bundle-only": section.bundleOnly = true; break;
    case "extmap-allow-mixed": section.extmapAllowMixed = true; break;
    case "setup": section.setup = value; break;
    case "fingerprint": section.fingerprints.push(readFingerprint(value)); break;
    case "rid": section.rids.push(value.split(" ")[0]); break;
    case "extmap": readExtension(section, value); break;
    case "rtpmap": readRtpMap(section, value); break;
    case "fmtp": readFormatParameters(section, value); break;
    case "rtcp-fb": readFeedback(section, value); break;
    case "ssrc": readSsrc(section, value); break;
    case "ssrc-group": readSsrcGroup(section, value); break;
  }
}

function readFingerprint(value) {
  const [algorithm, fingerprint] = value.split(" ");
  return { algorithm: algorithm.toLowerCase(), value: fingerprint };
}

/** `1 uri` or `1/recvonly uri` (RFC 8285 section 8). */
function readExtension(section, value) {
  const [idAndDirection, uri] = value.split(" ");
  section.extensions.push({ id: Number(idAndDirection.split("/")[0]), uri });
}

function readRtpMap(section, value) {
  const [payloadType, format] = value.split(" ");
  const [name, clockRate, channels] = format.split("/");
  const codec = section.codecs.get(Number(payloadType));
  if (!codec) return;
  Object.assign(codec, { name, clockRate: Number(clockRate) });
  if (section.kind === "audio") codec.channels = Number(channels ?? 1);
}

function readFormatParameters(section, value) {
  const space = value.indexOf(" ");
  const codec = section.codecs.get(Number(value.slice(0, space)));
  if (codec) codec.parameters = parseParameters(value.slice(space + 1));
}

/**
 * `a=1;b=text`. A number stays a number; a profile is text even if all of its digits are decimal. The bare list of RED
 * (RFC 2198 section 5) has the empty name.
 */
export function parseParameters(text) {
  if (/^\d+(\/\d+)+$/.test(text)) return { "": text };
  const parameters = {};
  for (const part of text.split(";")) {
    const [name, value] = part.trim().split(/=(.*)/s);
    if (!name || value === undefined) continue;
    const isNumber = /^(0|[1-9]\d{0,14})$/.test(value) && name !== "profile-level-id";
    parameters[name] = isNumber ? Number(value) : value;
  }
  return parameters;
}

export function formatParameters(parameters) {
  return Object.entries(parameters).map(([name, value]) => (name ? `${name}=${value}` : value)).join(";");
}

function readFeedback(section, value) {
  const [payloadType, type, ...parameter] = value.split(" ");
  const feedback = { type, parameter: parameter.join(" ") };
  const codecs = payloadType === "*" ? section.codecs.values() : [section.codecs.get(Number(payloadType))];
  for (const codec of codecs) codec?.rtcpFeedback.push(feedback);
}

function readSsrc(section, value) {
  const [ssrc, attribute] = value.split(/ (.*)/s);
  if (!section.ssrcs.includes(Number(ssrc))) section.ssrcs.push(Number(ssrc));
  if (attribute?.startsWith("cname:")) section.cname = attribute.slice("cname:".length);
}

function readSsrcGroup(section, value) {
  const [semantics, ...ssrcs] = value.split(" ");
  if (semantics === "FID") section.fidGroups.push(ssrcs.map(Number));
}

/** The DTLS parameters of our side; `role` is ours. */
export function dtlsParametersOf(description, role) {
  const sections = [description.session, ...description.media];
  const fingerprints = sections.find((section) => section.fingerprints.length > 0)?.fingerprints ?? [];
  return { role, fingerprints };
}

/** The lines before the first media section: the server is ICE-lite, and all media is in one bundle. */
export function sessionLines({ version, fingerprint, mids, extmapAllowMixed }) {
  const lines = [
    "v=0", `o=tureen 10000 ${version} IN IP4 0.0.0.0`, "s=-", "t=0 0", "a=ice-lite",
    `a=fingerprint:${fingerprint.algorithm} ${fingerprint.value}`,
    "a=msid-semantic: WMS *",
  ];
  if (mids.length > 0) lines.push(`a=group:BUNDLE ${mids.join(" ")}`);
  if (extmapAllowMixed) lines.push("a=extmap-allow-mixed");
  return lines;
}

/** Browsers check one fingerprint: the strongest that all of them know. */
export function preferredFingerprint(dtlsParameters) {
  const { fingerprints } = dtlsParameters;
  return fingerprints.find(({ algorithm }) => algorithm === "sha-256") ?? fingerprints.at(-1);
}

/** A section that is no longer used: port 0 (RFC 9429 section 5.3.1). */
export function rejectedLines({ kind, mid, format }) {
  return [`m=${kind} 0 UDP/TLS/RTP/SAVPF ${format}`, "c=IN IP4 127.0.0.1", `a=mid:${mid}`, "a=inactive"];
}

/** The head of a section in use: address, bundle member, ICE and DTLS. */
export function transportLines({ kind, mid, payloadTypes, direction, setup, ice }) {
  return [
    `m=${kind} 7 UDP/TLS/RTP/SAVPF ${payloadTypes.join(" ")}`,
    "c=IN IP4 127.0.0.1",
    `a=mid:${mid}`,
    `a=${direction}`,
    `a=ice-ufrag:${ice.parameters.usernameFragment}`,
    `a=ice-pwd:${ice.parameters.password}`,
    ...ice.candidates.map(candidateLine),
    "a=end-of-candidates",
    `a=setup:${setup}`,
    "a=rtcp-mux",
    "a=rtcp-rsize",
  ];
}

/** The section of an association of data channels (RFC 8841): always open, whatever channels there are. */
export function dataLines({ mid, setup, ice, sctp }) {
  return [
    "m=application 7 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 127.0.0.1",
    `a=mid:${mid}`,
    `a=ice-ufrag:${ice.parameters.usernameFragment}`,
    `a=ice-pwd:${ice.parameters.password}`,
    ...ice.candidates.map(candidateLine),
    "a=end-of-candidates",
    `a=setup:${setup}`,
    `a=sctp-port:${sctp.port}`,
    `a=max-message-size:${sctp.maxMessageSize}`,
  ];
}

function candidateLine(candidate) {
  const address = candidate.address ?? candidate.ip;
  const { foundation, protocol, priority, port, type, tcpType } = candidate;
  const tail = tcpType ? ` tcptype ${tcpType}` : "";
  return `a=candidate:${foundation} 1 ${protocol} ${priority} ${address} ${port} typ ${type}${tail}`;
}

const isByStream = ({ type, parameter }) => type === "ack" && parameter === "ccfb";

/** Whether the codecs of media have congestion control feedback by stream (RFC 8888). */
export function haveStreamFeedback(codecs) {
  const media = codecs.filter(({ mimeType }) => !/\/(rtx|red|flexfec-03)$/i.test(mimeType));
  return media.length > 0 && media.every(({ rtcpFeedback = [] }) => rtcpFeedback.some(isByStream));
}

/** rtpmap, fmtp and rtcp-fb of codecs in the form of `RtpCodecParameters`. */
export function codecLines(codecs) {
  const lines = codecs.flatMap(({ mimeType, payloadType, clockRate, channels, parameters = {}, rtcpFeedback = [] }) => {
    const name = mimeType.split("/")[1];
    const suffix = channels > 1 ? `/${channels}` : "";
    const lines = [`a=rtpmap:${payloadType} ${name}/${clockRate}${suffix}`];
    if (Object.keys(parameters).length > 0) lines.push(`a=fmtp:${payloadType} ${formatParameters(parameters)}`);
    for (const feedback of rtcpFeedback) {
      const { type, parameter } = feedback;
      if (!isByStream(feedback)) lines.push(`a=rtcp-fb:${payloadType} ${type}${parameter ? ` ${parameter}` : ""}`);
    }
    return lines;
  });
  // It goes for all payload types of a session (RFC 8888 section 6).
  return haveStreamFeedback(codecs) ? [...lines, "a=rtcp-fb:* ack ccfb"] : lines;
}

export function extensionLines(extensions) {
  return extensions.map(({ id, uri }) => `a=extmap:${id} ${uri}`);
}

export function joinLines(lines) {
  return `${lines.join("\r\n")}\r\n`;
}
