// The chat on the screen: the panel beside the tiles, and the number of unread messages. What people wrote goes into text
// nodes alone.

import { LONGEST } from "./chat.js";
import { byId, make } from "./dom.js";
import { problem, toast } from "./toast.js";

/** Messages on the screen; older ones go. */
const KEPT = 500;
/** Characters of a message that is told while the panel is closed. */
const TOLD = 80;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export class ChatPanel {
  #chat;
  #onChange;
  #unread = 0;
  #busy = false;

  /** `onChange(open, unread)` is called when either changes. Until `signal` is aborted. */
  constructor({ chat, onChange, signal }) {
    this.#chat = chat;
    this.#onChange = onChange;
    byId("chat-log").replaceChildren();
    byId("chat-text").value = "";
    byId("chat-text").maxLength = LONGEST;
    const on = (target, type, run) => target.addEventListener(type, run, { signal });
    on(chat, "message", ({ detail }) => this.#take(detail));
    on(chat, "change", () => this.#showRefusal());
    on(byId("chat-form"), "submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    on(byId("chat-close"), "click", () => this.close());
    on(byId("chat"), "keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    for (const message of chat.messages) this.#append(message);
    this.#showRefusal();
    this.#set(false);
  }

  get open() {
    return !byId("chat").hidden;
  }

  toggle() {
    if (this.open) this.close();
    else this.#show();
  }

  close() {
    const hadFocus = byId("chat").contains(document.activeElement);
    this.#set(false);
    if (hadFocus) byId("control-chat").focus();
  }

  #show() {
    this.#unread = 0;
    this.#set(true);
    this.#scrollDown();
    byId("chat-text").focus();
  }

  #set(open) {
    byId("chat").hidden = !open;
    byId("call").classList.toggle("chatting", open);
    this.#onChange(open, this.#unread);
  }

  #take(message) {
    const log = byId("chat-log");
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    this.#append(message);
    if (this.open) {
      if (atEnd || message.own) this.#scrollDown();
    } else if (!message.own) {
      this.#unread += 1;
      this.#onChange(false, this.#unread);
      const { name, text } = message;
      toast(`${name}: ${text.length > TOLD ? `${text.slice(0, TOLD)} …` : text}`);
    }
  }

  #append({ own, name, text, at }) {
    const head = make("p", { className: "chat-who" },
      make("span", { className: "chat-name", textContent: name }),
      make("time", { dateTime: at.toISOString(), textContent: clock.format(at) }));
    const entry = make("li", { className: own ? "message own" : "message" },
      head, make("p", { className: "chat-words", textContent: text }));
    const log = byId("chat-log");
    log.append(entry);
    while (log.children.length > KEPT) log.firstElementChild.remove();
    byId("chat-empty").hidden = true;
  }

  #scrollDown() {
    const log = byId("chat-log");
    log.scrollTop = log.scrollHeight;
  }

  /** What could not be sent stays in the field. */
  async #send() {
    const field = byId("chat-text");
    const text = field.value.trim();
    if (!text || this.#busy) return;
    this.#busy = true;
    try {
      await this.#chat.say(text);
      if (field.value.trim() === text) field.value = "";
    } catch (error) {
      problem(`The message was not sent: ${error.message}.`);
    } finally {
      this.#busy = false;
    }
  }

  #showRefusal() {
    const { refusal } = this.#chat;
    byId("chat-text").disabled = refusal !== null;
    byId("chat-send").disabled = refusal !== null;
    byId("chat-text").placeholder = refusal === null ? "Write a message" : "You can read here, not write";
    byId("chat-empty").hidden = byId("chat-log").children.length > 0;
  }
}
