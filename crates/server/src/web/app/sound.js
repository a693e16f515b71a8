// The sound of the others: one element per audio consumer, on the chosen speaker. Browsers may want a click first.

import { chosen } from "./devices.js";
import { byId, make } from "./dom.js";
import { problem } from "./toast.js";

export class Sound {
  #elements = new Map();

  add(id, track) {
    const element = make("audio", { autoplay: true, srcObject: new MediaStream([track]) });
    this.#elements.set(id, element);
    byId("sounds").append(element);
    this.#route(element);
    this.#play(element);
  }

  remove(id) {
    const element = this.#elements.get(id);
    if (!element) return;
    element.srcObject = null;
    element.remove();
    this.#elements.delete(id);
  }

  /** Sends all of it to the speaker that was chosen. */
  reroute() {
    for (const element of this.#elements.values()) this.#route(element);
  }

  dispose() {
    for (const id of [...this.#elements.keys()]) this.remove(id);
  }

  #route(element) {
    if (!element.setSinkId || !chosen("speaker")) return;
    element.setSinkId(chosen("speaker")).catch(() => {
      // Unplugged since: the default speaker plays.
    });
  }

  #play(element) {
    element.play().catch((error) => {
      if (error.name !== "NotAllowedError") return;
      const run = () => { for (const element of this.#elements.values()) element.play().catch(() => {}); };
      problem("The browser holds back sound until you ask for it.", { label: "Turn sound on", run });
    });
  }
}
