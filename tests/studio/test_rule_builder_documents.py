"""Every rule document the language has is shown in rows, and comes out of the builder as it went in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from kohort.parent.catalog import FieldCatalog
from kohort.parent.schema_export import editor_document
from kohort.rules.encode import rule_to_json, rule_to_yaml
from kohort.testing.cases import Case, load_folder
from kohort.testing.studio import RunningStudio
from tests.studio.builder_page import open_builder
from tests.studio.conftest import OpenPage

_FOLDER = Path(__file__).parents[1] / "cases"
_ODDITIES: list[Any] = [
    None,
    {},
    "country = 'US' and purchase in last 30 days",
    {"type": "Value", "attribute": "country", "operator": {"type": "Equal", "value": "US"}},
    {"type": "And", "conditions": ["country = 'US'", {"type": "Unheard", "of": [1]}], "extras": {"mine": 1}},
    {
        "type": "And",
        "conditions": [{"type": "Value", "attribute": "tier", "operator": {"type": "Like", "value": "x"}, "visibility": "clear"}],
    },
    {"type": "And", "conditions": [{"type": "PredictiveScoreReference", "id": "7", "minGrade": 1, "extras": {"note": "kept"}}]},
    {"type": "Composite", "expr": "A or", "conditions": [{"type": "include", "id": 12}]},
]
# Load each document, look for rows that only say what they mean, say every control's value again, and take simple edits back.
_TRY = """async ({text: given, fields}) => {
  const model = await import(new URL("rules/model.js", document.querySelector("script[type=module]").src));
  const { parseExact } = await import(new URL("exact.js", document.querySelector("script[type=module]").src));
  const documents = parseExact(given);
  const builder = document.querySelector("rule-builder");
  const inOrder = value => Object.fromEntries(Object.keys(value).sort().map(key => [key, sorted(value[key])]));
  const sorted = value => Array.isArray(value) ? value.map(sorted) : value && typeof value === "object" ? inOrder(value) : value;
  const text = value => JSON.stringify(sorted(value));
  const settle = async () => { for (let i = 0; i < 3; i++) { await builder.updateComplete; await new Promise(done => setTimeout(done)); } };
  const parts = node => model.isGroup(node) ? node.conditions : [];
  const paths = (node, at) => [at, ...parts(node).flatMap((part, i) => paths(part, [...at, "conditions", i]))];
  const wrong = [];
  builder.fields = fields;
  for (const [name, rule] of documents) {
    const before = text(rule);
    const same = what => { if (text(builder.rule) !== before) wrong.push(`${name}: ${what}: ${before} became ${text(builder.rule)}`); };
    builder.rule = rule;
    await settle();
    same("shown");
    if (builder.querySelector(".rb-sentence")) wrong.push(`${name}: not in rows: ${before}`);
    for (const control of builder.querySelectorAll("select, input:not([role=combobox])")) {
      if (/: (one more|number)/.test(control.ariaLabel)) continue;
      control.dispatchEvent(new Event(control.type === "text" || control.type === "number" ? "input" : "change", {bubbles: true}));
    }
    for (const box of builder.querySelectorAll("combo-box")) box.multiple ? box.set(box.values) : box.choose(box.value);
    await settle();
    same("said again");
    const root = model.asGroup(rule);
    if (root === null) continue;
    for (const path of paths(root, []).slice(1)) {
      const back = [["duplicate", () => model.remove(model.duplicate(root, path), [...path.slice(0, -1), path.at(-1) + 1])]];
      if (model.canUnwrap(model.wrap(root, path), path)) back.push(["wrap", () => model.unwrap(model.wrap(root, path), path)]);
      for (const way of before.includes('"Composite"') ? [] : [1, -1]) {
        const moved = model.step(root, path, way);
        if (!model.samePath(moved.path, path)) back.push(["step", () => model.step(moved.root, moved.path, -way).root]);
      }
      for (const [what, edit] of back) {
        const after = text(edit());
        if (after !== text(root)) wrong.push(`${name}: ${what} at ${path}: ${text(root)} became ${after}`);
      }
    }
    same("edited elsewhere");
  }
  return wrong;
}"""


def _by_file() -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in load_folder(_FOLDER):
        found.setdefault(case.file, []).append(case)
    return found


def _try(page: Page, documents: list[tuple[str, Any]], catalog: FieldCatalog | None) -> list[str]:
    fields = {"catalog": editor_document(catalog)} if catalog else None
    found: list[str] = page.evaluate(_TRY, {"text": json.dumps(documents), "fields": fields})
    return found


def test_every_case_of_the_language_is_in_rows_and_comes_out_as_it_went_in(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio)
    wrong = []
    for cases in _by_file().values():
        wrong += _try(page, [(str(case), rule_to_yaml(case.rule)) for case in cases], cases[0].dataset.catalog)
    assert not wrong, "\n".join(wrong)


def test_what_cannot_be_shown_in_rows_is_shown_and_kept(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_builder(open_page, studio)
    json_forms = [rule_to_json(cases[0].rule) for cases in _by_file().values()]
    for rule in [*_ODDITIES, *json_forms]:
        shown = page.evaluate(
            """async text => {
              const { parseExact } = await import(new URL("exact.js", document.querySelector("script[type=module]").src));
              const builder = document.querySelector("rule-builder");
              builder.rule = parseExact(text);
              for (let i = 0; i < 3; i++) { await builder.updateComplete; await new Promise(done => setTimeout(done)); }
              return JSON.stringify(builder.rule);
            }""",
            json.dumps(rule),
        )
        assert json.loads(shown) == rule


@pytest.mark.parametrize(
    ("edit", "expr"),
    [
        ("model.step(root, ['conditions', 0], 1).root", "(B and A) or C"),
        ("model.remove(root, ['conditions', 1])", "A or B"),
        ("model.remove(root, ['conditions', 2])", "A and B"),
        ("model.insert(root, [], {type: 'And', conditions: []})", "((A and B) or C) and D"),
        ("model.insert(root, [], {type: 'And', conditions: []}, 0)", "((B and C) or D) and A"),
        ("model.move(root, ['conditions', 2], [], 0).root", "(B and C) or A"),
    ],
)
def test_a_logic_keeps_its_meaning_when_conditions_move(studio: RunningStudio, open_page: OpenPage, edit: str, expr: str) -> None:
    page = open_builder(open_page, studio)
    tests = [{"type": "Value", "attribute": name, "operator": {"type": "IsNull"}} for name in ("a", "b", "c")]
    script = f"""async rule => {{
      const model = await import(new URL("rules/model.js", document.querySelector("script[type=module]").src));
      const root = rule;
      return {edit}.expr;
    }}"""
    assert page.evaluate(script, {"type": "Composite", "expr": "(A and B) or C", "conditions": tests}) == expr
