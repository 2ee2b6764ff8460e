// The filter of a behavior or of a step: which of its rows count.
import { html, nothing } from "../../vendor/lit.js";
import { labelOf } from "./catalog.js";
import { changed, setIn } from "./model.js";
import { firstOperator, forType } from "./operators.js";
import { addButton, choose, iconButton, issueList } from "./parts.js";
import { operatorEditor } from "./values.js";
import { arrayMatching } from "./arrays.js";

export const EVERY_ROW = { type: "And", conditions: [] };

/**
 * about: {filter, behavior, catalog, path (of the filter, for problems), problems(path), disabled}; change(filter, {label, typing, at}).
 */
export function filterEditor(about, change) {
  const filter = about.filter ?? EVERY_ROW;
  if (filter.type === "Column") return html`<div class="rb-filter">${line({ ...about, place: [], word: "where", single: true }, filter, change, () => change(undefined, { label: "Remove filter" }))}</div>`;
  return filter.conditions.length || filter.exclude ? html`<div class="rb-filter" role="group" aria-label="Filter">${group({ ...about, place: [], depth: 0 }, filter, change)}</div>` : nothing;
}

/** The filter with one more test of a column. */
export function withTest(filter, test = { type: "Column", column: "", operator: { type: "Equal", value: "" } }) {
  const root = filter ?? EVERY_ROW;
  if (root.type === "Column") return { type: "And", conditions: [root, test] };
  return root.type === "And" && !root.exclude ? changed(root, { conditions: [...root.conditions, test] }) : root.conditions.length ? { type: "And", conditions: [root, test] } : { ...EVERY_ROW, conditions: [test] };
}

function group(about, node, change) {
  const { place, depth } = about;
  const root = about.filter ?? EVERY_ROW;
  const put = (next, options) => change(setIn(root, place, next), { at: place, ...options });
  const word = node.type === "Or" ? "or" : "and";
  const remove = (index) => put(changed(node, { conditions: node.conditions.filter((_, at) => at !== index) }), { label: "Remove filter" });
  const many = node.conditions.length > 1 || node.type === "Or" || depth > 0 || node.exclude;
  const lines = node.conditions.map((part, index) => {
    const inner = { ...about, single: !many, place: [...place, "conditions", index], depth: depth + 1, word: index ? word : depth ? (node.type === "Or" ? "either" : "both") : node.exclude ? "where not" : "where" };
    if (part.type === "Column") return line(inner, part, change, () => remove(index));
    return html`<div class="rb-filter-group"><span class="rb-word ${part.exclude ? "is-bad" : ""}">${inner.word}${part.exclude ? " not" : ""}</span><div role="group" aria-label="Group of filters">${group(inner, part, change)}</div>${iconButton("x", "Remove this group of filters", () => remove(index))}</div>`;
  });
  return html`${lines}${many ? html`<div class="rb-line rb-filter-foot">
    ${node.conditions.length > 1 || node.type === "Or" ? choose("Match of the filter", node.type, [{ value: "And", label: "all of them" }, { value: "Or", label: "any of them" }], (type) => put(changed(node, { type }), { label: "Change match" })) : nothing}
    ${addButton("Filter", () => put(changed(node, { conditions: [...node.conditions, emptyTest()] }), { label: "Add filter" }), "Add filter here")}
    ${depth === 0 ? addButton("Group of filters", () => put(changed(node, { conditions: [...node.conditions, { type: node.type === "Or" ? "And" : "Or", conditions: [emptyTest()] }] }), { label: "Add group of filters" })) : nothing}
    <button type="button" class="rb-add" aria-pressed=${node.exclude ? "true" : "false"} @click=${() => put(changed(node, { exclude: node.exclude ? undefined : true }), { label: "Negate filter" })}>Not</button></div>` : nothing}`;
}

const emptyTest = () => ({ type: "Column", column: "", operator: { type: "Equal", value: "" } });

/** The word a filter begins with, which also says whether it is negated. */
function leading(word, node, name, put) {
  const words = [{ value: "", label: word }, { value: "not", label: `${word} not` }];
  return choose(`Begin of the filter on ${name}`, node.exclude ? "not" : "", words, (value) => put({ exclude: value ? true : undefined }, { label: "Negate filter" }), { kind: node.exclude ? "rb-plain is-bad" : "rb-plain" });
}

function line(about, node, change, remove) {
  const { place, behavior, catalog, word, disabled } = about;
  const root = about.filter ?? EVERY_ROW;
  const put = (changes, options) => change(setIn(root, place, changed(node, changes)), { at: place, ...options });
  const field = catalog.column(behavior, node.column);
  const type = field?.type ?? "";
  const name = field ? labelOf(field) : node.column || "the new filter";
  const found = about.problems([...about.path, ...place], { deep: true });
  const invalid = found.some((issue) => issue.severity === "error");
  const pick = (column) => {
    const next = catalog.column(behavior, column)?.type ?? "";
    put({ column, operator: node.column ? forType(node.operator, next) : firstOperator(next), arrayMatching: next.endsWith("_array") ? node.arrayMatching : undefined }, { label: "Change column" });
  };
  return html`<div class="rb-line">${leading(word, node, name, put)}
    <combo-box .label=${"Column"} .value=${node.column === "time" ? "timestamp" : node.column} .options=${catalog.columnOptions(behavior)} .placeholder=${"Choose a column"} ?invalid=${invalid && !field} ?disabled=${disabled} @combo-change=${(event) => pick(event.detail.value)}></combo-box>
    ${type.endsWith("_array") || node.arrayMatching !== undefined ? arrayMatching(node.arrayMatching, name, (value, typing) => put({ arrayMatching: value }, { label: "Change matching", typing })) : nothing}
    ${node.column ? operatorEditor({ operator: node.operator, type, name, source: catalog.values(field, behavior), invalid, disabled }, (operator, options) => put({ operator }, options)) : nothing}
    ${iconButton("x", `Remove the filter on ${name}`, remove)}
    ${about.single ? addButton("Filter", () => change(withTest(root), { label: "Add filter" })) : nothing}</div>${issueList(found)}`;
}
