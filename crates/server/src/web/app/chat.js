// What people write to each other, over data channels: one that this page writes to, and one for everybody who is read. It
// shows nothing and knows no signalling beyond the two requests that it is given.
//
// Events: `message` (detail: { own, peerId, name, text, at }), `change` (`refusal` is other than before).

/** Characters of a message; what is longer is cut. */
export const LONGEST = 2_000;
const SHOWN = ["chat", "bot"];
const TO_BOT = /^@bot\s+/i;

function opened(channel) {
  if (channel.readyState === "open") return channel;
  return new Promise((resolve, reject) => {
    channel.addEventListener("open", () => resolve(channel), { once: true });
    channel.addEventListener("close", () => reject(new Error("the connection ended")), { once: true });
  });
}

export class Chat extends EventTarget {
  messages = [];
  /** Why nothing can be written, in words, if the server said so. */
  refusal = null;
  #transport = null;
  #request = null;
  /** label -> a promise of the channel that is written to. */
  #written = new Map();
  /** id of the data consumer -> the channel that is read. */
  #read = new Map();

  /** Takes a new transport into use. `request` is `(method, data) => Promise`. */
  attach(transport, request) {
    this.#transport = transport;
    this.#request = request;
    this.#refuse(null);
    // Opened before anybody writes: what is said before the others have their side is lost to them.
    this.#channel("chat").catch(() => {});
  }

  detach() {
    this.#transport = null;
    this.#request = null;
    this.#written.clear();
    for (const id of [...this.#read.keys()]) this.stop(id);
  }

  /** Writes to everybody, or to the bot where the text begins with @bot. */
  async say(text) {
    const label = TO_BOT.test(text) ? "bot" : "chat";
    const channel = await this.#channel(label);
    channel.send(label === "bot" ? text.replace(TO_BOT, "") : text);
    this.#add({ own: true, peerId: null, name: "You", text });
  }

  /** The server wants us to read somebody; `nameOf` gives a name for a peer's id, or for null, which is the bot's. */
  async receive(transport, { id, peerId, label, protocol, sctpStreamParameters }, nameOf) {
    if (!SHOWN.includes(label)) throw new Error(`this page does not show ${label}`);
    if (!transport) throw new Error("not in the room");
    if (this.#read.has(id)) return;
    const onMessage = (text) =>
      this.#add({ own: false, peerId, name: nameOf(peerId), text: text.slice(0, LONGEST) });
    const { channel, ready } = transport.receiveData({ sctpStreamParameters, label, protocol, onMessage });
    this.#read.set(id, channel);
    try {
      await ready;
    } catch (error) {
      this.stop(id);
      throw error;
    }
  }

  stop(id) {
    this.#read.get(id)?.close();
    this.#read.delete(id);
  }

  /** The channel of this label, opened when it is first asked for, and anew where that failed. */
  async #channel(label) {
    if (!this.#written.has(label)) this.#written.set(label, this.#open(label));
    const opening = this.#written.get(label);
    try {
      const channel = await opening;
      if (channel.readyState === "open") return channel;
      throw new Error("the connection ended");
    } catch (error) {
      if (this.#written.get(label) === opening) this.#written.delete(label);
      throw error;
    }
  }

  async #open(label) {
    const [transport, request] = [this.#transport, this.#request];
    if (!transport) throw new Error("there is no connection");
    const { channel, sctpStreamParameters } = await transport.sendData({ label });
    try {
      const data = { transportId: transport.id, sctpStreamParameters, label, protocol: "", appData: {} };
      await request("produceData", data);
    } catch (error) {
      channel.close();
      if (error.code === 403) this.#refuse(error.message);
      throw error;
    }
    return opened(channel);
  }

  #refuse(refusal) {
    if (this.refusal === refusal) return;
    this.refusal = refusal;
    this.dispatchEvent(new Event("change"));
  }

  #add(message) {
    const detail = { ...message, at: new Date() };
    this.messages.push(detail);
    this.dispatchEvent(new CustomEvent("message", { detail }));
  }
}
