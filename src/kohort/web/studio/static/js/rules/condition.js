// <rule-condition>: one row of the builder. It is drawn again only when its own part of the rule, its count or its problems change.
import { LitElement, html, nothing } from "../../vendor/lit.js";
import { count } from "../numbers.js";
import { arrayMatching } from "./arrays.js";
import { behaviorFilter, behaviorRow, nameOf, sequenceRow } from "./behavior.js";
import { labelOf } from "./catalog.js";
import "./combo-box.js";
import { NEW_LIMIT, description, limitEditor, moreMenu, negation } from "./extras.js";
import { REFERENCES, changed, keyOf, kindOf, pathText } from "./model.js";
import { firstOperator, forType } from "./operators.js";
import { choose, icon, iconButton, issueList } from "./parts.js";
import { operatorEditor } from "./values.js";

const differs = (one, other) => JSON.stringify(one) !== JSON.stringify(other);
const CHIPS = { attribute: ["attribute", "Attribute"], behavior: ["behavior", "Behavior"], sequence: ["behavior", "Sequence"], reference: ["segment", "Segment"], other: ["segment", "Rule"] };

export class RuleCondition extends LitElement {
  static properties = {
    node: { attribute: false }, path: { attribute: false, hasChanged: differs }, catalog: { attribute: false }, segments: { attribute: false },
    count: { attribute: false }, text: { attribute: false }, issues: { attribute: false, hasChanged: differs }, letter: {}, position: {}, disabled: { type: Boolean },
    _menu: { state: true }, _describing: { state: true },
  };

  constructor() {
    super();
    this.issues = [];
    this.segments = [];
  }

  createRenderRoot() {
    return this;
  }

  /** Change keys of the condition; undefined takes one away. */
  put = (changes, options = {}) => this.owner.put(this.path, changed(this.node, changes), options);

  /** Problems at a place: there exactly, or (deep) anywhere below it, but not in its part `but`. */
  problems = (path, { deep = false, but = "" } = {}) => {
    const text = pathText(path);
    const below = (found) => deep && (found.startsWith(`${text}.`) || found.startsWith(`${text}[`)) && !(but && found.startsWith(`${text}.${but}`));
    return this.issues.filter((issue) => issue.path === text || below(issue.path));
  };

  /** Problems that are not shown at one of the lines inside the row. */
  get own() {
    const inner = [`${pathText(this.path)}.filter.conditions[`, `${pathText(this.path)}.steps[`, ...(this.node.filter?.type === "Column" ? [`${pathText(this.path)}.filter`] : [])];
    const found = this.issues.filter((issue) => !inner.some((begin) => issue.path.startsWith(begin)) || kindOf(this.node) === "other");
    return this.issues.length || !this.unknown ? found : [{ severity: "error", message: this.unknown, hint: "" }];
  }

  /** That the field is not there, before the server says so. */
  get unknown() {
    const { node, catalog } = this;
    const kind = catalog.known ? kindOf(node) : "";
    if (kind === "attribute" && node.attribute && !catalog.attribute(node.attribute)) return `there is no attribute "${node.attribute}"`;
    if (kind === "behavior" && !catalog.behavior(nameOf(node.source))) return `there is no behavior "${nameOf(node.source)}"`;
    return "";
  }

  get row() {
    const { node, path, catalog, disabled, put, problems } = this;
    return { node, path, catalog, disabled, put, problems };
  }

  /** What the condition is about, for labels and messages. */
  get called() {
    const { node, catalog } = this;
    switch (kindOf(node)) {
      case "attribute":
        return catalog.attribute(node.attribute) ? labelOf(catalog.attribute(node.attribute)) : node.attribute || "new condition";
      case "behavior":
        return catalog.behavior(nameOf(node.source)) ? labelOf(catalog.behavior(nameOf(node.source))) : nameOf(node.source) || "new behavior";
      case "sequence":
        return "sequence";
      case "reference":
        return node.segment || node.id || "segment";
      default:
        return "condition";
    }
  }

  render() {
    const kind = kindOf(this.node);
    const [color, word] = CHIPS[kind];
    const bad = Boolean(this.unknown) || this.issues.some((issue) => issue.severity === "error");
    return html`<div class="rb-row ${bad ? "is-invalid" : ""}" role="group" aria-label="Condition ${this.position}: ${this.called}">
      ${this.handle()}
      <div class="rb-main"><div class="rb-line">
        ${this.letter ? html`<span class="rb-letter">${this.letter}</span>` : nothing}<span class="chip chip-${color}">${word}</span>
        ${kind === "reference" ? nothing : negation(this.node, this.put)}${this.test(kind)}</div>
        ${kind === "behavior" ? behaviorFilter(this.row) : nothing}${kind === "sequence" ? sequenceRow(this.row) : nothing}
        ${limitEditor(this.row, { ofBehavior: kind === "behavior" })}${description(this.node, this._describing, this.put, this.disabled)}${issueList(this.own)}</div>
      <div class="rb-end"><span class="rb-count" title="How many profiles this holds for" .textContent=${count(this.count)}></span>${this.disabled ? nothing : this.tools(kind)}</div></div>`;
  }

  handle() {
    if (this.disabled) return html`<span class="rb-handle"></span>`;
    return html`<span class="rb-handle" role="button" tabindex="0" draggable="true" data-key=${keyOf(this.node)} aria-label="Move condition ${this.position}: ${this.called}" title="Drag to move, or Alt+Up and Alt+Down. Delete removes.">${icon("grip-vertical", 15)}</span>`;
  }

  tools(kind) {
    const { owner, path, position } = this;
    return html`${iconButton("copy", `Duplicate condition ${position}`, () => owner.act("duplicate", path))}
      ${iconButton("group", `Put condition ${position} into a group`, () => owner.act("wrap", path))}
      ${moreMenu(`More about condition ${position}`, this._menu ? () => this.menu(kind) : null, (open) => this.opened(open))}
      ${iconButton("x", `Remove condition ${position}`, () => owner.act("remove", path))}`;
  }

  opened(open) {
    this._menu = open;
    this.toggleAttribute("data-open", open);
  }

  menu(kind) {
    const { node, put, owner, path } = this;
    const line = (text, act) => ({ text, act });
    const items = [];
    if (kind !== "other") {
      if (kind !== "reference") items.push(line(node.exclude ? "Take those who match" : "Take everybody who does not match", () => put({ exclude: node.exclude ? undefined : true }, { label: "Negate" })));
      if (kind === "behavior" && !node.aggregation.groupingColumns) items.push(line("Compare per value of a column", () => put({ aggregation: changed(node.aggregation, { groupingColumns: [] }) }, { label: "Group" })));
      if (kind === "behavior" && !node.window) items.push(line("Within any window of time", () => put({ window: { type: "TimeSliding", duration: { day: 7 } } }, { label: "Add window" })));
      if (kind === "attribute" && node.customerGroup === undefined) items.push(line("Of an account", () => put({ customerGroup: "" }, { label: "Change attribute" })));
      if (!node.limit) items.push(line("Only the first N of them", () => put({ limit: NEW_LIMIT }, { label: "Add limit" })));
      items.push(line(node.description ? "Edit the description" : "Describe", () => this.describe()));
    }
    items.push(line("Move up (Alt+Up)", () => owner.act("up", path)), line("Move down (Alt+Down)", () => owner.act("down", path)), line("Edit as YAML", () => owner.asYaml(path)));
    return items;
  }

  async describe() {
    this._describing = true;
    await this.updateComplete;
    this.querySelector(".rb-description")?.focus();
  }

  test(kind) {
    switch (kind) {
      case "attribute":
        return this.attributeTest();
      case "behavior":
        return behaviorRow(this.row);
      case "sequence":
        return nothing;
      case "reference":
        return this.reference();
      default:
        return html`<span class="rb-sentence mono">${this.text || JSON.stringify(this.node)}</span>
          <button type="button" class="button button-small" @click=${() => this.owner.asYaml(this.path)}>Edit as YAML</button>`;
    }
  }

  attributeTest() {
    const { node, catalog, disabled, put } = this;
    const field = catalog.attribute(node.attribute);
    const type = field?.type ?? "";
    const errors = this.issues.filter((issue) => issue.severity === "error");
    const atField = errors.some((issue) => /\.(attribute|name)$/.test(issue.path)) || (Boolean(node.attribute) && !field && catalog.known);
    const pick = (attribute) => {
      const next = catalog.attribute(attribute)?.type ?? "";
      const isArray = next.endsWith("_array");
      put({ attribute, operator: node.attribute ? forType(node.operator, next) : firstOperator(next), arrayMatching: isArray ? node.arrayMatching : undefined }, { label: "Change attribute" });
    };
    return html`<combo-box class="rb-field" .label=${"Attribute"} .value=${node.attribute} .options=${catalog.attributeOptions} .placeholder=${"Choose an attribute"} ?invalid=${atField} ?disabled=${disabled}
        @combo-change=${(event) => pick(event.detail.value)}></combo-box>
      ${node.customerGroup === undefined ? nothing : html`<span class="rb-word">of the account</span><input class="rb-control" type="text" aria-label="Customer group" .value=${node.customerGroup} @change=${(event) => put({ customerGroup: event.target.value || undefined }, { label: "Change account" })}>`}
      ${type.endsWith("_array") || (node.arrayMatching !== undefined && node.arrayMatching !== null) ? arrayMatching(node.arrayMatching, this.called, (value, typing) => put({ arrayMatching: value }, { label: "Change matching", typing })) : nothing}
      ${node.attribute ? operatorEditor({ operator: node.operator ?? {}, type, name: this.called, source: catalog.values(field), invalid: errors.length > 0 && !atField, disabled, short: type === "number" }, (operator, options) => put({ operator }, options)) : nothing}`;
  }

  reference() {
    const { node, put, disabled } = this;
    const isPlain = node.type === "include" || node.type === "exclude";
    const out = isPlain ? node.type === "exclude" : Boolean(node.exclude);
    const key = isPlain ? ("segment" in node || !("id" in node) ? "segment" : "id") : "id" in node || !("segment" in node) ? "id" : "segment";
    const options = (this.segments ?? []).map((segment) => ({ value: segment.path, label: segment.path }));
    const turn = (value) => put(isPlain ? { type: value === "out" ? "exclude" : "include" } : { exclude: value === "out" ? true : undefined }, { label: "Change membership" });
    const kept = ["minGrade", "maxGrade", "includeConvertedCustomers", "solutionType"].filter((name) => name in node);
    return html`${choose("In or not in", out ? "out" : "in", [{ value: "in", label: "is in" }, { value: "out", label: "is not in" }], turn)}
      ${isPlain ? nothing : html`<span class="rb-word">${REFERENCES[node.type]}</span>`}
      <combo-box class="rb-field rb-segment" .label=${"Segment"} .value=${String(node[key] ?? "")} .options=${options} .placeholder=${"Choose a segment"} free ?disabled=${disabled} ?invalid=${this.issues.some((issue) => issue.severity === "error")}
        @combo-change=${(event) => put({ [key]: event.detail.value }, { label: "Change segment" })}></combo-box>
      ${kept.map((name) => html`<span class="rb-word">${name}: ${JSON.stringify(node[name])}</span>`)}`;
  }

  /** Put the cursor into the first thing to fill in. */
  async focusFirst() {
    await this.updateComplete;
    const first = this.querySelector(".rb-main combo-box") ?? this.querySelector(".rb-main :is(select, input)");
    await first?.updateComplete;
    (first?.querySelector?.("input") ?? first)?.focus();
  }
}

customElements.define("rule-condition", RuleCondition);
