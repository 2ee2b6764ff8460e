// How many elements of a list must pass.
import { html, nothing } from "../../vendor/lit.js";
import { choose, numberInput } from "./parts.js";

const COUNTED = { atLeast: "at least", atMost: "at most", exactly: "exactly" };

/** value: null, "any", "all" or {atLeast: 2}; set(value, typing). */
export function arrayMatching(value, name, set) {
  const isCounted = typeof value === "object" && value !== null;
  const key = isCounted ? Object.keys(value)[0] : (value ?? "any");
  const options = [{ value: "any", label: "any element" }, { value: "all", label: "every element" }, ...Object.entries(COUNTED).map(([name, label]) => ({ value: name, label }))];
  const pick = (next) => set(next in COUNTED ? { [next]: isCounted ? Object.values(value)[0] : 1 } : next === "any" ? undefined : next);
  return html`${choose(`How many elements of ${name}`, key, options, pick)}
    ${isCounted ? html`${numberInput(`Number of elements of ${name}`, value[key], (number) => set({ [key]: number }, true), { min: 0, step: 1 })}` : nothing}`;
}
