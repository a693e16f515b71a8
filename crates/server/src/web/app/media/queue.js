// One operation at a time on a peer connection: an offer and its answer must not be interleaved with another pair.

export class OperationQueue {
  #tail = Promise.resolve();

  /** Runs `operation` after all earlier ones, whether these succeeded or not. */
  run(operation) {
    const result = this.#tail.then(operation);
    this.#tail = result.catch(() => {});
    return result;
  }
}
