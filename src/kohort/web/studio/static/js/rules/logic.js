// Match logic such as "(A and B) or C": conditions are named by their position, so every edit of a group renames them.
// A logic that cannot be read is left as it is; the server says what is wrong with it.

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS = "123456789";

/** The name of the condition at a position: A, or 1 where the logic counts. */
export function nameOf(index, expr = "") {
  const names = usesDigits(expr) ? DIGITS : LETTERS;
  return names[index] ?? "";
}

const usesDigits = (expr) => /[1-9]/.test(expr ?? "") && !/[A-Z]/.test(expr ?? "");

/** The logic that says what "all" or "any" says. */
export function logicOf(match, count) {
  return [...LETTERS.slice(0, count)].join(match === "any" ? " or " : " and ");
}

/** The tree of a logic: a position, or {word, parts}; null when it cannot be read. */
export function parse(expr) {
  const tokens = (expr ?? "").match(/[()]|[^\s()]+/g) ?? [];
  const names = usesDigits(expr) ? DIGITS : LETTERS;
  let at = 0;
  const chain = (word, inner) => {
    const parts = [inner()];
    while (tokens[at] === word && ++at) parts.push(inner());
    return parts.length === 1 ? parts[0] : { word, parts };
  };
  const one = () => {
    const token = tokens[at++];
    if (token === "(") {
      const found = any();
      if (tokens[at++] !== ")") throw new SyntaxError("unclosed");
      return { word: "", parts: [found] };
    }
    if (token?.length === 1 && names.includes(token)) return names.indexOf(token);
    throw new SyntaxError("no name");
  };
  const all = () => chain("and", one);
  const any = () => chain("or", all);
  try {
    const tree = any();
    return at === tokens.length ? tree : null;
  } catch {
    return null;
  }
}

function print(tree, names) {
  if (typeof tree === "number") return names[tree];
  if (tree.word === "") return `(${print(tree.parts[0], names)})`;
  return tree.parts.map((part) => print(part, names)).join(` ${tree.word} `);
}

/** The tree with its positions renamed; a position without a new one is left out. */
function renamed(tree, place) {
  if (typeof tree === "number") return place(tree);
  const parts = tree.parts.map((part) => renamed(part, place)).filter((part) => part !== undefined);
  if (parts.length === 0) return undefined;
  if (tree.word === "") return typeof parts[0] === "number" ? parts[0] : { word: "", parts };
  return parts.length === 1 ? parts[0] : { word: tree.word, parts };
}

function rewritten(expr, count, place) {
  const tree = parse(expr);
  const names = usesDigits(expr) ? DIGITS : LETTERS;
  if (tree === null || count > names.length) return expr;
  const found = renamed(tree, place);
  if (found === undefined) return "";
  return print(found.word === "" ? found.parts[0] : found, names);
}

/** After a condition came in at `at`: it must hold, too. */
export function afterInsert(expr, count, at) {
  if (count === 0) return nameOf(0, expr);
  const tree = parse(expr);
  const names = usesDigits(expr) ? DIGITS : LETTERS;
  if (tree === null || count >= names.length) return expr;
  const moved = renamed(tree, (index) => (index >= at ? index + 1 : index));
  const left = moved.word === "or" ? `(${print(moved, names)})` : print(moved, names);
  return `${left} and ${names[at]}`;
}

export function afterRemove(expr, count, at) {
  return rewritten(expr, count, (index) => (index === at ? undefined : index > at ? index - 1 : index));
}

export function afterMove(expr, count, from, to) {
  const order = [...Array(count).keys()].filter((index) => index !== from);
  order.splice(to, 0, from);
  return rewritten(expr, count, (index) => order.indexOf(index));
}
