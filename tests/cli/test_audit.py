"""What commands change or export is in the audit log with who did it, as what the API does."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohort.bootstrap import open_kohort
from tests.cli.workspaces import Desk, make_workspace

AT = "all-customers:"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_workspace(tmp_path / "w")


def entries(desk: Desk) -> list[tuple[str, str, str]]:
    """(action, object, detail), oldest first. Everything is by the command line."""
    kohort = open_kohort(desk.folder)
    found = [record.entry for record in kohort.store.audit(limit=1000)][::-1]
    kohort.close()
    assert {(entry.way, bool(entry.who)) for entry in found} <= {("cli", True)}
    return [(entry.action, entry.object, entry.detail) for entry in found]


def test_every_change_and_every_export_of_a_command_is_kept(desk: Desk) -> None:
    known = entries(desk)
    made = {(action, name) for action, name, _ in known}
    assert {("parent.add", "all-customers"), ("segment.add", f"{AT}Value/VIP"), ("table.import", "shop.customers")} <= made
    assert {("parent.refresh", "all-customers"), ("parent.evaluate", "all-customers")} <= made

    file = desk.folder / "segments/all-customers/Value/vip.yml"
    commands: list[tuple[list[str], list[tuple[str, str, str | None]]]] = [
        (["sg", "export", "Value/VIP", "--columns", "country"], [("members.export", f"{AT}Value/VIP", "8 rows: country")]),
        (["sg", "members", "--parquet", str(desk.folder / "all.parquet")], [("members.export", "all-customers", None)]),
        (["sg", "push", "-y"], [("segment.save", f"{AT}Value/VIP", "")]),
        (["sg", "revert", "Value/VIP", "1", "-y"], [("segment.revert", f"{AT}Value/VIP", "to version 1")]),
        (["sg", "move", "Engagement/Openers", "--folder", "Value"], [("segment.move", f"{AT}Engagement/Openers", "to Value/Openers")]),
        (["tables", "create", "shop.few", "--as", "SELECT 1 AS one"], [("table.create", "shop.few", "table")]),
        (["source", "add", "Till"], [("source.add", "till", "")]),
        (["source", "set", "Till", "--rate-limit", "5"], [("source.change", "till", "enabled")]),
        (["source", "rotate-key", "Till", "--grace", "1h"], [("source.rotate", "till", "grace 1h")]),
        (["source", "identity", "Till", "--block", "nobody"], [("source.identity", "till", "enabled")]),
        (["source", "rename", "Till", "Site"], [("source.rename", "till", "Site")]),
        (["source", "disable", "Site", "-y"], [("source.change", "till", "disabled")]),
        (["source", "remove", "Site", "-y"], [("source.remove", "till", "")]),
        (["user", "add", "ann", "--role", "viewer", "--no-password"], [("user.add", "ann", "viewer")]),
    ]
    for command, wanted in commands:
        if command[1] == "push":
            file.write_text(file.read_text().replace("> 1000", "> 2000"))
        desk.ok(*command)
        new = entries(desk)[len(known) :]
        assert [(action, name) for action, name, _ in new] == [(action, name) for action, name, _ in wanted], command
        assert all(detail in (None, new[place][2]) for place, (_, _, detail) in enumerate(wanted)), command
        known += new


def test_what_was_refused_or_only_tried_leaves_no_entry(desk: Desk) -> None:
    known = entries(desk)
    file = desk.folder / "segments/all-customers/Value/vip.yml"
    file.write_text(file.read_text().replace("> 1000", "> 2000"))
    desk.ok("sg", "push", "--dry-run")
    desk.ok("sg", "move", "Value/VIP", "--folder", "New", "--dry-run")
    desk.refused("source", "rename", "Nobody", "Somebody")
    desk.ok("sg", "count", "Value/VIP")
    assert entries(desk) == known
