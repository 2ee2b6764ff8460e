// Paths as the server writes them ("rule.conditions[0].operator.value"), and the definition as a document.
import { isExact, isMapping } from "../exact.js";

/** The path of the row a problem is about: its condition, or its group. */
export function rowOf(path) {
  return /^rule(\.conditions\[\d+\])*/.exec(path ?? "")?.[0] ?? "";
}

/** The same as the list of keys that the builder writes on a row. */
export function keysOf(row) {
  return [...row.matchAll(/\[(\d+)\]/g)].flatMap(([, at]) => ["conditions", Number(at)]);
}

/** What a place is called for people: "Condition 2", "Condition 2.1", "A/B test". */
export function placeOf(path) {
  const row = rowOf(path);
  const numbers = [...row.matchAll(/\[(\d+)\]/g)].map(([, at]) => Number(at) + 1);
  if (numbers.length) return `Condition ${numbers.join(".")}`;
  const first = (path ?? "").split(/[.[]/)[0];
  return { rule: "The rule", ab_test: "A/B test", name: "Name", folder: "Folder", base: "Base", description: "Description" }[first] ?? "";
}

/** The line of a typed text that a path is about; of an unknown path, that of its nearest known parent. */
export function lineOf(path, lines) {
  for (let at = path ?? ""; at; at = at.replace(/(\.[^.[\]]+|\[\d+\])$/, "")) {
    if (lines[at]) return lines[at];
    if (!/[.[]/.test(at)) return 0;
  }
  return 0;
}

/** A copy with a key changed; undefined and "" take it away. */
export function withKey(definition, key, value) {
  const copy = { ...definition };
  if (value === undefined || value === "") delete copy[key];
  else copy[key] = value;
  return copy;
}

/** Whether two values of JSON say the same, whatever the order of their keys; a key without a value is as none. What they share is not looked at. */
export function same(first, second) {
  if (first === second) return true;
  if (Array.isArray(first) && Array.isArray(second)) return first.length === second.length && first.every((value, at) => same(value, second[at]));
  if (!isMapping(first) || !isMapping(second)) return isExact(first) && isExact(second) && first.rawJSON === second.rawJSON;
  const [keys, others] = [first, second].map((value) => Object.keys(value).filter((key) => value[key] !== undefined));
  return keys.length === others.length && keys.every((key) => second[key] !== undefined && same(first[key], second[key]));
}
