// <live-events path>: the calls of a source as they arrive, those that were not taken too. A bounded list, newest first.
import { LitElement, html, nothing, repeat } from "../vendor/lit.js";
import { EventStream } from "./event-stream.js";
import { count } from "./numbers.js";

const MOST = 500;
const LINE = 300;
const STATES = { connecting: "Connecting", open: "Live", waiting: "Connecting again", refused: "Not connected", resting: "Resting while this tab is hidden" };
const OWN = { track: "properties", page: "properties", screen: "properties" };

customElements.define("live-events", class extends LitElement {
  static properties = { path: {}, calls: { state: true }, kept: { state: true }, needle: { state: true }, paused: { state: true }, state: { state: true }, detail: { state: true }, values: { state: true }, passedOver: { state: true }, open: { state: true } };

  constructor() {
    super();
    Object.assign(this, { calls: [], kept: [], needle: "", paused: false, state: "connecting", detail: "", values: true, passedOver: 0, open: new Set() });
    this.number = 0;
  }

  createRenderRoot() {
    this.replaceChildren();
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.values = !this.hasAttribute("hides-values");
    this.stream = new EventStream(this.path, { state: (state, detail = "") => Object.assign(this, { state, detail }), message: (event, data) => this.heard(event, data) });
    this.stream.start();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.stream.stop();
  }

  heard(event, data) {
    if (event === "hello") this.values = data.values;
    if (event === "problem") this.detail = data.detail;
    if (event !== "calls") return;
    const found = data.calls.map((call) => ({ ...call, key: ++this.number, text: lineOf(call) })).reverse();
    this.passedOver += data.passed_over;
    if (this.paused) this.kept = [...found, ...this.kept].slice(0, MOST);
    else this.calls = [...found, ...this.calls].slice(0, MOST);
  }

  pause() {
    this.paused = !this.paused;
    if (this.paused) return;
    this.calls = [...this.kept, ...this.calls].slice(0, MOST);
    this.kept = [];
  }

  clear() {
    Object.assign(this, { calls: [], kept: [], passedOver: 0, open: new Set() });
  }

  toggled(key, isOpen) {
    if (isOpen === this.open.has(key)) return;
    const open = new Set(this.open);
    open[isOpen ? "add" : "delete"](key);
    this.open = open;
  }

  get shown() {
    const needle = this.needle.trim().toLowerCase();
    return needle ? this.calls.filter((call) => searched(call).includes(needle)) : this.calls;
  }

  render() {
    const shown = this.shown;
    return html`<section class="card live" aria-label="Live events">
      <div class="card-head">
        <span class="live-dot is-${this.paused ? "paused" : this.state}" aria-hidden="true"></span>
        <h2>Live events</h2>
        <span class="muted" role="status">${this.words()}</span>
        <span class="grow"></span>
        <input class="control" type="search" placeholder="Filter" aria-label="Filter events" autocomplete="off" .value=${this.needle} @input=${(event) => (this.needle = event.target.value)}>
        <button class="button" type="button" @click=${this.pause}>${this.paused ? "Resume" : "Pause"}</button>
        <button class="button button-quiet" type="button" @click=${this.clear} ?disabled=${!this.calls.length}>Clear</button>
      </div>
      ${this.values ? nothing : html`<p class="live-note">Values are shown to engineers and admins. You see which calls arrive and which keys they have.</p>`}
      ${this.passedOver ? html`<p class="live-note">More arrives than can be shown: ${count(this.passedOver)} requests were passed over. Nothing is lost: all of it comes into tables.</p>` : nothing}
      <div class="live-head" aria-hidden="true"><span>Time (UTC)</span><span>Event</span><span>User</span><span>Properties</span></div>
      <div class="live-list">${shown.length ? repeat(shown, (call) => call.key, (call) => this.row(call)) : html`<p class="live-none">${this.none()}</p>`}</div>
    </section>`;
  }

  words() {
    if (this.paused) return `Paused${this.kept.length ? `, ${this.kept.length}${this.kept.length === MOST ? " or more" : ""} new` : ""}`;
    return this.detail ? `${STATES[this.state]}: ${this.detail}` : STATES[this.state];
  }

  none() {
    if (this.needle && this.calls.length) return "No event of the list has that.";
    return "No call has arrived lately. Send one, and it appears here within a second.";
  }

  row(call) {
    const isOpen = this.open.has(call.key);
    const rejected = call.outcome === "rejected";
    return html`<details class="live-row ${rejected ? "is-rejected" : ""}" ?open=${isOpen} @toggle=${(event) => this.toggled(call.key, event.target.open)}>
      <summary>
        <time datetime=${call.received_at}>${call.received_at.slice(11, 23).replace("Z", "").padEnd(12, ".000")}</time>
        <strong title=${call.type ?? ""}>${call.name || call.type || "unknown"}${call.name && call.type !== "track" ? html` <span class="muted">${call.type}</span>` : nothing}</strong>
        <span class="live-user">${call.user_id ?? call.anonymous_id ?? ""}</span>
        <span class="live-text">${rejected ? html`<span class="badge badge-bad">Rejected</span> <b>${call.code}</b> ${call.message.replaceAll("`", "")}` : nothing}${call.outcome === "duplicate" ? html`<span class="badge badge-warn">Duplicate</span> ` : nothing}${rejected ? nothing : call.text}</span>
      </summary>
      ${isOpen ? html`<pre class="live-json">${whole(call)}</pre>` : nothing}
    </details>`;
  }
});

/** What the call says beside its common fields, on one line. */
function lineOf(call) {
  const own = call.payload?.[OWN[call.type] ?? "traits"];
  if (!own || !Object.keys(own).length) return "";
  const text = JSON.stringify(own);
  return text.length > LINE ? `${text.slice(0, LINE)}…` : text;
}

function searched(call) {
  call.searched ??= [call.name, call.type, call.user_id, call.anonymous_id, call.code, call.outcome, call.message_id, call.sample, JSON.stringify(call.payload ?? "")].join(" ").toLowerCase();
  return call.searched;
}

function whole(call) {
  if (call.payload) return JSON.stringify(call.payload, null, 2);
  try {
    return JSON.stringify(JSON.parse(call.sample), null, 2);
  } catch {
    return call.sample || `${call.code}: ${call.message}`;
  }
}
