// <api-form method path then etag ask shows-tries>: a form that is sent to the API as JSON. Names with a type: data-type="number|json|boolean|list".
// shows-tries: the page lists what was tried, too: it is shown again when that was refused.
import { call } from "./api.js";
import { confirmed, go, reload, toast } from "./page.js";

customElements.define("api-form", class extends HTMLElement {
  connectedCallback() {
    const sent = (event) => {
      event.preventDefault();
      event.stopPropagation(); // before the frame takes it for a form of its own
      this.send(event.target);
    };
    this.addEventListener("submit", sent, { capture: true });
  }

  async send(form) {
    const ask = this.getAttribute("ask");
    if (ask && !(await confirmed(ask, this.getAttribute("ask-text") ?? "", this.getAttribute("ask-action") ?? "Go on"))) return;
    const button = form.querySelector("[type=submit]");
    const problem = this.querySelector(".form-problem");
    if (problem) problem.hidden = true;
    button?.setAttribute("aria-disabled", "true");
    try {
      const method = this.getAttribute("method") ?? "POST";
      const [path, body] = method === "DELETE" ? [withQuery(this.getAttribute("path"), this.body(form))] : [this.getAttribute("path"), this.body(form)];
      const answer = await call(method, path, body, { etag: this.getAttribute("etag") });
      this.done(answer);
    } catch (error) {
      if (this.hasAttribute("shows-tries") && (error.issues?.length || !problem)) {
        this.closest("dialog")?.close();
        toast(error.text ?? String(error), "bad");
        reload();
      } else if (problem) {
        problem.textContent = error.text ?? String(error);
        problem.hidden = false;
      } else toast(error.text ?? String(error), "bad");
    } finally {
      button?.removeAttribute("aria-disabled");
    }
  }

  body(form) {
    const body = {};
    for (const field of form.elements) {
      if (!field.name || field.disabled || (field.type === "radio" && !field.checked)) continue;
      const value = valueOf(field);
      if (value !== undefined) body[field.name] = value;
    }
    if (this.hasAttribute("secret-from-hash")) body.secret = location.hash.slice(1);
    return body;
  }

  done({ data }) {
    const event = new CustomEvent("api-done", { detail: data, bubbles: true, cancelable: true });
    if (!this.dispatchEvent(event)) return;
    this.closest("dialog")?.close();
    const said = this.getAttribute("said");
    if (said) toast(said, "good");
    const then = this.getAttribute("then");
    if (then === null) reload();
    else if (then) go(then.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(data[name] ?? "")));
  }
});

/** What a request without a body says goes into its address. */
function withQuery(path, fields) {
  const query = new URLSearchParams(fields).toString();
  return query ? `${path}?${query}` : path;
}

function valueOf(field) {
  const text = field.value;
  switch (field.dataset.type) {
    case "number":
      return text === "" ? undefined : Number(text);
    case "boolean":
      return field.type === "checkbox" ? field.checked : text === "" ? undefined : text === "true";
    case "json":
      return text.trim() === "" ? undefined : JSON.parse(text);
    case "list":
      return text.split(",").map((part) => part.trim()).filter(Boolean);
    case "optional":
      return text === "" ? undefined : text;
    default:
      return field.type === "checkbox" ? field.checked : text;
  }
}
