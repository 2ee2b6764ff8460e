// Why there is no answer, in words for somebody in the middle of their work.
import { html } from "../../vendor/lit.js";

const WORDS = {
  SIGN_IN_FIRST: "You are signed out. Nothing here is lost.",
  NOT_REACHED: "The server does not answer. Nothing here is lost: it is asked again by itself.",
  NOT_REFRESHED: "There are no profiles yet. Rules can be written and saved; they are counted after the first refresh.",
};

/** A problem as text. */
export const inWords = (problem) => WORDS[problem?.code] ?? problem?.text ?? String(problem);

/** The same with the way out of it. parent: the slug of the parent segment. */
export function trouble(problem, parent) {
  if (typeof problem === "string") return problem;
  switch (problem.code) {
    case "SIGN_IN_FIRST":
      return html`${inWords(problem)} <a href="/login" target="_blank">Sign in in another tab</a>, then go on here.`;
    case "NOT_REFRESHED":
      return html`${inWords(problem)} <a href="/audiences/${parent}/refreshes">To the refreshes</a>`;
    default:
      return inWords(problem);
  }
}
