"""Versions of a segment: listed, compared, gone back to."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohort.foundation.errors import InvalidInput, UserError
from kohort.services.definitions.versions import Reverted, diff_file, diff_versions, list_versions, revert_segment
from tests.services.conftest import Desk
from tests.services.definitions.test_push import CATALOG

TEXTS = [
    "name: VIP\nrule: age > 30\n",
    "name: VIP\nrule: age > 40 and country = 'US'\n",
    "name: VIP\ndescription: best\nbase: Top\nrule: age > 40 and country = 'US'\n",
]


@pytest.fixture
def vip(desk: Desk) -> Desk:
    desk.write("top.yml", "name: Top\n")
    for text in TEXTS:
        desk.write("A/vip.yml", text)
        desk.push()
    return desk


def revert(desk: Desk, number: int, target: str = "VIP", **options: bool) -> Reverted:
    return revert_segment(desk.store, desk.workspace, desk.parent, target, number, by="bob", clock=desk.clock, **options)


def test_listing(vip: Desk) -> None:
    record, versions = list_versions(vip.store, vip.parent, "A/VIP")
    assert (record.version, [version.number for version in versions]) == (3, [1, 2, 3])
    assert versions[0].created_at < versions[1].created_at


def test_two_versions_differ_in_words_people_read(vip: Desk) -> None:
    diff = diff_versions(vip.store, vip.parent, "VIP", 1, 2)
    assert (diff.path, diff.old, diff.new, diff.same_meaning) == ("A/VIP", "version 1", "version 2", False)
    assert [change.kind for change in diff.rule] == ["changed", "added"] or {change.kind for change in diff.rule} == {"changed", "added"}
    assert diff.fields == ()


def test_the_newest_is_compared_with_the_one_before(vip: Desk) -> None:
    diff = diff_versions(vip.store, vip.parent, "VIP")
    assert (diff.old, diff.new, diff.rule) == ("version 2", "version 3", ())
    assert [(change.field, change.before, change.after) for change in diff.fields] == [("description", "", "best"), ("base", "", "Top")]
    same = diff_versions(vip.store, vip.parent, "VIP", 2, 2)
    assert (same.is_empty, same.same_meaning) == (True, True)


def test_silenced_findings_are_words_that_make_no_version(vip: Desk) -> None:
    vip.write("A/vip.yml", TEXTS[2] + "lint: { ignore: [LINT_EMPTY, LINT_SUBSUMED] }\n")
    diff = diff_file(vip.store, vip.workspace, vip.parent, "VIP")
    assert [(change.field, change.before, change.after) for change in diff.fields] == [("lint.ignore", "", "LINT_EMPTY, LINT_SUBSUMED")]
    assert diff.same_meaning
    vip.push()
    record, versions = list_versions(vip.store, vip.parent, "VIP")
    assert (record.version, len(versions)) == (3, 3)
    assert record.document["lint"] == {"ignore": ["LINT_EMPTY", "LINT_SUBSUMED"]}


def test_a_version_and_the_file(vip: Desk) -> None:
    assert diff_file(vip.store, vip.workspace, vip.parent, "VIP").is_empty
    vip.write("A/vip.yml", TEXTS[2].replace("best", "very best"))
    vip.write("broken.yml", "{")
    diff = diff_file(vip.store, vip.workspace, vip.parent, "VIP")
    assert (diff.new, diff.same_meaning) == ("segments/shop/A/vip.yml", True)
    assert [(change.field, change.before, change.after) for change in diff.fields] == [("description", "best", "very best")]
    assert diff_file(vip.store, vip.workspace, vip.parent, "VIP", 1).rule
    vip.file("broken.yml").unlink()
    vip.file("A/vip.yml").unlink()
    with pytest.raises(UserError) as caught:
        diff_file(vip.store, vip.workspace, vip.parent, "VIP")
    assert caught.value.code == "NO_SEGMENT_FILE"


def test_an_ab_test_is_compared_in_words(desk: Desk) -> None:
    for text in ("variants: [{ name: A, ratio: 50 }]", "variants: [{ name: A, ratio: 40 }], control: 10"):
        desk.write("t.yml", f"name: T\nab_test: {{ {text} }}\n")
        desk.push()
    [change] = diff_versions(desk.store, desk.parent, "T").fields
    assert (change.field, change.before, change.after) == ("ab_test", "A 50%", "A 40%, Control 10%")


def test_reverting_adds_a_version_and_writes_the_file(vip: Desk) -> None:
    done = revert(vip, 1)
    assert (done.changed, done.file, done.record.version, done.record.updated_by) == (True, "segments/shop/A/vip.yml", 4, "bob")
    versions = vip.store.versions(done.record.id)
    assert [(v.number, v.note) for v in versions] == [(1, ""), (2, ""), (3, ""), (4, "revert to 1")]
    assert versions[3].document == versions[0].document
    assert vip.file("A/vip.yml").read_text() == TEXTS[0]
    assert vip.push().changes == ()


def test_reverting_to_the_present_changes_nothing(vip: Desk) -> None:
    done = revert(vip, 3)
    assert (done.changed, done.file, done.record.version) == (False, "", 3)


@pytest.mark.parametrize(("number", "hint"), [(0, "1 to 3"), (4, "1 to 3"), (-1, "1 to 3")])
def test_an_unknown_version(vip: Desk, number: int, hint: str) -> None:
    for call in (lambda: revert(vip, number), lambda: diff_versions(vip.store, vip.parent, "VIP", number)):
        with pytest.raises(UserError) as caught:
            call()
        assert (caught.value.code, hint in caught.value.hint) == ("VERSION_NOT_FOUND", True)


def test_a_version_that_no_longer_fits_is_refused(vip: Desk) -> None:
    vip.write("A/vip.yml", "name: VIP\n")
    vip.push()
    vip.file("top.yml").unlink()
    vip.push(delete=True)
    before = vip.file("A/vip.yml").read_text()
    with pytest.raises(InvalidInput) as caught:
        revert(vip, 3)
    assert caught.value.issues.codes() == ["MISSING_SEGMENT_REFERENCE"]
    assert (vip.records()["A/VIP"].version, vip.file("A/vip.yml").read_text()) == (4, before)
    with pytest.raises(InvalidInput) as caught:
        revert_segment(vip.store, vip.workspace, vip.parent, "VIP", 1, by="b", clock=vip.clock, catalog=type(CATALOG)((), (), "UTC"))
    assert caught.value.issues.codes() == ["UNKNOWN_ATTRIBUTE"]


def test_local_changes_are_not_lost(vip: Desk) -> None:
    vip.write("A/vip.yml", "name: VIP\nrule: age > 99\n")
    with pytest.raises(UserError) as caught:
        revert(vip, 1)
    assert caught.value.code == "LOCAL_CHANGES"
    assert vip.records()["A/VIP"].version == 3
    assert revert(vip, 1, overwrite=True).record.version == 4
    assert vip.file("A/vip.yml").read_text() == TEXTS[0]


def test_without_a_file_it_is_written_anew(vip: Desk) -> None:
    vip.file("A/vip.yml").unlink()
    assert revert(vip, 2).file == "segments/shop/A/vip.yml"
    done = revert_segment(vip.store, None, vip.parent, "VIP", 1, by="bob", clock=vip.clock)
    assert (done.record.version, done.file) == (5, "")


def test_a_file_that_cannot_be_written_leaves_the_store(vip: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(UserError) as caught:
        revert(vip, 1)
    assert caught.value.code == "DISK_FULL"
    assert vip.records()["A/VIP"].version == 3
    assert Path(vip.file("A/vip.yml")).read_text() == TEXTS[2]
