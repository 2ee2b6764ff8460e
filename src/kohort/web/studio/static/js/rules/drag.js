// Moving conditions with the mouse: a handle is dragged, a line shows where it would come to stand.

const MARKS = ["drop-before", "drop-after", "drop-inside"];

export function dragging(builder) {
  let from = null;
  let marked = null;
  const mark = (element, name) => {
    if (marked) marked.classList.remove(...MARKS);
    marked = element;
    if (element) element.classList.add(name);
  };
  builder.addEventListener("dragstart", (event) => {
    const item = event.target.closest?.(".rb-handle")?.closest("li.rb-item");
    if (!item) return;
    from = JSON.parse(item.dataset.path);
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", item.dataset.path);
    event.dataTransfer.setDragImage(item.querySelector(".rb-row, .rb-head") ?? item, 12, 12);
  });
  builder.addEventListener("dragover", (event) => {
    const target = from && placeAt(event, from);
    if (!target) return mark(null);
    event.preventDefault();
    return mark(target.element, target.mark);
  });
  builder.addEventListener("drop", (event) => {
    const target = from && placeAt(event, from);
    mark(null);
    if (!target) return;
    event.preventDefault();
    const dragged = from;
    from = null;
    builder.drop(dragged, target.group, target.index);
  });
  builder.addEventListener("dragend", () => {
    mark(null);
    from = null;
  });
}

/** Where a drop at the mouse would go: {element, mark, group, index}; null over itself. */
function placeAt(event, from) {
  const item = event.target.closest?.("li.rb-item");
  if (!item) return null;
  const path = JSON.parse(item.dataset.path);
  if (from.every((key, at) => path[at] === key)) return null;
  const inner = item.querySelector(":scope > .rb-group");
  if (inner && !event.target.closest(".rb-head")) return { element: inner, mark: "drop-inside", group: path, index: inner.querySelectorAll(":scope > .rb-list > .rb-item").length };
  const box = item.getBoundingClientRect();
  const after = !inner && event.clientY > box.top + box.height / 2;
  return { element: item, mark: after ? "drop-after" : "drop-before", group: path.slice(0, -2), index: path.at(-1) + (after ? 1 : 0) };
}
