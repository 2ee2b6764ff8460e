// Small parts that all rows use.
import { inRows } from "../api.js";
import { isExact, numberOf, shown } from "../exact.js";
import { html, nothing, ref } from "../../vendor/lit.js";

const ICONS = new URL("../../vendor/icons.svg", import.meta.url).href;

export const icon = (name, size = 16) => html`<svg class="icon" width=${size} height=${size} aria-hidden="true"><use href="${ICONS}#${name}"></use></svg>`;

/** A button with an icon and no words; the words are its name and its tip. */
export function iconButton(name, label, onClick, { disabled = false, kind = "" } = {}) {
  return html`<button type="button" class="icon-button rb-tool ${kind}" aria-label=${label} title=${label} ?disabled=${disabled} @click=${onClick}>${icon(name, 15)}</button>`;
}

export function addButton(text, onClick, label = "") {
  return html`<button type="button" class="rb-add" aria-label=${label || `Add ${text.toLowerCase()}`} @click=${onClick}>${icon("plus", 15)}${text}</button>`;
}

/** A list to choose from; options: [{value, label}] or texts. */
export function choose(label, value, options, onChange, { invalid = false, kind = "" } = {}) {
  const items = options.map((option) => (typeof option === "string" ? { value: option, label: option } : option));
  return html`<select class="rb-control ${kind}" aria-label=${label} aria-invalid=${invalid ? "true" : "false"} @change=${(event) => onChange(event.target.value)}>
    ${items.map((item) => html`<option value=${item.value} .selected=${item.value === value}>${item.label}</option>`)}</select>`;
}

/** A number; empty is undefined. Something that is no number is shown as it was written. */
export function numberInput(label, value, onChange, { min = undefined, step = "any", wide = false, invalid = false } = {}) {
  const isNumber = value === undefined || value === null || typeof value === "number" || isExact(value);
  const read = (text) => (text.trim() === "" ? undefined : (numberOf(text) ?? text));
  const show = (input) => {
    const typing = input && input === document.activeElement && shown(read(input.value)) === shown(value);
    if (input && !typing && input.value !== shown(value)) input.value = shown(value);
  };
  return html`<input class="rb-control rb-number ${wide ? "rb-wide" : ""}" type=${isNumber ? "number" : "text"} inputmode="decimal" step=${step} min=${min ?? nothing}
    aria-label=${label} aria-invalid=${invalid ? "true" : "false"} ${ref(show)} @input=${(event) => onChange(read(event.target.value))}>`;
}

/** What is wrong (or odd) at a place, in words. */
export function issueList(issues) {
  if (!issues?.length) return nothing;
  return html`<ul class="rb-issues">${issues.map((issue) => html`<li class=${issue.severity === "error" ? "is-bad" : "is-warn"}>${icon(issue.severity === "error" ? "circle-alert" : "triangle-alert", 14)}
    <span>${inRows(issue).join(" ")}</span></li>`)}</ul>`;
}
