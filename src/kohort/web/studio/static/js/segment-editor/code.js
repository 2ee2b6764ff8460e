// The definition as YAML, or its rule as text, to type: line numbers, what is wrong on which line.
import { html, live, nothing } from "../../vendor/lit.js";
import { sentence } from "../api.js";
import { icon } from "./format.js";
import { placeOf } from "./paths.js";

const NAMES = { yaml: "Segment as YAML", text: "Rule as text" };
const ABOUT = {
  yaml: "The whole segment, as its file in the workspace has it.",
  text: "The rule alone, as it is typed after kohort sg count -e.",
};

const worstFirst = (one, other) => (other.severity === "error") - (one.severity === "error") || (one.line ?? 0) - (other.line ?? 0);

/** state: {form, text, issues, broken, reading, readonly}; typed(text): what is there now. */
export function codeView(state, typed) {
  const { form, text, issues, broken, readonly } = state;
  const lines = text.split("\n");
  const marked = new Map(issues.filter((issue) => issue.line).map((issue) => [issue.line, issue.severity]));
  return html`<div class="code-view" data-form=${form}>
    <div class="code-frame" data-broken=${broken ? "true" : "false"}>
      <pre class="code-lines" aria-hidden="true">${lines.map((_, at) => html`<span class=${marked.has(at + 1) ? `is-${marked.get(at + 1)}` : ""}>${at + 1}</span>`)}</pre>
      <textarea class="code-text mono" spellcheck="false" autocapitalize="off" autocomplete="off" wrap="off" rows=${Math.max(18, Math.min(lines.length + 1, 40))} ?readonly=${readonly}
        aria-label=${NAMES[form]} aria-invalid=${broken ? "true" : "false"} aria-describedby="code-about" .value=${live(text)}
        @input=${(event) => typed(event.target.value)} @keydown=${indent} @scroll=${follow}></textarea>
    </div>
    <p id="code-about" class="code-about muted">${broken ? html`<span class="is-bad">What is typed cannot be read yet; numbers are those of what could be read last.</span>` : ABOUT[form]}</p>
    <div role="status">${issues.length ? html`<ul class="ed-problems code-problems">${issues.toSorted(worstFirst).map((issue) => html`<li class=${issue.severity === "error" ? "is-bad" : "is-warn"}>
      ${icon(issue.severity === "error" ? "circle-alert" : "triangle-alert", 15)}
      <div><p>${issue.line ? html`<button type="button" class="ed-link" @click=${(event) => toLine(event.target.closest(".code-view"), issue.line, issue.column)}>Line ${issue.line}</button> ` : nothing}${sentence(issue.message)} <span class="muted">${issue.hint ? sentence(issue.hint) : ""}</span></p>
      ${issue.path ? html`<p class="muted"><code>${issue.path}</code>${placeOf(issue.path) ? ` ${placeOf(issue.path)}` : ""}</p>` : nothing}</div></li>`)}</ul>` : nothing}</div>
  </div>`;
}

/** Put the caret on a line. */
export function toLine(view, line, column = 1) {
  const field = view?.querySelector("textarea");
  if (!field) return;
  const start = field.value.split("\n").slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  field.focus();
  field.setSelectionRange(start + Math.max(0, (column ?? 1) - 1), start + Math.max(0, (column ?? 1) - 1));
  const height = Number.parseFloat(getComputedStyle(field).lineHeight);
  field.scrollTop = Math.max(0, (line - 4) * height);
}

function follow(event) {
  event.target.parentElement.querySelector(".code-lines").scrollTop = event.target.scrollTop;
}

/** A new line begins where the one before it did. Tab is left alone: it leads out of the field. */
function indent(event) {
  const field = event.target;
  if (event.key !== "Enter" || event.isComposing || field.readOnly || event.ctrlKey || event.metaKey) return;
  const before = field.value.slice(0, field.selectionStart).split("\n").at(-1);
  const space = /^ *(- )?/.exec(before)[0].replace("-", " ");
  if (!space) return;
  event.preventDefault();
  document.execCommand("insertText", false, `\n${space}`);
}
