// What a segment is called, where it is, what it is for, and which segment it is inside of.
import { html, live, nothing } from "../../vendor/lit.js";
import { sentence } from "../api.js";
import { icon } from "./format.js";

/** state: {definition, isNew, folders, segments, own, issues, readonly, parentName}; changed(key, value, label). */
export function about(state, changed) {
  const { definition, isNew, readonly } = state;
  return html`<section class="card" aria-labelledby="about-title">
    <div class="card-head"><h2 id="about-title">${isNew ? "Segment" : "About"}</h2></div>
    <div class="card-body ed-about">
      ${isNew ? place(state, changed) : nothing}
      <label class="field ed-about-wide"><span>Description</span><textarea class="control" rows="2" maxlength="10000" ?readonly=${readonly} placeholder=${readonly ? "" : "What it is for"} .value=${live(definition.description ?? "")}
        @input=${(event) => changed("description", event.target.value, "Change the description")}></textarea></label>
      ${base(state, changed)}
    </div></section>`;
}

function place({ definition, folders, issues }, changed) {
  const wrong = issues.filter((issue) => issue.path === "name" || issue.path === "folder");
  return html`<label class="field"><span>Name</span><input class="control" name="name" maxlength="200" autocomplete="off" required .value=${live(definition.name ?? "")} aria-invalid=${wrong.some((issue) => issue.path === "name") ? "true" : "false"}
      aria-describedby="place-problem" @input=${(event) => changed("name", event.target.value, "Change the name")}></label>
    <label class="field"><span>Folder</span><input class="control" name="folder" list="folders" maxlength="1000" autocomplete="off" placeholder="at the top" .value=${live(definition.folder ?? "")} aria-invalid=${wrong.some((issue) => issue.path === "folder") ? "true" : "false"}
      @input=${(event) => changed("folder", event.target.value, "Change the folder")}></label>
    <datalist id="folders">${folders.map((path) => html`<option value=${path}></option>`)}</datalist>
    <div id="place-problem" class="ed-about-wide" role="status">${wrong.map((issue) => html`<p class="is-bad">${icon("circle-alert", 14)} ${sentence(issue.message, issue.hint)}</p>`)}</div>`;
}

function base({ definition, segments, own, readonly, parentName }, changed) {
  const chosen = definition.base ?? "";
  const paths = segments.map((segment) => segment.path).filter((path) => path !== own);
  if (chosen && !paths.includes(chosen)) paths.unshift(chosen);
  return html`<label class="field ed-about-wide"><span>Inside</span><select class="control" ?disabled=${readonly} @change=${(event) => changed("base", event.target.value, "Change what it is inside of")}>
    <option value="" .selected=${!chosen}>All of ${parentName}</option>${paths.map((path) => html`<option value=${path} .selected=${path === chosen}>${path}</option>`)}</select></label>`;
}
