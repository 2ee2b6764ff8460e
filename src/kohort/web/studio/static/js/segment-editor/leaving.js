// Asks before a page with unsaved changes is left: by a link, back and forward, or closing it.
import { confirmed } from "../page.js";

export class Leaving {
  /** element: what would go away; unsaved(): whether that matters. */
  constructor(element, unsaved) {
    Object.assign(this, { element, unsaved });
    this.closing = (event) => {
      if (this.unsaved()) event.preventDefault();
    };
    this.moving = (event) => this.#moving(event);
    this.turning = (event) => this.#turning() || this.before?.call(window, event);
  }

  /** This is where the page is: called while it is shown, as its address may follow its content. */
  here() {
    this.address = location.pathname + location.search;
  }

  watch() {
    window.addEventListener("beforeunload", this.closing);
    document.addEventListener("htmx:confirm", this.moving);
    this.before = window.onpopstate;
    window.onpopstate = this.turning;
  }

  stop() {
    window.removeEventListener("beforeunload", this.closing);
    document.removeEventListener("htmx:confirm", this.moving);
    if (window.onpopstate === this.turning) window.onpopstate = this.before;
  }

  ask() {
    return confirmed("Leave without saving?", "What you changed here is not saved and would be lost.", "Leave");
  }

  #moving(event) {
    const { target, issueRequest } = event.detail;
    if (!this.unsaved() || !target?.contains?.(this.element)) return;
    event.preventDefault();
    this.ask().then((yes) => {
      if (!yes) return;
      this.stop();
      issueRequest(true);
    });
  }

  /** Back and forward have moved already: return here, ask, and go there when the answer is yes. False: there is nothing to ask. */
  #turning() {
    const here = this.address;
    if (!this.unsaved() || !here || location.pathname + location.search === here) return false;
    const there = location.href;
    history.pushState({ htmx: true }, "", here);
    this.ask().then((yes) => {
      if (!yes) return;
      this.stop();
      location.assign(there);
    });
    return true;
  }
}
