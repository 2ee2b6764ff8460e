// How high the rows of a long rule are that nobody has seen yet: found out while nobody waits, so that nothing moves when they are drawn.
const AT_ONCE = 2;
const ROWS = ".rb-long .rb-item > rule-condition";
const later = window.requestIdleCallback?.bind(window) ?? ((work) => setTimeout(work, 50));
const known = new WeakMap(); // row -> the width it was measured at
const waiting = new WeakSet();
const watched = new WeakSet();

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
