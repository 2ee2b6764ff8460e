// <secret-once field="write_key">: around a form whose answer holds a secret. Shows it once, with a button that copies it.
import { reload, toast } from "./page.js";

customElements.define("secret-once", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("api-done", (event) => {
      event.preventDefault();
      this.show(event.detail);
    });
    this.addEventListener("click", (event) => {
      if (event.target.closest("[data-copy]")) copy(event.target.closest("[data-copy]").dataset.copy || this.secret);
    });
  }

  show(answer) {
    this.secret = answer[this.getAttribute("field")];
    const fill = (text) => text.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(answer[name] ?? ""));
    this.querySelector("[data-before]").hidden = true;
    const after = this.querySelector("[data-after]");
    after.hidden = false;
    for (const place of after.querySelectorAll("[data-secret]")) place.textContent = this.secret;
    for (const place of after.querySelectorAll("[data-value]")) place.textContent = answer[place.dataset.value] ?? "";
    for (const text of after.querySelectorAll("pre")) text.textContent = text.textContent.replaceAll("YOUR_WRITE_KEY", this.secret);
    for (const link of after.querySelectorAll("a[data-href]")) {
      const fresh = link.cloneNode(true); // the frame remembers where a link led when it first saw it
      fresh.setAttribute("href", fill(link.dataset.href));
      link.replaceWith(fresh);
      window.htmx?.process(fresh);
    }
    after.querySelector("[data-copy]")?.focus();
    this.closest("dialog")?.addEventListener("close", () => reload(), { once: true });
  }
});

/** To the clipboard; where browsers keep it from pages without TLS, by way of a selection. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = Object.assign(document.createElement("textarea"), { value: text });
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  toast("Copied", "good");
}
