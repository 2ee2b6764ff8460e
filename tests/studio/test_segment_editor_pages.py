"""The pages around the editor, and its small parts by themselves."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import httpx
import pytest

from kohort.testing.studio import RunningStudio
from tests.studio.conftest import OpenPage
from tests.studio.pages import link
from tests.studio.test_segment_editor import BASE, rules_of, stored

SMALL_PARTS = """async () => {
  const folder = document.querySelector("script[type=module]").src.replace("studio.js", "segment-editor/");
  const parts = ["steps.js", "ab-test.js", "paths.js"].map((name) => import(folder + name));
  const [{ Steps }, { evenly, sumOf }, { lineOf, placeOf, rowOf, same }] = await Promise.all(parts);
  const exact = (digits) => JSON.rawJSON(`900719925474099${digits}`);
  const steps = new Steps(0);
  steps.push(1, "one", "typing", 0);
  steps.push(2, "two", "typing", 100);
  steps.push(3, "three", "typing", 5000);
  steps.push(4, "four");
  const undone = [];
  for (const turn of ["undo", "undo", "undo", "undo", "redo"]) undone.push(steps[turn](), steps.value);
  const variants = ["A", "B", "C"].map((name) => ({ name, ratio: 1 }));
  const test = evenly({ variants, control: { ratio: 10 } });
  const deep = "rule.conditions[1].conditions[0].operator.value";
  return {
    undone,
    ratios: test.variants.map((part) => part.ratio),
    sum: sumOf(test),
    dust: sumOf({ variants: [{ ratio: 0.1 }, { ratio: 0.2 }] }),
    row: rowOf(deep),
    place: placeOf(deep),
    line: lineOf(deep, { "rule": 3, "rule.conditions[1]": 7 }),
    nowhere: lineOf("base", { "rule": 3 }),
    same: [
      same({ a: 1, b: [{ c: 2, d: 3 }] }, { b: [{ d: 3, c: 2 }], a: 1 }), same({ a: 1, b: undefined }, { a: 1 }),
      same(exact("3"), exact("3")),
      same(null, null),
    ],
    other: [
      same({ a: 1 }, { a: "1" }), same([1, 2], [2, 1]), same([1], [1, 2]), same({ a: 1 }, { b: 1 }), same({ a: undefined }, { a: null }),
      same({}, []),
      same(exact("3"), exact("4")), same(exact("3"), 3), same(null, {}), same({ a: [{ b: 1 }] }, { a: [{ b: 1, c: 2 }] }),
    ],
  };
}"""


def asked(studio: RunningStudio, path: str, role: str = "marketer") -> httpx.Response:
    cookies = {cookie["name"]: cookie["value"] for cookie in studio.cookies(role)}
    return httpx.get(f"{studio.url}{path}", cookies=cookies, timeout=60)


def setup_of(answer: httpx.Response) -> Any:
    """What the editor starts from."""
    found = re.search(r'<segment-editor[^>]* data-setup="([^"]*)"', answer.text)
    assert found, answer.text
    return json.loads(html.unescape(found[1]))


def test_the_editor_starts_from_the_saved_definition(studio: RunningStudio) -> None:
    setup = setup_of(asked(studio, rules_of(studio, "Value/VIP")))
    assert setup["definition"]["name"] == "VIP"
    assert setup["definition"]["rule"]["type"] == "And"
    assert (setup["version"], setup["readonly"], setup["parent"]) == (1, False, "all-customers")
    assert setup["etag"].startswith('"1-')
    assert "Lifecycle/Deep" in setup["folders"]
    assert {"path": "Value/VIP", "id": stored(studio, "Value/VIP").id} in setup["segments"]
    assert "Experiments/Offer/A-Offer" in setup["variants"]
    assert "lifetime_value" in [field["name"] for field in setup["fields"]["catalog"]["attributes"]]


def test_the_rule_is_there_in_words_before_the_editor_is(studio: RunningStudio) -> None:
    assert "Customers whose lifetime value is over" in asked(studio, rules_of(studio, "Value/VIP")).text


def test_a_new_segment_begins_in_its_folder(studio: RunningStudio) -> None:
    setup = setup_of(asked(studio, f"{BASE}/new?folder=/Value/Deep/"))
    assert setup["definition"] == {"name": "", "folder": "Value/Deep"}
    assert "id" not in setup
    assert setup_of(asked(studio, f"{BASE}/new"))["definition"] == {"name": ""}


def test_a_new_segment_begins_inside_another(studio: RunningStudio) -> None:
    menu = asked(studio, rules_of(studio, "Value/VIP")).text
    inside = setup_of(asked(studio, link(menu, "New segment inside it")))["definition"]
    assert inside == {"name": "", "folder": "Value", "base": "Value/VIP"}
    assert setup_of(asked(studio, link(menu, "Duplicate")))["definition"]["name"] == "VIP copy"
    assert asked(studio, f"{BASE}/new?inside=99999").status_code == 404


def test_a_copy_leaves_behind_what_belongs_to_one_segment_alone(studio: RunningStudio) -> None:
    offer = stored(studio, "Experiments/Offer")
    copied = setup_of(asked(studio, f"{BASE}/new?copy={offer.id}"))["definition"]
    assert (copied["name"], copied["folder"]) == ("Offer copy", "Experiments")
    assert "ab_test" not in copied
    assert copied["rule"] == offer.document["rule"]


@pytest.mark.parametrize(
    ("path", "role", "status"), [("new", "viewer", 403), ("new?copy=9999", "marketer", 404), ("9999/rules", "viewer", 404)]
)
def test_what_is_not_for_somebody_is_a_page_that_says_so(studio: RunningStudio, path: str, role: str, status: int) -> None:
    answer = asked(studio, f"{BASE}/{path}", role)
    assert answer.status_code == status
    assert "<h1" in answer.text


def test_small_parts_do_what_they_say(studio: RunningStudio, open_page: OpenPage) -> None:
    page = open_page(studio, rules_of(studio, "Value/VIP"))
    found = page.evaluate(SMALL_PARTS)
    assert found == {
        "undone": ["four", 3, "three", 2, "one", 0, None, 0, "one", 2],
        "ratios": [30, 30, 30],
        "sum": 100,
        "dust": 0.3,
        "row": "rule.conditions[1].conditions[0]",
        "place": "Condition 2.1",
        "line": 7,
        "nowhere": 0,
        "same": [True] * 4,
        "other": [False] * 10,
    }
