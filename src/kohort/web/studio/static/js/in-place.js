// What links with `data-part` share: another part of the page is fetched and shown in place; the address is a whole page's.

/** Fetch a part of a page as text; goes to the whole page when the part cannot be had. Resolves to null then, or when it was superseded. */
export async function fetchPart(address, whole, signal) {
  try {
    const answer = await fetch(address, { signal, credentials: "same-origin", headers: { "HX-Request": "true" } });
    if (answer.ok && !answer.redirected) return await answer.text();
  } catch (error) {
    if (error.name === "AbortError") return null;
  }
  location.assign(whole);
  return null;
}

/** The link with `data-part` that a plain click is on; null for clicks that open tabs or windows. */
export function partLink(event) {
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return null;
  return event.target.closest?.("a[data-part]");
}

/** Put HTML of our own server into an element, and tell htmx of it. */
export function fill(element, html) {
  element.innerHTML = html;
  window.htmx?.process(element);
}
