// Calls of the API. A problem is thrown as `Problem`, with everything the server said. Who is signed out is led to sign in,
// unless something unsaved on the page holds the event "signed-out" back.
import { parseExact } from "./exact.js";

export class Problem extends Error {
  constructor(document) {
    super(document.detail);
    Object.assign(this, { code: "", hint: "", issues: [], status: 0 }, document);
  }

  /** The problem for a person: what, every issue, what to do. */
  get text() {
    const lines = this.issues.length ? this.issues.map((issue) => sentence(issue.message, issue.hint)) : [sentence(this.detail, this.hint)];
    return lines.join("\n");
  }
}

/** What is wrong, and the way out, as sentences. */
export function sentence(message, hint) {
  const upper = (text) => text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, "") + (/[?!]$/.test(text) ? "" : ".");
  return hint ? `${upper(message)} ${upper(hint)}` : upper(message);
}

// What to do about a rule in rows, where nobody sees the words of a file.
const HERE = {
  EMPTY_ATTRIBUTE: "Choose an attribute.", EMPTY_COLUMN: "Choose a column.", MISSING_AGGREGATION_COLUMN: "Choose a column.", MISSING_SEGMENT_REFERENCE: "Choose a segment.",
  MISSING_OPERATOR_VALUE: "Give a value.", MISSING_BETWEEN_BOUNDS: "Give a low end, a high end or both.", MISSING_EXPR: "Write how the conditions combine, such as (A and B) or C.",
  INVALID_SOURCE: "Choose a behavior.", MISSING_OPERATOR: "Choose an operator and a value.",
};

/** What is wrong with a rule in rows, and the way out: one sentence or two. */
export function inRows({ code, message, hint }) {
  if (HERE[code]) return [HERE[code]];
  return !hint || hint.startsWith("known:") ? [sentence(message)] : [sentence(message), sentence(hint)];
}

/** Ask the API. Returns {data, etag, status}; throws Problem, or AbortError when `signal` says so. */
export async function call(method, path, body, { etag, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (etag) headers["If-Match"] = etag;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ code: "NOT_REACHED", detail: "the server does not answer", hint: "check that it is running, then try again" });
  }
  const data = (answer.headers.get("content-type") ?? "").includes("json") ? parseExact(await answer.text()) : await answer.text();
  if (answer.ok) return { data, etag: answer.headers.get("etag"), status: answer.status };
  if (data?.code === "SIGN_IN_FIRST" && document.dispatchEvent(new CustomEvent("signed-out", { cancelable: true }))) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  throw new Problem(typeof data === "object" ? data : { detail: `the server answered ${answer.status}`, status: answer.status });
}
