// Paths as the server writes them ("rule.conditions[0].operator.value"), and the definition as a document.

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

/** Whether two values say the same, whatever the order of their keys. */
export function same(first, second) {
  return first === second || JSON.stringify(ordered(first)) === JSON.stringify(ordered(second));
}

function ordered(value) {
  if (Array.isArray(value)) return value.map(ordered);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, ordered(value[key])]));
}
