// The level of a microphone, as a number from 0 to 1 for each picture that the screen shows.

export class LevelMeter {
  #context = null;
  #source = null;
  #frame = 0;

  /** Starts to measure `track`; `onLevel` hears the level. Browsers may wait for a click before they do. */
  start(track, onLevel) {
    this.stop();
    this.#context = new AudioContext();
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 512;
    this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const context = this.#context;
    const wake = () => context.state === "suspended" && context.resume();
    document.addEventListener("pointerdown", wake, { once: true });
    let shown = 0;
    const measure = () => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      const decibels = 10 * Math.log10(power + 1e-9);
      // -60 dBFS is silence, -10 is loud speech; it falls slowly so that the eye can follow.
      shown = Math.max(Math.min(Math.max((decibels + 60) / 50, 0), 1), shown * 0.9);
      onLevel(shown);
      this.#frame = requestAnimationFrame(measure);
    };
    measure();
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.#source?.disconnect();
    this.#context?.close();
    this.#context = null;
    this.#source = null;
  }
}
