"""What is typed in an editor: YAML, text and definition, each from the others; how an A/B test would split."""

from __future__ import annotations

import pytest

from tests.web.api.conftest import Api

PARSE = "/parents/all-customers/rules/parse"
YAML = """\
name: Big spenders
description: Above a thousand
rule:
  type: And
  conditions:
    - type: Value
      attribute: lifetime_value
      operator: { type: Greater, value: 1000 }
"""


def test_yaml_gives_the_definition_and_the_text(api: Api) -> None:
    found = api.ok("POST", PARSE, "viewer", json={"yaml": YAML, "folder": "Value"})
    assert found["definition"]["folder"] == "Value"
    assert found["definition"]["rule"]["conditions"][0]["operator"] == {"type": "Greater", "value": 1000}
    assert found["text"] == "lifetime_value > 1000"
    assert found["issues"] == []
    assert found["lines"]["rule.conditions[0].attribute"] == 7


def test_text_gives_the_definition_and_the_yaml(api: Api) -> None:
    found = api.ok("POST", PARSE, json={"text": "lifetime_value > 1000\nand purchase in last 30 days"})
    assert [part["type"] for part in found["definition"]["rule"]["conditions"]] == ["Value", "Value"]
    assert "name" not in found["definition"]
    assert found["yaml"].startswith("rule:\n  type: And\n")
    assert found["lines"]["rule.conditions[1]"] == 2


def test_every_form_of_a_definition_reads_back_as_it(api: Api) -> None:
    for item in api.ok("GET", "/parents/all-customers/segments")["items"]:
        saved = api.ok("GET", f"/parents/all-customers/segments/{item['id']}")["definition"]
        forms = api.ok("POST", PARSE, json={"definition": saved})
        assert forms["definition"] == saved
        assert api.ok("POST", PARSE, json={"yaml": forms["yaml"], "folder": item["folder"]})["definition"] == saved
        assert api.ok("POST", PARSE, json={"text": forms["text"]})["definition"].get("rule") == saved.get("rule")


@pytest.mark.parametrize(
    ("body", "code", "line", "path"),
    [
        ({"yaml": "rule: [\n"}, "YAML_SYNTAX", 2, ""),
        ({"yaml": YAML.replace("Greater", "Grater")}, "INVALID_OPERATOR_TYPE", 8, "rule.conditions[0].operator.type"),
        ({"yaml": YAML.replace("lifetime_value", "lifetme_value")}, "UNKNOWN_ATTRIBUTE", 7, "rule.conditions[0].attribute"),
        ({"text": "lifetime_value >"}, "RULE_SYNTAX", 1, "rule"),
        ({"text": "purchase\nand lifetme_value > 3"}, "UNKNOWN_ATTRIBUTE", 2, "rule.conditions[1].attribute"),
    ],
)
def test_mistakes_have_their_line_and_path(api: Api, body: dict[str, str], code: str, line: int, path: str) -> None:
    [issue] = api.ok("POST", PARSE, json=body)["issues"]
    assert (issue["code"], issue["line"], issue["path"]) == (code, line, path)


def test_what_cannot_be_read_is_no_definition_but_stays_as_yaml(api: Api) -> None:
    wrong = {"name": "VIP", "rule": {"type": "And", "conditions": [{"type": "Value", "attribute": "x", "operator": {"type": "Grater"}}]}}
    found = api.ok("POST", PARSE, json={"definition": wrong})
    assert found["definition"] is None
    assert "Grater" in found["yaml"]
    assert found["text"] == ""


def test_a_segment_without_a_name_keeps_everything_else(api: Api) -> None:
    yaml = YAML.replace("name: Big spenders\n", "") + "base: Value/VIP\nab_test: { variants: [{ name: A, ratio: 50 }] }\n"
    found = api.ok("POST", PARSE, json={"yaml": yaml})
    assert found["issues"] == []
    assert list(found["definition"]) == ["description", "base", "rule", "ab_test"]


def test_there_is_one_form_to_read(api: Api) -> None:
    for body in ({}, {"yaml": "", "text": ""}):
        assert api.refused(422, "POST", PARSE, json=body)["code"] == "RULE_MISSING"


def test_variants_are_counted_before_they_are_saved(api: Api) -> None:
    offer = api.segment("Experiments/Offer")
    saved = api.ok("GET", f"/parents/all-customers/segments/{offer['id']}")["definition"]
    sizes = api.ok("POST", "/parents/all-customers/rules/split", json={"definition": saved})["variants"]
    assert [size["name"] for size in sizes] == ["A", "B", "Control"]
    assert sum(size["count"] for size in sizes) == offer["population"]
    assert api.ok("POST", "/parents/all-customers/rules/split", json={"definition": {"name": "x"}}) == {"variants": []}
    broken = {**saved, "ab_test": {"variants": [{"name": "A", "ratio": 101}]}}
    assert api.refused(422, "POST", "/parents/all-customers/rules/split", json={"definition": broken})["issues"]
