// <profile-drawer>: the drawer of a profile. Links to profiles open it, the address follows; Escape closes it and gives the focus back.
import { fetchPart, fill, partLink } from "./in-place.js";

customElements.define("profile-drawer", class extends HTMLElement {
  connectedCallback() {
    this.dialog = this.querySelector("dialog");
    this.content = this.closest("#content") ?? document;
    this.onClick = (event) => this.clicked(event);
    this.onBack = () => this.followAddress();
    this.content.addEventListener("click", this.onClick);
    window.addEventListener("popstate", this.onBack);
    this.dialog.addEventListener("close", () => this.closed());
    this.addEventListener("submit", (event) => this.chosen(event));
    if (this.dialog.open) {
      this.dialog.removeAttribute("open");
      this.dialog.showModal();
      this.focusTitle();
    }
  }

  disconnectedCallback() {
    this.content.removeEventListener("click", this.onClick);
    window.removeEventListener("popstate", this.onBack);
    this.asking?.abort();
  }

  clicked(event) {
    const beside = event.target === this.dialog && event.clientX < this.dialog.getBoundingClientRect().left;
    if (beside || event.target.closest?.("[data-close]")) {
      event.preventDefault();
      this.dialog.close();
      return;
    }
    const link = partLink(event);
    if (!link) return;
    event.preventDefault();
    this.show(link.dataset.part, link.href, { history: this.contains(link) ? "replace" : "push" });
  }

  /** A form inside the drawer asks for another view of it. */
  chosen(event) {
    const form = event.target.closest("form[data-into-drawer]");
    if (!form) return;
    event.preventDefault();
    const wanted = new URLSearchParams(new FormData(form));
    const whole = `${form.getAttribute("action")}?${wanted}`;
    this.show(`${whole}&part=drawer`, whole, { history: "replace" });
  }

  async show(part, whole, { history: how }) {
    this.asking?.abort();
    this.asking = new AbortController();
    this.dialog.setAttribute("aria-busy", "true");
    const html = await fetchPart(part, whole, this.asking.signal);
    if (html === null) return;
    this.dialog.removeAttribute("aria-busy");
    const wasOpen = this.dialog.open;
    fill(this.dialog, html);
    if (how === "push") history.pushState({ drawer: true }, "", whole);
    else if (how === "replace") history.replaceState({ drawer: true }, "", whole);
    if (!wasOpen) this.dialog.showModal();
    this.focusTitle();
    this.dialog.scrollTop = 0;
  }

  focusTitle() {
    this.dialog.querySelector("#drawer-title")?.focus({ preventScroll: true });
  }

  closed() {
    const inner = this.dialog.querySelector(".drawer-inner");
    if (!inner) return;
    if (new URLSearchParams(location.search).has("profile")) history.pushState({ drawer: false }, "", inner.dataset.closed);
    const opener = [...this.content.querySelectorAll("a[data-profile]")].find((link) => link.dataset.profile === inner.dataset.profile);
    this.dialog.replaceChildren();
    (opener ?? document.getElementById("content"))?.focus();
  }

  /** Back and forward: the drawer is as the address says. */
  followAddress() {
    const wanted = new URLSearchParams(location.search).get("profile");
    if (!wanted && this.dialog.open) this.dialog.close();
    if (wanted) this.show(`${location.pathname}${location.search}&part=drawer`, location.href, { history: "keep" });
  }
});
