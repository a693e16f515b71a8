// WHIP (RFC 9725) and WHEP with the browser's own API and nothing else, for a page of another origin than the server's.
// It keeps to what the server says: Location and ETag have to be exposed to such a page.

class Client {
  pc = null;
  tag = null;
  location = null;

  /** Sends a camera and a microphone; each rid is an encoding of half the size of the next. */
  async publish(endpoint, { rids = [], width = 1280, height = 720 } = {}) {
    this.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width, height } });
    for (const track of stream.getTracks()) {
      const layers = rids.map((rid, at) => ({ rid, scaleResolutionDownBy: 2 ** (rids.length - 1 - at) }));
      const sendEncodings = track.kind === "video" && layers.length > 0 ? layers : [{}];
      this.pc.addTransceiver(track, { direction: "sendonly", streams: [stream], sendEncodings });
    }
    await this.#start(endpoint);
  }

  /** Plays in the page's first video. */
  async play(endpoint) {
    this.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    const stream = new MediaStream();
    document.querySelector("video").srcObject = stream;
    this.pc.addEventListener("track", ({ track }) => stream.addTrack(track));
    for (const kind of ["audio", "video"]) this.pc.addTransceiver(kind, { direction: "recvonly" });
    await this.#start(endpoint);
  }

  async #start(endpoint) {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    const headers = { "Content-Type": "application/sdp" };
    const response = await fetch(endpoint, { method: "POST", headers, body: this.pc.localDescription.sdp });
    const sdp = await response.text();
    if (response.status !== 201) throw new Error(`${response.status} ${sdp}`);
    this.location = new URL(response.headers.get("Location"), response.url).href;
    this.tag = response.headers.get("ETag");
    await this.pc.setRemoteDescription({ type: "answer", sdp });
  }

  /** An ICE restart (RFC 9725 section 4.3.3); what the server said of it. */
  async restart() {
    await this.pc.setLocalDescription(await this.pc.createOffer({ iceRestart: true }));
    const offer = this.pc.localDescription.sdp;
    const line = (name) => new RegExp(`^${name}.*$`, "m").exec(offer)[0].trim();
    const names = ["a=group:BUNDLE", "m=", "a=mid:", "a=ice-ufrag:", "a=ice-pwd:"];
    const response = await fetch(this.location, {
      method: "PATCH",
      headers: { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": this.tag },
      body: names.map((name) => `${line(name)}\r\n`).join(""),
    });
    const fragment = await response.text();
    if (response.status !== 200) throw new Error(`${response.status} ${fragment}`);
    const before = this.tag;
    this.tag = response.headers.get("ETag");
    const credential = /^a=ice-(ufrag|pwd):.*$/gm;
    const fresh = new Map([...fragment.matchAll(credential)].map(([whole, name]) => [name, whole.trim()]));
    const sdp = this.pc.currentRemoteDescription.sdp.replace(credential, (_, name) => fresh.get(name));
    await this.pc.setRemoteDescription({ type: "answer", sdp });
    return { status: response.status, changed: this.tag !== before && this.tag !== null };
  }

  /** Ends the session at the server alone; the status of the first and of a second attempt. */
  async remove() {
    const remove = async () => (await fetch(this.location, { method: "DELETE" })).status;
    return [await remove(), await remove()];
  }
}

window.client = new Client();
