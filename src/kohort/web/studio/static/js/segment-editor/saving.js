// Saving: what it changes is shown first; somebody else's edit is not overwritten unseen.
import { nothing } from "../../vendor/lit.js";
import { call } from "../api.js";
import { go, toast } from "../page.js";
import { saveDialog } from "./save-dialog.js";
import { trouble } from "./trouble.js";

export class Saving {
  /** editor: the <segment-editor> whose definition is saved. */
  constructor(editor) {
    this.editor = editor;
    this.dialog = null;
  }

  get address() {
    const { editor } = this;
    return editor.isNew ? `${editor.address}/segments` : `${editor.address}/segments/${editor.setup.id}`;
  }

  get element() {
    return this.editor.querySelector("dialog.save-dialog");
  }

  async open() {
    this.say({ stage: "review", note: "", busy: false, problem: "" });
    await this.editor.updateComplete;
    this.element.showModal();
  }

  say(values) {
    this.dialog = { ...this.dialog, ...values };
    this.editor.requestUpdate();
  }

  closed() {
    this.dialog = null;
    this.editor.requestUpdate();
  }

  template() {
    if (!this.dialog) return nothing;
    const { definition, previewing, isNew } = this.editor;
    const preview = this.editor.preview?.of === definition ? this.editor.preview : null; // numbers of another rule would mislead
    const state = { ...this.dialog, name: definition.name, preview, waiting: previewing.waiting, isNew, mine: { text: preview?.text, description: definition.description } };
    return saveDialog(state, {
      save: () => this.commit(), shut: () => this.element.close(), closed: () => this.closed(), note: (note) => this.say({ note }),
      takeTheirs: () => this.takeTheirs(), overwrite: () => this.dialog.theirTag && this.commit(this.dialog.theirTag),
    });
  }

  async commit(etag = this.editor.etag) {
    if (this.dialog.busy) return;
    const [{ definition, isNew }, { note }] = [this.editor, this.dialog];
    this.say({ busy: true, problem: "" });
    try {
      this.saved(definition, await call(isNew ? "POST" : "PUT", this.address, { definition, note }, { etag }));
    } catch (problem) {
      if (problem.status === 412) await this.conflict();
      else if (problem.code === "SEGMENT_NOT_FOUND" && !isNew) this.deleted();
      else if (problem.issues?.length || problem.code === "NAME_TAKEN") this.refused(problem);
      else this.say({ busy: false, problem: trouble(problem, this.editor.setup.parent) });
    }
  }

  /** There is no such segment any more: the dialog stays, and saves a new one. */
  deleted() {
    this.editor.deleted();
    this.say({ stage: "review", busy: false, problem: "Somebody deleted this segment meanwhile. Create it anew, or go on editing" });
  }

  saved(definition, { data, etag }) {
    const { editor } = this;
    this.element.close();
    if (editor.isNew) {
      editor.leaving.stop();
      toast(`“${data.name}” is created.`, "good");
      go(`/audiences/${editor.setup.parent}/segments/${data.id}/rules`);
      return;
    }
    toast(data.version === editor.version ? "Saved." : `Saved as version ${data.version}.`, "good");
    editor.set({ saved: definition, etag, version: data.version });
    editor.previewing.now();
    refreshFrame().then(() => editor.requestUpdate());
  }

  /** The server found mistakes that the preview had not: they are shown where they are. */
  refused(problem) {
    const issues = problem.issues.length ? problem.issues : [{ severity: "error", code: problem.code, path: "name", message: problem.detail, hint: problem.hint }];
    this.element.close();
    this.editor.set({ refused: issues });
    toast(problem.text, "bad");
    this.editor.updateComplete.then(() => this.editor.show(issues[0]));
  }

  async conflict() {
    try {
      const { data, etag } = await call("GET", this.address);
      this.say({ stage: "conflict", busy: false, theirs: data, theirTag: etag });
    } catch (problem) {
      if (problem.code === "SEGMENT_NOT_FOUND") return this.deleted();
      this.say({ stage: "conflict", busy: false, problem: problem.text ?? String(problem) });
    }
    await this.editor.updateComplete;
    return this.element?.querySelector(".dialog-foot button").focus();
  }

  /** What somebody else saved becomes the definition; undo brings one's own back. */
  takeTheirs() {
    const [{ theirs, theirTag }, { editor }] = [this.dialog, this];
    if (!theirs) return;
    this.element.close();
    Object.assign(editor, { saved: theirs.definition, etag: theirTag, version: theirs.version });
    editor.change(theirs.definition, "Take what somebody else saved");
    editor.typing?.write();
    refreshFrame().then(() => editor.requestUpdate());
  }
}

/** After saving: the tree and the head of the page as they are now on the server, the editor untouched. */
async function refreshFrame() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const [tree, fresh] = [document.getElementById("tree"), page.getElementById("tree")];
  if (tree && fresh) tree.replaceChildren(...document.importNode(fresh, true).childNodes);
  const [head, title] = [document.querySelector(".page-title"), page.querySelector(".page-title")];
  if (head && title) {
    const fixed = head.querySelector(".grow");
    while (head.firstChild !== fixed) head.firstChild.remove();
    for (const part of [...title.childNodes]) {
      if (part.nodeType === Node.ELEMENT_NODE && part.classList.contains("grow")) break;
      fixed.before(document.importNode(part, true));
    }
  }
  window.htmx?.process(tree);
  document.dispatchEvent(new CustomEvent("htmx:afterSettle"));
}
