// The column beside the rule: how many, what each condition keeps, what saving changes, what is odd, who is alike, who is in.
import { html, nothing, repeat } from "../../vendor/lit.js";
import { inRows, sentence } from "../api.js";
import { count } from "../numbers.js";
import { bar, change, changes, icon, many, share, value } from "./format.js";
import { placeOf } from "./paths.js";
import { trouble } from "./trouble.js";

const OVERLAPS = 5;

/** state: {preview, waiting, broken (what is typed), typed (not in rows), problem, version, changed, readonly, parent, idOf(path), show(issue)}. */
export function side(state) {
  const { preview, waiting } = state;
  return html`<aside class="editor-side" aria-label="Preview" id="preview">
    <div class="editor-numbers" aria-busy=${waiting ? "true" : "false"} ?data-waiting=${waiting}>
      ${size(state)} ${state.problem ? nothing : problems(state)} ${preview ? html`${funnel(preview)} ${dependents(preview)} ${overlaps(state)} ${sample(state)}` : nothing}
    </div>
    <p class="visually-hidden" role="status">${waiting || !preview ? "" : spoken(preview)}</p>
  </aside>`;
}

const spoken = (preview) => (preview.count === null ? "The rule cannot be counted yet." : `${count(preview.count)} profiles, ${share(preview.share)}`);

function size({ preview, waiting, problem, changed, version, parent, broken }) {
  return html`<section class="card" aria-labelledby="size-title">
    <div class="card-head"><h2 id="size-title">Audience size</h2><span class="grow"></span><span class="badge">${broken ? "stopped" : waiting ? "counting" : problem ? "stopped" : "live"}</span></div>
    <div class="card-body editor-size">
      <p class="size-count"><strong>${count(preview?.count)}</strong></p>
      <p class="muted">${preview ? html`${share(preview.share)} of ${count(preview.base_count)} ${preview.share_of.includes("/") ? html`in ${preview.share_of}` : "profiles"}` : problem ? "Not counted" : "Counting…"}</p>
      ${bar(preview?.share ?? 0)}
      <p class="size-change">${problem ? html`<span class=${problem.code === "NOT_REFRESHED" ? "" : "is-bad"} role="alert">${trouble(problem, parent)}</span>` : against(preview?.saved, changed, version)}</p>
    </div>
  </section>`;
}

function against(saved, changed, version) {
  if (!version) return "Not saved yet";
  if (!changed) return html`As saved, version ${version}`;
  if (!saved) return html`Against version ${version}: not known yet`;
  const { entered, left } = saved;
  if (!entered && !left) return html`The same members as in version ${saved.version}`;
  return html`${entered ? html`<span class="is-good">${change(entered)} entered</span>` : nothing}${entered && left ? " · " : nothing}${left ? html`<span class="is-bad">${change(-left)} left</span>` : nothing} against version ${saved.version}`;
}

function funnel(preview) {
  const root = preview.waterfalls.find((waterfall) => waterfall.path === "rule");
  if (root) return html`<section class="card" aria-labelledby="funnel-title"><div class="card-body">
    <h3 id="funnel-title">Funnel <small>in the order written</small></h3>
    <ol class="ed-funnel ed-steps">${repeat(root.steps, (step) => step.path, (step) => html`<li>
      <span class="ed-funnel-text" title=${step.text}>${named(step)}</span><span class="number">${count(step.kept)}</span>
      ${bar(root.start ? (step.kept ?? 0) / root.start : 0)}<span class="number ed-funnel-drop">${step.dropped ? change(-step.dropped) : step.kept ? "keeps all" : ""}</span>
    </li>`)}</ol></div></section>`;
  const parts = Object.entries(preview.conditions).filter(([path]) => /^rule\.conditions\[\d+\]$/.test(path));
  if (!parts.length) return nothing;
  return html`<section class="card" aria-labelledby="funnel-title"><div class="card-body">
    <h3 id="funnel-title">Conditions <small>each by itself</small></h3>
    <ol class="ed-funnel ed-steps">${repeat(parts, ([path]) => path, ([path, part]) => html`<li>
      <span class="ed-funnel-text" title=${part.text}>${named({ path, text: part.text })}</span><span class="number">${count(part.count)}</span>
      ${bar(part.share ?? 0)}<span class="number ed-funnel-drop">${share(part.share, 1)}</span>
    </li>`)}</ol></div></section>`;
}

const named = (step) => step.text || placeOf(step.path);

const words = (issue, typed) => (typed ? [issue.message, issue.hint].filter(Boolean).map((text) => sentence(text)) : inRows(issue));

function problems({ issues, show, typed }) {
  if (!issues.length) return nothing;
  const errors = issues.filter((issue) => issue.severity === "error").length;
  return html`<section class="card" aria-labelledby="problems-title"><div class="card-body">
    <h3 id="problems-title">${errors ? many(errors, "problem") : "Worth a look"} ${errors && issues.length > errors ? html`<small>and ${many(issues.length - errors, "warning")}</small>` : nothing}</h3>
    <ul class="ed-problems">${issues.map((issue) => html`<li class=${issue.severity === "error" ? "is-bad" : "is-warn"}>
      ${icon(issue.severity === "error" ? "circle-alert" : "triangle-alert", 15)}
      <div>${words(issue, typed).map((text, at) => html`<p class=${at ? "muted" : ""}>${text}</p>`)}
      ${placeOf(issue.path) ? html`<button type="button" class="ed-link" @click=${() => show(issue)}>${issue.line ? `Line ${issue.line}` : placeOf(issue.path)}</button>` : nothing}
      ${issue.severity === "warning" ? html`<code title="Its name for lint: { ignore: [...] }">${issue.code}</code>` : nothing}</div>
    </li>`)}</ul></div></section>`;
}

function dependents(preview) {
  const found = (preview.saved?.dependents ?? []).filter((changed) => changed.entered || changed.left);
  if (!found.length) return nothing;
  return html`<section class="card" aria-labelledby="needs-title"><div class="card-body">
    <h3 id="needs-title">Others that change with it</h3>${changes(found)}</div></section>`;
}

function overlaps({ preview, parent, idOf }) {
  const found = preview.overlaps.slice(0, OVERLAPS).sort((one, other) => other.shared - one.shared);
  if (!found.length) return nothing;
  return html`<section class="card" aria-labelledby="overlap-title"><div class="card-body">
    <h3 id="overlap-title">Overlaps <small>share of these members</small></h3>
    <ul class="ed-funnel">${repeat(found, (pair) => pair.segment, (pair) => {
      const [id, name] = [idOf(pair.segment), pair.segment.split("/").at(-1)];
      return html`<li title="${pair.segment}: ${count(pair.shared)} shared, ${share(pair.share)} of these and ${share(pair.share_of_segment)} of its ${count(pair.count)} members; Jaccard ${pair.jaccard?.toFixed(2)}">
        <span class="ed-funnel-text">${id ? html`<a href="/audiences/${parent}/segments/${id}">${name}</a>` : name}</span><span class="number">${count(pair.shared)}</span>
        ${bar(pair.share ?? 0, "ed-meter-soft")}<span class="number ed-funnel-drop">${share(pair.share, 1)}</span></li>`;
    })}</ul></div></section>`;
}

function sample({ preview, parent }) {
  const { columns, rows } = preview.sample;
  if (!rows.length) return nothing;
  return html`<div class="card"><div class="card-body ed-sample-head">
    <h3 id="sample-title">Some of them</h3></div>
    <div class="table-scroll" tabindex="0" role="region" aria-labelledby="sample-title"><table class="table ed-sample">
      <thead><tr>${columns.map((name) => html`<th scope="col">${name === "cdp_customer_id" ? "profile" : name}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr>${row.map((cell, at) => html`<td title=${value(cell)}>${columns[at] === "cdp_customer_id" ? html`<a href="/audiences/${parent}/profiles?profile=${encodeURIComponent(cell)}">${String(cell).slice(0, 8)}</a>` : value(cell)}</td>`)}</tr>`)}</tbody>
    </table></div></div>`;
}

/** On a narrow screen: the number that stays in sight, and the way to the rest. */
export function glance({ preview, waiting, issues }) {
  const errors = issues.filter((issue) => issue.severity === "error").length;
  return html`<a class="editor-glance" href="#preview" hx-boost="false" aria-busy=${waiting ? "true" : "false"} ?data-waiting=${waiting}>
    <span><strong>${count(preview?.count)}</strong> profiles</span><span class="muted">${share(preview?.share)}</span>
    <span class="grow"></span>${errors ? html`<span class="is-bad">${many(errors, "problem")}</span>` : nothing}<span>Preview</span>${icon("chevron-down", 14)}</a>`;
}
