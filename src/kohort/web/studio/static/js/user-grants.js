// <user-grants path etag grants>: the limits of a user. Each change sends all of them, as the API wants it.
import { call } from "./api.js";
import { reload, toast } from "./page.js";

customElements.define("user-grants", class extends HTMLElement {
  connectedCallback() {
    this.grants = JSON.parse(this.getAttribute("grants"));
    this.addEventListener("click", (event) => {
      const button = event.target.closest("[data-remove]");
      if (button) this.put(this.grants.filter((_, place) => place !== Number(button.dataset.remove)), "The limit is removed");
    });
    this.addEventListener("submit", (event) => {
      event.preventDefault();
      event.stopPropagation();
      this.add(new FormData(event.target));
    }, { capture: true });
    this.addEventListener("change", (event) => {
      if (event.target.name === "parent") this.suggest(event.target.value);
    });
  }

  /** The folders of the chosen parent segment as suggestions. */
  suggest(parent) {
    for (const option of this.querySelectorAll("datalist option")) option.disabled = option.dataset.parent !== parent;
  }

  add(form) {
    const grant = { parent: form.get("parent"), folder: form.get("folder").trim().replace(/^\/+|\/+$/g, ""), role: form.get("role") };
    const others = this.grants.filter((other) => other.parent !== grant.parent || other.folder !== grant.folder);
    this.put([...others, grant], "Limited");
  }

  async put(grants, said) {
    const problem = this.querySelector(".form-problem");
    if (problem) problem.hidden = true;
    try {
      await call("PUT", this.getAttribute("path"), { grants }, { etag: this.getAttribute("etag") });
      toast(said, "good");
      reload();
    } catch (error) {
      if (!problem) return toast(error.text ?? String(error), "bad");
      problem.textContent = error.text ?? String(error);
      problem.hidden = false;
    }
  }
});
