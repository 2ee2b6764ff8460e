"""Names that paths, addresses and files could take for something else: refused with a reason, or right everywhere."""

from __future__ import annotations

import pytest

from kohort.services.definitions.stored import require_parent, segment_of
from tests.web.api.conftest import Api

PARENT = "/parents/all-customers"
ANY = {"If-Match": "*"}


@pytest.mark.parametrize("name", [".", "..", "a/b", "a\nb", "a\x00b", "a\x7fb", " a", "a\u2028b"])
def test_names_that_are_no_names_are_refused_wherever_one_is_given(own: Api, name: str) -> None:
    before = own.ok("GET", f"{PARENT}/segments")
    rule = {"rule": "country = 'JP'"}
    test = {"variants": [{"name": name, "ratio": 50}], "control": 50}
    active = own.at("Lifecycle/Active")
    for method, path, body, code in (
        ("POST", f"{PARENT}/segments", {"definition": {"name": name, **rule}}, "INVALID_NAME"),
        ("POST", f"{PARENT}/segments", {"definition": {"name": "X", "ab_test": test, **rule}}, "INVALID_AB_TEST"),
        ("POST", f"{active}/move", {"name": name}, "INVALID_NAME"),
    ):
        assert own.refused(422, method, path, json=body, headers=ANY)["code"] == code
    for folder in (f"Value/{name}", f"{name}/Value") if name != "a/b" else ("a//b", "a/../b"):
        for method, path, body in (
            ("POST", f"{PARENT}/segments", {"definition": {"name": "X", "folder": folder, **rule}}),
            ("POST", f"{active}/move", {"folder": folder}),
            ("POST", f"{PARENT}/folder/move?path=Value", {"to": folder}),
        ):
            assert own.refused(422, method, path, json=body, headers=ANY)["code"] == "INVALID_FOLDER"
    assert own.ok("GET", f"{PARENT}/segments") == before


@pytest.mark.parametrize("name", ["50% & more?", "a#b", "%2e%2e", "..a", '"quoted"', "<b onclick=x>", "it's", "\\", ".hidden", "👩‍👧"])
def test_odd_names_work_everywhere(own: Api, name: str) -> None:
    made = own.ok("POST", f"{PARENT}/segments", json={"definition": {"name": name, "folder": name, "rule": "country = 'JP'"}})
    at, path = f"{PARENT}/segments/{made['id']}", f"{name}/{name}"
    assert own.ok("GET", at)["path"] == path
    assert [item["path"] for item in own.ok("GET", f"{PARENT}/segments", params={"folder": name})["items"]] == [path]
    assert own.ok("GET", f"{PARENT}/overlap", params={"segments": path})["segments"] == [{"path": path, "count": 20}]
    assert own.ok("GET", f"{at}/members?limit=1")["total"] == 20
    moved = own.ok("POST", f"{PARENT}/folder/move", params={"path": name}, json={"to": f"Value/{name}"}, headers=ANY)
    assert moved["moved"][0]["new_path"] == f"Value/{path}"
    assert own.ok("DELETE", f"{PARENT}/folder", params={"path": f"Value/{name}"}, headers=ANY)["segments"] == [f"Value/{path}"]


def test_a_name_that_was_taken_before_is_still_read_and_can_be_changed(own: Api) -> None:
    store, parent = own.kohort.store, require_parent(own.kohort.store, "all-customers")
    old = store.save_segment(parent.id, "", "..", "batch", {"rule": "country = 'JP'"}, "f", by="x", at=own.kohort.clock.now())
    assert segment_of(old).name == ".."
    assert own.ok("GET", f"{PARENT}/segments/{old.id}")["name"] == ".."
    assert own.ok("POST", f"{PARENT}/segments/{old.id}/move", json={"name": "Japan"}, headers=ANY)["moved"][0]["new_path"] == "Japan"
