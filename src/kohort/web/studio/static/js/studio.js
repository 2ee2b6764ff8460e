// Runs on every page: loads the elements a page uses, and does the few things that belong to the frame.
import "./api-form.js";
import { call } from "./api.js";
import { toast } from "./page.js";

/** Elements with a file of their own, loaded when a page has one. */
const ELEMENTS = {
  "run-progress": "./run-progress.js",
  "segment-editor": "./segment-editor/segment-editor.js",
  "live-events": "./live-events.js",
  "identity-rules": "./identity-rules.js",
  "user-grants": "./user-grants.js",
  "secret-once": "./secret-once.js",
  "rule-builder": "./rules/rule-builder.js",
  "e-chart": "./chart.js",
  "profile-drawer": "./profile-drawer.js",
  "in-place": "./in-place-element.js",
  "yaml-editor": "./yaml-editor.js",
};

function loadElements(root = document) {
  for (const [name, file] of Object.entries(ELEMENTS)) {
    if (root.querySelector(name) && !customElements.get(name)) import(file).catch(() => toast("A part of this page could not be loaded. Load the page again.", "bad"));
  }
}

const DO = {
  theme() {
    const dark = document.documentElement.dataset.theme === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : document.documentElement.dataset.theme === "dark";
    const theme = dark ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    document.cookie = `kohort_theme=${theme}; path=/; max-age=31536000; samesite=lax`;
    document.dispatchEvent(new CustomEvent("theme-change"));
  },
  async "sign-out"() {
    await call("POST", "/api/v1/logout", {}).catch(() => {});
    location.assign("/login");
  },
  "open-dialog"(button) {
    document.getElementById(button.dataset.dialog)?.showModal();
  },
  "close-dialog"(button) {
    button.closest("dialog")?.close();
  },
  operate(button) {
    button.closest("details.menu")?.removeAttribute("open");
    import("./operations.js").then(({ operate }) => operate(button.dataset));
  },
  revert(button) {
    import("./operations.js").then(({ revert }) => revert(button.dataset));
  },
  async copy(button) {
    const text = document.getElementById(button.dataset.from)?.textContent ?? "";
    await navigator.clipboard.writeText(text).then(() => toast("Copied.", "good"), () => toast("The browser does not let this page copy.", "bad"));
  },
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (button) DO[button.dataset.do]?.(button);
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// --- the tree -------------------------------------------------------------------------------------------------
const CLOSED = "kohort.closed-folders";
let wanted = "";

function closedFolders() {
  try {
    return new Set(JSON.parse(localStorage.getItem(CLOSED) ?? "[]"));
  } catch {
    return new Set();
  }
}

function arrangeTree() {
  const closed = closedFolders();
  for (const folder of document.querySelectorAll("#tree details[data-folder]")) folder.open = !closed.has(folder.dataset.folder);
  const input = document.querySelector("#tree [data-do=filter-tree]");
  if (input && wanted) {
    input.value = wanted;
    filterTree(wanted);
  }
}

function filterTree(text) {
  wanted = text;
  const needle = text.trim().toLowerCase();
  const closed = closedFolders();
  let shown = 0;
  for (const line of document.querySelectorAll("#tree a[data-path]")) {
    const fits = !needle || line.dataset.path.toLowerCase().includes(needle);
    line.hidden = !fits;
    shown += fits;
  }
  for (const folder of [...document.querySelectorAll("#tree details[data-folder]")].reverse()) {
    const holds = [...folder.querySelectorAll("a[data-path]")].some((line) => !line.hidden);
    folder.parentElement.hidden = Boolean(needle) && !holds;
    folder.open = needle ? holds : !closed.has(folder.dataset.folder);
  }
  const none = document.querySelector("#tree .tree-none");
  if (none) none.hidden = shown > 0;
}

let placed = null;
let scrolled = 0;
let opened = "";
document.addEventListener("scroll", ({ target }) => {
  if (target === placed) scrolled = target.scrollTop;
}, { capture: true, passive: true });

/** A tree that came with a page is where the one before was, or where the line that was opened can be seen. */
function placeTree() {
  const tree = document.getElementById("tree");
  if (!tree?.clientHeight || tree === placed) return;
  placed = tree;
  tree.scrollTop = scrolled;
  const line = tree.querySelector("[aria-current]");
  if (!line || line.dataset.path === opened) return;
  opened = line.dataset.path;
  const [box, place] = [tree, line].map((part) => part.getBoundingClientRect());
  if (place.top < box.top || place.bottom > box.bottom) tree.scrollTop += place.top - box.top - (box.height - place.height) / 2;
}

document.addEventListener("input", (event) => {
  if (event.target.matches?.("#tree [data-do=filter-tree]")) filterTree(event.target.value);
});
document.addEventListener("toggle", (event) => {
  const folder = event.target.matches?.("#tree details[data-folder]") ? event.target : null;
  if (!folder || wanted) return;
  const closed = closedFolders();
  closed[folder.open ? "delete" : "add"](folder.dataset.folder);
  localStorage.setItem(CLOSED, JSON.stringify([...closed]));
}, true);

// On narrow screens the tree is a drawer: it takes the focus, and closes when the focus goes elsewhere or a page is chosen in it.
const NARROW = matchMedia("(max-width: 1000px)");
let drawn = false;

function putAway() {
  if (drawn) document.getElementById("tree").hidePopover();
}

document.addEventListener("beforetoggle", ({ target: tree, newState }) => {
  if (tree.id === "tree") ((matchMedia("(hover: hover)").matches && tree.querySelector("input")) || tree).autofocus = newState === "open";
}, true);
document.addEventListener("toggle", ({ target: tree, newState }) => {
  if (tree.id !== "tree") return;
  drawn = newState === "open";
  if (drawn) placeTree();
}, true);
document.addEventListener("focusout", ({ relatedTarget: to }) => {
  if (drawn && to && !to.closest("#tree, [popovertarget]")) putAway();
});
NARROW.addEventListener("change", putAway);

const TREE_ROW = "#tree [data-parent] .tree-row:not([href*=\"?variant=\"])";
document.addEventListener("pointerover", (event) => {
  const row = event.target.closest?.(TREE_ROW);
  if (row) import("./tree-menu.js").then(({ offer }) => offer(row));
});
document.addEventListener("contextmenu", (event) => {
  const row = event.target.closest?.(TREE_ROW);
  if (!row) return;
  event.preventDefault();
  const { left, bottom } = row.getBoundingClientRect();
  const [x, y] = event.button === 2 && event.clientX ? [event.clientX, event.clientY] : [left + 16, bottom];
  import("./tree-menu.js").then(({ open }) => open(row, x, y));
});

/** On narrow screens a row of tabs is longer than what one sees of it: the open one comes into view. */
function showTab() {
  const tab = document.querySelector(".tabs [aria-current]");
  const row = tab?.parentElement;
  if (row && row.scrollWidth > row.clientWidth) row.scrollLeft = tab.offsetLeft - row.firstElementChild.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
}

// --- parts that htmx brings -------------------------------------------------------------------------------------
document.addEventListener("htmx:afterSwap", () => {
  arrangeTree();
  placeTree();
});
document.addEventListener("htmx:afterSettle", () => {
  loadElements();
  arrangeTree();
  placeTree();
  showTab();
  const content = document.getElementById("content");
  if (drawn && !document.querySelector("#tree:popover-open")) {
    drawn = false;
    content?.focus({ preventScroll: true });
  }
  if (content?.dataset.title) document.title = content.dataset.title;
});
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status >= 400 && (xhr.getResponseHeader("content-type") ?? "").startsWith("text/html")) event.detail.shouldSwap = true;
});
document.addEventListener("htmx:sendError", () => toast("The server does not answer.", "bad"));

loadElements();
arrangeTree();
placeTree();
showTab();
