// The card of a segment's A/B test: the way to one; its editor (ab-test.js) is loaded once there is a test.
import { html, nothing } from "../../vendor/lit.js";
import { icon } from "./format.js";

const FIRST_TEST = { variants: [{ name: "A", ratio: 45 }, { name: "B", ratio: 45 }], control: { name: "Control", ratio: 10 } };

/** state: as the editor takes it; changed(test or undefined, label, coalesce); split: the editor, once it is there. */
export function abCard(state, changed, split) {
  const { test, readonly } = state;
  return html`<section class="card ab" aria-labelledby="ab-title">
    <div class="card-head"><h2 id="ab-title">A/B test</h2><span class="grow"></span>
      ${readonly ? nothing : test ? html`<button type="button" class="button button-small button-quiet" @click=${() => changed(undefined, "Remove the A/B test")}>${icon("trash-2", 15)}Remove the test</button>`
        : html`<button type="button" class="button button-small" @click=${() => changed(FIRST_TEST, "Split into variants")}>${icon("split", 15)}Split into variants</button>`}</div>
    <div class="card-body">${test ? split?.(state, changed) ?? nothing : html`<p class="muted">${readonly ? "This segment is not split." : "Split the members into variants and a control group, by a hash that stays the same after every refresh."}</p>`}</div>
  </section>`;
}
