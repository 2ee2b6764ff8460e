"""`kohort user` and `kohort token`."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohort.workspace.workspace import init_workspace
from tests.cli.workspaces import Desk

PASSWORD = "a long password\n"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    init_workspace(tmp_path / "w")
    desk = Desk(tmp_path / "w")
    desk.ok("user", "add", "ann@example.com", "--role", "admin", "--password-stdin", stdin=PASSWORD)
    return desk


def test_users_are_listed_with_role_and_state(desk: Desk) -> None:
    desk.ok("user", "add", "bob", "--no-password")
    desk.ok("user", "disable", "bob")
    found = {user["name"]: (user["role"], user["disabled"], user["has_password"]) for user in desk.json("user", "list")}
    assert found == {"ann@example.com": ("admin", False, True), "bob": ("viewer", True, False)}
    assert "ann@example.com" in desk.ok("user", "list")
    assert "is enabled" in desk.ok("user", "enable", "bob")


def test_a_role_changes_and_the_last_admin_stays(desk: Desk) -> None:
    assert "[LAST_ADMIN]" in desk.refused("user", "role", "ann@example.com", "viewer")
    desk.ok("user", "add", "bob", "--no-password")
    assert "bob is admin" in desk.ok("user", "role", "bob", "admin")
    desk.ok("user", "role", "ANN@example.com", "viewer")
    assert "[USER_NOT_FOUND]" in desk.refused("user", "role", "bobb", "viewer")


def test_a_password_is_never_asked_of_nobody(desk: Desk) -> None:
    assert "[NO_PASSWORD]" in desk.refused("user", "add", "bob")
    assert "[NO_PASSWORD]" in desk.refused("user", "passwd", "ann@example.com")
    assert "new password" in desk.ok("user", "passwd", "ann@example.com", "--password-stdin", stdin="another long one\n")
    ran = desk.run("user", "passwd", "ann@example.com", "--password-stdin", stdin="short\n")
    assert (ran.code, "[PASSWORD_TOO_SHORT]" in ran.err) == (1, True)


def test_grants_limit_to_places(desk: Desk) -> None:
    desk.ok("user", "add", "bob", "--no-password")
    assert "[PARENT_NOT_FOUND]" in desk.refused("user", "grant", "bob", "--to", "nowhere=viewer")
    assert "no limits" in desk.ok("user", "grant", "bob", "--everything")
    assert "--everything" in desk.refused("user", "grant", "bob", code=2)


def test_a_token_is_shown_once_and_revoked(desk: Desk) -> None:
    made = desk.json("token", "add", "ann@example.com", "nightly job", "--role", "marketer", "--days", "30")
    assert made["token"].startswith("kht_")
    assert made["role"] == "marketer"
    [listed] = desk.json("token", "list")
    assert "token" not in listed
    assert (listed["last_four"], listed["state"]) == (made["token"][-4:], "valid")
    assert made["token"] not in desk.ok("token", "list")
    assert "refused from now on" in desk.ok("token", "revoke", str(made["id"]))
    assert desk.json("token", "list")[0]["state"] == "revoked"
    assert "[TOKEN_NOT_FOUND]" in desk.refused("token", "revoke", "99")
    assert "[ROLE_INVALID]" in desk.refused("token", "add", "ann@example.com", "x", "--role", "boss")


def test_a_token_alone_goes_to_standard_output_for_scripts(desk: Desk) -> None:
    ran = desk.run("token", "add", "ann@example.com", "job")
    assert ran.out.splitlines()[-1].startswith("kht_")
    assert "not shown again" in ran.err
