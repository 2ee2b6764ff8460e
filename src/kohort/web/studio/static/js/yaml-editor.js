// <yaml-editor>: a definition as text. The server reads it: issues with their lines, figures of its tables; then it is saved.
import { call, sentence } from "./api.js";
import { count } from "./numbers.js";
import { confirmed, go, toast } from "./page.js";

const LEAVE = "The changes to this definition are not saved.";

customElements.define("yaml-editor", class extends HTMLElement {
  connectedCallback() {
    this.text = this.querySelector("textarea");
    this.lines = this.querySelector(".yaml-lines");
    this.saved = this.text.value;
    this.marks = new Map();
    this.number();
    this.text.addEventListener("input", () => this.typed());
    this.text.addEventListener("scroll", () => (this.lines.scrollTop = this.text.scrollTop));
    this.addEventListener("click", (event) => this.clicked(event));
    this.onLeave = (event) => this.isDirty && event.preventDefault();
    this.onAsk = (event) => this.mayGo(event);
    this.onSignedOut = (event) => this.isDirty && event.preventDefault();
    window.addEventListener("beforeunload", this.onLeave);
    document.addEventListener("htmx:confirm", this.onAsk);
    document.addEventListener("signed-out", this.onSignedOut);
  }

  disconnectedCallback() {
    window.removeEventListener("beforeunload", this.onLeave);
    document.removeEventListener("htmx:confirm", this.onAsk);
    document.removeEventListener("signed-out", this.onSignedOut);
  }

  get isDirty() {
    return this.text.value !== this.saved;
  }

  async mayGo(event) {
    if (!this.isDirty || this.contains(event.target)) return;
    event.preventDefault();
    if (!(await confirmed("Leave without saving?", LEAVE, "Leave"))) return;
    this.saved = this.text.value;
    event.detail.issueRequest(true);
  }

  typed() {
    this.say(this.isDirty ? "Not saved" : "");
    this.marks.clear();
    this.number();
  }

  say(text) {
    this.querySelector(".yaml-state").textContent = text;
  }

  /** The numbers beside the text; lines with issues stand out. */
  number() {
    const count = this.text.value.split("\n").length;
    const spans = Array.from({ length: count }, (_, place) => {
      const span = document.createElement("span");
      span.className = this.marks.get(place + 1) ?? "";
      span.textContent = `${place + 1}\n`;
      return span;
    });
    this.lines.replaceChildren(...spans);
    this.lines.scrollTop = this.text.scrollTop;
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (button?.dataset.line) this.goTo(Number(button.dataset.line));
    else if (button?.dataset.yaml && button.getAttribute("aria-disabled") !== "true") this.run(button, button.dataset.yaml);
  }

  async run(button, what) {
    button.setAttribute("aria-disabled", "true");
    this.say(what === "check" ? "Reading the tables…" : "Checking…");
    try {
      if (what === "check") await this.check(true);
      else await this.save();
    } catch (error) {
      this.say("");
      if (error.code === "SIGN_IN_FIRST") this.showIssues([{ severity: "error", message: "You are signed out, and nothing is lost", hint: "sign in in another tab, then go on here" }]);
      else this.showIssues(error.issues?.length ? error.issues : [{ severity: "error", message: error.detail ?? String(error), hint: error.hint ?? "" }]);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }

  async check(measure) {
    const { data } = await call("POST", this.dataset.check, { text: this.text.value, measure });
    this.showIssues(data.issues);
    if (measure) this.showFigures(data.tables);
    this.say(data.ok ? verdict(data.issues.length) : "");
    return data;
  }

  async save() {
    const checked = await this.check(false);
    if (!checked.definition) return;
    const wrong = checked.issues.filter((issue) => issue.severity === "error");
    const final = wrong.some((issue) => ["SLUG_CHANGES", "NAME_TAKEN"].includes(issue.code));
    if (final) return;
    if (wrong.length) {
      const until = this.dataset.method === "PUT" ? "the last good one answers until then" : "there are no profiles until then";
      const asked = `It does not fit the tables of the warehouse. A refresh would refuse it; ${until}.`;
      if (!(await confirmed("Save although a refresh would refuse it?", asked, "Save", { danger: false }))) return;
    }
    const { data } = await call(this.dataset.method, this.dataset.save, { definition: checked.definition }, { etag: this.dataset.etag });
    this.saved = this.text.value;
    toast(`Saved as version ${data.version}. It takes effect with the next refresh.`, "good");
    go(this.dataset.then.replace("{slug}", encodeURIComponent(data.slug)));
  }

  showIssues(issues) {
    const box = this.querySelector(".yaml-issues");
    this.marks = new Map(issues.map((issue) => [issue.line, issue.severity === "warning" ? "doubtful" : "wrong"]));
    this.number();
    if (!issues.length) {
      box.replaceChildren(Object.assign(document.createElement("p"), { className: "is-good", textContent: "No issues." }));
      return;
    }
    box.replaceChildren(...issues.map((issue) => this.issueLine(issue)));
    const first = issues.find((issue) => issue.severity !== "warning" && issue.line);
    if (first) this.goTo(first.line);
  }

  issueLine(issue) {
    const line = document.createElement("div");
    line.className = `yaml-issue${issue.severity === "warning" ? " is-warning" : ""}`;
    line.append(icon(issue.severity === "warning" ? "triangle-alert" : "circle-alert", issue.severity));
    const words = document.createElement("p");
    if (issue.line) words.append(Object.assign(document.createElement("button"), { type: "button", textContent: `Line ${issue.line}` }), " ");
    words.append(sentence(issue.message), " ");
    if (issue.hint) words.append(Object.assign(document.createElement("span"), { className: "muted", textContent: sentence(issue.hint) }));
    line.append(words);
    return line;
  }

  goTo(line) {
    const before = this.text.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    const end = this.text.value.indexOf("\n", before);
    this.text.focus();
    this.text.setSelectionRange(before, end < 0 ? this.text.value.length : end);
    this.text.scrollTop = Math.max(0, (line - 8) * 19);
  }

  showFigures(tables) {
    const box = this.querySelector(".yaml-figures");
    box.hidden = !tables.length;
    if (!tables.length) return;
    const table = document.createElement("table");
    table.className = "table";
    const head = table.createTHead().insertRow();
    for (const [text, kind] of [["Part", ""], ["Table", ""], ["Rows", "number"], ["Matched", "number"]]) {
      head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: text, className: kind }));
    }
    const body = table.createTBody();
    for (const item of tables) {
      const row = body.insertRow();
      row.insertCell().textContent = item.part === "master" ? "Master" : `${item.name} (${item.part})`;
      Object.assign(row.insertCell(), { className: "mono", textContent: item.source });
      Object.assign(row.insertCell(), { className: "number", textContent: count(item.rows) });
      Object.assign(row.insertCell(), { className: "number", textContent: item.matched === null ? "–" : `${item.matched === 1 ? 100 : (item.matched * 100).toFixed(2)}%` });
    }
    box.replaceChildren(table);
  }
});

/** What a check found when nothing stands in the way. */
function verdict(remarks) {
  return remarks ? `It can be refreshed; ${remarks === 1 ? "one remark" : `${remarks} remarks`}` : "Nothing is wrong";
}

function icon(name, label) {
  const known = document.querySelector("svg.icon use").getAttribute("href").split("#")[0];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ class: "icon", width: 15, height: 15, role: "img", "aria-label": label })) svg.setAttribute(key, value);
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${known}#${name}`);
  svg.append(use);
  return svg;
}
