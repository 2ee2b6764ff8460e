// The menu of a line of the tree: opens at the pointer, or below the line when it is asked for with the keyboard.
import { operate } from "./operations.js";
import { go } from "./page.js";

const OPERATIONS = [["rename", "Rename"], ["move", "Move to a folder"], ["delete", "Delete"]];

/** What a line of the tree is about; null for what has no menu (variants). */
export function about(row) {
  const parent = row.closest("#tree")?.querySelector("[data-parent]")?.dataset.parent;
  if (!parent) return null;
  const folder = row.closest("summary")?.parentElement.dataset.folder;
  if (folder) return { parent, path: folder };
  const link = row.closest("a[data-path]");
  const [, id] = link?.getAttribute("href").match(/\/segments\/(\d+)$/) ?? [];
  return id ? { parent, id, path: link.dataset.path } : null;
}

/** A button at the end of the line under the pointer. */
export function offer(row) {
  const line = row.closest("li");
  if (!line || line.querySelector(":scope > .tree-more") || !about(row)) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "tree-more";
  button.tabIndex = -1; // the keyboard has Shift+F10
  button.setAttribute("aria-label", `Actions for ${about(row).path}`);
  button.setAttribute("aria-haspopup", "menu");
  button.textContent = "⋯";
  button.onclick = () => {
    const { right, bottom } = button.getBoundingClientRect();
    open(row, right - 24, bottom);
  };
  line.append(button);
}

let shown = null;

function close() {
  shown?.remove();
  shown = null;
}

/** The menu of a line. */
export function open(row, x, y) {
  close();
  const on = about(row);
  if (!on) return;
  const menu = document.createElement("div");
  menu.className = "menu-list pop-menu";
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-label", `Actions for ${on.path}`);
  const entries = [...OPERATIONS];
  if (on.id) entries.splice(2, 0, ["inside", "New segment inside it"], ["copy", "Duplicate"]);
  else entries.unshift(["new", "New segment here"]);
  for (const [operation, text] of entries) {
    const item = document.createElement("button");
    item.type = "button";
    item.setAttribute("role", "menuitem");
    item.tabIndex = -1;
    item.textContent = text;
    if (operation === "delete") item.className = "is-bad";
    item.onclick = () => {
      close();
      row.focus();
      if (operation === "new") go(`/audiences/${on.parent}/segments/new?folder=${encodeURIComponent(on.path)}`);
      else if (operation === "inside" || operation === "copy") go(`/audiences/${on.parent}/segments/new?${operation}=${on.id}`);
      else operate({ ...on, operation });
    };
    menu.append(item);
  }
  menu.onkeydown = (event) => step(event, menu, row);
  row.closest("#tree").append(menu);
  shown = menu;
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(4, Math.min(x, innerWidth - width - 4))}px`;
  menu.style.top = `${Math.max(4, Math.min(y, innerHeight - height - 4))}px`;
  menu.firstElementChild.focus();
}

function step(event, menu, row) {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    items[to % items.length].focus();
  } else if (event.key === "Escape" || event.key === "Tab") {
    event.preventDefault();
    close();
    row.focus();
  }
}

document.addEventListener("pointerdown", (event) => {
  if (shown && !shown.contains(event.target)) close();
});
addEventListener("scroll", close, true);
