// The rule document as plain values: where its parts are, and edits that give a new document and leave the old one alone.
// A path is a list of keys from the rule's own mapping: ["conditions", 0, "operator", "value"].
import { copied, isMapping } from "../exact.js";
import { afterInsert, afterMove, afterRemove } from "./logic.js";

export const GROUPS = { And: "all", Or: "any", Composite: "expr" };
export const REFERENCES = {
  include: "segment", exclude: "segment", Reference: "segment", AbTestVariantReference: "variant",
  FunnelStageReference: "funnel stage", PredictiveScoreReference: "predictive score", MlAttributeReference: "prediction",
};
export const EVERYBODY = { type: "And", conditions: [] };

/** What a node is: group, attribute, behavior, sequence, reference, or other (shown as its sentence only). */
export function kindOf(node) {
  if (!isMapping(node)) return "other";
  if (node.type in GROUPS) return Array.isArray(node.conditions) ? "group" : "other";
  if (node.type === "Sequence") return Array.isArray(node.steps) && node.steps.every((step) => isMapping(step) && typeof step.source === "string" && isFilter(step.filter)) ? "sequence" : "other";
  if (node.type in REFERENCES) return "reference";
  if (node.type !== "Value" || "leftValue" in node || ("operator" in node && !isOperator(node.operator))) return "other";
  if (!node.source) return typeof node.attribute === "string" ? "attribute" : "other";
  return typeof node.source === "string" && isMapping(node.aggregation) && isFilter(node.filter) ? "behavior" : "other";
}

const JSON_KEYS = ["rightValue", "rightValues", "minValue", "maxValue"];
const isOperator = (operator) => isMapping(operator) && typeof operator.type === "string" && !JSON_KEYS.some((key) => key in operator);

/** True for a filter whose every part can be shown. */
function isFilter(filter) {
  if (filter === undefined || filter === null) return true;
  if (!isMapping(filter)) return false;
  if (filter.type === "Column") return typeof filter.column === "string" && isOperator(filter.operator ?? { type: "" });
  return (filter.type === "And" || filter.type === "Or") && Array.isArray(filter.conditions) && filter.conditions.every((part) => part && isFilter(part));
}

export const isGroup = (node) => kindOf(node) === "group";

/** The rule as a group: no rule is everybody, a condition alone is a group of one. Text and lists cannot be shown: null. */
export function asGroup(rule) {
  if (rule === null || rule === undefined || (isMapping(rule) && Object.keys(rule).length === 0)) return EVERYBODY;
  if (!isMapping(rule)) return null;
  if (isGroup(rule)) return rule;
  return rule.type in GROUPS || "conditions" in rule ? null : { type: "And", conditions: [rule] };
}

// --- reading and changing values at a path ----------------------------------------------------------------------

export function getIn(value, path) {
  return path.reduce((found, key) => (found === undefined || found === null ? undefined : found[key]), value);
}

/** A copy with `value` at `path`; undefined takes the key away. What is on the way is copied, the rest is shared. */
export function setIn(node, path, value) {
  if (path.length === 0) return value;
  const [key, ...rest] = path;
  const copy = Array.isArray(node) ? [...node] : { ...node };
  const found = setIn(copy[key], rest, value);
  if (found === undefined && !Array.isArray(copy)) delete copy[key];
  else copy[key] = found;
  return sameKey(node, copy);
}

/** A copy of a mapping with some keys changed; undefined takes a key away. */
export function changed(node, changes) {
  const copy = { ...node, ...changes };
  for (const key of Object.keys(changes)) if (changes[key] === undefined) delete copy[key];
  return sameKey(node, copy);
}

// --- stable keys -------------------------------------------------------------------------------------------------

const keys = new WeakMap();
let last = 0;

/** A name that stays with a condition through edits. */
export function keyOf(node) {
  if (!isMapping(node)) return `${JSON.stringify(node)}`;
  if (!keys.has(node)) keys.set(node, `c${++last}`);
  return keys.get(node);
}

function sameKey(from, to) {
  if (isMapping(from) && isMapping(to) && keys.has(from)) keys.set(to, keys.get(from));
  return to;
}

/** Conditions of a rule that came from elsewhere take over the names of those at the same places. */
export function takeKeys(before, after) {
  if (!isMapping(before) || !isMapping(after) || before === after) return;
  if (!keys.has(after) && before.type === after.type) sameKey(before, after);
  const [old, fresh] = [before.conditions, after.conditions];
  if (Array.isArray(old) && Array.isArray(fresh) && old.length === fresh.length) fresh.forEach((part, index) => takeKeys(old[index], part));
}

// --- conditions in their groups ------------------------------------------------------------------------------------
// `path` leads to a condition: [..., "conditions", index]; its group is at path.slice(0, -2).

const groupAt = (path) => path.slice(0, -2);
const indexOf = (path) => path[path.length - 1];

function withConditions(root, path, conditions, expr) {
  const group = getIn(root, path);
  return setIn(root, path, changed(group, expr === undefined ? { conditions } : { conditions, expr }));
}

/** A condition more in the group at `path`, at `index` (default: last). */
export function insert(root, path, node, index = undefined) {
  const group = getIn(root, path);
  const at = index ?? group.conditions.length;
  const conditions = [...group.conditions.slice(0, at), node, ...group.conditions.slice(at)];
  return withConditions(root, path, conditions, group.type === "Composite" ? afterInsert(group.expr, group.conditions.length, at) : undefined);
}

export function remove(root, path) {
  const group = getIn(root, groupAt(path));
  const conditions = group.conditions.filter((_, index) => index !== indexOf(path));
  return withConditions(root, groupAt(path), conditions, group.type === "Composite" ? afterRemove(group.expr, group.conditions.length, indexOf(path)) : undefined);
}

export function duplicate(root, path) {
  return insert(root, groupAt(path), copied(getIn(root, path)), indexOf(path) + 1);
}

/** The condition inside a group of its own, in its place. */
export function wrap(root, path) {
  return setIn(root, path, { type: "And", conditions: [getIn(root, path)] });
}

/** True when a group can be dissolved without a change of what it means. */
export function canUnwrap(root, path) {
  const [group, parent] = [getIn(root, path), getIn(root, groupAt(path))];
  if (Object.keys(group).some((key) => !["type", "conditions"].includes(key))) return false;
  return group.conditions.length === 1 || (group.conditions.length > 0 && group.type === parent.type && group.type !== "Composite");
}

/** The group's conditions in its place. */
export function unwrap(root, path) {
  const [group, parent] = [getIn(root, path), getIn(root, groupAt(path))];
  const at = indexOf(path);
  const conditions = [...parent.conditions.slice(0, at), ...group.conditions, ...parent.conditions.slice(at + 1)];
  return withConditions(root, groupAt(path), conditions);
}

/** A condition moved to `index` of the group at `to` (as they are before the move). Returns {root, path}; itself when it cannot go there. */
export function move(root, from, to, index) {
  const stays = { root, path: from };
  if (from.every((key, at) => to[at] === key)) return stays;
  const node = getIn(root, from);
  if (samePath(groupAt(from), to)) {
    const target = index > indexOf(from) ? index - 1 : index;
    if (target === indexOf(from)) return stays;
    const group = getIn(root, to);
    const conditions = group.conditions.filter((_, at) => at !== indexOf(from));
    conditions.splice(target, 0, node);
    const expr = group.type === "Composite" ? afterMove(group.expr, group.conditions.length, indexOf(from), target) : undefined;
    return { root: withConditions(root, to, conditions, expr), path: [...to, "conditions", target] };
  }
  const without = remove(root, from);
  const place = afterRemoval(to, from);
  return { root: insert(without, place, node, index), path: [...place, "conditions", index] };
}

/** Where a path leads once the condition at `removed` is gone. */
function afterRemoval(path, removed) {
  const parent = groupAt(removed);
  const at = parent.length + 1;
  const beside = path.length > at && parent.every((key, index) => path[index] === key) && path[at] > indexOf(removed);
  return beside ? path.map((key, index) => (index === at ? key - 1 : key)) : path;
}

/** One line up or down on the screen: within its group, into the group beside it, or out of its own. Returns {root, path}. */
export function step(root, path, direction) {
  const group = groupAt(path);
  const { conditions } = getIn(root, group);
  const beside = indexOf(path) + direction;
  if (beside < 0 || beside >= conditions.length) {
    if (group.length === 0) return { root, path };
    return move(root, path, groupAt(group), indexOf(group) + (direction > 0 ? 1 : 0));
  }
  const neighbor = conditions[beside];
  if (isGroup(neighbor)) return move(root, path, [...group, "conditions", beside], direction > 0 ? 0 : neighbor.conditions.length);
  return move(root, path, group, direction > 0 ? beside + 1 : beside);
}

/** The steps of a sequence after one went to another place. How soon steps follow each other stays with the places: there and back is as before. */
export function stepsMoved(steps, from, to) {
  const order = [...steps];
  order.splice(to, 0, ...order.splice(from, 1));
  return order.map((node, at) => changed(node, { within: steps[at].within }));
}

export const samePath = (one, other) => one.length === other.length && one.every((key, index) => key === other[index]);

/** A path as the server writes it: rule.conditions[0].operator. */
export function pathText(path, root = "rule") {
  return path.reduce((text, key) => text + (typeof key === "number" ? `[${key}]` : `.${key}`), root);
}
