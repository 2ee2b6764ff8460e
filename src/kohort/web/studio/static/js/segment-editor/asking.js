// Asks the server once it is quiet. A newer question takes the place of an older one, whose answer is dropped.
const BUSY_AGAIN_MS = 2000;

export class Asking {
  /** ask(signal) gives the answer; answered(answer) and failed(problem) show it. */
  constructor(waitMs, ask, answered, failed) {
    Object.assign(this, { waitMs, ask, answered, failed });
    this.timer = 0;
    this.controller = null;
  }

  /** True while an answer is to come. */
  get waiting() {
    return this.timer !== 0 || this.controller !== null;
  }

  /** Ask when nothing more was changed for a moment. */
  soon(waitMs = this.waitMs) {
    this.stop();
    this.timer = setTimeout(() => this.now(), waitMs);
  }

  /** Ask at once; resolves when it was answered, or when a newer question took its place. */
  async now() {
    this.stop();
    const controller = new AbortController();
    this.controller = controller;
    try {
      const answer = await this.ask(controller.signal);
      if (this.controller !== controller) return;
      this.controller = null;
      this.answered(answer);
    } catch (problem) {
      if (this.controller !== controller || problem.name === "AbortError") return;
      this.controller = null;
      if (problem.status === 503 || problem.code === "NOT_REACHED") this.soon(BUSY_AGAIN_MS);
      this.failed(problem);
    }
  }

  /** Nothing is to come any more. */
  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.controller?.abort();
    this.controller = null;
  }
}
