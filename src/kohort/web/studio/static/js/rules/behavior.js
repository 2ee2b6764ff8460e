// The rows about behaviors: one aggregate of one behavior, and sequences of several.
import { html, nothing } from "../../vendor/lit.js";
import { labelOf } from "./catalog.js";
import { EVERY_ROW, filterEditor, withTest } from "./filters.js";
import { changed } from "./model.js";
import { forType } from "./operators.js";
import { addButton, choose, icon, iconButton, issueList, numberInput } from "./parts.js";
import { fixedDuration, operatorEditor, unitOf } from "./values.js";

const PREFIX = "behavior_";
const AGGREGATIONS = [
  { value: "Count", label: "count" }, { value: "CountDistinct", label: "count of different" }, { value: "Sum", label: "sum" }, { value: "Average", label: "average" },
  { value: "Min", label: "lowest" }, { value: "Max", label: "highest" }, { value: "First", label: "first" }, { value: "Last", label: "last" },
];
const TAKES_COLUMN = ["Sum", "Average", "Min", "Max", "First", "Last"];
const KEEPS_TYPE = ["Min", "Max", "First", "Last"];

export const nameOf = (source) => (source ?? "").replace(new RegExp(`^${PREFIX}`), "");
export const newBehavior = (name) => ({ type: "Value", attribute: "", source: PREFIX + name, aggregation: { type: "Count" }, operator: { type: "GreaterEqual", value: 1 }, filter: EVERY_ROW });
export const newSequence = (name) => ({ type: "Sequence", steps: [{ source: PREFIX + name }, { source: PREFIX + name, within: { day: 7 } }] });

/** The type of what an aggregation gives. */
function resultType(aggregation, behavior, catalog) {
  if (!KEEPS_TYPE.includes(aggregation.type)) return "number";
  return catalog.column(behavior, aggregation.column)?.type ?? "";
}

/** row: {node, path, catalog, problems, disabled, put(changes, {label, typing})}. */
export function behaviorRow(row) {
  const { node, catalog, disabled, put } = row;
  const name = nameOf(node.source);
  const behavior = catalog.behavior(name);
  const { aggregation } = node;
  const type = resultType(aggregation, name, catalog);
  const called = behavior ? labelOf(behavior) : name || "the behavior";
  const invalid = (place) => row.problems([...row.path, ...place], { deep: true }).some((issue) => issue.severity === "error");
  const aggregate = (changes, options) => {
    const next = changed(aggregation, changes);
    const operator = forType(node.operator, resultType(next, name, catalog));
    put({ aggregation: next, operator: Object.keys(operator).length ? operator : node.operator }, options);
  };
  return html`
    ${choose("What is computed", aggregation.type, AGGREGATIONS, (kind) => aggregate(columnsFor(kind, aggregation), { label: "Change aggregation" }))}
    ${aggregation.type === "Count" ? html`<span class="rb-word">of</span>` : columnsOf(row, name, aggregate, invalid(["aggregation"]))}
    ${behaviorPicker("Behavior", node.source, row, (source) => put({ source }, { label: "Change behavior" }), !behavior && catalog.known)}
    ${groupingOf(row, name, aggregate)}
    ${operatorEditor({ operator: node.operator, type, name: called, source: KEEPS_TYPE.includes(aggregation.type) ? catalog.values(catalog.column(name, aggregation.column), name) : null, invalid: invalid(["operator"]), disabled, short: type === "number" }, (operator, options) => put({ operator }, options))}
    ${windowOf(node, called, put)}
    ${node.window ? html`<span class="rb-word">in any</span>${fixedDuration(node.window.duration, `Window of ${called}`, (duration, typing) => put({ window: { ...node.window, duration } }, { label: "Change window", typing }))}
      ${iconButton("x", "Remove the sliding window", () => put({ window: undefined }, { label: "Remove window" }), { kind: "rb-tiny" })}` : nothing}
    ${hasTests(node.filter) || disabled ? nothing : addButton("Filter", () => put({ filter: withTest(node.filter) }, { label: "Add filter" }))}`;
}

export function behaviorFilter(row) {
  const { node, put } = row;
  const about = { ...row, filter: node.filter, behavior: nameOf(node.source), path: [...row.path, "filter"] };
  return filterEditor(about, (filter, options) => put({ filter: filter ?? EVERY_ROW }, options));
}

const hasTests = (filter) => filter?.type === "Column" || filter?.conditions?.length > 0;

function columnsFor(kind, aggregation) {
  const first = aggregation.column ?? aggregation.columns?.[0];
  const isOrdered = kind === "First" || kind === "Last";
  const columns = aggregation.columns ?? (first ? [first] : []);
  return { type: kind, column: TAKES_COLUMN.includes(kind) ? (first ?? "") : undefined, columns: kind === "CountDistinct" ? columns : undefined, orderColumn: isOrdered ? aggregation.orderColumn : undefined };
}

function columnsOf({ node, catalog, disabled }, behavior, aggregate, invalid) {
  const { aggregation } = node;
  const numbers = ["Sum", "Average"].includes(aggregation.type);
  const options = catalog.columnOptions(behavior, { time: !numbers }).filter((option) => !numbers || ["number", ""].includes(catalog.column(behavior, option.value).type));
  const isOrdered = aggregation.type === "First" || aggregation.type === "Last";
  const many = aggregation.type === "CountDistinct";
  const pick = (value) => aggregate(many ? { columns: value, column: undefined } : { column: value }, { label: "Change column" });
  return html`${many ? nothing : html`<span class="rb-word">of</span>`}
    <combo-box .label=${many ? "Columns" : "Column"} .value=${many ? (aggregation.columns ?? aggregation.column) : aggregation.column} .options=${options} ?multiple=${many} .placeholder=${"Choose a column"}
      ?invalid=${invalid} ?disabled=${disabled} @combo-change=${(event) => pick(event.detail.value)}></combo-box>
    ${isOrdered ? html`<span class="rb-word">by</span><combo-box .label=${"Ordered by"} .value=${aggregation.orderColumn || "timestamp"} .options=${catalog.columnOptions(behavior)} ?disabled=${disabled}
      @combo-change=${(event) => aggregate({ orderColumn: event.detail.value === "timestamp" ? undefined : event.detail.value }, { label: "Change order" })}></combo-box>` : nothing}
    <span class="rb-word">in</span>`;
}

function groupingOf({ node, catalog, disabled }, behavior, aggregate) {
  const { groupingColumns } = node.aggregation;
  if (groupingColumns === undefined || groupingColumns === null) return nothing;
  return html`<span class="rb-word">for the same</span><combo-box .label=${"Grouped by"} .value=${groupingColumns} .options=${catalog.columnOptions(behavior)} multiple .placeholder=${"Choose columns"} ?disabled=${disabled}
      @combo-change=${(event) => aggregate({ groupingColumns: event.detail.value }, { label: "Change grouping" })}></combo-box>
    ${iconButton("x", "Do not group", () => aggregate({ groupingColumns: undefined }, { label: "Remove grouping" }), { kind: "rb-tiny" })}`;
}

export function behaviorPicker(label, source, { catalog, disabled }, set, invalid) {
  return html`<combo-box .label=${label} .value=${nameOf(source)} .options=${catalog.behaviorOptions} .placeholder=${"Choose a behavior"} ?invalid=${invalid} ?disabled=${disabled}
    @combo-change=${(event) => set(PREFIX + event.detail.value)}></combo-box>`;
}

// --- windows ------------------------------------------------------------------------------------------------------------

const WINDOWS = [
  { value: "", label: "at any time" }, { value: "last", label: "in the last" }, { value: "TimeToday", label: "today" }, { value: "TimeThis", label: "this month, week …" },
  { value: "TimeLast", label: "last month, week …" }, { value: "GreaterEqual", label: "since a day" }, { value: "Between", label: "between two days" }, { value: "TimeRange", label: "in a time from …" },
];
const STARTS = {
  TimeToday: {}, TimeThis: { from: { unit: "month" } }, TimeLast: { from: { unit: "month" } }, GreaterEqual: { value: { last: 30, unit: "day" } },
  Between: { min: { last: 10, unit: "day" }, max: { last: 5, unit: "day" } }, TimeRange: { duration: { day: 7 }, from: { last: 1, unit: "month" } },
};

/** Windows other than "in the last" are tests of the time among the filters. */
function windowOf(node, called, put) {
  const { timeWindow } = node;
  const isFiltered = (node.filter?.conditions ?? []).some((part) => part.column === "timestamp" || part.column === "time");
  const windows = timeWindow || !isFiltered ? WINDOWS : [{ value: "", label: "at the time below" }, ...WINDOWS.slice(1)];
  const pick = (value) => {
    const label = "Change window";
    if (value === "") put({ timeWindow: undefined }, { label });
    else if (value === "last") put({ timeWindow: { duration: 30, unit: "day" } }, { label });
    else put({ timeWindow: undefined, filter: withTest(node.filter, { type: "Column", column: "timestamp", operator: { type: value, ...STARTS[value] } }) }, { label });
  };
  const set = (changes, typing) => put({ timeWindow: changed(timeWindow, changes) }, { label: "Change window", typing });
  return html`<span class="rb-together">${choose(`Time window of ${called}`, timeWindow ? "last" : "", windows, pick)}
    ${timeWindow ? html`${numberInput(`Length of the window of ${called}`, timeWindow.duration, (duration) => set({ duration }, true), { min: 1, step: 1 })}${unitOf(`Unit of the window of ${called}`, timeWindow.unit, (unit) => set({ unit }))}` : nothing}</span>`;
}

// --- sequences ------------------------------------------------------------------------------------------------------------

/** The steps without one of them; the first has nothing to follow. */
export const withoutStep = (steps, index) => steps.filter((_, at) => at !== index).map((step, at) => (at === 0 ? changed(step, { within: undefined }) : step));

function stepHandle(index, name) {
  return html`<span class="rb-handle rb-step-handle" role="button" tabindex="0" draggable="true" aria-label="Move step ${index + 1}: ${name}" title="Drag to move, or Alt+Up and Alt+Down. Delete removes.">${icon("grip-vertical", 15)}</span>`;
}

export function sequenceRow(row) {
  const { node, put, catalog, disabled } = row;
  const set = (index, changes, options) => put({ steps: node.steps.map((step, at) => (at === index ? changed(step, changes) : step)) }, options);
  const drop = (index) => put({ steps: withoutStep(node.steps, index) }, { label: "Remove step" });
  return html`<ol class="rb-steps">${node.steps.map((step, index) => {
    const name = nameOf(step.source);
    const place = ["steps", index];
    const known = catalog.behavior(name);
    return html`<li><div class="rb-step" data-step=${index} role="group" aria-label="Step ${index + 1}">${disabled ? nothing : stepHandle(index, known ? labelOf(known) : name)}<div class="rb-main"><div class="rb-line">
        <span class="rb-word rb-then">${index ? "then" : "first"}</span>
        ${behaviorPicker(`Behavior of step ${index + 1}`, step.source, row, (source) => set(index, { source }, { label: "Change behavior" }), !known && catalog.known)}
        ${windowOf(step, `step ${index + 1}`, (changes, options) => set(index, changes, options))}
        ${index ? withinOf(step, index, set) : nothing}
        ${addButton("Filter", () => set(index, { filter: withTest(step.filter) }, { label: "Add filter" }), `Add filter to step ${index + 1}`)}
        ${node.steps.length > 2 ? iconButton("x", `Remove step ${index + 1}`, () => drop(index)) : nothing}</div>
      ${filterEditor({ ...row, filter: step.filter, behavior: name, path: [...row.path, ...place, "filter"] }, (filter, options) => set(index, { filter: hasTests(filter) ? filter : undefined }, options))}
      ${issueList(row.problems([...row.path, ...place], { deep: true, but: "filter" }))}</div></div></li>`;
  })}</ol>${addButton("Step", () => put({ steps: [...node.steps, { source: node.steps.at(-1).source, within: { day: 7 } }] }, { label: "Add step" }))}`;
}

function withinOf(step, index, set) {
  const options = [{ value: "within", label: "within" }, { value: "", label: "any time later" }];
  return html`<span class="rb-together">${choose(`How soon step ${index + 1} follows`, step.within ? "within" : "", options, (value) => set(index, { within: value ? { day: 7 } : undefined }, { label: "Change time" }))}
    ${step.within ? fixedDuration("duration" in step.within ? { [step.within.unit]: step.within.duration } : step.within, `Time to step ${index + 1}`, (within, typing) => set(index, { within }, { label: "Change time", typing })) : nothing}</span>`;
}
