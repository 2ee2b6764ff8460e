// Undo and redo: every state of the definition, one after another. States are never changed, so keeping them costs little.
const MOST = 200;
const TOGETHER_MS = 1500;

export class Steps {
  constructor(value) {
    this.value = value;
    this.past = [];
    this.future = [];
    this.key = "";
    this.at = 0;
  }

  /** A new state. coalesce: edits with the same key in quick succession are one step. */
  push(value, label, coalesce = "", now = performance.now()) {
    const together = coalesce && coalesce === this.key && now - this.at < TOGETHER_MS && this.past.length > 0;
    if (!together) this.past.push({ value: this.value, label });
    if (this.past.length > MOST) this.past.shift();
    this.value = value;
    this.future = [];
    this.key = coalesce;
    this.at = now;
  }

  /** Back one step; what it was that is undone, or null. */
  undo() {
    return this.#move(this.past, this.future);
  }

  /** Forward again. */
  redo() {
    return this.#move(this.future, this.past);
  }

  #move(from, to) {
    const step = from.pop();
    if (!step) return null;
    to.push({ value: this.value, label: step.label });
    this.value = step.value;
    this.key = "";
    return step.label;
  }

  get undoLabel() {
    return this.past.at(-1)?.label ?? "";
  }

  get redoLabel() {
    return this.future.at(-1)?.label ?? "";
  }
}
