// How counts are written: as the pages do (see formats.py).

const WRITTEN = new Intl.NumberFormat("en-US"); // made once: toLocaleString looks it up for every number

/** A count with its thousands apart; a dash when it is not known. */
export const count = (value) => (value === null || value === undefined ? "–" : WRITTEN.format(value));
