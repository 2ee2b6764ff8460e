"""Definitions over HTTP: revisions, problems, pages, versions, runs."""

from __future__ import annotations

import threading
import time
from codecs import BOM_UTF8
from typing import Any

from tests.cli.workspaces import active, vips
from tests.web.api.conftest import Api

PARENT = "/parents/all-customers"


class TestSegments:
    def test_a_segment_is_created_changed_reverted_and_deleted(self, own: Api) -> None:
        made = own.call(
            "POST", f"{PARENT}/segments", "marketer", json={"definition": {"name": "JP", "folder": "New", "rule": "country = 'JP'"}}
        )
        assert made.status_code == 201
        path = made.headers["location"].removeprefix("/api/v1")
        first = own.call("GET", path)
        assert (first.json()["path"], first.json()["text"], first.json()["version"]) == ("New/JP", "country = 'JP'", 1)
        assert first.headers["etag"] == made.headers["etag"]
        changed = own.call("PUT", path, json={"definition": {"rule": "country = 'DE'"}}, headers={"If-Match": first.headers["etag"]})
        assert (changed.json()["version"], changed.json()["updated_by"]) == (2, "admin")
        diff = own.ok("GET", f"{path}/diff")
        assert (diff["from"], diff["to"], diff["same_meaning"]) == ("version 1", "version 2", False)
        assert "DE" in str(diff["rule"])
        reverted = own.call("POST", f"{path}/revert", json={"version": 1}, headers={"If-Match": changed.headers["etag"]})
        assert (reverted.json()["text"], reverted.json()["version"]) == ("country = 'JP'", 3)
        versions = own.ok("GET", f"{path}/versions")["items"]
        assert [(v["version"], v["note"]) for v in versions] == [(3, "revert to 1"), (2, ""), (1, "")]
        assert own.ok("DELETE", path, headers={"If-Match": reverted.headers["etag"]}) == {"deleted": "New/JP"}
        own.refused(404, "GET", path)

    def test_nobody_overwrites_what_another_changed(self, own: Api) -> None:
        path = own.at("Value/VIP")
        etag = own.call("GET", path).headers["etag"]
        body = {"definition": {"rule": "lifetime_value > 5"}}
        assert own.refused(428, "PUT", path, json=body)["code"] == "REVISION_MISSING"
        own.ok("PUT", path, "marketer", json=body, headers={"If-Match": etag})
        late = own.refused(412, "PUT", path, json={"definition": {"rule": "lifetime_value > 6"}}, headers={"If-Match": etag})
        assert late["code"] == "CHANGED_MEANWHILE"
        assert "marketer changed it" in late["detail"]
        for method, place, more in (
            ("DELETE", path, {}),
            ("POST", f"{path}/move", {"name": "V"}),
            ("POST", f"{path}/revert", {"version": 1}),
        ):
            options: dict[str, Any] = {"json": more} if more else {}
            own.refused(412, method, place, headers={"If-Match": etag}, **options)
        assert own.ok("GET", path)["text"] == "lifetime_value > 5"
        own.ok("PUT", path, json={"definition": {"rule": "lifetime_value > 7"}}, headers={"If-Match": "*"})

    def test_of_many_at_once_one_wins(self, own: Api) -> None:
        path = own.at("Value/VIP")
        etag = own.call("GET", path).headers["etag"]
        statuses: list[int] = []

        def save(number: int) -> None:
            body = {"definition": {"rule": f"lifetime_value > {number}"}}
            statuses.append(own.call("PUT", path, json=body, headers={"If-Match": etag}).status_code)

        threads = [threading.Thread(target=save, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] + [412] * 5

    def test_a_change_of_words_alone_changes_the_revision(self, own: Api) -> None:
        path = own.at("Value/VIP")
        before = own.call("GET", path)
        definition = {**before.json()["definition"], "description": "The very best"}
        after = own.call("PUT", path, json={"definition": definition}, headers={"If-Match": before.headers["etag"]})
        assert after.json()["version"] == before.json()["version"]
        assert after.headers["etag"] != before.headers["etag"]

    def test_problems_carry_every_issue_with_its_path(self, own: Api) -> None:
        rule = {"type": "And", "conditions": [{"type": "Value", "attribute": "lifetme_value", "operator": {"type": "Greater", "value": 1}}]}
        found = own.refused(422, "POST", f"{PARENT}/segments", json={"definition": {"name": "X", "rule": rule, "bse": "Y"}})
        codes = {issue["code"]: issue for issue in found["issues"]}
        assert "UNKNOWN_KEY" in codes
        bad = own.refused(422, "POST", f"{PARENT}/segments", json={"definition": {"name": "X", "rule": rule}})
        [issue] = bad["issues"]
        assert (issue["code"], issue["hint"]) == ("UNKNOWN_ATTRIBUTE", 'did you mean "lifetime_value"?')
        assert issue["path"].startswith("rule.conditions[0]")

    def test_names_places_and_references_are_kept_in_order(self, own: Api) -> None:
        vip = own.at("Value/VIP")
        assert (
            own.refused(409, "POST", f"{PARENT}/segments", json={"definition": {"name": "VIP", "folder": "Value"}})["code"] == "NAME_TAKEN"
        )
        away = {"definition": {"name": "Other"}}
        assert own.refused(409, "PUT", vip, json=away, headers={"If-Match": "*"})["code"] == "SEGMENT_MOVES"
        gone = own.refused(409, "DELETE", own.at("Lifecycle/Active"), headers={"If-Match": "*"})
        assert gone["code"] == "SEGMENT_REFERENCED"
        assert "Lifecycle/Lapsing" in gone["detail"]
        moved = own.ok("POST", f"{vip}/move", json={"folder": "Best", "name": "Gold"}, headers={"If-Match": "*"})
        assert [(item["old_path"], item["new_path"]) for item in moved["moved"]] == [("Value/VIP", "Best/Gold")]
        assert own.ok("GET", own.at("Lifecycle/Deep/Active VIP"))["definition"]["base"] == "Best/Gold"

    def test_lists_come_in_pages_that_hold_everything_once(self, api: Api) -> None:
        whole = [item["path"] for item in api.ok("GET", f"{PARENT}/segments")["items"]]
        paths: list[str] = []
        cursor = ""
        while True:
            page = api.ok("GET", f"{PARENT}/segments?limit=2&cursor={cursor}")
            paths += [item["path"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = page["next"]
        assert paths == whole
        assert [item["name"] for item in api.ok("GET", f"{PARENT}/segments?search=acti")["items"]] == ["Active", "Active VIP"]
        for bad in ("x", "W10", "bnVsbA", "eyJhIjoxfQ", "*"):
            assert api.refused(422, "GET", f"{PARENT}/segments?cursor={bad}")["code"] == "CURSOR_INVALID"


class TestMembersAndProfiles:
    def test_members_come_in_pages(self, api: Api) -> None:
        path, keys, cursor = api.at("Value/VIP"), list[str](), ""
        while True:
            page = api.ok("GET", f"{path}/members?limit=3&cursor={cursor}", "viewer")
            assert page["total"] == len(vips())
            keys += [item["key"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = page["next"]
        assert sorted(keys) == sorted(vips())

    def test_members_download_as_csv(self, api: Api) -> None:
        answer = api.call("GET", f"{api.at('Value/VIP')}/members.csv?columns=customer_id,country", "marketer")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert "attachment" in answer.headers["content-disposition"]
        lines = answer.text.splitlines()
        assert lines[0] == '"customer_id","country"'
        assert sorted(line.split(",")[0].strip('"') for line in lines[1:]) == sorted(vips())
        assert list((api.kohort.workspace.state / "tmp").glob("*.csv")) == []
        assert api.refused(422, "GET", f"{api.at('Value/VIP')}/members.csv?columns=nothing")["code"] == "UNKNOWN_ATTRIBUTE"

    def test_a_download_for_people_is_marked_for_spreadsheets(self, api: Api) -> None:
        path = f"{api.at('Value/VIP')}/members.csv?columns=customer_id,country"
        exact, marked = api.call("GET", path, "marketer").content, api.call("GET", f"{path}&spreadsheet=true", "marketer").content
        assert marked == BOM_UTF8 + exact

    def test_profiles_are_searched_by_key(self, api: Api) -> None:
        found = api.ok("GET", f"{PARENT}/profiles?search=c00&limit=5")
        assert [item["key"] for item in found["items"]] == [f"c00{n}" for n in range(1, 6)]
        rest = api.ok("GET", f"{PARENT}/profiles?search=c00&limit=5&cursor={found['next']}")
        assert ([item["key"] for item in rest["items"]], rest["next"]) == ([f"c00{n}" for n in range(6, 10)], None)
        one = found["items"][0]
        assert api.ok("GET", f"{PARENT}/profiles?search={one['cdp_customer_id']}")["items"] == [one]
        card = api.ok("GET", f"{PARENT}/profiles/c021")
        assert card["attributes"]["lifetime_value"] == 21 * 50.5
        assert api.refused(404, "GET", f"{PARENT}/profiles/nobody")["code"] == "PROFILE_NOT_FOUND"


class TestRules:
    def test_a_rule_is_counted_previewed_and_explained(self, api: Api) -> None:
        text = "purchase in last 30 days"
        assert api.ok("POST", f"{PARENT}/count", json={"text": text})["count"] == len(active())
        vip = api.segment("Value/VIP")["id"]
        shown = api.ok("POST", f"{PARENT}/preview", json={"text": "lifetime_value > 2000", "segment": vip})
        assert shown["saved"]["before"] == len(vips())
        assert shown["saved"]["after"] == shown["count"] == shown["conditions"]["rule"]["count"]
        broken = api.ok("POST", f"{PARENT}/preview", json={"text": "lifetme_value > 2000"})
        assert broken["count"] is None
        assert broken["issues"][0]["hint"] == 'did you mean "lifetime_value"?'
        assert api.refused(422, "POST", f"{PARENT}/count", json={"text": "lifetme_value > 2000"})["code"] == "UNKNOWN_ATTRIBUTE"
        why = api.ok("POST", f"{PARENT}/explain", json={"text": text, "key": active()[0]})
        assert why["member"] is True
        assert api.refused(422, "POST", f"{PARENT}/count", json={})["code"] == "RULE_MISSING"

    def test_a_definition_previews_as_its_text_does(self, api: Api) -> None:
        saved = api.ok("GET", api.at("Lifecycle/Lapsing"))
        by_text = api.ok("POST", f"{PARENT}/preview", json={"text": saved["text"], "folder": "Lifecycle"})
        by_document = api.ok("POST", f"{PARENT}/preview", json={"definition": saved["definition"]})
        assert by_text["count"] == by_document["count"] == saved["population"]

    def test_many_at_once_get_the_same_answers(self, api: Api) -> None:
        rules = [f"lifetime_value > {number * 100}" for number in range(12)]
        wanted = [api.ok("POST", f"{PARENT}/preview", json={"text": rule})["count"] for rule in rules]
        found: dict[str, int] = {}

        def ask(rule: str) -> None:
            found[rule] = api.ok("POST", f"{PARENT}/preview", "viewer", json={"text": rule})["count"]

        threads = [threading.Thread(target=ask, args=(rule,)) for rule in rules]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found[rule] for rule in rules] == wanted


class TestParents:
    def test_a_parent_changes_by_revision_and_refreshes(self, own: Api) -> None:
        whole = own.call("GET", PARENT)
        definition = {**whole.json()["definition"], "description": "Everybody"}
        saved = own.call("PUT", PARENT, "engineer", json={"definition": definition}, headers={"If-Match": whole.headers["etag"]})
        assert saved.json()["version"] == 2
        own.refused(412, "PUT", PARENT, json={"definition": definition}, headers={"If-Match": whole.headers["etag"]})
        own.refused(409, "PUT", PARENT, json={"definition": {**definition, "name": "Else"}}, headers={"If-Match": "*"})
        assert own.refused(409, "POST", "/parents", json={"definition": definition})["code"] == "NAME_TAKEN"
        assert own.refused(422, "POST", "/parents", json={"definition": {}})["issues"]
        started = own.call("POST", f"{PARENT}/refresh", "engineer", json={})
        assert started.status_code == 202
        run = started.headers["location"].removeprefix("/api/v1")
        deadline = time.monotonic() + 60
        while (found := own.ok("GET", run))["status"] == "running" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (found["status"], found["number"], found["population"]) == ("success", 2, 60)
        assert (found["kind"], found["asked_by"], found["way"]) == ("refresh", "engineer", "token")
        assert found["counts"]["profiles"] == 60
        assert len(found["log"]) > 5
        assert all(step["name"] and step["seconds"] >= 0 for step in found["log"])
        assert own.ok("GET", f"{PARENT}/refreshes/2")["report"]["master"]["customers"] == 60
        assert own.ok("POST", f"{PARENT}/evaluate", "marketer")["segments"] == 12
        shown = [(run["kind"], run["number"], run["asked_by"]) for run in own.ok("GET", "/runs", "viewer")["items"][:2]]
        assert shown == [("evaluation", 2, "marketer"), ("refresh", 2, "engineer")]
        assert [run["number"] for run in own.ok("GET", "/runs?kind=refresh&limit=1")["items"]] == [2]

    def test_a_refresh_that_cannot_begin_says_why(self, own: Api) -> None:
        other = {"name": "Other", "master": {"database": "shop", "table": "nothing", "key_column": "customer_id"}}
        own.ok("POST", "/parents", json={"definition": other})
        answer = own.call("POST", "/parents/other/refresh", json={})
        assert answer.status_code in (202, 404, 422), answer.text
        assert own.refused(409, "GET", "/parents/other/profiles")["code"] == "NOT_REFRESHED"


class TestSources:
    def test_a_key_is_shown_once_and_switches_need_a_revision(self, own: Api) -> None:
        made = own.call("POST", "/sources", "engineer", json={"name": "Web Shop", "schema": "shop2"})
        assert made.status_code == 201
        key = made.json()["write_key"]
        assert key not in own.call("GET", "/sources", "viewer").text
        own.refused(428, "PATCH", "/sources/shop2", json={"status": "disabled"})
        off = own.call("PATCH", "/sources/shop2", json={"status": "disabled"}, headers={"If-Match": made.headers["etag"]})
        assert off.json()["status"] == "disabled"
        own.refused(412, "PATCH", "/sources/shop2", json={"status": "enabled"}, headers={"If-Match": made.headers["etag"]})
        rotated = own.ok("POST", "/sources/shop2/rotate-key", json={"grace": "1h"})
        assert rotated["write_key"] != key
        assert [found["valid"] for found in rotated["keys"]] == [True, True]
        assert own.ok("GET", "/sources/shop2/status", "viewer")["calls"]["received"] == 0
        assert own.refused(404, "GET", "/sources/nothing")["code"] == "SOURCE_NOT_FOUND"
        assert own.refused(409, "POST", "/sources", json={"name": "Shop", "schema": "shop"})["code"] == "SCHEMA_TAKEN"


class TestUnchanged:
    def test_what_one_has_is_not_sent_again(self, own: Api) -> None:
        for path in (PARENT, own.at("Value/VIP")):
            first = own.call("GET", path)
            tag = first.headers["etag"]
            for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
                again = own.call("GET", path, headers={"If-None-Match": known})
                assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            assert own.call("GET", path, headers={"If-None-Match": '"other"'}).json() == first.json()
        changed = {"definition": {**own.ok("GET", own.at("Value/VIP"))["definition"], "description": "New"}}
        own.ok("PUT", own.at("Value/VIP"), json=changed, headers={"If-Match": "*"})
        assert own.call("GET", own.at("Value/VIP"), headers={"If-None-Match": tag}).status_code == 200
        own.refused(401, "GET", PARENT, "", headers={"If-None-Match": "*"})
