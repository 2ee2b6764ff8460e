// <rule-builder>: a rule as people see it. Properties: rule, fields, segments, preview, parentSlug, readonly.
// It never changes what it was given: every edit is a new document in a "rule-change" event {rule, label, coalesce}.
import { LitElement, html, nothing, repeat } from "../../vendor/lit.js";
import { newBehavior, newSequence, withoutStep } from "./behavior.js";
import { Catalog } from "./catalog.js";
import "./condition.js";
import { dragging } from "./drag.js";
import { Facts } from "./facts.js";
import { groupTemplate, letterOf } from "./group.js";
import { asGroup, canUnwrap, changed, duplicate, getIn, insert, isGroup, keyOf, move, pathText, remove, samePath, setIn, step, stepsMoved, takeKeys, unwrap, wrap } from "./model.js";

const NEW = {
  attribute: () => ({ type: "Value", attribute: "", operator: { type: "Equal", value: "" } }),
  behavior: (catalog) => newBehavior(catalog.behaviorOptions[0]?.value ?? ""),
  sequence: (catalog) => newSequence(catalog.behaviorOptions[0]?.value ?? ""),
  segment: () => ({ type: "include", segment: "" }),
  group: () => ({ type: "Or", conditions: [] }),
};
const LONG = 30; // a rule with more conditions is drawn where it is seen
const NOT_YET_FILLED = ["Change attribute", "Change behavior", "Change segment", "Change operator"];

export class RuleBuilder extends LitElement {
  static properties = {
    rule: { attribute: false }, fields: { attribute: false }, segments: { attribute: false }, preview: { attribute: false },
    parentSlug: { attribute: "parent-slug" }, readonly: { type: Boolean }, _said: { state: true }, _opened: { state: true },
  };

  constructor() {
    super();
    this.rule = null;
    this.segments = [];
    this.fresh = new Set();
    this.describing = new Set();
    this.facts = new Facts(null);
    this.addEventListener("keydown", (event) => this.key(event));
    dragging(this);
  }

  createRenderRoot() {
    return this;
  }

  get root() {
    return asGroup(this.rule);
  }

  willUpdate(changes) {
    if (changes.has("fields") || changes.has("parentSlug") || !this.catalog) this.catalog = new Catalog(this.fields, this.parentSlug);
    if (changes.has("preview")) this.facts = new Facts(this.preview);
    if (changes.has("rule")) takeKeys(asGroup(changes.get("rule")), this.root);
  }

  render() {
    const { root } = this;
    const body = root === null ? this.unreadable() : groupTemplate(this, root, []);
    return html`<fieldset class="rb ${root && size(root) > LONG ? "rb-long" : ""}" ?disabled=${this.readonly}>${body}<p class="visually-hidden" role="status">${this._said ?? ""}</p></fieldset>`;
  }

  updated() {
    if (this.querySelector(".rb-long")) import("./heights.js").then(({ heights }) => heights(this));
  }

  /** A rule that is written as text, or that is no rule. */
  unreadable() {
    return html`<div class="rb-group rb-depth-0"><div class="rb-row" role="group" aria-label="The whole rule"><div class="rb-main"><div class="rb-line"><span class="chip chip-segment">Rule</span>
      <span class="rb-sentence mono">${typeof this.rule === "string" ? this.rule : JSON.stringify(this.rule)}</span>
      ${this.readonly ? nothing : html`<button type="button" class="button button-small" @click=${() => this.asYaml([])}>Edit as YAML</button>`}</div></div></div></div>`;
  }

  // --- edits ---------------------------------------------------------------------------------------------------------

  commit(rule, { label, coalesce = "", typing = false }) {
    this.rule = rule;
    this.dispatchEvent(new CustomEvent("rule-change", { detail: { rule, label, coalesce: coalesce || (typing ? label : "") }, bubbles: true }));
  }

  /** Another node in the place of one; typed changes of the same place make one step back. */
  put(path, node, { label = "Change rule", typing = false, at = [] } = {}) {
    const key = keyOf(getIn(this.root, path));
    if (!NOT_YET_FILLED.includes(label)) this.fresh.delete(key);
    const before = typing ? null : new Set(this.fieldsAt(path));
    this.commit(setIn(this.root, path, node), { label, coalesce: typing ? `${key}:${label}:${at.join(".")}` : "" });
    if (before) this.focusFresh(path, label.startsWith("Add") ? before : null);
  }

  /** A new condition at the end of the group at `path`. */
  async add(kind, path) {
    const node = NEW[kind](this.catalog);
    this.fresh.add(keyOf(node));
    this.commit(insert(this.root, path, node), { label: `Add ${kind}` });
    this.say(kind === "group" ? "Group added" : "Condition added");
    await this.updateComplete;
    const item = this.item(keyOf(node));
    if (kind === "group") item?.querySelector(".rb-add")?.focus();
    else await item?.querySelector("rule-condition")?.focusFirst();
  }

  /** What the tools of rows and groups do. */
  act(name, path) {
    switch (name) {
      case "duplicate":
        this.commit(duplicate(this.root, path), { label: "Duplicate" });
        this.say("Duplicated");
        return this.focusHandle([...path.slice(0, -1), path.at(-1) + 1]);
      case "wrap":
        this.commit(wrap(this.root, path), { label: "Put into a group" });
        this.say("Put into a group");
        return this.focusHandle([...path, "conditions", 0]);
      case "unwrap":
        if (!canUnwrap(this.root, path)) return undefined;
        this.commit(unwrap(this.root, path), { label: "Dissolve group" });
        this.say("Group dissolved");
        return this.focusHandle(path);
      case "remove":
        return this.takeOut(path);
      case "up":
      case "down":
        return this.moved(step(this.root, path, name === "up" ? -1 : 1), path);
      default:
        throw new Error(name);
    }
  }

  takeOut(path) {
    this.commit(remove(this.root, path), { label: isGroup(getIn(this.root, path)) ? "Remove group" : "Remove condition" });
    this.say("Removed");
    const group = path.slice(0, -2);
    const left = getIn(this.root, group).conditions.length;
    return this.focusHandle(left ? [...group, "conditions", Math.min(path.at(-1), left - 1)] : group, !left);
  }

  /** A condition dragged or stepped to another place. */
  moved({ root, path }, from) {
    if (samePath(path, from)) {
      this.say("It cannot move further");
      return undefined;
    }
    this.commit(root, { label: "Move" });
    const size = getIn(root, path.slice(0, -2)).conditions.length;
    this.say(`Moved to position ${path.at(-1) + 1} of ${size}${path.length > 2 ? " in a group" : ""}`);
    return this.focusHandle(path);
  }

  drop(from, to, index) {
    this.moved(move(this.root, from, to, index), from);
  }

  /** A step of the sequence at `path` dragged or stepped to another place among its steps. */
  moveStep(path, from, to) {
    const node = getIn(this.root, path);
    if (to === from || to < 0 || to >= node.steps.length) {
      this.say("It cannot move further");
      return undefined;
    }
    this.put(path, changed(node, { steps: stepsMoved(node.steps, from, to) }), { label: "Move step" });
    this.say(`Moved to step ${to + 1} of ${node.steps.length}`);
    return this.focusStep(path, to);
  }

  removeStep(path, index) {
    const node = getIn(this.root, path);
    if (node.steps.length <= 2) {
      this.say("A sequence has at least two steps");
      return undefined;
    }
    this.put(path, changed(node, { steps: withoutStep(node.steps, index) }), { label: "Remove step" });
    this.say("Removed");
    return this.focusStep(path, Math.min(index, node.steps.length - 2));
  }

  /** The person wants to write this part by hand. */
  asYaml(path) {
    this.dispatchEvent(new CustomEvent("edit-as-yaml", { detail: { path: pathText(path) }, bubbles: true }));
  }

  say(text) {
    this._said = this._said === text ? `${text}.` : text;
  }

  // --- where the cursor is ------------------------------------------------------------------------------------------------

  item(key) {
    return this.querySelector(`li.rb-item[data-key="${CSS.escape(key)}"]`);
  }

  /** Put the cursor on the handle of a condition (or on the first button of an empty group). */
  async focusHandle(path, isEmpty = false) {
    await this.updateComplete;
    const home = path.length ? this.item(keyOf(getIn(this.root, path))) : this;
    await home?.querySelector("rule-condition")?.updateComplete;
    const wanted = isEmpty ? ".rb-add" : ".rb-handle";
    home?.querySelector(wanted)?.focus();
  }

  /** Everything to fill in of a condition, or of a group and what is in it. */
  fieldsAt(path) {
    const home = path.length ? this.item(keyOf(getIn(this.root, path))) : this;
    return home?.querySelectorAll("combo-box, .rb-number") ?? [];
  }

  /** Put the cursor into the first field that was not there before; where what had the cursor is gone, on the handle of its condition. */
  async focusFresh(path, before) {
    const had = this.contains(document.activeElement);
    await this.updateComplete;
    await this.item(keyOf(getIn(this.root, path)))?.querySelector("rule-condition")?.updateComplete;
    const fresh = before && [...this.fieldsAt(path)].find((field) => !before.has(field));
    await fresh?.updateComplete;
    if (fresh) fresh.focus();
    else if (had && document.activeElement === document.body) this.focusHandle(path);
  }

  async focusStep(path, index) {
    await this.updateComplete;
    const home = this.item(keyOf(getIn(this.root, path)));
    await home?.querySelector("rule-condition")?.updateComplete;
    home?.querySelector(`.rb-step[data-step="${index}"] .rb-step-handle`)?.focus();
  }

  key(event) {
    if (this.readonly || event.defaultPrevented) return;
    const item = event.target.closest?.("li.rb-item");
    if (!item || !this.contains(item)) return;
    const path = JSON.parse(item.dataset.path);
    const inStep = event.target.closest(".rb-step")?.dataset.step;
    const isArrow = event.key === "ArrowUp" || event.key === "ArrowDown";
    if (isArrow && event.altKey) {
      event.preventDefault();
      if (inStep === undefined) this.act(event.key === "ArrowUp" ? "up" : "down", path);
      else this.moveStep(path, Number(inStep), Number(inStep) + (event.key === "ArrowUp" ? -1 : 1));
    } else if (event.target.classList.contains("rb-handle")) {
      this.handleKey(event, path, isArrow, inStep);
    }
  }

  handleKey(event, path, isArrow, inStep) {
    const handles = [...this.querySelectorAll(".rb-handle[tabindex]")];
    if (isArrow) {
      event.preventDefault();
      handles[handles.indexOf(event.target) + (event.key === "ArrowUp" ? -1 : 1)]?.focus();
    } else if (event.key === "Delete") {
      event.preventDefault();
      if (inStep === undefined) this.act("remove", path);
      else this.removeStep(path, Number(inStep));
    }
  }

  /** A condition or group as the list of its group shows it. */
  items(group, path) {
    return repeat(group.conditions, (node, index) => (typeof node === "object" ? keyOf(node) : index), (node, index) => this.itemTemplate(group, node, [...path, "conditions", index], index));
  }

  itemTemplate(group, node, path, index) {
    const word = group.type === "Or" ? "or" : group.type === "And" ? "and" : "";
    const between = index && word ? html`<span class="rb-between">${word}</span>` : index ? html`<span class="rb-gap"></span>` : nothing;
    const key = keyOf(node);
    const body = isGroup(node) ? groupTemplate(this, node, path, group) : this.condition(group, node, path, key);
    return html`<li class="rb-item" data-key=${key} data-path=${JSON.stringify(path)}>${between}${body}</li>`;
  }

  condition(group, node, path, key) {
    const place = pathText(path);
    const facts = this.facts.at(place);
    return html`<rule-condition .owner=${this} .node=${node} .path=${path} .catalog=${this.catalog} .segments=${this.segments} .count=${facts.count} .text=${facts.text}
      .issues=${this.fresh.has(key) ? [] : facts.issues} .letter=${letterOf(group, path)} .position=${position(path)} ?disabled=${this.readonly}></rule-condition>`;
  }
}

/** How many conditions and groups there are in a group. */
const size = (node) => node.conditions.reduce((sum, part) => sum + 1 + (isGroup(part) ? size(part) : 0), 0);

/** 2, or 1.3 for the third condition of the first group. */
export const position = (path) => path.filter((key) => typeof key === "number").map((index) => index + 1).join(".");

customElements.define("rule-builder", RuleBuilder);
