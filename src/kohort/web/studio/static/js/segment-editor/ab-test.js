// The editor of an A/B test: variants and a control group with their ratios, and how many each would have.
import { html, live, nothing, repeat } from "../../vendor/lit.js";
import { sentence } from "../api.js";
import { count } from "../numbers.js";
import { bar, icon, share } from "./format.js";
import { withKey } from "./paths.js";

const MOST = 8;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Percent of all variants and the control group, without the dust of binary fractions. */
export function sumOf(test) {
  const ratios = [...(test.variants ?? []), control(test)].map((part) => Number(part.ratio) || 0);
  return Math.round(ratios.reduce((sum, ratio) => sum + ratio, 0) * 1e6) / 1e6;
}

const control = (test) => (typeof test.control === "number" ? { name: "Control", ratio: test.control } : { name: "Control", ratio: 0, ...test.control });

/** state: {test, name, sizes, size, issues, readonly, saved}; changed(test, label, coalesce). */
export function split(state, changed) {
  const { test, readonly } = state;
  const [variants, sum] = [test.variants ?? [], sumOf(test)];
  const issues = state.issues.filter((issue) => sum <= 100 || issue.path !== "ab_test.variants"); // the line of the sum says it
  const set = (at, key, value) => changed({ ...test, variants: variants.map((part, place) => (place === at ? { ...part, [key]: value } : part)) }, `Change the ${key} of a variant`, `ab-${at}-${key}`);
  const setControl = (key, value) => changed({ ...test, control: { ...control(test), [key]: value } }, "Change the control group", `ab-control-${key}`);
  const without = (at) => changed({ ...test, variants: variants.filter((_, place) => place !== at) }, "Remove a variant");
  const wrong = (path) => issues.some((issue) => issue.path === path || issue.path.startsWith(`${path}.`));
  const add = () => changed({ ...test, variants: [...variants, { name: [...LETTERS].find((letter) => !variants.some((part) => part.name === letter)), ratio: Math.max(1, 100 - sum) }] }, "Add a variant");
  return html`<table class="ab-table"><thead><tr><th scope="col">Variant</th><th scope="col">Ratio</th><th scope="col" class="number">Members</th><th scope="col"><span class="visually-hidden">Share</span></th><th scope="col"><span class="visually-hidden">Remove</span></th></tr></thead><tbody>
    ${repeat(variants, (_, at) => at, (part, at) => row({ ...state, sum }, part, at, `variant ${at + 1}`, wrong(`ab_test.variants[${at}]`), (key, value) => set(at, key, value), variants.length > 1 && !readonly ? () => without(at) : null))}
    ${row({ ...state, sum }, control(test), variants.length, "the control group", wrong("ab_test.control"), setControl, null)}
  </tbody></table>
  ${total(sum)}
  ${issues.map((issue) => html`<p class="is-bad ab-issue">${icon("circle-alert", 14)} ${sentence(issue.message)}</p>`)}
  ${readonly ? nothing : html`<div class="ab-foot"><button type="button" class="button button-small" ?disabled=${variants.length >= MOST} @click=${add}>${icon("plus", 15)}Variant</button>
    <button type="button" class="button button-small button-quiet" @click=${() => changed(evenly(test), "Split evenly")}>Split evenly</button></div>`}
  ${moves(state) ? html`<p class="notice notice-warn">${icon("triangle-alert", 15)}<span>Members change variants when an earlier ratio changes. A variant added at the end, or a smaller control group, moves nobody else.</span></p>` : nothing}
  <details class="ab-more"><summary>Hash and names</summary><div class="ab-fields">
    ${field("Test id", test.id, state.name, "Decides who is in which variant. Write it before you rename a running test.", readonly, (text) => changed(withKey(test, "id", text), "Change the test id", "ab-id"))}
    ${field("Ending of the names", test.name, state.name, "What the names of the variants end with.", readonly, (text) => changed(withKey(test, "name", text), "Change the names of the variants", "ab-name"))}
    ${field("Key column", test.key_column, "the master key", "An attribute that stays the same after every refresh.", readonly, (text) => changed(withKey(test, "key_column", text), "Change the key column", "ab-key"))}
  </div></details>`;
}

function row({ sizes, size, test, name, readonly, sum }, part, at, what, invalid, set, remove) {
  const found = sizes?.[at];
  const known = found?.name === part.name ? found : null;
  const about = size === null || size === undefined || !Number.isFinite(part.ratio) ? null : Math.round((size * part.ratio) / 100);
  const number = (text) => (text.trim() === "" ? null : Number.isFinite(Number(text)) ? Number(text) : text);
  const shown = part.ratio === 0 ? html`<span class="muted">none</span>` : known ? count(known.count) : about === null ? "–" : html`<span class="muted" title="From the ratio; counted in a moment">≈ ${count(about)}</span>`;
  return html`<tr><td><span class="ab-name"><span class="marker marker-variant" aria-hidden="true"></span><input class="control control-small" aria-label="Name of ${what}" aria-invalid=${invalid ? "true" : "false"} ?readonly=${readonly} .value=${live(part.name ?? "")} @input=${(event) => set("name", event.target.value)}>
      <span class="muted ab-ending" title="${part.name}-${test.name || name}">-${test.name || name}</span></span></td>
    <td><span class="ab-ratio"><input class="control control-small" type="number" min="0" max="100" step="any" inputmode="decimal" aria-label="Ratio of ${what} in percent" aria-invalid=${invalid || sum > 100 ? "true" : "false"} aria-describedby=${sum > 100 ? "ab-sum" : nothing} ?readonly=${readonly} .value=${live(String(part.ratio ?? ""))} @input=${(event) => set("ratio", number(event.target.value))}><span aria-hidden="true">%</span></span></td>
    <td class="number">${shown}</td><td class="ab-share" title=${known ? `${share(known.share)} of the segment` : nothing}>${bar(known ? known.share ?? 0 : (part.ratio || 0) / 100, "ed-meter-variant")}</td>
    <td>${remove ? html`<button type="button" class="icon-button" aria-label="Remove ${what}" title="Remove ${what}" @click=${remove}>${icon("x", 15)}</button>` : nothing}</td></tr>`;
}

function total(sum) {
  const words = sum > 100 ? "more than 100%: lower some of them" : sum < 100 ? `the other ${Math.round((100 - sum) * 1e6) / 1e6}% are in no variant` : "everybody is in one";
  return html`<p id="ab-sum" class=${sum > 100 ? "ab-sum is-bad" : "ab-sum muted"} role="status">Together <strong>${sum}%</strong>, ${words}.</p>`;
}

function field(label, value, placeholder, about, readonly, set) {
  const id = `ab-${label.toLowerCase().replaceAll(" ", "-")}`;
  return html`<div class="field"><label for=${id}>${label}</label><input id=${id} class="control control-small" aria-describedby="${id}-about" placeholder=${placeholder} ?readonly=${readonly} .value=${live(value ?? "")}
    @input=${(event) => set(event.target.value)}><small id="${id}-about">${about}</small></div>`;
}

/** The same ratio for all variants, beside the control group as it is; what cannot be shared stays with the first ones. */
export function evenly(test) {
  const variants = test.variants ?? [];
  const whole = Math.max(0, 100 - (Number(control(test).ratio) || 0));
  const each = Math.floor((whole / variants.length) * 100) / 100;
  const rest = Math.round((whole - each * variants.length) * 100) / 100;
  return { ...test, variants: variants.map((part, at) => ({ ...part, ratio: Math.round((each + (at === 0 ? rest : 0)) * 100) / 100 })) };
}

/** Whether members who are in a variant now would be in another one. */
function moves({ test, saved }) {
  const [before, after] = [saved?.variants ?? [], test.variants ?? []];
  if (!saved) return false;
  if ((saved.id ?? "") !== (test.id ?? "") || (saved.key_column ?? "") !== (test.key_column ?? "")) return true;
  const shifts = (part, at) => (at === before.length - 1 ? !((after[at]?.ratio ?? 0) >= part.ratio) : part.ratio !== after[at]?.ratio);
  return before.some(shifts) || control(test).ratio > control(saved).ratio;
}
