// <identity-rules path etag>: the rules of identity of a source. They are saved as a whole.
import { call } from "./api.js";
import { confirmed, reload, toast } from "./page.js";

customElements.define("identity-rules", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", (event) => this.clicked(event));
    this.addEventListener("submit", (event) => {
      event.preventDefault();
      event.stopPropagation();
      this.put(documentOf(event.target), "Saved");
    }, { capture: true });
  }

  clicked(event) {
    if (event.target.closest("[data-add-row]")) this.add();
    if (event.target.closest("[data-reset]")) this.reset();
    const row = event.target.closest("[data-remove-row]")?.closest("tr");
    if (!row) return;
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector("[data-remove-row]") ?? this.querySelector("[data-add-row]")).focus();
  }

  add() {
    this.querySelector("tbody").append(this.querySelector("template").content.cloneNode(true));
    this.querySelector("tbody tr:last-child input").focus();
  }

  async reset() {
    const text = "Calls that come from now on are resolved by them. People that were merged stay merged.";
    if (await confirmed("Back to the rules of every source?", text, "Go back", { danger: false })) this.put({}, "Back to the rules of every source");
  }

  async put(rules, said) {
    const problem = this.querySelector(".form-problem");
    problem.hidden = true;
    try {
      await call("PUT", this.getAttribute("path"), rules, { etag: this.getAttribute("etag") });
      toast(said, "good");
      reload();
    } catch (error) {
      problem.textContent = error.text ?? String(error);
      problem.hidden = false;
    }
  }
});

/** What the form says, as the API has it. A row without a type says nothing. */
function documentOf(form) {
  const lines = (text, between) => text.split(between).map((part) => part.trim()).filter(Boolean);
  const { priority, other_count: count, other_period: period, blocked, blocked_pattern: pattern } = form.elements;
  const rules = { limits: {}, custom: {}, left_out: [], limit: { count: Number(count.value), period: period.value } };
  for (const row of form.querySelectorAll("[data-type-row]")) {
    const of = (name) => row.querySelector(`[name=${name}]`);
    const type = of("type").value.trim();
    if (!type) continue;
    if (of("count").value) rules.limits[type] = { count: Number(of("count").value), period: of("period").value };
    if (of("key").value.trim()) rules.custom[type] = of("key").value.trim();
    if (of("left_out").checked) rules.left_out.push(type);
  }
  return { ...rules, priority: lines(priority.value, ","), blocked: lines(blocked.value, "\n"), blocked_pattern: pattern.value };
}
