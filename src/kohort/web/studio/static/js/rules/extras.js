// What every condition and group may have besides its test: a negation, a description, the best N of it.
import { html, nothing } from "../../vendor/lit.js";
import { changed } from "./model.js";
import { choose, icon, iconButton, numberInput } from "./parts.js";

const THE_VALUE = "\0value";
export const NEW_LIMIT = { type: "Count", number: 100 };

/** The mark of a negated condition; it takes the negation away. */
export function negation(node, put) {
  if (!node.exclude) return nothing;
  return html`<button type="button" class="rb-not" aria-label="Do not negate" title="Takes everybody who does not match. Click to take those who do." @click=${() => put({ exclude: undefined }, { label: "Do not negate" })}>not</button>`;
}

/** The line of a description; shown when there is one or one is wanted. */
export function description(node, wanted, put, disabled) {
  if (!node.description && !wanted) return nothing;
  return html`<input class="rb-description" type="text" aria-label="Description" placeholder="What this is for" maxlength="2000" ?disabled=${disabled} .value=${node.description ?? ""}
    @input=${(event) => put({ description: event.target.value || undefined }, { label: "Describe", typing: true })}>`;
}

/** The best N: how many, by what. */
export function limitEditor({ node, catalog, disabled, put }, { ofBehavior = false } = {}) {
  const { limit } = node;
  if (!limit || typeof limit !== "object") return nothing;
  const set = (changes, typing, label = "Change limit") => put({ limit: changed(limit, changes) }, { label, typing });
  const orders = limit.orderColumns ?? [];
  const order = (index, next) => set({ orderColumns: orders.map((found, at) => (at === index ? next : found)) });
  const value = { value: THE_VALUE, label: "The value above" };
  const options = ofBehavior ? [value, ...catalog.attributeOptions] : catalog.attributeOptions;
  const pick = (index, found, name) => order(index, changed(found, name === THE_VALUE ? { type: "Aggregation", column: undefined } : { type: "Column", column: name }));
  const more = () => set({ orderColumns: [...orders, ofBehavior && !orders.length ? { type: "Aggregation", order: "descending" } : { type: "Column", column: "", order: "descending" }] }, false, "Add order");
  return html`<div class="rb-line rb-limit" role="group" aria-label="The best of them"><span class="rb-word">only the first</span>
    ${numberInput("How many", limit.number, (number) => set({ number }, true), { min: 0 })}
    ${choose("Profiles or percent", limit.type, [{ value: "Count", label: "profiles" }, { value: "Percent", label: "percent" }], (type) => set({ type }))}
    ${orders.map((found, index) => html`<span class="rb-word">${index ? "then by" : "by"}</span>
      <combo-box .label=${"Ordered by"} .value=${found.type === "Aggregation" ? THE_VALUE : found.column} .options=${options} .placeholder=${"Choose an attribute"} ?disabled=${disabled} @combo-change=${(event) => pick(index, found, event.detail.value)}></combo-box>
      ${choose("Order", found.order ?? "ascending", [{ value: "descending", label: "highest first" }, { value: "ascending", label: "lowest first" }], (way) => order(index, { ...found, order: way }))}
      ${iconButton("x", "Remove this order", () => set({ orderColumns: orders.length > 1 ? orders.filter((_, at) => at !== index) : undefined }), { kind: "rb-tiny" })}`)}
    <button type="button" class="rb-add" @click=${more}>${orders.length ? "Then by" : "By an order"}</button>
    ${iconButton("x", "Remove the limit", () => put({ limit: undefined }, { label: "Remove limit" }))}</div>`;
}

/** The menu of a row or group; its lines are made when it is opened. items: [{text, act, pressed}]. */
export function moreMenu(label, items, opened) {
  return html`<details class="menu menu-right rb-menu" @toggle=${(event) => opened(event.target.open)}>
    <summary class="icon-button rb-tool" aria-label=${label} title=${label}>${icon("ellipsis", 15)}</summary>
    <div class="menu-list">${items ? items().map((item) => html`<button type="button" aria-pressed=${item.pressed === undefined ? nothing : String(item.pressed)} @click=${(event) => { event.target.closest("details").open = false; item.act(); }}>${item.text}</button>`) : nothing}</div></details>`;
}
