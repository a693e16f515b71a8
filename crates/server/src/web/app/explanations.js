// Why the server sends what it sends, asked for while somebody looks. It shows nothing.

const MAX_AGE_MS = 1900;

export class Explanations {
  #session;
  /** consumer id -> what was said last, and when it was asked for */
  #known = new Map();

  constructor(session) {
    this.#session = session;
  }

  /** What was said last of a consumer, undefined at first. Asks again where that is old. */
  of(consumerId) {
    const known = this.#known.get(consumerId);
    if (!known || performance.now() - known.askedAt > MAX_AGE_MS) this.#ask(consumerId, known?.said);
    return known?.said;
  }

  forget(consumerId) {
    this.#known.delete(consumerId);
  }

  async #ask(consumerId, said) {
    const entry = { askedAt: performance.now(), said };
    this.#known.set(consumerId, entry);
    try {
      entry.said = await this.#session.request("explainConsumer", { consumerId });
    } catch {
      entry.said = undefined;
    }
  }
}
