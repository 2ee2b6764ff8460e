"""Folders as a whole over HTTP."""

from __future__ import annotations

from typing import Any

from kohort.ports.users import Grant
from tests.web.api.conftest import Api

FOLDER = "/parents/all-customers/folder"


def paths(api: Api) -> set[str]:
    return {item["path"] for item in api.ok("GET", "/parents/all-customers/segments")["items"]}


def revision(api: Api, folder: str) -> dict[str, str]:
    return {"If-Match": api.call("GET", FOLDER, params={"path": folder}).headers["etag"]}


def grant(api: Api, *folders: str, role: Any = "marketer") -> None:
    """The marketer may change these folders only."""
    user = api.kohort.store.user("marketer")
    assert user is not None
    parent = api.kohort.store.parents()[0]
    api.kohort.store.set_grants(user.id, [Grant(parent.id, folder, role) for folder in folders])


def test_what_is_in_a_folder(api: Api) -> None:
    found = api.ok("GET", FOLDER, "viewer", params={"path": "Lifecycle"})
    assert [item["path"] for item in found["segments"]] == ["Lifecycle/Active", "Lifecycle/Lapsing", "Lifecycle/Deep/Active VIP"]
    assert [(item["path"], item["in_rule"]) for item in found["dependents"]] == [("Experiments/Offer", True)]


def test_a_folder_that_is_not_there(api: Api) -> None:
    assert api.refused(404, "GET", FOLDER, params={"path": "Nothing"})["code"] == "FOLDER_NOT_FOUND"


def test_a_folder_moves_with_what_is_in_it(own: Api) -> None:
    known = revision(own, "Lifecycle")
    done = own.ok("POST", f"{FOLDER}/move", "marketer", params={"path": "Lifecycle"}, json={"to": "Marketing/Life"}, headers=known)
    assert {item["new_path"] for item in done["moved"]} >= {"Marketing/Life/Active", "Marketing/Life/Deep/Active VIP"}
    assert "Marketing/Life/Active" in paths(own)
    assert own.ok("GET", own.at("Experiments/Offer"))["text"] == "in segment 'Marketing/Life/Active'"
    names = [item["object"] for item in own.ok("GET", "/audit")["items"] if item["action"] == "segment.move"]
    assert sorted(names) == ["all-customers:Lifecycle/Active", "all-customers:Lifecycle/Deep/Active VIP", "all-customers:Lifecycle/Lapsing"]


def test_a_folder_is_moved_and_deleted_as_it_was_read(own: Api) -> None:
    known = revision(own, "Engagement")
    own.refused(428, "DELETE", FOLDER, params={"path": "Engagement"})
    new = {"definition": {"name": "New", "folder": "Engagement", "rule": "country = 'US'"}}
    own.ok("POST", "/parents/all-customers/segments", json=new)
    own.refused(412, "DELETE", FOLDER, params={"path": "Engagement"}, headers=known)
    own.refused(412, "POST", f"{FOLDER}/move", params={"path": "Engagement"}, json={"to": "X"}, headers=known)
    gone = own.ok("DELETE", FOLDER, params={"path": "Engagement"}, headers=revision(own, "Engagement"))
    assert len(gone["segments"]) == 3
    assert not any(path.startswith("Engagement/") for path in paths(own))


def test_a_folder_that_others_refer_to_stays(own: Api) -> None:
    problem = own.refused(409, "DELETE", FOLDER, params={"path": "Lifecycle"}, headers={"If-Match": "*"})
    assert problem["code"] == "SEGMENT_REFERENCED"
    assert "Experiments/Offer" in problem["detail"]


def test_everything_inside_must_be_ones_own_to_change(own: Api) -> None:
    grant(own, "Lifecycle/Deep")
    own.refused(403, "DELETE", FOLDER, "marketer", params={"path": "Lifecycle"}, headers={"If-Match": "*"})
    own.refused(403, "POST", f"{FOLDER}/move", "marketer", params={"path": "Lifecycle"}, json={"to": "X"}, headers={"If-Match": "*"})
    deep = {"path": "Lifecycle/Deep"}
    own.refused(403, "POST", f"{FOLDER}/move", "marketer", params=deep, json={"to": "Value/Deep"}, headers={"If-Match": "*"})


def test_what_may_not_be_seen_is_not_there(own: Api) -> None:
    grant(own, "Engagement", role="viewer")
    own.refused(404, "GET", FOLDER, "marketer", params={"path": "Lifecycle"})
    own.ok("GET", FOLDER, "marketer", params={"path": "Engagement"})
