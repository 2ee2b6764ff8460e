// <combo-box>: a field with suggestions, for one value or several; what was not suggested may be typed where `free` is set.
import { LitElement, html, ifDefined, live, nothing, repeat } from "../../vendor/lit.js";
import { numberOf, shown } from "../exact.js";
import { count } from "../numbers.js";
import { icon } from "./parts.js";

let last = 0;
const SHOWN = 200;

export class ComboBox extends LitElement {
  static properties = {
    label: {}, placeholder: {}, value: { attribute: false }, options: { attribute: false }, source: { attribute: false },
    multiple: { type: Boolean }, free: { type: Boolean }, numeric: { type: Boolean }, invalid: { type: Boolean }, disabled: { type: Boolean },
    _open: { state: true }, _typed: { state: true }, _at: { state: true }, _found: { state: true }, _busy: { state: true },
  };

  constructor() {
    super();
    this.options = [];
    this.value = "";
    this.placeholder = "";
    this._typed = null;
    this._at = -1;
    this._found = [];
    this._id = `combo-${++last}`;
  }

  createRenderRoot() {
    return this;
  }

  get values() {
    return this.multiple ? (Array.isArray(this.value) ? this.value : this.value === undefined || this.value === null ? [] : [this.value]) : [];
  }

  /** What the field shows while nobody types. */
  get shown() {
    if (this.multiple) return "";
    return this.textOf(this.value);
  }

  textOf(value) {
    if (value === undefined || value === null || value === "") return "";
    return this.options?.find((option) => option.value === value)?.label ?? shown(value);
  }

  render() {
    const text = this._typed ?? this.shown;
    const items = this._open ? this._found : [];
    const empty = this.multiple ? this.values.length === 0 : this.shown === "";
    return html`
      <span class="combo ${this.multiple ? "combo-many" : ""} ${this.free ? "" : "combo-pick"}" ?data-invalid=${this.invalid}>
        ${this.multiple ? repeat(this.values, (value, index) => `${typeof value}:${shown(value)}:${index}`, (value, index) => this.chip(value, index)) : nothing}
        <input class="combo-input" type="text" role="combobox" autocomplete="off" spellcheck="false" aria-label=${ifDefined(this.label || undefined)}
          aria-autocomplete="list" aria-expanded=${this._open ? "true" : "false"} aria-controls=${ifDefined(this._open ? `${this._id}-list` : undefined)}
          aria-activedescendant=${ifDefined(this._open && this._at >= 0 && items[this._at] ? `${this._id}-${this._at}` : undefined)}
          aria-invalid=${ifDefined(this.invalid ? "true" : undefined)} ?disabled=${this.disabled}
          size=${Math.min(Math.max((text || (empty ? this.placeholder : "")).length, this.multiple && !empty ? 2 : 4), 40)}
          placeholder=${empty ? this.placeholder : ""} .value=${live(text)}
          @input=${this.typed} @keydown=${this.key} @focus=${this.focused} @blur=${this.left} @pointerdown=${this.pressed}>
        ${this.free ? nothing : html`<span class="combo-arrow">${icon("chevron-down", 14)}</span>`}
      </span>
      ${this._open ? this.list(items) : nothing}`;
  }

  /** What opens reaches beyond its row, which would cut it off while it is drawn only where it is seen. */
  updated(changes) {
    if (changes.has("_open")) this.closest("rule-condition")?.toggleAttribute("data-choosing", Boolean(this._open));
  }

  chip(value, index) {
    const text = shown(value);
    return html`<span class="combo-chip" title=${text}><span>${text === "" ? "(empty)" : this.textOf(value)}</span>
      <button type="button" aria-label="Remove ${text || "the empty value"}" ?disabled=${this.disabled} @click=${() => this.drop(index)}>${icon("x", 12)}</button></span>`;
  }

  list(items) {
    const typed = (this._typed ?? "").trim();
    return html`<ul class="combo-list" id="${this._id}-list" role="listbox" aria-label=${this.label || "Suggestions"} aria-multiselectable=${ifDefined(this.multiple ? "true" : undefined)} @pointerdown=${(event) => event.preventDefault()}>
      ${items.length ? items.map((item, index) => this.item(item, index)) : html`<li class="combo-none" role="option" aria-selected="false" aria-disabled="true">${this._busy ? "Loading" : this.free ? (typed ? `Enter takes “${typed}”` : "Type a value") : "Nothing has that name"}</li>`}
    </ul>`;
  }

  item(item, index) {
    const chosen = this.multiple ? this.values.includes(item.value) : item.value === this.value;
    return html`<li id="${this._id}-${index}" role="option" class=${index === this._at ? "is-active" : ""} aria-selected=${chosen ? "true" : "false"} @click=${() => this.choose(item.value)}>
      <span>${item.label}</span>${item.note ? html`<small>${item.note}</small>` : nothing}</li>`;
  }

  // --- what can be chosen --------------------------------------------------------------------------------------

  async find() {
    const typed = (this._typed ?? "").trim();
    const known = this.matching(typed);
    this._found = known;
    if (!this.source) return;
    const turn = (this._turn = (this._turn ?? 0) + 1);
    this._busy = true;
    const found = await this.source(typed);
    if (turn !== this._turn) return;
    this._busy = false;
    const items = found.map((item) => ({ value: item.value, label: String(item.value), note: item.count === undefined || item.count === null ? "" : count(item.count) }));
    this._found = [...known, ...items];
    if (this._at >= this._found.length) this._at = -1;
  }

  matching(typed) {
    const needle = typed.toLowerCase();
    const fits = (option) => !needle || option.label.toLowerCase().includes(needle) || String(option.value).toLowerCase().includes(needle);
    const begins = (option) => Number(option.label.toLowerCase().startsWith(needle));
    return (this.options ?? []).filter(fits).sort((one, other) => begins(other) - begins(one)).slice(0, SHOWN);
  }

  open() {
    if (this._open || this.disabled) return;
    this._open = true;
    this._at = -1;
    this.find();
  }

  close() {
    this._open = false;
    this._at = -1;
    this._typed = null;
  }

  // --- events ----------------------------------------------------------------------------------------------------

  typed(event) {
    event.stopPropagation();
    this._typed = event.target.value;
    this._open = true;
    this.find().then(() => {
      if (!this.free) this._at = this._found.length ? 0 : -1;
    });
    if (!this.free) this._at = 0;
  }

  focused(event) {
    if (!this.free) event.target.select();
  }

  pressed() {
    if (this._open && !this._typed) this.close();
    else this.open();
  }

  left() {
    this.take({ typedOnly: true });
    this.close();
  }

  key(event) {
    const { key, altKey } = event;
    if (altKey) return;
    const size = this._found.length;
    if (key === "ArrowDown" || key === "ArrowUp") {
      event.preventDefault();
      if (!this._open) this.open();
      else if (size) this._at = (this._at + (key === "ArrowDown" ? 1 : this._at < 0 ? 0 : -1) + size) % size;
      this.updateComplete.then(() => this.querySelector(".is-active")?.scrollIntoView({ block: "nearest" }));
    } else if (key === "Enter") {
      event.preventDefault();
      if (this._open) this.take({});
      else this.open();
    } else if (key === "," && this.multiple && (this._typed ?? "").trim()) {
      event.preventDefault();
      this.take({ typedOnly: true });
    } else if (key === "Escape" && this._open) {
      event.stopPropagation();
      event.preventDefault();
      this.close();
    } else if (key === "Backspace" && this.multiple && !this._typed && this.values.length) {
      this.drop(this.values.length - 1);
    } else if (key === "Tab" && this._open && this._at >= 0 && this._typed !== null) {
      this.take({});
    }
  }

  /** Take the marked suggestion, or what was typed. */
  take({ typedOnly = false }) {
    const marked = this._open && !typedOnly ? this._found[this._at] : undefined;
    if (marked) return this.choose(marked.value);
    if (this._typed === null) return this.close();
    const text = this._typed.trim();
    const known = this.options?.find((option) => option.label.toLowerCase() === text.toLowerCase() || option.value === text);
    if (known) return this.choose(known.value);
    if (!this.free || (text === "" && this.multiple)) return this.close();
    return this.choose(this.read(text));
  }

  /** A typed text as a value: a number where numbers are meant and it is one. */
  read(text) {
    return this.numeric ? (numberOf(text) ?? text) : text;
  }

  choose(value) {
    this._typed = null;
    if (this.multiple) {
      const found = this.values.includes(value) ? this.values.filter((other) => other !== value) : [...this.values, value];
      this.set(found);
      this.find();
    } else {
      this.close();
      if (value !== this.value) this.set(value);
    }
  }

  drop(index) {
    this.set(this.values.filter((_, at) => at !== index));
    this.querySelector("input")?.focus();
  }

  set(value) {
    this.value = value;
    this.dispatchEvent(new CustomEvent("combo-change", { detail: { value }, bubbles: true }));
  }

  focus() {
    this.querySelector("input")?.focus();
  }
}

customElements.define("combo-box", ComboBox);
