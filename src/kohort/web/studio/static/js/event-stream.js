// Server-sent events over fetch: goes on after the last event when the connection breaks, waits longer after each failure, rests while the tab is hidden.
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 15000;

export class EventStream {
  /** `on`: {state(text, detail), message(event, data)}. States: connecting, open, waiting, refused, resting. */
  constructor(path, on) {
    this.path = path;
    this.on = on;
    this.lastId = "";
    this.wait = FIRST_WAIT;
    this.look = () => (document.hidden ? this.rest() : this.open());
  }

  start() {
    document.addEventListener("visibilitychange", this.look);
    this.look();
  }

  stop() {
    document.removeEventListener("visibilitychange", this.look);
    this.rest();
  }

  /** A browser has few connections to one server: tabs that nobody sees need none. */
  rest() {
    clearTimeout(this.timer);
    this.control?.abort();
    this.control = null;
    this.on.state("resting");
  }

  async open() {
    if (this.control) return;
    const control = (this.control = new AbortController());
    this.on.state("connecting");
    try {
      await this.read(control);
      this.again(control, "the stream ended");
    } catch (error) {
      if (!control.signal.aborted) this.again(control, error.message);
    }
  }

  async read(control) {
    const headers = { Accept: "text/event-stream", ...(this.lastId && { "Last-Event-ID": this.lastId }) };
    const answer = await fetch(this.path, { headers, signal: control.signal, credentials: "same-origin", cache: "no-store" });
    if (!answer.ok) {
      const problem = await answer.json().catch(() => ({ detail: `the server answered ${answer.status}` }));
      if ([401, 403, 404].includes(answer.status)) {
        control.abort();
        this.on.state("refused", problem.detail);
      }
      throw new Error(problem.detail);
    }
    this.wait = FIRST_WAIT;
    this.on.state("open");
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let kept = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (kept + value).split("\n\n");
      kept = parts.pop();
      for (const part of parts) this.take(part);
    }
  }

  take(part) {
    const fields = {};
    for (const line of part.split("\n")) {
      const at = line.indexOf(": ");
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
    }
    if (fields.id) this.lastId = fields.id;
    if (fields.event) this.on.message(fields.event, JSON.parse(fields.data));
  }

  again(control, why) {
    if (control.signal.aborted) return;
    this.control = null;
    this.on.state("waiting", why);
    this.timer = setTimeout(() => this.look(), this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
  }
}
