// The operators a row offers for a type of field, and what becomes of the value when another one is chosen.

import { isExact } from "../exact.js";

export const UNITS = ["year", "quarter", "month", "week", "day", "hour", "minute", "second"];
export const FIXED_UNITS = ["week", "day", "hour", "minute", "second"];
const ORDERED = ["string", "number", "number_array", "timestamp", "date"];
const TIMES = ["timestamp", "date"];
const TEXTS = ["string", "string_array"];
const ALL = ["string", "number", "boolean", "timestamp", "date", "string_array", "number_array"];
const LISTED = ALL.filter((type) => type !== "boolean");

// key: [what it compares with, types, its words, its words negated, the name of its negation]
const ROWS = {
  Equal: ["one", ALL, "is", "is not", "NotEqual"],
  NotEqual: ["one", ALL, "is not", "is", "Equal"],
  In: ["list", LISTED, "is one of", "is none of", "NotIn"],
  NotIn: ["list", LISTED, "is none of", "is one of", "In"],
  GreaterEqual: ["one", ORDERED, "is at least", "is not at least"],
  Greater: ["one", ORDERED, "is greater than", "is not greater than"],
  LessEqual: ["one", ORDERED, "is at most", "is not at most"],
  Less: ["one", ORDERED, "is less than", "is not less than"],
  Between: ["bounds", ORDERED, "is between", "is not between"],
  Contain: ["texts", TEXTS, "contains", "does not contain"],
  StartWith: ["texts", TEXTS, "starts with", "does not start with"],
  EndWith: ["texts", TEXTS, "ends with", "does not end with"],
  Regexp: ["pattern", ["string"], "matches", "does not match"],
  TimeWithinPast: ["amount", TIMES, "is within the past", "is not within the past"],
  TimeWithinNext: ["amount", TIMES, "is within the next", "is not within the next"],
  TimeToday: ["none", TIMES, "is today", "is not today"],
  TimeTodayAndBeyond: ["none", TIMES, "is today or later", "is before today"],
  TimeThis: ["calendar", TIMES, "is this", "is not this"],
  TimeLast: ["calendar", TIMES, "is last", "is not last"],
  TimeNext: ["calendar", TIMES, "is next", "is not next"],
  TimeRange: ["range", TIMES, "is in the time", "is not in the time"],
  TimeInBetweenNext: ["next_range", TIMES, "is between the next", "is not between the next"],
  IsNull: ["none", ALL, "has no value", "has a value"],
};
const RARELY_NEGATED = ["GreaterEqual", "Greater", "LessEqual", "Less"];
const SHORT = { Equal: "=", NotEqual: "≠", GreaterEqual: "≥", Greater: ">", LessEqual: "≤", Less: "<" };
const TIME_WORDS = { GreaterEqual: "is at or after", Greater: "is after", LessEqual: "is at or before", Less: "is before" };

/** What an operator compares with; "" for one that is not known. */
export const operandOf = (operator) => ROWS[operator?.type]?.[0] ?? "";

/** The name of an operator among the choices: its type, with ! when negated. */
export function choiceOf(operator) {
  const row = ROWS[operator?.type];
  if (!operator?.not) return operator?.type ?? "";
  return row?.[4] ?? `${operator.type}!`;
}

/** The operators to choose from for a type ("" is any): [{value, label}]; the current one is always there. */
export function choicesFor(type, current, { short = false } = {}) {
  const found = [];
  const add = (key, negated) => found.push({ value: negated ? `${key}!` : key, label: labelOf(key, negated, type, short) });
  for (const [key, [, types, , , negation]] of Object.entries(ROWS)) {
    if (type && !types.includes(type)) continue;
    add(key, false);
    if (!negation && !RARELY_NEGATED.includes(key)) add(key, true);
  }
  const chosen = choiceOf(current);
  if (!found.some((choice) => choice.value === chosen)) {
    const key = chosen.replace(/!$/, "");
    found.unshift({ value: chosen, label: key in ROWS ? labelOf(key, chosen.endsWith("!"), type, short) : chosen || "choose" });
  }
  return found;
}

function labelOf(key, negated, type, short) {
  if (short && !negated && SHORT[key]) return SHORT[key];
  if (!negated && TIMES.includes(type) && TIME_WORDS[key]) return TIME_WORDS[key];
  return ROWS[key][negated ? 3 : 2];
}

const KEYS = {
  one: ["value"], list: ["value"], texts: ["value"], pattern: ["value"], none: [], amount: ["value", "unit"],
  bounds: ["min", "max"], calendar: ["from"], range: ["duration", "from", "reverse"], next_range: ["from", "to"],
};

/** The operator after another choice: the value is kept where it fits; keys nobody knows stay. */
export function withChoice(operator, choice, type) {
  const key = choice.replace(/!$/, "");
  const next = { ...operator, type: key };
  delete next.not;
  if (choice.endsWith("!")) next.not = true;
  const [from, to] = [operandOf(operator), ROWS[key][0]];
  const value = operator?.value;
  if (from === to) return next;
  for (const old of KEYS[from] ?? []) if (!KEYS[to].includes(old)) delete next[old];
  return { ...next, ...startOf(to, from, value, operator, type) };
}

/** What a new operand begins with; undefined leaves the value for the person to give. */
function startOf(to, from, value, operator, type) {
  const one = from === "bounds" ? (operator.min ?? operator.max) : Array.isArray(value) ? value[0] : from === "amount" ? undefined : value;
  const given = (found) => (found === undefined ? {} : found);
  switch (to) {
    case "one":
      return { value: one ?? (type === "boolean" ? true : undefined) };
    case "list":
      return { value: Array.isArray(value) ? value : one === undefined || one === "" || typeof one === "object" ? [] : [one] };
    case "texts":
      return { value: (Array.isArray(value) ? value : [one]).filter((item) => typeof item === "string" && item !== "") };
    case "pattern":
      return { value: typeof one === "string" ? one : "" };
    case "bounds":
      return given(one === undefined || one === "" ? undefined : { min: one });
    case "amount":
      return { value: 30, unit: operator?.from?.unit ?? "day" };
    case "calendar":
      return { from: { unit: operator?.unit ?? operator?.from?.unit ?? "month" } };
    case "range":
      return { duration: { day: 7 }, from: { last: 1, unit: "month" } };
    case "next_range":
      return { from: { next: 1, unit: "day" }, to: { next: 7, unit: "day" } };
    default:
      return {};
  }
}

/** The operator that a condition on a field begins with. */
export function firstOperator(type) {
  switch (type) {
    case "number":
    case "number_array":
      return { type: "GreaterEqual" };
    case "boolean":
      return { type: "Equal", value: true };
    case "timestamp":
    case "date":
      return { type: "TimeWithinPast", value: 30, unit: "day" };
    default:
      return { type: "Equal" };
  }
}

/** The operator once its field is another: kept when it fits the type and its value does. */
export function forType(operator, type) {
  const row = ROWS[operator?.type];
  if (!row || !type) return operator ?? firstOperator(type);
  if (!row[1].includes(type)) return firstOperator(type);
  if (!["one", "list", "texts", "bounds"].includes(row[0])) return operator;
  const scalar = { number: "number", number_array: "number", boolean: "boolean", string: "string", string_array: "string" }[type];
  const values = [operator.value, operator.min, operator.max].flat().filter((value) => value !== undefined && value !== null && value !== "");
  if (TIMES.includes(type)) return values.length && values.every((value) => typeof value === "object" && !isExact(value)) ? operator : firstOperator(type);
  return scalar && values.every((value) => typeof value === scalar || (scalar === "number" && isExact(value))) && values.length ? operator : firstOperator(type);
}
