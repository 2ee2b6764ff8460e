"""Definitions of parent segments are checked as text before they are saved: issues with lines, figures, nothing changed."""

from __future__ import annotations

from tests.cli.workspaces import PARENT
from tests.web.api.conftest import Api

CHECK = "/parents/all-customers/check"


def test_a_sound_definition_comes_back_as_it_is_saved(api: Api) -> None:
    found = api.ok("POST", CHECK, "engineer", json={"text": PARENT})
    assert found["ok"]
    assert found["issues"] == []
    assert found["tables"] == []
    assert found["definition"] == api.ok("GET", "/parents/all-customers")["definition"]


def test_the_tables_are_measured_when_that_is_asked_for(api: Api) -> None:
    tables = api.ok("POST", CHECK, "engineer", json={"text": PARENT, "measure": True})["tables"]
    assert [(item["part"], item["name"], item["matched"]) for item in tables][:2] == [
        ("master", "Master", 1.0),
        ("attribute", "Metrics", 1.0),
    ]
    assert all(item["rows"] > 0 for item in tables)


def test_every_mistake_has_its_line(api: Api) -> None:
    text = PARENT.replace("type: boolean", "type: bolean").replace("table: purchases", "table: purchasis")
    found = api.ok("POST", CHECK, "engineer", json={"text": text})
    assert not found["ok"]
    assert found["definition"] is None
    assert [issue["line"] for issue in found["issues"]] == [text[: text.index("bolean")].count("\n") + 1]
    text = PARENT.replace("table: purchases", "table: purchasis")
    found = api.ok("POST", CHECK, "engineer", json={"text": text})
    assert [(issue["code"], issue["line"]) for issue in found["issues"]] == [
        ("TABLE_NOT_FOUND", text[: text.index("purchasis")].count("\n") + 1)
    ]
    assert found["definition"] is not None, "it can be saved before its table is there"


def test_what_is_no_yaml_is_said_with_its_place(api: Api) -> None:
    [issue] = api.ok("POST", CHECK, "engineer", json={"text": "name: [\nmaster: {"})["issues"]
    assert issue["code"] == "YAML_SYNTAX"
    assert issue["line"] == 2
    for text in ("", "- 1", "null", "name"):
        assert not api.ok("POST", CHECK, "engineer", json={"text": text})["ok"]


def test_a_name_must_keep_its_slug_and_a_new_one_must_be_free(api: Api) -> None:
    [issue] = api.ok("POST", CHECK, "engineer", json={"text": PARENT.replace("All Customers", "Others")})["issues"]
    assert (issue["code"], issue["line"]) == ("SLUG_CHANGES", 1)
    [issue] = api.ok("POST", "/parents/check", "engineer", json={"text": PARENT})["issues"]
    assert (issue["code"], issue["line"]) == ("NAME_TAKEN", 1)
    assert api.ok("POST", "/parents/check", "engineer", json={"text": PARENT.replace("All Customers", "Others")})["ok"]


def test_only_engineers_check(api: Api) -> None:
    api.refused(403, "POST", CHECK, "marketer", json={"text": PARENT})
    api.refused(403, "POST", "/parents/check", "viewer", json={"text": PARENT})


def test_a_failed_refresh_keeps_its_issues(own: Api) -> None:
    definition = own.ok("GET", "/parents/all-customers")["definition"]
    definition["behaviors"][0]["source"]["table"] = "purchasis"
    own.ok("PUT", "/parents/all-customers", json={"definition": definition}, headers={"If-Match": "*"})
    own.call("POST", "/parents/all-customers/refresh", json={})
    failed = wait_for_end(own)
    assert failed["status"] == "error"
    assert [issue["code"] for issue in failed["report"]["issues"]] == ["TABLE_NOT_FOUND"]


def wait_for_end(api: Api) -> dict[str, object]:
    """The second refresh once it ended."""
    import time

    for _ in range(200):
        answer = api.call("GET", "/parents/all-customers/refreshes/2")
        if answer.status_code == 200 and answer.json()["status"] != "running":
            found: dict[str, object] = answer.json()
            return found
        time.sleep(0.05)
    raise AssertionError("the refresh does not end")


def test_a_parent_segment_begins_from_a_source(own: Api) -> None:
    own.ok("POST", "/sources", json={"name": "Site"})
    assert own.refused(409, "GET", "/sources/site/scaffold", "engineer")["code"] == "SOURCE_EMPTY"
    with own.kohort.shared_warehouse.use() as warehouse:
        warehouse.execute("CREATE SCHEMA site")
        warehouse.execute("CREATE TABLE site.users AS SELECT 'u1' AS id, 'gold' AS plan")
    text = own.ok("GET", "/sources/site/scaffold?name=Visitors", "engineer")["yaml"]
    assert 'name: "Visitors"' in text
    checked = own.ok("POST", "/parents/check", "engineer", json={"text": text})
    assert (checked["ok"], checked["definition"]["name"]) == (True, "Visitors")
    own.refused(403, "GET", "/sources/site/scaffold", "marketer")
    own.refused(404, "GET", "/sources/nothing/scaffold", "engineer")
