// <run-progress>: around what shows how far a run is. When it ended, the server says so in words.
import { toast } from "./page.js";

document.addEventListener("run-ended", (event) => toast(event.detail.text, event.detail.kind));
customElements.define("run-progress", class extends HTMLElement {});
