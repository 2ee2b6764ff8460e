// What every page can do: elements, messages, dialogs, moving on.

/** An element with properties and children; a child that is null is left out. */
export function make(name, options = {}, ...children) {
  const made = Object.assign(document.createElement(name), options);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A message in the corner. kind: "", "good" or "bad". */
export function toast(text, kind = "") {
  const box = document.getElementById("toasts");
  if (!box) return;
  const item = make("div", { className: `toast ${kind ? `toast-${kind}` : ""}`, textContent: text });
  box.append(item);
  setTimeout(() => item.remove(), kind === "bad" ? 10000 : 5000);
}

/** Go to a page of the studio, keeping the frame (the page to sign in has none). */
export function go(address) {
  if (window.htmx && document.getElementById("content") && !address.startsWith("/login")) {
    const swap = { target: "#content", select: "#content", swap: "outerHTML show:window:top", selectOOB: "#rail,#tree" };
    return window.htmx.ajax("GET", address, swap).then(() => {
      if (location.pathname + location.search !== address) history.pushState({ htmx: true }, "", address);
    });
  }
  location.assign(address);
  return Promise.resolve();
}

/** Show the page again as it is now on the server; who had a button in focus has it again, or the content where it is gone. */
export async function reload() {
  const before = nameOf(document.activeElement);
  await go(location.pathname + location.search);
  const content = document.getElementById("content");
  if (!content || document.activeElement !== document.body) return;
  const same = [...content.querySelectorAll("a, button, input, select, summary")].find((element) => nameOf(element) === before);
  (same ?? content).focus({ preventScroll: true });
}

function nameOf(element) {
  return [element?.tagName, element?.getAttribute?.("name"), element?.textContent.trim()].join(" ");
}

/** Ask before something that cannot be taken back. Resolves to true or false. */
export function confirmed(title, text, action, { danger = true } = {}) {
  const no = make("button", { className: "button", type: "button", textContent: "Cancel" });
  const yes = make("button", { className: `button ${danger ? "button-danger" : "button-main"}`, type: "button", textContent: action });
  const dialog = make(
    "dialog", {},
    make("div", { className: "dialog-head" }, make("h2", { textContent: title, id: "confirm-title" })),
    make("div", { className: "dialog-body" }, make("p", { textContent: text })),
    make("div", { className: "dialog-foot" }, no, yes),
  );
  dialog.setAttribute("aria-labelledby", "confirm-title");
  document.body.append(dialog);
  return new Promise((resolve) => {
    no.onclick = () => dialog.close("");
    yes.onclick = () => dialog.close("yes");
    dialog.onclose = () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    };
    dialog.showModal();
    no.focus();
  });
}
