// The receiving transport: one peer connection whose offers are written here from the RTP parameters of consumers; the
// browser answers. It knows no peers and no tiles. Consumers that come or go together share one negotiation.

import { Connection, TransportClosedError } from "./connection.js";
import {
  codecLines, dataLines, dtlsParametersOf, extensionLines, joinLines, parseSdp, rejectedLines, sessionLines, transportLines,
} from "./sdp.js";

export class ReceiveTransport extends Connection {
  /** In the order of the media sections, which never shrinks (RFC 9429 section 5.2.2). */
  #sections = [];
  #wanted = [];
  #scheduled = null;
  #data = null;

  constructor({ parameters, connect }) {
    super(parameters, connect);
  }

  /** Resolves with `{ track, receiver, mid }` once the browser is ready for the packets of a consumer. */
  receive({ id, kind, rtpParameters, streamId }) {
    if (this.closed) return Promise.reject(new TransportClosedError());
    return new Promise((resolve, reject) => {
      this.#wanted.push({ id, kind, rtpParameters, streamId, resolve, reject });
      this.#schedule();
    });
  }

  /**
   * Opens a data channel to read; `onMessage` gets each text. Gives `{ channel, ready }`, of which `ready` resolves once the
   * browser has negotiated it.
   */
  receiveData({ sctpStreamParameters, label, protocol, onMessage }) {
    if (this.closed) throw new TransportClosedError();
    const channel = this.makeChannel(sctpStreamParameters, label, protocol);
    channel.addEventListener("message", ({ data }) => typeof data === "string" && onMessage(data));
    this.#data ??= this.#addDataSection();
    return { channel, ready: this.#data };
  }

  /** Once, for all data channels. Where that fails the next channel tries again. */
  async #addDataSection() {
    if (!this.#sections.some(({ kind }) => kind === "application")) {
      this.#sections.push({ id: null, kind: "application", mid: "data", closed: false, rejected: false });
    }
    try {
      await this.#schedule();
    } catch (error) {
      this.#data = null;
      throw error;
    }
  }

  /** Frees the section of a consumer. */
  stopReceiving(id) {
    const waiting = this.#wanted.findIndex((wanted) => wanted.id === id);
    if (waiting >= 0) {
      const [wanted] = this.#wanted.splice(waiting, 1);
      wanted.reject(new Error("the consumer was closed"));
      return Promise.resolve();
    }
    const index = this.#sections.findIndex((section) => section.id === id && !section.closed);
    if (index < 0) return Promise.resolve();
    this.#sections[index].closed = true;
    return this.#schedule();
  }

  /** Takes up new ICE parameters of the server. */
  restartIce(iceParameters) {
    return this.exclusively(async () => {
      this.ice.parameters = iceParameters;
      if (this.#sections.length > 0) await this.#negotiate();
    });
  }

  close() {
    super.close();
    for (const wanted of this.#wanted.splice(0)) wanted.reject(new TransportClosedError());
  }

  #schedule() {
    this.#scheduled ??= this.exclusively(() => {
      this.#scheduled = null;
      return this.#apply();
    });
    // A waiting consumer is told by its own promise.
    this.#scheduled.catch(() => { this.#scheduled = null; });
    return this.#scheduled;
  }

  async #apply() {
    const batch = this.#wanted.splice(0);
    for (const wanted of batch) this.#place(wanted);
    try {
      await this.#negotiate();
    } catch (error) {
      for (const wanted of batch) {
        this.#sections.find((section) => section.id === wanted.id && !section.closed).closed = true;
        wanted.reject(error);
      }
      throw error;
    }
    for (const wanted of batch) this.#settle(wanted);
  }

  #settle({ id, resolve, reject }) {
    const section = this.#sections.find((section) => section.id === id);
    const transceiver = this.pc.getTransceivers().find(({ mid }) => mid === section?.mid);
    if (!transceiver) {
      reject(new Error("the browser refused the media section"));
      return;
    }
    resolve({ track: transceiver.receiver.track, receiver: transceiver.receiver, mid: section.mid });
  }

  /** Into a section that is free, else into a new one. The first carries the transport and is never freed. */
  #place({ id, kind, rtpParameters, streamId }) {
    const mid = rtpParameters.mid ?? `c${this.version}-${this.#sections.length}`;
    const section = { id, kind, mid: String(mid), rtpParameters, streamId, closed: false, rejected: false };
    const free = this.#sections.findIndex((section) => section.rejected);
    if (free > 0) this.#sections[free] = section;
    else this.#sections.push(section);
  }

  async #negotiate() {
    const { pc } = this;
    await pc.setRemoteDescription({ type: "offer", sdp: this.#offer() });
    const answer = await pc.createAnswer();
    await this.connectOnce(dtlsParametersOf(parseSdp(answer.sdp), "client"));
    await this.#setAnswer(answer);
    this.#sections.forEach((section, i) => { section.rejected = section.closed && i > 0; });
  }

  /** Opus is decoded to one channel unless the answer asks for two (RFC 7587 section 6.1). */
  async #setAnswer(answer) {
    const stereo = withStereo(answer.sdp, this.#sections);
    if (stereo !== answer.sdp) {
      try {
        await this.pc.setLocalDescription({ type: "answer", sdp: stereo });
        return;
      } catch {
        // A browser that takes its own words only plays mono.
      }
    }
    await this.pc.setLocalDescription(answer);
  }

  #offer() {
    const used = this.#sections.filter((section, i) => !section.closed || i === 0);
    const lines = sessionLines({
      version: ++this.version,
      fingerprint: this.fingerprint,
      mids: used.map(({ mid }) => mid),
      extmapAllowMixed: true,
    });
    for (const section of this.#sections) {
      lines.push(...(used.includes(section) ? this.#sectionLines(section) : rejectedSection(section)));
    }
    return joinLines(lines);
  }

  #sectionLines(section) {
    const { id, kind, mid, rtpParameters, streamId, closed } = section;
    if (kind === "application") return dataLines({ mid, setup: "actpass", ice: this.ice, sctp: this.sctp });
    const { codecs, headerExtensions = [], encodings, rtcp } = rtpParameters;
    const payloadTypes = codecs.map(({ payloadType }) => payloadType);
    const direction = closed ? "inactive" : "sendonly";
    const lines = transportLines({ kind, mid, payloadTypes, direction, setup: "actpass", ice: this.ice });
    lines.push(...codecLines(codecs), ...extensionLines(headerExtensions));
    if (closed) return lines;
    lines.push(`a=msid:${streamId} ${id}`);
    const cname = rtcp?.cname ?? streamId;
    const [{ ssrc, rtx, fec }] = encodings;
    lines.push(`a=ssrc:${ssrc} cname:${cname}`);
    if (rtx?.ssrc) lines.push(`a=ssrc:${rtx.ssrc} cname:${cname}`, `a=ssrc-group:FID ${ssrc} ${rtx.ssrc}`);
    if (fec?.ssrc) lines.push(`a=ssrc:${fec.ssrc} cname:${cname}`, `a=ssrc-group:FEC-FR ${ssrc} ${fec.ssrc}`);
    return lines;
  }
}

function rejectedSection({ kind, mid, rtpParameters }) {
  return rejectedLines({ kind, mid, format: rtpParameters.codecs[0].payloadType });
}

function withStereo(sdp, sections) {
  const wanting = sections.filter(({ kind, closed, rtpParameters }) => kind === "audio" && !closed &&
    rtpParameters.codecs.some(({ parameters }) => Number(parameters?.["sprop-stereo"]) === 1));
  const mids = new Set(wanting.map(({ mid }) => mid));
  if (mids.size === 0) return sdp;
  return sdp.split(/(?=^m=)/m).map((part) => {
    const mid = /^a=mid:(\S+)/m.exec(part)?.[1];
    const opus = /^a=rtpmap:(\d+) opus\//im.exec(part)?.[1];
    if (!mids.has(mid) || !opus) return part;
    const format = new RegExp(`^(a=fmtp:${opus} )(?!.*\\bstereo=1)(.*)$`, "m");
    return part.replace(format, (_, head, parameters) => `${head}stereo=1;${parameters}`);
  }).join("");
}
