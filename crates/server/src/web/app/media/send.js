// The sending transport: one peer connection whose offers the browser makes; the answers are written here from what the
// router takes. It knows no producers of the server: `produce` hands out RTP parameters and takes no id back.

import { sendingCodecs, sendingExtensions } from "./capabilities.js";
import { Connection } from "./connection.js";
import {
  codecLines, dataLines, dtlsParametersOf, extensionLines, haveStreamFeedback, joinLines, parseSdp, rejectedLines, sessionLines, transportLines,
} from "./sdp.js";

/** Bits a second with which Chromium starts, in kbit/s, instead of 300. */
const START_BITRATE_KBPS = 1000;

export class SendTransport extends Connection {
  #router;
  /** mid -> what was negotiated for it. */
  #sections = new Map();
  #firstMid = null;
  #nextStream = 0;
  #carriesData = false;

  constructor({ parameters, router, connect }) {
    super(parameters, connect);
    this.#router = router;
  }

  /**
   * Starts to send a track. `encodings` are RTCRtpEncodingParameters; more than one is simulcast. `codec` is a mime
   * type or undefined; `parameters` are added to the codec's (Opus: usedtx and the like), undefined ones taken away.
   * Resolves with `{ mid, sender, kind, rtpParameters }`.
   */
  send({ track, streamId, encodings, codec, parameters = {} }) {
    return this.exclusively(async () => {
      const { pc } = this;
      const sendEncodings = encodings.length > 1
        ? encodings.map((encoding, i) => ({ ...encoding, rid: `r${i}` }))
        : encodings.map((encoding) => ({ ...encoding }));
      const transceiver = pc.addTransceiver(track, { direction: "sendonly", sendEncodings });
      preferCodec(transceiver, track.kind, codec);
      try {
        await pc.setLocalDescription(await pc.createOffer());
        return await this.#negotiateNew(transceiver, { kind: track.kind, sendEncodings, codec, parameters, streamId });
      } catch (error) {
        await this.#undo(transceiver);
        throw error;
      }
    });
  }

  /**
   * Opens a data channel that is ordered and reliable. Resolves with `{ channel, sctpStreamParameters }`; it may take a while
   * until the channel is open.
   */
  sendData({ label, protocol = "" }) {
    return this.exclusively(async () => {
      const sctpStreamParameters = { streamId: this.#nextStream, ordered: true };
      const channel = this.makeChannel(sctpStreamParameters, label, protocol);
      this.#nextStream += 1;
      try {
        if (!this.#carriesData) await this.#negotiateData();
      } catch (error) {
        channel.close();
        throw error;
      }
      return { channel, sctpStreamParameters };
    });
  }

  async #negotiateData() {
    const { pc } = this;
    await pc.setLocalDescription(await pc.createOffer());
    const offer = parseSdp(pc.localDescription.sdp);
    this.#firstMid ??= offer.media.find(({ kind }) => kind === "application").mid;
    await this.connectOnce(dtlsParametersOf(offer, "client"));
    await pc.setRemoteDescription({ type: "answer", sdp: this.#answer(offer) });
    this.#carriesData = true;
  }

  async #negotiateNew(transceiver, { kind, sendEncodings, codec, parameters, streamId }) {
    const { pc } = this;
    const offer = parseSdp(pc.localDescription.sdp);
    const { mid, sender } = transceiver;
    const section = offer.media.find((section) => section.mid === mid);
    const codecs = sendingCodecs(section, this.#router, codec);
    if (!codecs) throw new Error(`this browser and the server have no ${codec ?? kind} codec in common`);
    const media = codecs.find(({ mimeType }) => !mimeType.endsWith("/red"));
    media.parameters = withoutUndefined({ ...media.parameters, ...parameters });
    const extensions = reduceFeedback(codecs, sendingExtensions(section, this.#router));
    const rids = sendEncodings.length > 1 ? sendEncodings.map(({ rid }) => rid) : [];
    this.#firstMid ??= mid;
    this.#sections.set(mid, { codecs, extensions, rids, direction: "recvonly" });
    await this.connectOnce(dtlsParametersOf(offer, "client"));
    await pc.setRemoteDescription({ type: "answer", sdp: this.#answer(offer) });
    const rtpParameters = {
      mid,
      codecs,
      headerExtensions: extensions.map(({ id, uri }) => ({ uri, id, encrypt: false, parameters: {} })),
      encodings: rtpEncodings(sendEncodings, section, codecs),
      rtcp: { ...(section.cname ? { cname: section.cname } : {}), reducedSize: true },
      msid: `${streamId} ${sender.track?.id ?? mid}`,
    };
    return { mid, sender, kind, rtpParameters };
  }

  /** Leaves no half-made section behind, so that the next offer is answered in full. */
  async #undo(transceiver) {
    const { pc } = this;
    if (this.closed) return;
    try {
      if (transceiver.mid !== null && !this.#sections.has(transceiver.mid)) {
        if (pc.signalingState === "have-local-offer") await pc.setLocalDescription({ type: "rollback" });
        transceiver.stop();
        return;
      }
      if (transceiver.mid !== null) await this.#stop(transceiver);
    } catch {
      // What failed before is what the caller has to hear of.
    }
  }

  /** Ends what `send` began; its section is free for another track. */
  stopSending(mid) {
    return this.exclusively(async () => {
      const transceiver = this.pc.getTransceivers().find((transceiver) => transceiver.mid === mid);
      if (transceiver) await this.#stop(transceiver);
    });
  }

  async #stop(transceiver) {
    const { mid, sender } = transceiver;
    await sender.replaceTrack(null);
    if (mid === this.#firstMid) {
      // The first section of a bundle carries the transport (RFC 9143 section 7.2): it stays, and is idle.
      transceiver.direction = "inactive";
      const section = this.#sections.get(mid);
      if (section) section.direction = "inactive";
    } else {
      transceiver.stop();
      this.#sections.delete(mid);
    }
    await this.#renegotiate();
  }

  /** Takes up new ICE parameters of the server (RFC 8445 section 2.4). */
  restartIce(iceParameters) {
    return this.exclusively(async () => {
      this.ice.parameters = iceParameters;
      if (this.#sections.size > 0 || this.#carriesData) await this.#renegotiate({ iceRestart: true });
    });
  }

  async #renegotiate(options) {
    const { pc } = this;
    if (pc.signalingState === "stable") await pc.setLocalDescription(await pc.createOffer(options));
    await pc.setRemoteDescription({ type: "answer", sdp: this.#answer(parseSdp(pc.localDescription.sdp)) });
  }

  /** The answer to an offer: the known sections as negotiated, the others rejected. */
  #answer(offer) {
    const used = offer.media.filter((section) => this.#isUsed(section));
    const lines = sessionLines({
      version: ++this.version,
      fingerprint: this.fingerprint,
      mids: used.map(({ mid }) => mid),
      extmapAllowMixed: offer.session.extmapAllowMixed,
    });
    for (const section of offer.media) {
      lines.push(...(this.#isUsed(section) ? this.#sectionLines(section) : rejectedSection(section)));
    }
    return joinLines(lines);
  }

  /** The section of data channels is answered whenever the browser offers it: it offers it for good. */
  #isUsed(section) {
    if (section.kind === "application") return true;
    return this.#sections.has(section.mid) && (section.port !== 0 || section.bundleOnly);
  }

  #sectionLines({ kind, mid }) {
    if (kind === "application") return dataLines({ mid, setup: "passive", ice: this.ice, sctp: this.sctp });
    const { codecs, extensions, rids, direction } = this.#sections.get(mid);
    const payloadTypes = codecs.map(({ payloadType }) => payloadType);
    const lines = transportLines({ kind, mid, payloadTypes, direction, setup: "passive", ice: this.ice });
    lines.push(...codecLines(answeredCodecs(kind, codecs)), ...extensionLines(extensions));
    if (rids.length > 0) {
      lines.push(...rids.map((rid) => `a=rid:${rid} recv`), `a=simulcast:recv ${rids.join(";")}`);
    }
    return lines;
  }
}

function rejectedSection({ kind, mid, codecs }) {
  return rejectedLines({ kind, mid, format: codecs.keys().next().value ?? 0 });
}

function answeredCodecs(kind, codecs) {
  if (kind !== "video") return codecs;
  const start = { "x-google-start-bitrate": START_BITRATE_KBPS };
  return codecs.map((codec, i) => (i === 0 ? { ...codec, parameters: { ...codec.parameters, ...start } } : codec));
}

/**
 * Bandwidth is estimated in one way: by feedback on streams where both sides have it, else by transport-wide feedback where there is
 * some. Gives the extensions that are left.
 */
function reduceFeedback(codecs, extensions) {
  const isTransportWide = ({ uri }) => uri.includes("transport-wide-cc");
  const byStream = haveStreamFeedback(codecs);
  const transportCc = !byStream && extensions.some(isTransportWide);
  const unwanted = [...(transportCc ? [] : ["transport-cc"]), ...(transportCc || byStream ? ["goog-remb"] : [])];
  for (const codec of codecs) {
    codec.rtcpFeedback = codec.rtcpFeedback.filter(({ type }) => !unwanted.includes(type));
  }
  return byStream ? extensions.filter((extension) => !isTransportWide(extension)) : extensions;
}

/** What the server is told of the encodings: rids with simulcast, else the SSRCs of the offer. */
function rtpEncodings(sendEncodings, section, codecs) {
  const described = ({ rid, active, maxBitrate, maxFramerate, scaleResolutionDownBy, scalabilityMode }) =>
    withoutUndefined({ rid, active, maxBitrate, maxFramerate, scaleResolutionDownBy, scalabilityMode });
  if (sendEncodings.length > 1) return sendEncodings.map(described);
  const [ssrc] = section.ssrcs;
  const rtx = section.fidGroups.find(([first]) => first === ssrc)?.[1];
  const withRtx = codecs.length > 1 && rtx !== undefined;
  const encoding = described(sendEncodings[0] ?? {});
  return [withoutUndefined({ ...encoding, ssrc, rtx: withRtx ? { ssrc: rtx } : undefined })];
}

function withoutUndefined(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** Some encoders are chosen before the answer is there: the wanted codec comes first, where that can be said. */
function preferCodec(transceiver, kind, mimeType) {
  const codecs = RTCRtpSender.getCapabilities?.(kind)?.codecs;
  if (!mimeType || !codecs || !transceiver.setCodecPreferences) return;
  const wanted = (codec) => codec.mimeType.toLowerCase() === mimeType.toLowerCase();
  try {
    transceiver.setCodecPreferences([...codecs.filter(wanted), ...codecs.filter((codec) => !wanted(codec))]);
  } catch {
    // The order is a wish; the answer names the codec.
  }
}
