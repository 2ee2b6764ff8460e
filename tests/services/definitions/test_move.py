"""Moving and renaming segments."""

from __future__ import annotations

import pytest

from kohort.foundation.errors import InvalidInput, UserError
from kohort.segments.graph import problems
from kohort.segments.versions import segment_fingerprint
from kohort.services.definitions.move import MoveResult, move_segments
from kohort.services.definitions.stored import load_segments, segment_of
from tests.services.conftest import Desk


@pytest.fixture
def tree(desk: Desk) -> Desk:
    for path, text in {
        "A/vip.yml": "# mine\nname: VIP\nrule: age > 30\n",
        "A/near.yml": "name: Near\nrule: in segment 'VIP' # sibling\n",
        "by-path.yml": "name: ByPath\nbase: A/VIP\nrule: in segment 'A/VIP' or in segment 'A/Near'\n",
        "by-name.yml": "name: ByName\nrule: in segment 'VIP'\n",
        "C/test.yml": "name: Test\nab_test: { variants: [{ name: A, ratio: 50 }], control: 50 }\n",
        "reader.yml": "name: Reader\nrule: in variant 'C/Test/A-Test' or in variant 'C/Test/Control-Test'\n",
    }.items():
        desk.write(path, text)
    desk.push()
    return desk


def move(desk: Desk, *targets: str, by: str = "bob", **options: object) -> MoveResult:
    return move_segments(desk.store, desk.workspace, desk.parent, targets, by=by, clock=desk.clock, **options)  # type: ignore[arg-type]


def check_whole(desk: Desk) -> None:
    """References are found, files and store agree, fingerprints belong to the documents, no version was added."""
    assert problems(load_segments(desk.store, desk.parent.id)) == {}
    assert desk.push().changes == ()
    for record in desk.records().values():
        assert record.version == 1
        [version] = desk.store.versions(record.id)
        assert (version.document, version.fingerprint) == (record.document, record.fingerprint)
        assert segment_fingerprint(segment_of(record)) == record.fingerprint


def test_another_folder(tree: Desk) -> None:
    before = tree.records()["A/VIP"]
    result = move(tree, "A/VIP", folder="New/Place")
    assert [(m.id, m.old_path, m.new_path) for m in result.moved] == [(before.id, "A/VIP", "New/Place/VIP")]
    assert {(r.path, r.old_target, r.new_target) for r in result.rewritten} == {("ByPath", "A/VIP", "New/Place/VIP")}
    after = tree.records()["New/Place/VIP"]
    assert (after.id, after.document, after.fingerprint, after.updated_by) == (before.id, before.document, before.fingerprint, "bob")
    assert tree.file("New/Place/vip.yml").read_text() == "# mine\nname: VIP\nrule: age > 30\n"
    assert not tree.file("A/vip.yml").exists()
    assert tree.file("by-path.yml").read_text().count("New/Place/VIP") == 2
    assert tree.file("A/near.yml").read_text() == "name: Near\nrule: in segment 'VIP' # sibling\n"
    check_whole(tree)


def test_a_dry_run_changes_nothing(tree: Desk) -> None:
    before, files = tree.records(), tree.files()
    result = move(tree, "VIP", folder="New", dry_run=True)
    assert (len(result.moved), len(result.rewritten), result.applied) == (1, 1, False)
    assert {(f.old_file, f.new_file) for f in result.files} == {
        ("segments/shop/A/vip.yml", "segments/shop/New/vip.yml"),
        ("segments/shop/by-path.yml", "segments/shop/by-path.yml"),
    }
    assert (tree.records(), tree.files()) == (before, files)
    assert move(tree, "VIP", folder="New").files == result.files


def test_another_name(tree: Desk) -> None:
    result = move(tree, "VIP", name="Best of all")
    assert {(r.path, r.old_target, r.new_target) for r in result.rewritten} == {
        ("A/Near", "VIP", "A/Best of all"),
        ("ByPath", "A/VIP", "A/Best of all"),
        ("ByName", "VIP", "A/Best of all"),
    }
    assert tree.file("by-name.yml").read_text() == "name: ByName\nrule: in segment 'A/Best of all'\n"
    assert tree.files().count("A/best-of-all.yml") == 1
    check_whole(tree)


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (
            "# mine\nname: VIP   # the best\nrule: |  # grown ups\n  age > 30\n  and age < 99\ndescription: 'x'\n",
            {"name": "Best: of all"},
            "# mine\nname: 'Best: of all'   # the best\nrule: |  # grown ups\n  age > 30\n  and age < 99\ndescription: 'x'\n",
        ),
        ('{ name: "VIP", rule: age > 30 }  # one line\n', {"name": "Best"}, "{ name: Best, rule: age > 30 }  # one line\n"),
        ("description: d\n\nname: VIP\n# end\n", {"name": "Best", "folder": "B"}, "description: d\n\nname: Best\n# end\n"),
        (
            "name: VIP\nab_test:\n  # two\n  variants:\n    - { name: A, ratio: 50 } # half\n",
            {"name": "Best"},
            "name: Best\nab_test:\n  # two\n  id: VIP\n  variants:\n    - { name: A, ratio: 50 } # half\n",
        ),
        (
            "name: VIP\nab_test: { variants: [{ name: A, ratio: 50 }] } # half\n",
            {"name": "Best"},
            "name: Best\nab_test: { id: VIP, variants: [{ name: A, ratio: 50 }] } # half\n",
        ),
    ],
)
def test_comments_and_form_of_the_file_stay(tree: Desk, text: str, options: dict[str, str], expected: str) -> None:
    tree.write("A/vip.yml", text)
    move(tree, "A/VIP", **options)
    [written] = [tree.file(name) for name in tree.files() if "best" in name]
    assert written.read_text() == expected


def test_comments_of_those_that_refer_to_it_stay(tree: Desk) -> None:
    tree.write("by-path.yml", "name: ByPath # b\nbase: A/VIP # inside\nrule: in segment 'A/VIP' or in segment 'A/Near' # either\n")
    tree.write("by-name.yml", "name: ByName\nrule:\n  type: And\n  conditions:\n    - { type: include, segment: VIP } # him\n")
    tree.push()
    move(tree, "VIP", name="Best")
    assert tree.file("by-path.yml").read_text() == (
        "name: ByPath # b\nbase: A/Best # inside\nrule: in segment 'A/Best' or in segment 'A/Near' # either\n"
    )
    assert tree.file("by-name.yml").read_text() == (
        "name: ByName\nrule:\n  type: And\n  conditions:\n    - { type: include, segment: A/Best } # him\n"
    )
    assert "# sibling" in tree.file("A/near.yml").read_text()


def test_a_renamed_ab_test_keeps_its_split(tree: Desk) -> None:
    before = tree.records()["C/Test"]
    result = move(tree, "Test", name="Trial", folder="")
    after = tree.records()["Trial"]
    assert (after.id, after.fingerprint, after.version) == (before.id, before.fingerprint, 1)
    test = segment_of(after).ab_test
    assert test is not None
    assert test.test_id == "Test"
    assert {(r.old_target, r.new_target) for r in result.rewritten} == {
        ("C/Test/A-Test", "Trial/A-Trial"),
        ("C/Test/Control-Test", "Trial/Control-Trial"),
    }
    assert tree.files() == ["A/near.yml", "A/vip.yml", "by-name.yml", "by-path.yml", "reader.yml", "trial.yml"]
    check_whole(tree)


def test_a_name_that_becomes_ambiguous_is_written_out(tree: Desk) -> None:
    result = move(tree, "Reader", name="VIP")
    assert {(r.path, r.old_target, r.new_target) for r in result.rewritten} == {("ByName", "VIP", "A/VIP"), ("A/Near", "VIP", "A/VIP")}
    check_whole(tree)


def test_several_at_once_and_a_sibling_left_behind(tree: Desk) -> None:
    tree.write("D/vip.yml", "name: VIP\n")
    tree.write("by-name.yml", "name: ByName\nrule: in segment 'A/VIP'\n")
    tree.push()
    result = move(tree, "A/Near", "C/Test", folder="D")
    assert {m.new_path for m in result.moved} == {"D/Near", "D/Test"}
    assert ("D/Near", "VIP", "A/VIP") in {(r.path, r.old_target, r.new_target) for r in result.rewritten}
    assert problems(load_segments(tree.store, tree.parent.id)) == {}
    assert tree.push().changes == ()


def test_old_versions_follow(tree: Desk) -> None:
    tree.write("by-path.yml", "name: ByPath\n")
    tree.push()
    move(tree, "A/VIP", folder="Z")
    [first, second] = tree.store.versions(tree.records()["ByPath"].id)
    assert "A/VIP" not in str(first.document)
    assert "Z/VIP" in str(first.document)
    assert second.document == {}


def test_two_may_swap_folders_only_when_it_works(tree: Desk) -> None:
    tree.write("D/vip.yml", "name: VIP\n")
    tree.write("by-name.yml", "name: ByName\n")
    tree.push()
    for targets, options in (
        (["A/VIP"], {"folder": "D"}),
        (["A/VIP", "D/VIP"], {"folder": "E"}),
        (["Near"], {"name": "VIP"}),
    ):
        before, files = tree.records(), tree.files()
        with pytest.raises(UserError) as caught:
            move(tree, *targets, **options)
        assert caught.value.code == "NAME_TAKEN"
        assert (tree.records(), tree.files()) == (before, files)


@pytest.mark.parametrize(
    ("targets", "options", "code"),
    [
        (["Nobody"], {"folder": "X"}, "SEGMENT_NOT_FOUND"),
        (["VIP", "Near"], {"name": "X"}, "INVALID_NAME"),
        (["VIP"], {"name": "a/b"}, "INVALID_NAME"),
        (["VIP"], {"name": " x"}, "INVALID_NAME"),
        (["VIP"], {"name": ""}, "INVALID_NAME"),
        (["VIP"], {"name": ".."}, "INVALID_NAME"),
        (["VIP"], {"name": "."}, "INVALID_NAME"),
        (["VIP"], {"name": "a\x00b"}, "INVALID_NAME"),
        (["VIP"], {"name": "x" * 201}, "NAME_TOO_LONG"),
        (["VIP"], {"folder": "a/\x1b"}, "INVALID_FOLDER"),
        (["VIP"], {"folder": "."}, "INVALID_FOLDER"),
        (["VIP"], {"folder": "a//b"}, "INVALID_FOLDER"),
        (["VIP"], {"folder": "../x"}, "INVALID_FOLDER"),
        (["VIP"], {"folder": "/x"}, "INVALID_FOLDER"),
    ],
)
def test_what_cannot_be_done_is_refused(tree: Desk, targets: list[str], options: dict[str, str], code: str) -> None:
    with pytest.raises(UserError) as caught:
        move(tree, *targets, **options)
    assert caught.value.code == code


def test_an_ambiguous_name_is_refused(tree: Desk) -> None:
    tree.write("D/vip.yml", "name: VIP\n")
    tree.write("by-name.yml", "name: ByName\n")
    tree.push()
    with pytest.raises(UserError) as caught:
        move(tree, "VIP", folder="E")
    assert caught.value.code == "AMBIGUOUS_SEGMENT"


def test_the_place_of_a_variant_is_taken(tree: Desk) -> None:
    before = tree.records()
    with pytest.raises(InvalidInput) as caught:
        move(tree, "VIP", folder="C/Test", name="A-Test")
    assert "DUPLICATE_SEGMENT" in caught.value.issues.codes()
    assert tree.records() == before


def test_moving_to_where_it_is_does_nothing(tree: Desk) -> None:
    before = tree.records()
    assert move(tree, "VIP", folder="A") == MoveResult((), (), (), True)
    assert tree.records() == before


def test_what_was_not_pushed_goes_along(tree: Desk) -> None:
    tree.write("A/vip.yml", "name: VIP\nrule: age > 99 # not pushed\n")
    tree.write("by-path.yml", "name: ByPath\nbase: A/VIP\n")
    tree.write("only-here.yml", "name: Only here\nrule: in segment 'A/VIP'\n")
    move(tree, "VIP", folder="Z")
    assert "age > 99 # not pushed" in tree.file("Z/vip.yml").read_text()
    assert tree.file("by-path.yml").read_text() == "name: ByPath\nbase: Z/VIP\n"
    assert "Z/VIP" in tree.file("only-here.yml").read_text()
    assert {(item.action, item.path) for item in tree.push().changes} == {
        ("update", "Z/VIP"),
        ("update", "ByPath"),
        ("create", "Only here"),
    }


def test_files_that_say_their_folder_and_lists(tree: Desk) -> None:
    tree.file("A/vip.yml").unlink()
    tree.write("odd/list.yml", "- name: VIP\n  folder: A\n  rule: age > 30\n- name: Other\n")
    tree.write("odd/near.yml", "name: Near\nfolder: A\nrule: in segment 'VIP'\n")
    tree.file("A/near.yml").unlink()
    tree.push()
    move(tree, "VIP", "Near", folder="Z")
    assert tree.file("odd/list.yml").read_text().startswith("- name: VIP\n  folder: Z\n")
    assert tree.file("Z/near.yml").exists()
    assert not tree.file("odd/near.yml").exists()
    check_whole(tree)


def test_a_broken_file_stops_it(tree: Desk) -> None:
    tree.write("broken.yml", "{")
    before = tree.records()
    with pytest.raises(InvalidInput):
        move(tree, "VIP", folder="Z")
    assert tree.records() == before
    result = move_segments(tree.store, None, tree.parent, ["VIP"], folder="Z", by="bob", clock=tree.clock)
    assert result.files == ()
    assert "Z/VIP" in tree.records()
