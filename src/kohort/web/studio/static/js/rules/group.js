// A group of the builder: how its conditions are combined, its conditions, and what can be added.
import { html, nothing } from "../../vendor/lit.js";
import { count } from "../numbers.js";
import { description, limitEditor, moreMenu, negation, NEW_LIMIT } from "./extras.js";
import { logicOf, nameOf, parse } from "./logic.js";
import { canUnwrap, changed, keyOf, pathText } from "./model.js";
import { addButton, icon, iconButton, issueList } from "./parts.js";

const MATCHES = [["And", "All", "all of these"], ["Or", "Any", "any of these"], ["Composite", "Logic", "as written"]];
const ENDS = { And: "of these", Or: "of these", Composite: "of these by" };

export function groupTemplate(builder, node, path, parent = null) {
  const depth = path.filter((key) => typeof key === "number").length;
  const facts = builder.facts.at(pathText(path));
  const put = (changes, options) => builder.put(path, changed(node, changes), options);
  const key = keyOf(node);
  const bad = facts.own.some((issue) => issue.severity === "error") && !builder.fresh.has(key);
  const title = depth === 0 ? "Rule" : depth === 1 ? `Rule set ${path.at(-1) + 1}` : `Group ${numbers(path)}`;
  return html`<section class="rb-group rb-depth-${depth % 3} ${depth % 2 ? "rb-odd" : ""} ${bad ? "is-invalid" : ""}" role="group" aria-label=${title}>
    <div class="rb-head">${depth && !builder.readonly ? handle(node, path, title) : nothing}
      ${parent ? letter(parent, path) : nothing}${depth ? html`<h3 class="rb-title">${title}</h3>` : nothing}${negation(node, put)}
      <span class="rb-word">Match</span>${matches(node, title, put, builder.readonly)}<span class="rb-word">${ENDS[node.type]}</span>
      ${node.type === "Composite" ? logic(node, title, put, builder.readonly) : nothing}
      <span class="rb-end"><span class="rb-count" title="How many profiles this holds for" .textContent=${count(facts.count)}></span>
      ${builder.readonly ? nothing : tools(builder, node, path, title, put)}</span></div>
    ${description(node, builder.describing.has(key), put, builder.readonly)}
    ${limitEditor({ node, catalog: builder.catalog, disabled: builder.readonly, put })}
    ${builder.fresh.has(key) ? nothing : issueList(facts.own)}
    ${node.conditions.length ? html`<ol class="rb-list">${builder.items(node, path)}</ol>` : html`<p class="rb-empty">${empty(node, depth)}</p>`}
    ${builder.readonly ? nothing : adders(builder, path, title, depth)}
  </section>`;
}

const numbers = (path) => path.filter((key) => typeof key === "number").map((index) => index + 1).join(".");

function empty(node, depth) {
  if (depth === 0) return node.type === "Or" ? "Nobody: any of no conditions. Add one." : "Everybody. Add a condition to choose.";
  return node.type === "Or" ? "No conditions yet: this holds for nobody." : "No conditions yet: this holds for everybody.";
}

function handle(node, path, title) {
  return html`<span class="rb-handle" role="button" tabindex="0" draggable="true" data-key=${keyOf(node)} aria-label="Move ${title}" title="Drag to move, or Alt+Up and Alt+Down. Delete removes.">${icon("grip-vertical", 15)}</span>`;
}

function letter(parent, path) {
  const name = letterOf(parent, path);
  return name ? html`<span class="rb-letter">${name}</span>` : nothing;
}

function matches(node, title, put, disabled) {
  const pick = (type) => {
    if (type === node.type) return;
    const expr = type === "Composite" ? logicOf(node.type === "Or" ? "any" : "all", node.conditions.length) : undefined;
    put({ type, expr }, { label: "Change match" });
  };
  return html`<span class="segmented rb-match" role="group" aria-label="Match of ${title}">${MATCHES.map(([type, text, tip]) => html`<button type="button" aria-pressed=${node.type === type ? "true" : "false"} title=${tip} ?disabled=${disabled} @click=${() => pick(type)}>${text}</button>`)}</span>`;
}

function logic(node, title, put, disabled) {
  const invalid = parse(node.expr) === null;
  return html`<input class="rb-control rb-logic mono" type="text" aria-label="Logic of ${title}" aria-invalid=${invalid ? "true" : "false"} spellcheck="false" placeholder="(A and B) or C" ?disabled=${disabled}
    .value=${node.expr ?? ""} @input=${(event) => put({ expr: event.target.value }, { label: "Change logic", typing: true })}>`;
}

function tools(builder, node, path, title, put) {
  const key = keyOf(node);
  const items = () => menu(builder, node, path, put, key);
  const menuPart = moreMenu(`More about ${title}`, builder._opened === key ? items : null, (open) => (builder._opened = open ? key : builder._opened === key ? "" : builder._opened));
  if (path.length === 0) return menuPart;
  return html`${iconButton("copy", `Duplicate ${title}`, () => builder.act("duplicate", path))}${iconButton("ungroup", `Dissolve ${title}`, () => builder.act("unwrap", path), { disabled: !canUnwrap(builder.root, path) })}
    ${menuPart}${iconButton("trash-2", `Remove ${title}`, () => builder.act("remove", path))}`;
}

function menu(builder, node, path, put, key) {
  const describe = async () => {
    builder.describing.add(key);
    builder.requestUpdate();
    await builder.updateComplete;
    const home = path.length ? builder.item(key) : builder;
    home?.querySelector(":scope > .rb-group > .rb-description, :scope > .rb > .rb-group > .rb-description")?.focus();
  };
  const items = [
    { text: node.exclude ? "Take those who match" : "Take everybody who does not match", act: () => put({ exclude: node.exclude ? undefined : true }, { label: "Negate" }) },
    { text: node.description ? "Edit the description" : "Describe", act: describe },
  ];
  if (!node.limit) items.push({ text: "Only the first N of them", act: () => put({ limit: NEW_LIMIT }, { label: "Add limit" }) });
  if (path.length) {
    items.push({ text: "Put into a group", act: () => builder.act("wrap", path) }, { text: "Move up (Alt+Up)", act: () => builder.act("up", path) }, { text: "Move down (Alt+Down)", act: () => builder.act("down", path) });
  }
  return [...items, { text: "Edit as YAML", act: () => builder.asYaml(path) }];
}

function adders(builder, path, title, depth) {
  const where = depth ? ` to ${title}` : "";
  const add = (text, kind) => addButton(text, () => builder.add(kind, path), `Add ${text.toLowerCase()}${where}`);
  return html`<div class="rb-adders">${add("Attribute", "attribute")}${add("Behavior", "behavior")}${add("Sequence", "sequence")}${add("Segment", "segment")}${add(depth ? "Group" : "Rule set", "group")}</div>`;
}

/** The name of a condition in the logic of its group; "" where there is none. */
export const letterOf = (group, path) => (group.type === "Composite" ? nameOf(path.at(-1), group.expr) : "");
