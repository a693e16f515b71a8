// Requests, responses and notifications as JSON over a WebSocket (sub-protocol `protoo`), and one socket after the other
// when the network fails. It does not know what the methods mean.
//
// Events: `open` (detail.again: not the first time), `lost`, `refused` (detail.code, detail.reason: the server will not
// have us), `request` (detail: { method, data, accept, reject }), `notification` (detail: { method, data }).

const REQUEST_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 8_000;
const FIRST_DELAY_MS = 300;
const LONGEST_DELAY_MS = 8_000;
/** The close code by which this protocol says "do not come back". */
const GOODBYE = 4000;

export class RequestError extends Error {
  constructor(method, code, reason) {
    super(reason || `${method} failed`);
    this.name = "RequestError";
    this.method = method;
    this.code = code;
  }
}

/** The request may or may not have reached the server. */
export class SocketLostError extends Error {
  constructor(method) {
    super(`no connection to the server during ${method}`);
    this.name = "SocketLostError";
  }
}

export class Protoo extends EventTarget {
  #url;
  #socket = null;
  #pending = new Map();
  #nextId = 1;
  #attempts = 0;
  #timer = 0;
  #opened = false;
  #closed = false;

  constructor(url) {
    super();
    this.#url = url;
    this.#connect();
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  request(method, data = {}, timeout = REQUEST_TIMEOUT_MS) {
    if (!this.isOpen) return Promise.reject(new SocketLostError(method));
    const id = this.#nextId++;
    this.#socket.send(JSON.stringify({ request: true, id, method, data }));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new SocketLostError(method));
      }, timeout);
      this.#pending.set(id, { method, resolve, reject, timer });
    });
  }

  /** Gives up the present socket, which may be dead without knowing it, and opens another at once. */
  reconnect() {
    if (this.#closed) return;
    this.#attempts = 0;
    this.#drop();
    this.#emit("lost", {});
    this.#connect();
  }

  /** Tries now instead of after the delay. */
  hurry() {
    if (this.#closed || this.#socket) return;
    this.#attempts = 0;
    this.#connect();
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#drop(GOODBYE);
  }

  #connect() {
    clearTimeout(this.#timer);
    let socket;
    try {
      socket = new WebSocket(this.#url, "protoo");
    } catch (error) {
      queueMicrotask(() => this.#refuse(0, error.message));
      return;
    }
    this.#socket = socket;
    const impatience = setTimeout(() => socket.readyState === WebSocket.CONNECTING && socket.close(), CONNECT_TIMEOUT_MS);
    const mine = (handle) => (event) => { if (this.#socket === socket) handle(event); };
    socket.addEventListener("open", mine(() => this.#onOpen(impatience)));
    socket.addEventListener("message", mine((event) => this.#onMessage(event.data)));
    socket.addEventListener("close", mine((event) => {
      clearTimeout(impatience);
      this.#onClose(event);
    }));
  }

  #onOpen(impatience) {
    clearTimeout(impatience);
    this.#attempts = 0;
    const again = this.#opened;
    this.#opened = true;
    this.#emit("open", { again });
  }

  #onClose({ code, reason }) {
    this.#drop();
    if (code === GOODBYE || code === 1008) {
      this.#refuse(code, reason);
      return;
    }
    if (this.#attempts === 0) this.#emit("lost", {});
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.#attempts, LONGEST_DELAY_MS);
    this.#attempts += 1;
    // Spread out, so that everybody does not come back in the same instant after a restart.
    this.#timer = setTimeout(() => this.#connect(), delay * (0.75 + Math.random() / 2));
  }

  #refuse(code, reason) {
    this.#closed = true;
    this.#emit("refused", { code, reason });
  }

  #drop(code) {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(...(code ? [code, "bye"] : []));
    for (const { method, reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new SocketLostError(method));
    }
    this.#pending.clear();
  }

  #onMessage(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message.response) this.#onResponse(message);
    else if (message.notification) this.#emit("notification", message);
    else if (message.request) this.#onRequest(message);
  }

  #onResponse({ id, ok, data, errorCode, errorReason }) {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (ok) pending.resolve(data ?? {});
    else pending.reject(new RequestError(pending.method, errorCode, errorReason));
  }

  #onRequest({ id, method, data }) {
    const socket = this.#socket;
    const answer = (body) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ response: true, id, ...body }));
    };
    this.#emit("request", {
      method,
      data: data ?? {},
      accept: () => answer({ ok: true, data: {} }),
      reject: (errorCode, errorReason) => answer({ ok: false, errorCode, errorReason }),
    });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
