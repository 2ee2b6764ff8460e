// The definition as it is typed: asks the server what a text means, and for the text of a definition. The server is the only parser.
import { call } from "../api.js";
import { Asking } from "./asking.js";
import { inWords } from "./trouble.js";

const QUIET_MS = 150;
const MOVES = { code: "SEGMENT_MOVES", severity: "error", path: "name", message: "name and folder are not changed here", hint: "move or rename the segment in the tree; references to it follow" };

export class Typing {
  /** form: yaml or text. host: {address, definition, isNew, read(definition), shown()}. */
  constructor(form, host) {
    Object.assign(this, { form, host, text: "", issues: [], lines: {}, broken: false });
    this.reading = new Asking(QUIET_MS, (signal) => this.#ask(this.#typed(), signal), (found) => this.#understood(found), (problem) => this.#failed(problem));
    this.writing = new Asking(0, (signal) => this.#write(signal), (found) => this.#written(found), (problem) => this.#failed(problem));
  }

  /** The text of the definition as it is now; what was typed and could not be read is dropped. */
  write() {
    this.reading.stop();
    return this.writing.now();
  }

  typed(text) {
    this.text = text;
    this.writing.stop();
    this.reading.soon();
    this.host.shown();
  }

  /** Have what was typed read now; false when it cannot be read. */
  async settled() {
    if (this.reading.waiting) await this.reading.now();
    return !this.broken;
  }

  stop() {
    this.reading.stop();
    this.writing.stop();
  }

  #typed() {
    const { folder = "" } = this.host.definition;
    return this.form === "yaml" ? { yaml: this.text, folder } : { text: this.text || "everybody" };
  }

  async #ask(body, signal) {
    return (await call("POST", `${this.host.address}/rules/parse`, body, { signal })).data;
  }

  /** The text of the definition, and what is on which line of it. */
  async #write(signal) {
    const found = await this.#ask({ definition: sent(this.host.definition) }, signal);
    const text = this.form === "yaml" ? found.yaml : found.text;
    const { folder = "" } = this.host.definition;
    const placed = text ? await this.#ask(this.form === "yaml" ? { yaml: text, folder } : { text }, signal) : { lines: {}, issues: [] };
    return { ...placed, text, readable: Boolean(found.definition) };
  }

  #written({ text, lines, issues, readable }) {
    const wordless = { severity: "error", path: "", message: "this rule cannot be written as text yet", hint: "correct it under Visual or YAML" };
    Object.assign(this, { text, lines, broken: false });
    this.issues = this.form === "text" && !readable ? [wordless] : issues;
    this.host.shown();
  }

  #understood(found) {
    const { definition, isNew } = this.host;
    this.lines = found.lines;
    this.issues = found.issues.map((issue) => ({ ...issue, line: issue.line ?? 0 }));
    if (found.definition && !isNew && this.form === "yaml" && "name" in found.definition && moved(found.definition, definition)) this.issues.push({ ...MOVES, line: found.lines.folder ?? found.lines.name ?? 1 });
    this.broken = !found.definition || this.issues.some((issue) => issue.code === MOVES.code);
    if (this.broken) this.host.shown();
    else this.host.read(this.form === "yaml" ? placed(found.definition, definition, isNew) : { ...without(definition, "rule"), ...(found.definition.rule ? { rule: found.definition.rule } : {}) });
  }

  #failed(problem) {
    this.issues = [{ severity: "error", path: "", message: inWords(problem), hint: "" }];
    this.broken = true;
    this.host.shown();
  }
}

const moved = (found, definition) => found.name !== definition.name || (found.folder ?? "") !== (definition.folder ?? "");

/** What was read, at the place it is to be: of a saved segment that is fixed, of a new one what was written counts. */
function placed(found, definition, isNew) {
  const { name, folder, ...rest } = found;
  const [at, called] = isNew ? [folder ?? definition.folder, name ?? definition.name] : [definition.folder, definition.name];
  return { name: called, ...(at ? { folder: at } : {}), ...rest };
}

/** A definition as the server is asked about it: without a name that is still empty. */
export function sent(definition) {
  return definition.name ? definition : without(definition, "name");
}

function without(definition, key) {
  const { [key]: _, ...rest } = definition;
  return rest;
}
