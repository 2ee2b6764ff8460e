// What is done to a segment or a folder as a whole: rename, move, delete; going back to a version of a segment.
import { call, Problem } from "./api.js";
import { count } from "./numbers.js";
import { go, make, reload, toast } from "./page.js";

/** A segment has an id, a folder has none. */
function target({ parent, id, path }) {
  const at = `/api/v1/parents/${encodeURIComponent(parent)}`;
  const place = path.split("/");
  const name = place.pop();
  const folder = `folder?path=${encodeURIComponent(path)}`;
  return {
    parent, id, path, name, around: place.join("/"), noun: id ? "segment" : "folder",
    read: id ? `${at}/segments/${id}` : `${at}/${folder}`,
    move: id ? `${at}/segments/${id}/move` : `${at}/folder/move?path=${encodeURIComponent(path)}`,
    folders: `${at}/folders`,
  };
}

const OPERATIONS = { rename, move, delete: remove, describe };

/** Begin an operation in a dialog of its own; `data` says on what. */
export function operate(data) {
  OPERATIONS[data.operation]?.(target(data)).catch(failed);
}

function failed(error) {
  toast(error instanceof Problem ? error.text : String(error), "bad");
}

// --- dialogs ------------------------------------------------------------------------------------------------------

/** A dialog with a form. `send` does it; a problem it throws is said in the dialog, which then stays. */
function ask({ title, parts, action, danger = false, send, possible = true }) {
  const before = document.activeElement;
  const problem = make("p", { className: "form-problem", hidden: true });
  problem.setAttribute("role", "alert");
  const cancel = make("button", { className: "button", type: "button", textContent: possible ? "Cancel" : "Close" });
  const yes = possible ? make("button", { className: `button ${danger ? "button-danger" : "button-main"}`, type: "submit", textContent: action }) : null;
  const form = make(
    "form", {},
    make("div", { className: "dialog-head" }, make("h2", { id: "operation-title", textContent: title })),
    make("div", { className: "dialog-body" }, ...parts, problem),
    make("div", { className: "dialog-foot" }, cancel, yes),
  );
  const dialog = make("dialog", { className: "operation" }, form);
  dialog.setAttribute("aria-labelledby", "operation-title");
  cancel.onclick = () => dialog.close();
  dialog.onclose = () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (yes.getAttribute("aria-disabled")) return;
    yes.setAttribute("aria-disabled", "true");
    problem.hidden = true;
    try {
      await send(new FormData(form));
      dialog.close();
    } catch (error) {
      problem.textContent = error instanceof Problem ? error.text : String(error);
      problem.hidden = false;
    } finally {
      yes.removeAttribute("aria-disabled");
    }
  };
  document.body.append(dialog);
  dialog.showModal();
  const field = form.querySelector("input, textarea");
  field?.select();
  (field ?? cancel).focus();
  return dialog;
}

const words = (text) => make("p", { textContent: text });

function list(paths) {
  return make("ul", {}, ...paths.map((path) => make("li", { textContent: path })));
}

function field(label, options, hint = "") {
  const input = make("input", { className: "control", autocomplete: "off", required: true, ...options });
  return make("label", { className: "field" }, make("span", { textContent: label }), input, hint ? make("small", { textContent: hint }) : null);
}

/** Where the page is afterwards: pages of segments stay, the page of a folder follows the folder. */
function follow(from, to, said) {
  toast(said, "good");
  const here = new URL(location.href);
  const folder = here.searchParams.get("folder");
  if (folder !== null && from !== null && `${folder}/`.startsWith(`${from}/`)) {
    const moved = to === null ? from.split("/").slice(0, -1).join("/") : to + folder.slice(from.length);
    if (moved) here.searchParams.set("folder", moved);
    else here.searchParams.delete("folder");
    go(here.pathname + here.search);
  } else reload();
}

// --- rename, move -------------------------------------------------------------------------------------------------

async function rename(on) {
  const { etag } = await call("GET", on.read);
  ask({
    title: `Rename ${on.noun}`,
    parts: [field("Name", { name: "name", value: on.name, maxLength: 200 }, "Segments that refer to it follow.")],
    action: "Rename",
    send: async (form) => {
      const name = form.get("name").trim();
      if (!on.id && name.includes("/")) throw new Problem({ detail: "a folder's name has no /", hint: "move it to put it elsewhere" });
      const to = on.around ? `${on.around}/${name}` : name;
      await call("POST", on.move, on.id ? { name } : { to }, { etag });
      follow(on.id ? null : on.path, to, `“${on.name}” is called “${name}” now.`);
    },
  });
}

async function move(on) {
  const [{ etag }, { data }] = await Promise.all([call("GET", on.read), call("GET", on.folders)]);
  const inside = (path) => !on.id && `${path}/`.startsWith(`${on.path}/`);
  const known = data.items.map((item) => item.path).filter((path) => path !== on.around && !inside(path));
  const choices = make("datalist", { id: "operation-folders" }, ...known.map((path) => make("option", { value: path })));
  const to = field("Folder", { name: "folder", value: on.around, maxLength: 1000, required: false }, "Choose one, or write a new one: Marketing/VIP. Empty: outside of all folders.");
  to.querySelector("input").setAttribute("list", "operation-folders");
  ask({
    title: `Move “${on.name}”`,
    parts: [to, choices],
    action: "Move",
    send: async (form) => {
      const folder = form.get("folder").trim().replace(/^\/+|\/+$/g, "");
      const path = folder ? `${folder}/${on.name}` : on.name;
      const { data: done } = await call("POST", on.move, on.id ? { folder } : { to: path }, { etag });
      const others = done.rewritten.length ? ` ${done.rewritten.length} reference${done.rewritten.length === 1 ? "" : "s"} to it changed with it.` : "";
      follow(on.id ? null : on.path, path, `“${on.name}” is ${folder ? `in ${folder}` : "outside of all folders"} now.${others}`);
    },
  });
}

async function describe(on) {
  const { data, etag } = await call("GET", on.read);
  const text = make("textarea", { className: "control", name: "description", rows: 5, value: data.definition.description ?? "" });
  ask({
    title: `Describe “${on.name}”`,
    parts: [make("label", { className: "field" }, make("span", { textContent: "Description" }), text, make("small", { textContent: "For people; it makes no new version." }))],
    action: "Save",
    send: async (form) => {
      const { description: before, ...rest } = data.definition;
      const description = form.get("description").trim();
      await call("PUT", on.read, { definition: description ? { ...rest, description } : rest }, { etag });
      toast("Saved.", "good");
      reload();
    },
  });
}

// --- delete -------------------------------------------------------------------------------------------------------

async function remove(on) {
  const { data, etag } = await call("GET", on.read);
  const relations = on.id ? (await call("GET", `${on.read}/dependents`)).data : data;
  const refer = relations.dependents.map((item) => item.path);
  const count = refer.length + relations.hidden;
  const parts = [];
  if (count) {
    parts.push(words(`It cannot be deleted: ${count === 1 ? "one segment refers" : `${count} segments refer`} to ${on.id ? "it" : "what is in it"}. Change or delete ${count === 1 ? "that one" : "those"} first.`), list(refer));
    if (relations.hidden) parts.push(words(`${relations.hidden} of them you may not see.`));
  } else if (on.id) {
    parts.push(words(`The segment goes with its ${data.version === 1 ? "rule" : `${data.version} versions`} and its history. Files of the workspace stay.`));
  } else {
    parts.push(words(`The folder goes with ${data.segments.length === 1 ? "the segment" : `all ${data.segments.length} segments`} in it, their versions and their history. Files of the workspace stay.`), list(data.segments.map((item) => item.path)));
  }
  ask({
    title: `Delete “${on.name}”?`, parts, action: "Delete", danger: true, possible: !count,
    send: async () => {
      await call("DELETE", on.read, undefined, { etag });
      const page = `/audiences/${on.parent}`;
      if (on.id && location.pathname.startsWith(`${page}/segments/${on.id}`)) {
        toast(`“${on.name}” is deleted.`, "good");
        go(page + (on.around ? `?folder=${encodeURIComponent(on.around)}` : ""));
      } else follow(on.id ? null : on.path, null, `“${on.name}” is deleted.`);
    },
  });
}

// --- versions -----------------------------------------------------------------------------------------------------

/** Go back to a version, after saying what that does to the members. `data`: api, version, name. */
export async function revert({ api, version, name }) {
  try {
    const { data: now, etag } = await call("GET", api);
    const effect = make("div", { className: "effect-of-revert" }, words("Counting what that changes…"));
    effect.setAttribute("aria-live", "polite");
    ask({
      title: `Go back to version ${version}?`,
      parts: [words(`“${name}” gets a new version ${now.version + 1} that is as version ${version} was. Nothing is lost: version ${now.version} stays in its history.`), effect],
      action: "Go back",
      send: async () => {
        const { data: done } = await call("POST", `${api}/revert`, { version: Number(version) }, { etag });
        toast(done.version === now.version ? `“${name}” was like that already.` : `“${name}” is as version ${version} was.`, "good");
        reload();
      },
    });
    tellEffect(effect, api, Number(version));
  } catch (error) {
    failed(error);
  }
}

async function tellEffect(box, api, version) {
  try {
    const [, parent, id] = api.match(/\/parents\/([^/]+)\/segments\/(\d+)/);
    const { data } = await call("GET", `${api}/versions?limit=500`);
    const { definition } = data.items.find((item) => item.version === version);
    const body = { definition, segment: Number(id), sample: 0, overlaps: 0 };
    const { data: seen } = await call("POST", `/api/v1/parents/${parent}/preview`, body);
    box.replaceChildren(...effectParts(seen));
  } catch (error) {
    box.replaceChildren(words(error instanceof Problem ? error.text : String(error)));
  }
}

function effectParts({ saved, issues }) {
  const wrong = issues.filter((issue) => issue.severity === "error").map((issue) => issue.message);
  if (wrong.length) return [words("It does not fit any more:"), list(wrong)];
  if (!saved) return [words("What it changes cannot be counted now.")];
  const said = [words(`${count(saved.before)} members become ${count(saved.after)}: ${count(saved.entered)} enter, ${count(saved.left)} leave.`)];
  const touched = saved.dependents.filter((item) => item.entered || item.left);
  if (touched.length) said.push(words("It changes these, too:"), list(touched.map((item) => `${item.segment}: ${count(item.entered)} enter, ${count(item.left)} leave`)));
  return said;
}
