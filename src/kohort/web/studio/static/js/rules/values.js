// What stands on the right of an operator: the inputs for each kind of operand and each type of field.
import { html, nothing } from "../../vendor/lit.js";
import { isExact, shown } from "../exact.js";
import { FIXED_UNITS, UNITS, choicesFor, choiceOf, operandOf, withChoice } from "./operators.js";
import { choose, iconButton, numberInput } from "./parts.js";

const TIMES = ["timestamp", "date"];

/**
 * Operator and value of a test.
 * about: {operator, type, name (for labels), source (suggestions or null), invalid, short}; change(operator, {label, typing}).
 */
export function operatorEditor(about, change) {
  const { operator, type, name, short = false } = about;
  const pick = (choice) => change(withChoice(operator, choice, element(type)), { label: "Change operator" });
  return html`${choose(`Operator of ${name}`, choiceOf(operator), choicesFor(type, operator, { short }), pick, { invalid: about.invalid && !operandOf(operator) })}${operand(about, change)}`;
}

const element = (type) => type.replace("_array", "");

function operand(about, change) {
  const { operator, name } = about;
  const set = (changes, typing = false) => change(without({ ...operator, ...changes }), { label: "Change value", typing });
  switch (operandOf(operator)) {
    case "one":
      return one(about, operator.value, `Value of ${name}`, (value, typing) => set({ value }, typing));
    case "bounds":
      return html`${one(about, operator.min, `Low end of ${name}`, (min, typing) => set({ min }, typing), "lowest")}<span class="rb-word">and</span>
        ${one(about, operator.max, `High end of ${name}`, (max, typing) => set({ max }, typing), "highest")}`;
    case "list":
      return combo(about, operator.value, `Values of ${name}`, (value) => set({ value }), { multiple: true, numeric: element(about.type) === "number" });
    case "texts":
      return combo(about, operator.value, `Texts in ${name}`, (value) => set({ value }), { multiple: true, source: null, placeholder: "text" });
    case "pattern":
      return html`<input class="rb-control rb-wide mono" type="text" aria-label="Pattern of ${name}" placeholder="RE2 pattern" spellcheck="false" .value=${operator.value ?? ""} @input=${(event) => set({ value: event.target.value }, true)}>`;
    case "amount":
      return html`${numberInput(`Number of units of ${name}`, operator.value, (value) => set({ value }, true), { min: 1, step: 1, invalid: about.invalid })}${unitOf(`Unit of ${name}`, operator.unit, (unit) => set({ unit }))}`;
    case "calendar":
      return unitOf(`Unit of ${name}`, operator.from?.unit ?? operator.unit, (unit) => set({ from: { ...operator.from, unit }, unit: undefined }), { plural: false });
    case "range":
      return range(operator, name, set);
    case "next_range":
      return html`${distance(operator.from, "next", `Begin of ${name}`, (from, typing) => set({ from }, typing))}<span class="rb-word">and</span>${distance(operator.to, "next", `End of ${name}`, (to, typing) => set({ to }, typing))}`;
    default:
      return nothing;
  }
}

function without(operator) {
  for (const key of Object.keys(operator)) if (operator[key] === undefined) delete operator[key];
  return operator;
}

// --- one value ----------------------------------------------------------------------------------------------------

function one(about, value, label, set, placeholder = undefined) {
  const type = element(about.type);
  if (TIMES.includes(type) || (typeof value === "object" && value !== null && !isExact(value))) return instant(about, value, label, set);
  if (type === "boolean") return choose(label, String(value), value === true || value === false ? ["true", "false"] : [String(value), "true", "false"], (text) => set(text === "true"));
  if (type === "number" && (typeof value !== "string" || !value)) return numberInput(label, value, (number) => set(number, true), { invalid: about.invalid });
  return combo(about, value, label, set, { numeric: type === "number" || (type === "" && (typeof value === "number" || isExact(value))), placeholder });
}

function combo(about, value, label, set, { multiple = false, numeric = false, source = about.source, placeholder = multiple ? "values" : value === "" ? "(empty)" : "value" } = {}) {
  return html`<combo-box .label=${label} .value=${value} .source=${source} .options=${[]} .placeholder=${placeholder} ?multiple=${multiple} ?numeric=${numeric} free
    ?invalid=${about.invalid} ?disabled=${about.disabled} @combo-change=${(event) => set(event.detail.value)}></combo-box>`;
}

// --- instants -------------------------------------------------------------------------------------------------------

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** How an instant is written: a day, a time, so long ago, so far ahead, or a value as it is. */
function formOf(value) {
  if (value === undefined || value === null || value === "") return "day";
  if (typeof value !== "object" || isExact(value)) return "plain";
  if ("last" in value) return "last";
  if ("next" in value) return "next";
  return "timestamp" in value ? (DAY.test(value.timestamp) || value.timestamp === "" ? "day" : "time") : "plain";
}

const FORMS = [{ value: "day", label: "day" }, { value: "time", label: "time" }, { value: "last", label: "ago" }, { value: "next", label: "from now" }];

function instant(about, value, label, set) {
  const form = formOf(value);
  const forms = form === "plain" ? [{ value: "plain", label: "as written" }, ...FORMS] : FORMS;
  return html`${choose(`${label}: how it is given`, form, forms, (next) => next !== form && set(inForm(next, value)))}${instantInput(form, value, label, set)}`;
}

function inForm(form, value) {
  const text = typeof value === "object" && value ? (value.timestamp ?? "") : typeof value === "string" ? value : "";
  switch (form) {
    case "last":
      return { last: value?.next ?? 30, unit: value?.unit ?? "day", ...(typeof value?.next === "object" ? { unit: undefined } : {}) };
    case "next":
      return { next: value?.last ?? 7, unit: value?.unit ?? "day" };
    case "time":
      return { timestamp: DAY.test(text) ? `${text}T00:00:00` : text || `${today()}T00:00:00` };
    default:
      return { timestamp: DAY.test(text.slice(0, 10)) ? text.slice(0, 10) : today() };
  }
}

const today = () => new Date().toISOString().slice(0, 10);

function instantInput(form, value, label, set) {
  switch (form) {
    case "day":
      return html`<input class="rb-control rb-date" type="date" aria-label=${label} .value=${value?.timestamp ?? ""} @change=${(event) => set(event.target.value ? { ...value, timestamp: event.target.value } : undefined, true)}>`;
    case "time":
      return html`<input class="rb-control rb-time mono" type="text" aria-label=${label} spellcheck="false" .value=${value.timestamp} @input=${(event) => set({ ...value, timestamp: event.target.value }, true)}>`;
    case "last":
    case "next":
      return distance(value, form, label, set);
    default:
      return html`<input class="rb-control rb-time mono" type="text" aria-label=${label} .value=${shown(value)} @change=${(event) => set(asTyped(event.target.value, value))}>`;
  }
}

const asTyped = (text, before) => (typeof before === "number" || isExact(before) ? (numberOf(text) ?? text) : text);

// --- lengths of time --------------------------------------------------------------------------------------------------

/** {last: 30, unit: day}, or {last: {day: 1, hour: 2}} where there are several units. */
export function distance(value, key, label, set) {
  const amount = value?.[key];
  const parts = typeof amount === "object" && amount ? amount : { [value?.unit ?? "day"]: amount };
  return duration(parts, label, (next, typing) => {
    const [[unit, number], ...more] = Object.entries(next);
    set(more.length || typeof amount === "object" ? { [key]: next } : { [key]: number, unit }, typing);
  });
}

const ONE_MORE = "+";

/** {day: 7} or {day: 1, hour: 12}: a number and a unit each. */
export function duration(parts, label, set, { units = UNITS } = {}) {
  const entries = Object.entries(parts ?? {});
  const free = units.filter((unit) => !(unit in (parts ?? {})));
  const next = free.find((unit) => units.indexOf(unit) > units.indexOf(entries.at(-1)?.[0])) ?? free[0];
  const put = (index, unit, amount, typing) => set(Object.fromEntries(entries.map((entry, at) => (at === index ? [unit, amount] : entry))), typing);
  const pick = (index, unit, amount) => (unit === ONE_MORE ? set({ ...parts, [next]: 1 }) : put(index, unit, amount));
  return entries.map(([unit, amount], index) => {
    const among = units.filter((name) => name === unit || free.includes(name)).map((name) => ({ value: name, label: `${name}s` }));
    const more = next && index === entries.length - 1 ? [{ value: ONE_MORE, label: `and ${next}s …` }] : [];
    const known = units.includes(unit) ? [] : [{ value: unit, label: unit }];
    return html`<span class="rb-together">${numberInput(`${label}: number`, amount, (number) => put(index, unit, number, true), { min: 0, step: 1 })}
      ${choose(`${label}: unit`, unit, [...known, ...among, ...more], (chosen) => pick(index, chosen, amount))}
      ${entries.length > 1 ? iconButton("x", `${label}: remove ${unit}`, () => set(Object.fromEntries(entries.filter((_, at) => at !== index))), { kind: "rb-tiny" }) : nothing}</span>`;
  });
}

export const fixedDuration = (parts, label, set) => duration(parts, label, set, { units: FIXED_UNITS });

export function unitOf(label, unit, set, { plural = true } = {}) {
  const units = UNITS.includes(unit) ? UNITS : [unit ?? "", ...UNITS];
  return choose(label, unit ?? "", units.map((name) => ({ value: name, label: plural && name ? `${name}s` : name })), set);
}

const STARTS = [
  { value: "from-last", label: "from" }, { value: "until-last", label: "until" }, { value: "from-unit", label: "from the begin of this" },
  { value: "until-unit", label: "until the begin of this" }, { value: "since-unit", label: "since the begin of this" },
];

/** A stretch of time: 7 days from 1 month ago; 7 days until the begin of this year; since the begin of this month. */
function range(operator, name, set) {
  const from = operator.from ?? {};
  const isUnit = !("last" in from);
  const start = `${operator.duration ? (operator.reverse ? "until" : "from") : "since"}-${isUnit ? "unit" : "last"}`;
  const pick = (chosen) => {
    const [way, kind] = chosen.split("-");
    const begin = kind === "unit" ? { unit: from.unit ?? "month" } : isUnit ? { last: 1, unit: from.unit ?? "month" } : from;
    set({ from: kind === "unit" && isUnit ? from : begin, duration: way === "since" ? undefined : (operator.duration ?? { day: 7 }), reverse: way === "until" ? true : undefined });
  };
  return html`${operator.duration ? duration(asParts(operator.duration), `Length of ${name}`, (parts, typing) => set({ duration: parts }, typing)) : nothing}
    ${choose(`Start of ${name}: how it is given`, start, STARTS, pick)}
    ${isUnit ? unitOf(`Start of ${name}`, from.unit, (unit) => set({ from: { ...from, unit } }), { plural: false }) : html`${distance(from, "last", `Start of ${name}`, (next, typing) => set({ from: next }, typing))}<span class="rb-word">ago</span>`}`;
}

const asParts = (value) => ("duration" in value ? { [value.unit]: value.duration } : value);
