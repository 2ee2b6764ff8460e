// How the editor writes numbers: as the pages do (see formats.py).
import { html } from "../../vendor/lit.js";
import { count } from "../numbers.js";

const ICONS = new URL("../../vendor/icons.svg", import.meta.url).href;

export const icon = (name, size = 16) => html`<svg class="icon" width=${size} height=${size} aria-hidden="true"><use href="${ICONS}#${name}"></use></svg>`;

/** A change with its sign. */
export const change = (value) => (value === 0 ? "0" : value > 0 ? `+${count(value)}` : value < 0 ? `−${count(-value)}` : count(value));

/** A share (0 to 1) in percent; what is there but tiny never reads as nothing. */
export function share(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  if (value === 0 || value === 1) return `${value * 100}%`;
  return value < 0.0001 ? "<0.01%" : `${(value * 100).toFixed(digits)}%`;
}

/** "1 segment", "2 segments". */
export const many = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** A bar; part: 0 to 1. What is there but tiny can still be seen. */
export function bar(part, kind = "") {
  const width = part > 0 ? Math.max(1, Math.min(100, part * 100)) : 0;
  return html`<svg class="ed-meter ${kind}" width="100%" height="6" aria-hidden="true"><rect class="ed-meter-track" width="100%" height="6" rx="3"></rect>
    <rect class="ed-meter-fill" width="${width}%" height="6" rx="3"></rect></svg>`;
}

/** Segments with who enters and leaves. */
export function changes(found) {
  return html`<ul class="ed-changes">${found.map((changed) => html`<li><span class="ed-funnel-text" title=${changed.segment}>${changed.segment.split("/").at(-1)}</span>
    <span class="number">${count(changed.before)} → ${count(changed.after)}</span>
    <span class="number"><span class=${changed.entered ? "is-good" : "muted"}>${change(changed.entered)}</span> <span class=${changed.left ? "is-bad" : "muted"}>${change(-changed.left)}</span></span></li>`)}</ul>`;
}

/** A value of a member for people. */
export function value(found) {
  if (found === null || found === undefined || found === "") return "–";
  if (Array.isArray(found)) return found.map(value).join(", ");
  if (typeof found === "number") return Number.isInteger(found) ? String(found) : String(Number(found.toPrecision(5)));
  if (typeof found === "object") return JSON.stringify(found);
  return /^\d{4}-\d\d-\d\dT/.test(found) ? String(found).slice(0, 10) : String(found);
}

/** How long ago an instant was. */
export function ago(instant) {
  const seconds = (Date.now() - new Date(instant)) / 1000;
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (seconds >= size) return `${many(Math.floor(seconds / size), unit)} ago`;
  }
  return "just now";
}
