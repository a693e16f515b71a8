// One WHIP (RFC 9725) or WHEP (draft-ietf-wish-whep) session with nothing but the browser's own API: an offer by POST, the
// answer in the reply, DELETE at the end. No candidates are sent: the server is ICE-lite and learns ours from the checks.
//
// Events: `statechange`; `ended`, once the server has ended the session.

export class HttpSignallingError extends Error {
  constructor(status, text) {
    super(text);
    this.name = "HttpSignallingError";
    this.status = status;
  }
}

export class HttpSession extends EventTarget {
  #token;
  #location = null;
  #restarting = false;

  constructor({ token }) {
    super();
    this.#token = token;
    this.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.pc.addEventListener("connectionstatechange", () => {
      this.dispatchEvent(new Event("statechange"));
      if (this.pc.connectionState === "failed") this.#restartIce();
    });
  }

  get state() {
    return this.pc.connectionState;
  }

  /** Sends the offer for what was added to `pc`. */
  async start(url) {
    const { pc } = this;
    await pc.setLocalDescription(await pc.createOffer());
    const response = await fetch(url, {
      method: "POST",
      headers: this.#headers({ "Content-Type": "application/sdp" }),
      body: pc.localDescription.sdp,
    });
    if (response.status !== 201) throw new HttpSignallingError(response.status, await reasonOf(response));
    const location = response.headers.get("Location");
    this.#location = location ? new URL(location, response.url).href : null;
    const sdp = await response.text();
    if (pc.signalingState === "closed") {
      this.#delete();
      return;
    }
    await pc.setRemoteDescription({ type: "answer", sdp });
    const transport = pc.getTransceivers()[0]?.receiver.transport;
    transport?.addEventListener("statechange", () => transport.state === "closed" && this.#end());
  }

  #end() {
    if (this.pc.signalingState === "closed" || !this.#location) return;
    this.#location = null;
    this.dispatchEvent(new Event("ended"));
  }

  /** Also works while the page goes away. */
  stop() {
    if (this.pc.signalingState === "closed") return;
    this.pc.close();
    this.#delete();
  }

  #delete() {
    if (!this.#location) return;
    fetch(this.#location, { method: "DELETE", headers: this.#headers(), keepalive: true }).catch(() => {});
    this.#location = null;
  }

  /** A restart is a PATCH with new credentials, answered with the server's (RFC 9725 section 4.3.3). */
  async #restartIce() {
    if (!this.#location || this.#restarting) return;
    this.#restarting = true;
    try {
      const { pc } = this;
      await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
      const response = await fetch(this.#location, {
        method: "PATCH",
        headers: this.#headers({ "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*" }),
        body: credentials(pc.localDescription.sdp),
      });
      if (response.status === 404) return void this.#end();
      if (response.status !== 200) throw new HttpSignallingError(response.status, await reasonOf(response));
      const sdp = withCredentials(pc.currentRemoteDescription.sdp, await response.text());
      await pc.setRemoteDescription({ type: "answer", sdp });
    } catch {
      // The state stays "failed", and says so.
    } finally {
      this.#restarting = false;
    }
  }

  #headers(headers = {}) {
    return this.#token ? { ...headers, Authorization: `Bearer ${this.#token}` } : headers;
  }
}

const CREDENTIAL = /^a=ice-(ufrag|pwd):(\S+)/gm;

function credentials(sdp) {
  const [ufrag, pwd] = ["ufrag", "pwd"].map((name) => new RegExp(`^a=ice-${name}:(\\S+)`, "m").exec(sdp)?.[1]);
  const section = /^m=.*$/m.exec(sdp)?.[0].trim();
  const mid = /^a=mid:(\S+)/m.exec(sdp)?.[1];
  return ["a=ice-options:trickle ice2", `a=group:BUNDLE ${mid}`, `a=ice-ufrag:${ufrag}`, `a=ice-pwd:${pwd}`, section,
    `a=mid:${mid}`, ""].join("\r\n");
}

/** The remote description under the credentials of a fragment; its candidates stay. */
function withCredentials(sdp, fragment) {
  const fresh = Object.fromEntries([...fragment.matchAll(CREDENTIAL)].map(([, name, value]) => [name, value]));
  return sdp.replace(CREDENTIAL, (line, name) => (fresh[name] ? `a=ice-${name}:${fresh[name]}` : line));
}

/** Problem details (RFC 9457) or a text. */
async function reasonOf(response) {
  const text = await response.text().catch(() => "");
  try {
    const { detail, title } = JSON.parse(text);
    if (detail || title) return detail ?? title;
  } catch {
    // Not JSON: the text itself.
  }
  return text.trim().slice(0, 200) || `${response.status} ${response.statusText}`;
}
