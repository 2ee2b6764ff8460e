// The fields of a parent segment as rows need them: labels, types, options for pickers, addresses of suggested values.
import { call } from "../api.js";

const words = (name) => {
  const text = name.replace(/[_\s]+/g, " ").trim();
  return text ? text[0].toUpperCase() + text.slice(1) : name;
};

/** The catalog in the answer of GET /parents/{parent}/fields; without types where the answer has none. */
export class Catalog {
  constructor(document, parentSlug = "") {
    const found = document?.catalog ?? plain(document?.fields ?? document ?? {});
    this.known = Boolean(document);
    this.parentSlug = parentSlug;
    this.attributes = new Map((found.attributes ?? []).map((field) => [field.name, field]));
    this.behaviors = new Map((found.behaviors ?? []).map((behavior) => [behavior.name, columnsOf(behavior)]));
    this.attributeOptions = [...this.attributes.values()].map(option);
    this.behaviorOptions = [...this.behaviors.values()].map((behavior) => ({ value: behavior.name, label: labelOf(behavior), note: behavior.name }));
  }

  attribute(name) {
    return this.attributes.get(name);
  }

  behavior(name) {
    return this.behaviors.get(name);
  }

  column(behavior, name) {
    return this.behavior(behavior)?.columns.get(name === "time" ? "timestamp" : name);
  }

  /** Options for a picker of a behavior's columns. */
  columnOptions(behavior, { time = true } = {}) {
    const columns = [...(this.behavior(behavior)?.columns.values() ?? [])];
    return columns.filter((field) => time || field.name !== "timestamp").map(option);
  }

  /** A function that asks for the most frequent values of a field that begin with what was typed; none for personal data. */
  values(field, behavior = "") {
    if (!field || !this.parentSlug || field.visibility === "blocked" || field.visibility === "pii") return null;
    const name = behavior ? `${behavior}.${field.name}` : field.name;
    return (prefix) => suggested(`/api/v1/parents/${encodeURIComponent(this.parentSlug)}/fields/${encodeURIComponent(name)}/values?limit=30&prefix=${encodeURIComponent(prefix)}`);
  }
}

/** What a field or behavior is called. */
export function labelOf(field) {
  return field.label || words(field.name);
}

const option = (field) => ({ value: field.name, label: labelOf(field), note: field.name === labelOf(field) ? field.type : `${field.name} · ${field.type}`, group: field.group ?? "" });

function columnsOf(behavior) {
  return { ...behavior, columns: new Map(behavior.columns.map((field) => [field.name, field])) };
}

function plain(fields) {
  const field = (name) => ({ name, type: "", label: "", visibility: "clear" });
  const time = { ...field("timestamp"), type: "timestamp", label: "Time of the event" };
  const behaviors = (fields.behaviors ?? []).map((b) => ({ name: b.name, label: "", columns: [...b.fields.map(field), time] }));
  return { attributes: (fields.attributes ?? []).map((f) => ({ ...field(f.name), type: f.type })), behaviors };
}

const answers = new Map();

/** Suggested values; asked for once a minute. Without an answer there are none: anything may be typed. */
async function suggested(address) {
  const kept = answers.get(address);
  if (kept && performance.now() - kept.at < 60_000) return kept.items;
  const items = call("GET", address).then(({ data }) => data.items, () => []);
  answers.set(address, { items, at: performance.now() });
  if (answers.size > 300) answers.delete(answers.keys().next().value);
  return items;
}
