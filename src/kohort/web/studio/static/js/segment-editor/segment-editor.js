// <segment-editor>: the unsaved definition of a segment, everything to edit it with, and what it would give.
import { LitElement, html, nothing } from "../../vendor/lit.js";
import { call } from "../api.js";
import { parseExact } from "../exact.js";
import { confirmed, toast } from "../page.js";
import { about } from "./about.js";
import { abCard } from "./ab-card.js";
import { Asking } from "./asking.js";
import { icon } from "./format.js";
import { Leaving } from "./leaving.js";
import { keysOf, lineOf, rowOf, same, withKey } from "./paths.js";
import { glance, side } from "./side.js";
import { Steps } from "./steps.js";
import { inWords } from "./trouble.js";

const QUIET_MS = 150;
const NAMELESS = "New segment";
const SAMPLE = 5;
const OVERLAPS = 5;
const IN_ROWS = "NESTED_CONDITION_GROUP"; // rows show rule sets: that is how it should be
const VIEWS = [["visual", "Visual"], ["yaml", "YAML"], ["text", "Text"]];

/** Parts that are loaded when they are needed first. */
const LATER = { builder: "../rules/rule-builder.js", test: "./ab-test.js", code: "./code.js", typing: "./typing.js", saving: "./saving.js" };
const there = {};

/** Load parts; false when one of them cannot be had. */
async function have(...names) {
  const load = async (name) => {
    there[name] ??= await import(LATER[name]);
  };
  return Promise.all(names.map(load)).then(() => true, () => false);
}

export class SegmentEditor extends LitElement {
  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    this.setup = parseExact(this.dataset.setup);
    this.address = `/api/v1/parents/${encodeURIComponent(this.setup.parent)}`;
    this.steps = new Steps(this.setup.definition);
    Object.assign(this, { saved: this.setup.definition, etag: this.setup.etag, version: this.setup.version, view: "visual", typing: null, fields: null, ready: false });
    Object.assign(this, { preview: null, problem: "", refused: [], sizes: null, editedAt: 0 });
    this.previewing = new Asking(QUIET_MS, (signal) => this.askPreview(signal), (found) => this.gotPreview(found), (problem) => this.noPreview(problem));
    this.splitting = new Asking(0, (signal) => this.askSizes(signal), (found) => this.set({ sizes: found }), () => this.set({ sizes: null }));
    this.fetching = new Asking(0, (signal) => call("GET", `${this.address}/fields`, undefined, { signal }), ({ data }) => this.set({ fields: data }), (problem) => ![503, 0, 401].includes(problem.status) && toast(inWords(problem), "bad"));
    this.saving = null;
    this.leaving = new Leaving(this, () => this.unsaved);
    super.connectedCallback();
    this.onKey = (event) => this.key(event);
    this.onSignedOut = (event) => this.unsaved && event.preventDefault();
    this.onReturn = () => this.problem && this.previewing.now();
    this.onClick = (event) => event.target.closest?.("#save-rules") && this.save();
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("click", this.onClick);
    document.addEventListener("signed-out", this.onSignedOut);
    window.addEventListener("focus", this.onReturn);
    this.begin();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("click", this.onClick);
    document.removeEventListener("signed-out", this.onSignedOut);
    window.removeEventListener("focus", this.onReturn);
    this.leaving.stop();
    for (const asking of [this.previewing, this.splitting, this.fetching, this.typing]) asking?.stop();
  }

  async begin() {
    this.previewing.now();
    const parts = this.definition.ab_test ? ["builder", "test"] : ["builder"];
    if (!(await have(...parts))) toast("The rule builder could not be loaded. Use YAML or text.", "bad");
    if (!this.isConnected) return;
    this.leaving.watch();
    this.set({ fields: this.setup.fields, ready: true });
    if (!this.fields) this.fetching.now();
  }

  /** Change what is shown. */
  set(values) {
    Object.assign(this, values);
    this.requestUpdate();
  }

  get definition() {
    return this.steps.value;
  }

  get isNew() {
    return this.setup.id === undefined;
  }

  get readonly() {
    return this.setup.readonly;
  }

  get unsaved() {
    return !this.readonly && (Boolean(this.typing?.broken) || !same(this.definition, this.saved));
  }

  /** What is wrong or odd: what saving refused, else what the preview found; where it is in a typed text. */
  get issues() {
    const found = this.refused.length ? this.refused : [...(this.preview?.issues ?? []), ...this.taken()].filter((issue) => this.typing || issue.code !== IN_ROWS);
    return this.typing ? found.map((issue) => ({ ...issue, line: lineOf(issue.path, this.typing.lines) })) : found;
  }

  taken() {
    if (!this.isNew || !this.preview?.saved || !this.definition.name) return [];
    return [{ code: "NAME_TAKEN", severity: "error", path: "name", message: `there is already a segment "${this.preview.saved.segment}"`, hint: "choose another name or folder" }];
  }

  // --- edits ------------------------------------------------------------------------------------------------------

  change(definition, label, coalesce = "") {
    this.steps.push(definition, label, coalesce);
    this.edited();
    this.previewing.soon();
  }

  edited() {
    this.editedAt = performance.now();
    this.set({ refused: [] });
  }

  undo(back = true) {
    if (this.readonly) return;
    if (this.typing?.broken && back) {
      this.typing.write();
      return;
    }
    const label = back ? this.steps.undo() : this.steps.redo();
    if (label === null) return;
    this.edited();
    this.previewing.now();
    this.typing?.write();
    const had = this.contains(document.activeElement);
    const drawn = this.updateComplete.then(() => this.querySelector("rule-builder")?.updateComplete);
    drawn.then(() => had && !this.contains(document.activeElement) && this.querySelector(".undo:enabled")?.focus());
    this.said = `${back ? "Undone" : "Done again"}: ${label}`;
  }

  key(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    if (key === "s") {
      event.preventDefault();
      this.save();
    } else if ((key === "z" || key === "y") && !event.target.closest?.(".code-view, .tree")) {
      event.preventDefault();
      this.undo(key === "z" && !event.shiftKey);
    }
  }

  async look(view) {
    if (view === this.view) return;
    if (this.typing && !(await this.typing.settled()) && !(await confirmed("Drop what cannot be read?", "The text has mistakes. Without it, the definition is as it could be read last.", "Drop it"))) return;
    if (view !== "visual" && !(await have("code", "typing"))) {
      toast("This view could not be loaded. Try again.", "bad");
      return;
    }
    this.typing?.stop();
    const host = { address: this.address, isNew: this.isNew, shown: () => this.requestUpdate(), read: (definition) => this.read(definition) };
    Object.defineProperty(host, "definition", { get: () => this.definition });
    const typing = view === "visual" ? null : new there.typing.Typing(view, host);
    await typing?.write();
    this.set({ view, typing });
    await this.updateComplete;
    this.querySelector(`[data-view="${view}"]`)?.focus();
  }

  /** A typed text could be read. */
  read(definition) {
    if (same(definition, this.definition)) {
      this.requestUpdate();
      return;
    }
    this.steps.push(definition, `Edit the ${this.view === "yaml" ? "YAML" : "text"}`, this.view);
    this.edited();
    this.previewing.now();
  }

  // --- the preview ------------------------------------------------------------------------------------------------

  async askPreview(signal) {
    const definition = { ...this.definition, name: this.definition.name || NAMELESS };
    const body = { definition, folder: definition.folder ?? "", sample: SAMPLE, overlaps: OVERLAPS, ...(this.isNew ? {} : { segment: this.setup.id }) };
    return { of: this.definition, ...(await call("POST", `${this.address}/preview`, body, { signal })).data };
  }

  gotPreview(preview) {
    const splits = this.definition.ab_test && preview.count !== null && !preview.issues.some((issue) => issue.severity === "error");
    this.set({ preview, problem: "", sizes: splits ? this.sizes : null });
    if (splits) this.splitting.now();
    else this.splitting.stop();
  }

  noPreview(problem) {
    if (problem.code === "SEGMENT_NOT_FOUND" && !this.isNew) this.deleted();
    else this.set({ problem });
  }

  /** Somebody deleted the segment: what is here becomes a new one. */
  deleted() {
    if (this.readonly) {
      this.set({ problem: "Somebody deleted this segment." });
      return;
    }
    const { id: _, ...setup } = this.setup;
    this.set({ setup: { ...setup, deleted: true }, etag: undefined, version: undefined, saved: {} });
    this.previewing.now();
  }

  async askSizes(signal) {
    const definition = { ...this.definition, name: this.definition.name || NAMELESS };
    return (await call("POST", `${this.address}/rules/split`, { definition }, { signal })).data.variants;
  }

  /** Bring what a problem is about into sight. */
  async show(issue) {
    if (this.typing) {
      there.code.toLine(this.querySelector(".code-view"), issue.line || lineOf(issue.path, this.typing.lines) || 1, issue.column);
      return;
    }
    const keys = keysOf(rowOf(issue.path));
    const place = { name: "[name=name]", folder: "[name=folder]", ab_test: ".ab .card-body", base: ".ed-about select", description: ".ed-about textarea" }[issue.path.split(/[.[]/)[0]];
    const row = [...this.querySelectorAll("rule-builder [data-path]")].find((item) => keys.length && item.dataset.path === JSON.stringify(keys)) ?? this.querySelector(place ?? "rule-builder");
    row?.scrollIntoView({ block: "center" });
    const first = row?.matches("input") ? row : row?.querySelector("[aria-invalid=true]") ?? row?.querySelector("input, select, button");
    first?.focus({ preventScroll: true });
  }

  async save() {
    if (this.readonly || this.saving?.dialog) return;
    if (this.typing && !(await this.typing.settled())) {
      toast("What is typed cannot be read yet. Correct it first.", "bad");
      this.show(this.typing.issues[0] ?? {});
      return;
    }
    if (this.isNew && !this.definition.name) {
      this.set({ refused: [{ severity: "error", path: "name", message: "the segment needs a name", hint: "" }] });
      this.querySelector("[name=name]")?.focus();
      return;
    }
    if (!this.isNew && !this.unsaved) {
      toast("Nothing was changed.");
      return;
    }
    if (this.previewing.waiting) await this.previewing.now();
    const wrong = this.issues.find((issue) => issue.severity === "error");
    if (wrong) {
      toast("Some things are to be corrected before it can be saved.", "bad");
      this.show(wrong);
      return;
    }
    if (!(await have("saving"))) {
      toast("The server does not answer. Try again.", "bad");
      return;
    }
    this.saving ??= new there.saving.Saving(this);
    if (!this.saving.dialog) this.saving.open();
  }

  // --- what is shown ----------------------------------------------------------------------------------------------

  shouldUpdate() {
    return this.ready;
  }

  willUpdate() {
    if (!this.hasUpdated) this.replaceChildren();
    if (this.definition.ab_test && !there.test) have("test").then((came) => came && this.requestUpdate());
  }

  render() {
    const { definition, issues, readonly, isNew, view } = this;
    const waiting = this.previewing.waiting || Boolean(this.typing?.broken);
    const seen = { preview: this.preview, waiting, broken: Boolean(this.typing?.broken), typed: Boolean(this.typing), problem: this.problem, changed: this.unsaved, version: this.version, issues, parent: this.setup.parent, idOf: (path) => this.setup.segments.find((segment) => segment.path === path)?.id, show: (issue) => this.show(issue) };
    return html`<div class="editor-main">
        ${readonly ? html`<p class="notice">${icon("eye", 16)}<span>You may look at these rules, and see what others would give, but not change them. It takes the role marketer for this folder.</span></p>` : nothing}
        ${this.setup.deleted ? html`<p class="notice notice-warn" role="alert">${icon("triangle-alert", 16)}<span>Somebody deleted this segment. What you have here is not lost: saving creates it anew.</span></p>` : nothing}
        ${isNew && view !== "yaml" ? this.renderAbout(issues) : nothing}
        <section class="card" aria-labelledby="rules-title">
          <div class="card-head"><h2 id="rules-title">Rules</h2><span class="grow"></span>${readonly ? nothing : this.renderSteps()}
            <div class="segmented" role="group" aria-label="Show the rules as">${VIEWS.map(([key, name]) => html`<button type="button" data-view=${key} aria-pressed=${view === key ? "true" : "false"} @click=${() => this.look(key)}>${name}</button>`)}</div></div>
          <div class="card-body">${this.typing ? there.code.codeView({ ...this.typing, readonly, issues: this.codeIssues() }, (text) => this.typing.typed(text)) : this.renderBuilder()}</div>
        </section>
        ${view === "yaml" ? nothing : abCard({ test: definition.ab_test, name: definition.name || NAMELESS, sizes: this.sizes, size: this.preview?.count, issues: issues.filter((issue) => issue.path.startsWith("ab_test")), readonly, saved: this.saved.ab_test }, (test, label, coalesce) => this.change(withKey(definition, "ab_test", test), label, coalesce), there.test?.split)}
        ${!isNew && view !== "yaml" ? this.renderAbout(issues) : nothing}
      </div>
      ${side(seen)} ${glance(seen)}
      <p class="visually-hidden" role="status">${this.said ?? ""}</p>
      ${this.saving?.template() ?? nothing}`;
  }

  renderSteps() {
    const { undoLabel, redoLabel } = this.steps;
    const broken = this.typing?.broken;
    return html`<button type="button" class="button button-small button-quiet undo" ?disabled=${!undoLabel && !broken} title=${undoLabel ? `Undo: ${undoLabel} (Ctrl+Z)` : "Nothing to undo"} @click=${() => this.undo()}>${icon("undo-2", 15)}Undo</button>
      <button type="button" class="button button-small button-quiet undo" ?disabled=${!redoLabel} title=${redoLabel ? `Redo: ${redoLabel} (Ctrl+Shift+Z)` : "Nothing to redo"} @click=${() => this.undo(false)}>${icon("redo-2", 15)}Redo</button>`;
  }

  renderBuilder() {
    const preview = this.refused.length ? { ...this.preview, issues: this.refused } : this.preview;
    return html`<div class="editor-builder"><rule-builder .rule=${this.definition.rule} .fields=${this.fields} .segments=${this.setup.segments} .preview=${preview} .parentSlug=${this.setup.parent} .readonly=${this.readonly} aria-busy=${this.previewing.waiting ? "true" : "false"}
      @edit-as-yaml=${({ detail }) => this.look("yaml").then(() => this.show({ path: detail.path }))}
      @rule-change=${({ detail }) => this.change(withKey(this.definition, "rule", detail.rule), detail.label, detail.coalesce)}></rule-builder></div>`;
  }

  renderAbout(issues) {
    const { definition, isNew, readonly, setup } = this;
    const own = isNew ? "" : [definition.folder, definition.name].filter(Boolean).join("/");
    return about({ definition, isNew, readonly, folders: setup.folders, segments: setup.segments, own, issues, parentName: setup.parent_name }, (key, value, label) => this.change(key === "name" ? { ...definition, name: value } : withKey(definition, key, value), label, key));
  }

  /** Of a typed text: what it says itself, then what the preview finds beside that. */
  codeIssues() {
    const own = this.typing.issues;
    const others = this.typing.broken || this.previewing.waiting ? [] : this.issues.filter((issue) => !own.some((known) => known.code === issue.code && known.message === issue.message));
    return [...own, ...others];
  }

  updated() {
    this.leaving.here();
    this.linked();
    const button = document.getElementById("save-rules");
    if (button) button.setAttribute("aria-disabled", !this.isNew && !this.unsaved ? "true" : "false");
    const state = document.getElementById("save-state");
    if (state) state.textContent = this.unsaved && !this.isNew ? "Unsaved changes" : "";
    if (this.editedAt && !this.previewing.waiting && this.preview?.of === this.definition) {
      performance.measure("kohort-preview", { start: this.editedAt, end: performance.now() });
      this.editedAt = 0;
    }
  }

  /** Links that came with an answer open inside the frame, as those of the page do. */
  linked() {
    const told = this.problem || this.preview;
    if (told === this.told) return;
    this.told = told;
    window.htmx?.process(this.querySelector(".editor-side"));
  }
}

customElements.define("segment-editor", SegmentEditor);
