// What every page can do: messages, dialogs, moving on.

/** A message in the corner. kind: "", "good" or "bad". */
export function toast(text, kind = "") {
  const box = document.getElementById("toasts");
  if (!box) return;
  const item = document.createElement("div");
  item.className = `toast ${kind ? `toast-${kind}` : ""}`;
  item.textContent = text;
  box.append(item);
  setTimeout(() => item.remove(), kind === "bad" ? 10000 : 5000);
}

/** Go to a page of the studio, keeping the frame (the page to sign in has none). */
export function go(address) {
  if (window.htmx && document.getElementById("content") && !address.startsWith("/login")) {
    const swap = { target: "#content", select: "#content", swap: "outerHTML show:window:top", selectOOB: "#rail,#tree" };
    window.htmx.ajax("GET", address, swap).then(() => {
      if (location.pathname + location.search !== address) history.pushState({ htmx: true }, "", address);
    });
  } else {
    location.assign(address);
  }
}

/** Show the page again as it is now on the server. */
export function reload() {
  go(location.pathname + location.search);
}

/** Ask before something that cannot be taken back. Resolves to true or false. */
export function confirmed(title, text, action, { danger = true } = {}) {
  const dialog = document.createElement("dialog");
  const head = Object.assign(document.createElement("h2"), { textContent: title, id: "confirm-title" });
  const words = Object.assign(document.createElement("p"), { textContent: text });
  const no = Object.assign(document.createElement("button"), { className: "button", type: "button", textContent: "Cancel" });
  const yes = Object.assign(document.createElement("button"), { className: `button ${danger ? "button-danger" : "button-main"}`, type: "button", textContent: action });
  const part = (name, ...children) => {
    const box = document.createElement("div");
    box.className = name;
    box.append(...children);
    return box;
  };
  dialog.setAttribute("aria-labelledby", "confirm-title");
  dialog.append(part("dialog-head", head), part("dialog-body", words), part("dialog-foot", no, yes));
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
