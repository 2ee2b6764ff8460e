// The dialog of saving: what would change, a note; and what somebody else saved meanwhile.
import { html, nothing } from "../../vendor/lit.js";
import { sentence } from "../api.js";
import { count } from "../numbers.js";
import { ago, change, changes, icon, many } from "./format.js";

/** state: {stage: review|conflict, name, preview, waiting, isNew, busy, problem, theirs, mine, note}; act: {save, shut, closed, overwrite, takeTheirs, note}. */
export function saveDialog(state, act) {
  return html`<dialog class="save-dialog" aria-labelledby="save-title" @close=${act.closed} @cancel=${(event) => state.busy && event.preventDefault()}>
    ${state.stage === "conflict" ? conflict(state, act) : review(state, act)}</dialog>`;
}

function review(state, act) {
  const { preview, waiting, isNew, busy } = state;
  return html`<form method="dialog" @submit=${(event) => { event.preventDefault(); act.save(); }}>
    <div class="dialog-head"><h2 id="save-title">${isNew ? "Create" : "Save"} “${state.name}”</h2></div>
    <div class="dialog-body">
      <div class="save-facts" aria-busy=${waiting ? "true" : "false"} ?data-waiting=${waiting}>${facts(preview, isNew)}</div>
      ${preview?.sentence ? html`<p class="muted save-words">${preview.sentence}</p>` : nothing}
      <label class="field"><span>Note <small>optional, kept with the version</small></span><input class="control" maxlength="2000" .value=${state.note} @input=${(event) => act.note(event.target.value)} autofocus></label>
      ${trouble(state.problem)}
    </div>
    <div class="dialog-foot"><button type="button" class="button" @click=${act.shut}>Go on editing</button>
      <button type="submit" class="button button-main" aria-disabled=${busy ? "true" : "false"}>${isNew ? "Create" : preview?.saved?.same_meaning ? "Save" : "Save new version"}</button></div></form>`;
}

function facts(preview, isNew) {
  if (!preview) return html`<p class="muted">What it changes is not known: the preview does not answer.</p>`;
  const { saved } = preview;
  if (isNew) return html`<dl class="save-numbers"><div><dt>Members</dt><dd>${count(preview.count)}</dd></div></dl>`;
  if (!saved) return html`<p class="muted">What it changes for members is not known.</p>`;
  const others = saved.dependents.filter((changed) => changed.entered || changed.left);
  return html`<dl class="save-numbers">
      <div><dt>Members</dt><dd>${count(saved.before)} → ${count(saved.after)}</dd></div>
      <div><dt>Enter</dt><dd class=${saved.entered ? "is-good" : ""}>${change(saved.entered)}</dd></div>
      <div><dt>Leave</dt><dd class=${saved.left ? "is-bad" : ""}>${change(-saved.left)}</dd></div></dl>
    <p class="muted">${saved.same_meaning ? "It means the same as before: the version stays." : `Version ${saved.version} stays in the history.`} Members change with the next evaluation.</p>
    ${others.length ? html`<h3>${many(others.length, "other segment")} change${others.length === 1 ? "s" : ""} with it</h3>${changes(others)}`
      : saved.dependents.length ? html`<p class="muted">${many(saved.dependents.length, "segment")} that need${saved.dependents.length === 1 ? "s" : ""} it keep${saved.dependents.length === 1 ? "s" : ""} the same members.</p>` : nothing}`;
}

function conflict({ theirs, mine, busy, problem }, act) {
  return html`<div class="dialog-head"><h2 id="save-title">Somebody else saved it meanwhile</h2></div>
    <div class="dialog-body">
      <p>${theirs ? html`<strong>${theirs.updated_by}</strong> saved it <time datetime=${theirs.updated_at}>${ago(theirs.updated_at)}</time>, as version ${theirs.version}. What you changed is still here.` : "It is not as it was when you began."}</p>
      ${theirs ? html`<div class="ed-versus"><section><h3>Theirs</h3><pre class="mono">${theirs.text}</pre>${words(theirs.definition.description)}</section>
        <section><h3>Yours</h3><pre class="mono">${mine.text || "–"}</pre>${words(mine.description)}</section></div>` : nothing}
      ${trouble(problem)}
    </div>
    <div class="dialog-foot"><button type="button" class="button" @click=${act.shut}>Go on editing</button><span class="grow"></span>
      <button type="button" class="button" aria-disabled=${busy ? "true" : "false"} @click=${act.takeTheirs}>Take theirs</button>
      <button type="button" class="button button-danger" aria-disabled=${busy || !theirs ? "true" : "false"} @click=${act.overwrite}>Overwrite with mine</button></div>`;
}

const words = (text) => (text ? html`<p class="muted">${text}</p>` : nothing);

function trouble(problem) {
  return html`<div role="alert">${problem ? html`<p class="form-problem">${icon("circle-alert", 14)} ${typeof problem === "string" ? sentence(problem) : problem}</p>` : nothing}</div>`;
}
