// How high the rows of a long rule are that nobody has seen yet: found out while nobody does anything, so that nothing moves when they are drawn.
const AT_ONCE = 2;
const QUIET_MS = 300; // after a key, a movement or a turn of the wheel: what comes next should find the page free
const ROWS = ".rb-long .rb-item > rule-condition";
const idle = window.requestIdleCallback?.bind(window) ?? ((work) => setTimeout(work, 50));
const known = new WeakMap(); // row -> the width it was measured at
const waiting = new WeakSet();
const watched = new WeakSet();
let touched = 0;
for (const kind of ["keydown", "pointerdown", "pointermove", "scroll"]) document.addEventListener(kind, () => (touched = performance.now()), { capture: true, passive: true });

function later(work) {
  const left = touched + QUIET_MS - performance.now();
  if (left > 0) setTimeout(() => later(work), left);
  else idle(() => (performance.now() - touched < QUIET_MS ? later(work) : work()));
}

/** Measure the rows of a builder that are not known at its width, some at a time. */
export function heights(builder) {
  if (!watched.has(builder)) {
    watched.add(builder);
    new ResizeObserver(() => heights(builder)).observe(builder);
  }
  if (waiting.has(builder)) return;
  waiting.add(builder);
  later(() => {
    waiting.delete(builder);
    const width = builder.clientWidth;
    const rows = width ? [...builder.querySelectorAll(ROWS)].filter((row) => known.get(row) !== width) : [];
    measure(rows.slice(0, AT_ONCE), width);
    if (rows.length > AT_ONCE) heights(builder);
  });
}

function measure(rows, width) {
  for (const row of rows) row.toggleAttribute("data-measured", true);
  const found = rows.map((row) => row.getBoundingClientRect().height);
  rows.forEach((row, index) => {
    row.style.containIntrinsicBlockSize = `auto ${found[index]}px`;
    row.removeAttribute("data-measured");
    known.set(row, width);
  });
}
