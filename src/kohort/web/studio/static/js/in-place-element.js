// <in-place into="id">: its links with `data-part` show that part in the element with the id; the address follows, Escape there goes back.
import { fetchPart, fill, partLink } from "./in-place.js";

customElements.define("in-place", class extends HTMLElement {
  connectedCallback() {
    this.into = document.getElementById(this.getAttribute("into"));
    this.addEventListener("click", (event) => this.clicked(event));
    this.onKey = (event) => event.key === "Escape" && this.into.contains(event.target) && this.chosen?.focus();
    document.addEventListener("keydown", this.onKey);
  }

  disconnectedCallback() {
    document.removeEventListener("keydown", this.onKey);
    this.asking?.abort();
  }

  async clicked(event) {
    const link = partLink(event);
    if (!link) return;
    event.preventDefault();
    this.asking?.abort();
    this.asking = new AbortController();
    this.into.setAttribute("aria-busy", "true");
    const html = await fetchPart(link.dataset.part, link.href, this.asking.signal);
    if (html === null) return;
    this.into.removeAttribute("aria-busy");
    for (const other of this.querySelectorAll("a[aria-current]")) other.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    this.chosen = link;
    fill(this.into, html);
    history.replaceState(history.state, "", link.href);
    this.into.scrollTop = 0;
    this.into.querySelector("[tabindex='-1']")?.focus({ preventScroll: true });
  }
});
