// Numbers that JavaScript would round, such as 9007199254740993, are kept as they were written (JSON.rawJSON) through every edit.

/** The value of a JSON text, without loss where the browser can do that. */
export function parseExact(text) {
  if (!JSON.rawJSON || !/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (key, value, context) => (typeof value === "number" && context?.source && !isFaithful(value, context.source) ? JSON.rawJSON(context.source) : value));
}

const isFaithful = (value, source) => !/^-?\d+$/.test(source) || String(value) === source;

/** True for a number kept as it was written. */
export const isExact = (value) => typeof value === "object" && value !== null && "rawJSON" in value;

/** True for keys with values. */
export const isMapping = (value) => typeof value === "object" && value !== null && !Array.isArray(value) && !isExact(value);

/** A typed text as a number; undefined when it is none. */
export function numberOf(text) {
  const trimmed = text.trim();
  const number = Number(trimmed);
  if (trimmed === "" || !Number.isFinite(number)) return undefined;
  return JSON.rawJSON && /^-?[1-9]\d*$/.test(trimmed) && String(number) !== trimmed ? JSON.rawJSON(trimmed) : number;
}

/** A value as people read it. */
export const shown = (value) => (value === undefined || value === null ? "" : isExact(value) ? value.rawJSON : typeof value === "object" ? JSON.stringify(value) : String(value));

/** A copy that shares nothing. */
export const copied = (value) => parseExact(JSON.stringify(value));
