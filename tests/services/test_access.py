"""Who may do what: roles, and what grants narrow them to."""

from __future__ import annotations

import pytest

from kohort.foundation.errors import UserError
from kohort.ports.users import ROLES, Grant
from kohort.services.access import ACTIONS, Access


@pytest.mark.parametrize("action", ACTIONS)
def test_each_role_may_what_those_before_it_may(action: str) -> None:
    allowed = [Access(role).may(action) for role in ROLES]
    assert allowed == sorted(allowed)
    assert allowed[ROLES.index(ACTIONS[action].role)]
    assert not any(allowed[: ROLES.index(ACTIONS[action].role)])


def test_grants_narrow_to_places() -> None:
    access = Access("marketer", (Grant(1, "", "viewer"), Grant(1, "Marketing", "marketer"), Grant(2, "A/B", "admin")))
    assert access.may("segments.write")
    assert not access.may("segments.write", 1, "")
    assert access.may("segments.read", 1, "")
    assert access.may("segments.write", 1, "Marketing/VIP")
    assert not access.may("segments.write", 1, "Marketing2")
    assert access.may("profiles.read", 1)
    assert access.may("parents.read", 2)
    assert not access.may("profiles.read", 2)
    assert not access.may("segments.read", 2, "A")
    assert access.may("segments.write", 2, "A/B")
    assert not access.may("parents.refresh", 2)
    assert not access.may("parents.read", 3)


def test_a_nearer_grant_can_take_away() -> None:
    access = Access("engineer", (Grant(1, "", "engineer"), Grant(1, "Secret", "viewer")))
    assert access.may("segments.write", 1, "Open")
    assert not access.may("segments.write", 1, "Secret/Deep")


def test_grants_do_not_narrow_admins() -> None:
    assert Access("admin", (Grant(1, "", "viewer"),)).may("parents.refresh", 2)


def test_a_refusal_says_what_it_takes() -> None:
    with pytest.raises(UserError, match=r"^you may not change users and their grants$") as caught:
        Access("viewer").require("users.write")
    assert (caught.value.code, caught.value.hint) == ("FORBIDDEN", "it takes the role admin: ask an admin")
    with pytest.raises(UserError, match="here") as caught:
        Access("viewer", (Grant(1, "", "viewer"),)).require("parents.read", 2)
    assert "other places" in caught.value.hint


def test_a_refusal_where_one_may_less_does_not_speak_of_other_places() -> None:
    access = Access("marketer", (Grant(1, "", "viewer"), Grant(1, "Value", "marketer")))
    with pytest.raises(UserError, match=r"^you may not change segments here$") as caught:
        access.require("segments.write", 1, "Lifecycle")
    assert caught.value.hint == "it takes the role marketer here, and your grants give less: ask an admin"
    with pytest.raises(UserError, match=r"^you may not change segments$") as caught:
        Access("marketer", (Grant(1, "Value", "viewer"),)).require("segments.write")
    assert caught.value.hint == "it takes the role marketer, and your grants give less: ask an admin"
    with pytest.raises(UserError, match=r"^you may not change segments$") as caught:
        Access("viewer").require("segments.write", 1, "Lifecycle")
    assert caught.value.hint == "it takes the role marketer: ask an admin"
