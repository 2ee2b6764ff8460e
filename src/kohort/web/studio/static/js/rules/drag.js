// Moving conditions, and steps within their sequence, with the mouse: a handle is dragged, a line shows where it would come to stand.

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
    const handle = event.target.closest?.(".rb-handle");
    const item = handle?.closest("li.rb-item");
    if (!item) return;
    const step = handle.closest(".rb-step");
    from = { path: JSON.parse(item.dataset.path), item, step: step && Number(step.dataset.step) };
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", item.dataset.path);
    event.dataTransfer.setDragImage(step ?? item.querySelector(".rb-row, .rb-head") ?? item, 12, 12);
  });
  builder.addEventListener("dragover", (event) => {
    const target = from && placeOf(event, from);
    if (!target) return mark(null);
    event.preventDefault();
    return mark(target.element, target.mark);
  });
  builder.addEventListener("drop", (event) => {
    const target = from && placeOf(event, from);
    mark(null);
    if (!target) return;
    event.preventDefault();
    const { path, step } = from;
    from = null;
    if (step === null) builder.drop(path, target.group, target.index);
    else builder.moveStep(path, step, target.index);
  });
  builder.addEventListener("dragend", () => {
    mark(null);
    from = null;
  });
}

const placeOf = (event, from) => (from.step === null ? placeAt(event, from.path) : stepAt(event, from));

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

/** The same for a step: the place it would have among the steps of its own sequence; null where it would not move. */
function stepAt(event, { item, step }) {
  const over = event.target.closest?.(".rb-step");
  if (!over || over.closest("li.rb-item") !== item) return null;
  const at = Number(over.dataset.step);
  const box = over.getBoundingClientRect();
  const after = event.clientY > box.top + box.height / 2;
  const index = at + (after ? 1 : 0) - (at + (after ? 1 : 0) > step ? 1 : 0);
  return index === step ? null : { element: over, mark: after ? "drop-after" : "drop-before", index };
}
