"""Users: passwords, lock-out, sessions, tokens, set-up links, roles and grants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from kohort.adapters.passwords import Argon2Passwords
from kohort.adapters.sqlalchemy import SQLAlchemyStore
from kohort.foundation.clock import FixedClock
from kohort.foundation.errors import UserError
from kohort.ports.definitions import DefinitionStore
from kohort.ports.users import ROLES, Grant, UserRecord
from kohort.services import users
from kohort.services.access import ACTIONS, Access
from kohort.services.users import Actor

CLI = Actor("ops")
PASSWORDS = Argon2Passwords(memory_kib=64, rounds=1)
RIGHT = "correct horse battery"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2024, 1, 1, tzinfo=UTC))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DefinitionStore]:
    store = SQLAlchemyStore(tmp_path / "kohort.db")
    yield store
    store.close()


@pytest.fixture
def ann(store: DefinitionStore, clock: FixedClock) -> UserRecord:
    return users.add_user(store, PASSWORDS, " Ann ", "engineer", RIGHT, actor=CLI, clock=clock)


def code(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    return caught.value.code


def sign_in(store: DefinitionStore, clock: FixedClock, password: str = RIGHT, name: str = "ann", address: str = "::1") -> users.SignedIn:
    return users.sign_in(store, PASSWORDS, name, password, address=address, clock=clock)


class TestUsers:
    def test_a_password_is_not_kept(self, store: DefinitionStore, ann: UserRecord) -> None:
        assert ann.name == "Ann"
        assert RIGHT not in repr(store.users())

    def test_bad_names_roles_and_passwords_are_refused(self, store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
        def add(name: str, role: str = "viewer", password: str = RIGHT) -> Callable[[], object]:
            return lambda: users.add_user(store, PASSWORDS, name, role, password, actor=CLI, clock=clock)

        assert code(add("  ")) == code(add("a\nb")) == "NAME_INVALID"
        assert code(add("ANN")) == "NAME_TAKEN"
        assert code(add("bob", "boss")) == "ROLE_INVALID"
        assert code(add("bob", password="short")) == "PASSWORD_TOO_SHORT"
        assert code(add("bob", password="x" * 1001)) == "PASSWORD_TOO_LONG"
        assert list(store.users()) == [ann]

    def test_every_change_is_in_the_audit_log_with_what_was_before(
        self, store: DefinitionStore, ann: UserRecord, clock: FixedClock
    ) -> None:
        users.change_user(store, "ann", role="marketer", actor=CLI, clock=clock)
        users.change_user(store, "ann", role="marketer", actor=CLI, clock=clock)
        users.set_password(store, PASSWORDS, "ann", "another long one", actor=CLI, clock=clock)
        entries = [record.entry for record in store.audit(limit=9)]
        assert [entry.action for entry in entries] == ["user.password", "user.change", "user.add"]
        changed = entries[1]
        assert (changed.who, changed.way, changed.object, changed.detail) == ("ops", "cli", "Ann", "marketer")
        assert changed.before == users.user_fingerprint(ann) != changed.after

    def test_a_limit_is_in_the_audit_log_with_the_name_of_its_place(
        self, store: DefinitionStore, ann: UserRecord, clock: FixedClock
    ) -> None:
        parent = store.save_parent("Shop", "shop", {"name": "Shop"}, by="ops", at=clock.now())
        users.set_grants(store, ann.name, [Grant(parent.id, "Value", "viewer")], actor=CLI, clock=clock)
        [newest] = store.audit(limit=1)
        assert newest.entry.detail == "shop:/Value viewer"

    @pytest.mark.usefixtures("ann")
    def test_a_disabled_user_is_signed_out_and_cannot_sign_in(self, store: DefinitionStore, clock: FixedClock) -> None:
        secret = sign_in(store, clock).secret
        users.change_user(store, "ann", disabled=True, actor=CLI, clock=clock)
        assert users.caller_of_session(store, secret, address="", clock=clock) is None
        assert code(lambda: sign_in(store, clock)) == "WRONG_PASSWORD"
        users.change_user(store, "ann", disabled=False, actor=CLI, clock=clock)
        assert users.caller_of_session(store, secret, address="", clock=clock) is None
        assert sign_in(store, clock).user.name == "Ann"

    def test_a_user_without_a_password_cannot_sign_in(self, store: DefinitionStore, clock: FixedClock) -> None:
        users.add_user(store, PASSWORDS, "robot", "viewer", "", actor=CLI, clock=clock)
        assert code(lambda: sign_in(store, clock, "", "robot")) == "WRONG_PASSWORD"


class TestSigningIn:
    def test_a_session_lasts_twelve_hours(self, store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
        signed_in = sign_in(store, clock)
        caller = users.caller_of_session(store, signed_in.secret, address="10.0.0.1", clock=clock)
        assert caller is not None
        assert (caller.user, caller.access, caller.actor) == (ann, Access("engineer"), Actor("Ann", "session", "10.0.0.1"))
        clock.move_to(clock.now() + timedelta(hours=12))
        assert users.caller_of_session(store, signed_in.secret, address="", clock=clock) is None

    @pytest.mark.usefixtures("ann")
    def test_signing_out_ends_the_session(self, store: DefinitionStore, clock: FixedClock) -> None:
        first, second = sign_in(store, clock).secret, sign_in(store, clock).secret
        caller = users.caller_of_session(store, first, address="", clock=clock)
        assert caller is not None
        users.sign_out(store, caller, clock=clock)
        assert users.caller_of_session(store, first, address="", clock=clock) is None
        assert users.caller_of_session(store, second, address="", clock=clock) is not None

    def test_a_new_password_ends_every_session(self, store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
        secret = sign_in(store, clock).secret
        caller = users.caller_of_session(store, secret, address="", clock=clock)
        assert caller is not None
        assert (
            code(lambda: users.change_own_password(store, PASSWORDS, caller, "wrong", "another long one", clock=clock)) == "WRONG_PASSWORD"
        )
        users.change_own_password(store, PASSWORDS, caller, RIGHT, "another long one", clock=clock)
        assert users.caller_of_session(store, secret, address="", clock=clock) is None
        assert code(lambda: sign_in(store, clock)) == "WRONG_PASSWORD"
        assert sign_in(store, clock, "another long one").user.id == ann.id

    def test_an_account_is_locked_after_five_failures_for_longer_each_time(
        self, store: DefinitionStore, ann: UserRecord, clock: FixedClock
    ) -> None:
        for address in [f"10.0.0.{number}" for number in range(5)]:
            assert code(partial(sign_in, store, clock, "wrong", address=address)) == "WRONG_PASSWORD"
        waits = []
        for _ in range(3):
            with pytest.raises(users.LockedOut) as caught:
                sign_in(store, clock, RIGHT, address="10.9.9.9")
            waits.append(caught.value.wait_seconds)
            clock.move_to(clock.now() + timedelta(seconds=caught.value.wait_seconds))
            assert code(lambda: sign_in(store, clock, "wrong", address="10.8.8.8")) == "WRONG_PASSWORD"
        assert waits == [16, 31, 61]
        clock.move_to(clock.now() + timedelta(hours=1))
        assert sign_in(store, clock).user.id == ann.id
        assert code(lambda: sign_in(store, clock, "wrong")) == "WRONG_PASSWORD"

    def test_unknown_accounts_lock_just_the_same(self, store: DefinitionStore, clock: FixedClock) -> None:
        codes = [code(lambda: sign_in(store, clock, name="nobody")) for _ in range(6)]
        assert codes == ["WRONG_PASSWORD"] * 5 + ["LOCKED_OUT"]

    def test_an_address_is_locked_whatever_accounts_it_tries(self, store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
        for name in [f"user{number}" for number in range(20)]:
            assert code(partial(sign_in, store, clock, name=name, address="6.6.6.6")) == "WRONG_PASSWORD"
        assert code(lambda: sign_in(store, clock, address="6.6.6.6")) == "LOCKED_OUT"
        assert sign_in(store, clock, address="7.7.7.7").user.id == ann.id
        clock.move_to(clock.now() + timedelta(days=1, seconds=1))
        assert sign_in(store, clock, address="6.6.6.6").user.id == ann.id


class TestTokens:
    def test_a_token_acts_for_its_owner_and_no_higher(self, store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
        issued = users.add_token(store, ann, "job", role="marketer", actor=CLI, clock=clock)
        assert issued.token not in repr(list(store.tokens()))
        assert issued.record.last_four == issued.token[-4:]
        caller = users.caller_of_token(store, issued.token, address="", clock=clock)
        assert caller is not None
        assert (caller.access.role, caller.actor.way) == ("marketer", "token")
        users.change_user(store, "ann", role="viewer", actor=CLI, clock=clock)
        caller = users.caller_of_token(store, issued.token, address="", clock=clock)
        assert caller is not None
        assert caller.access.role == "viewer"

    def test_what_is_too_much_is_refused(self, store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
        assert code(lambda: users.add_token(store, ann, "x", role="admin", actor=CLI, clock=clock)) == "ROLE_TOO_HIGH"
        assert code(lambda: users.add_token(store, ann, "x", role="engineer", most="viewer", actor=CLI, clock=clock)) == "ROLE_TOO_HIGH"
        assert code(lambda: users.add_token(store, ann, "x", days=0, actor=CLI, clock=clock)) == "DAYS_INVALID"
        assert code(lambda: users.add_token(store, ann, "\t", actor=CLI, clock=clock)) == "NAME_INVALID"
        assert list(store.tokens()) == []

    def test_tokens_expire_and_are_revoked(self, store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
        short = users.add_token(store, ann, "short", days=1, actor=CLI, clock=clock)
        long = users.add_token(store, ann, "long", days=None, actor=CLI, clock=clock)
        clock.move_to(clock.now() + timedelta(days=1))
        assert users.caller_of_token(store, short.token, address="", clock=clock) is None
        assert users.caller_of_token(store, long.token, address="", clock=clock) is not None
        bob = users.add_user(store, PASSWORDS, "bob", "viewer", "", actor=CLI, clock=clock)
        assert code(lambda: users.revoke_token(store, long.record.id, owner=bob, actor=CLI, clock=clock)) == "TOKEN_NOT_FOUND"
        users.revoke_token(store, long.record.id, owner=ann, actor=CLI, clock=clock)
        assert users.caller_of_token(store, long.token, address="", clock=clock) is None

    def test_what_was_made_with_a_token_ends_with_it(self, store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
        first = users.add_token(store, ann, "first", actor=CLI, clock=clock)
        second = users.add_token(store, ann, "second", used=first.record, actor=CLI, clock=clock)
        third = users.add_token(store, ann, "third", used=second.record, actor=CLI, clock=clock)
        other = users.add_token(store, ann, "other", actor=CLI, clock=clock)
        users.revoke_token(
            store, users.add_token(store, ann, "gone", used=first.record, actor=CLI, clock=clock).record.id, actor=CLI, clock=clock
        )
        done = users.revoke_token(store, first.record.id, owner=ann, actor=CLI, clock=clock)
        assert [token.name for token in done.with_it] == ["second", "third"]
        for issued in (first, second, third):
            assert users.caller_of_token(store, issued.token, address="", clock=clock) is None
        assert users.caller_of_token(store, other.token, address="", clock=clock) is not None
        told = [(record.entry.object, record.entry.detail) for record in store.audit(limit=3)]
        assert told == [
            (str(third.record.id), f"third: made with token {second.record.id}"),
            (str(second.record.id), f"second: made with token {first.record.id}"),
            (str(first.record.id), "first"),
        ]
        assert code(lambda: users.add_token(store, ann, "late", used=second.record, actor=CLI, clock=clock)) == "SIGN_IN_FIRST"


class TestFirstStart:
    def test_a_setup_link_makes_one_admin(self, store: DefinitionStore, clock: FixedClock) -> None:
        secret = users.new_setup_link(store, clock=clock)
        assert code(lambda: users.set_up(store, PASSWORDS, secret, "ann", "short", address="", clock=clock)) == "PASSWORD_TOO_SHORT"
        signed_in = users.set_up(store, PASSWORDS, secret, "ann", RIGHT, address="::1", clock=clock)
        assert (signed_in.user.role, store.users()[0].name) == ("admin", "ann")
        assert users.caller_of_session(store, signed_in.secret, address="", clock=clock) is not None
        assert code(lambda: users.set_up(store, PASSWORDS, secret, "eve", RIGHT, address="", clock=clock)) == "LINK_INVALID"
        assert users.new_setup_link(store, clock=clock) == ""

    def test_a_link_expires_and_is_worth_nothing_once_there_are_users(self, store: DefinitionStore, clock: FixedClock) -> None:
        late = users.new_setup_link(store, clock=clock)
        clock.move_to(clock.now() + timedelta(hours=1))
        assert code(lambda: users.set_up(store, PASSWORDS, late, "eve", RIGHT, address="", clock=clock)) == "LINK_INVALID"
        unused = users.new_setup_link(store, clock=clock)
        users.add_user(store, PASSWORDS, "ann", "admin", RIGHT, actor=CLI, clock=clock)
        assert code(lambda: users.set_up(store, PASSWORDS, unused, "eve", RIGHT, address="", clock=clock)) == "LINK_INVALID"


class TestAccess:
    @pytest.mark.parametrize("action", ACTIONS)
    def test_each_role_may_what_those_before_it_may(self, action: str) -> None:
        allowed = [Access(role).may(action) for role in ROLES]
        assert allowed == sorted(allowed)
        assert allowed[ROLES.index(ACTIONS[action].role)]
        assert not any(allowed[: ROLES.index(ACTIONS[action].role)])

    def test_grants_narrow_to_places(self) -> None:
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

    def test_a_nearer_grant_can_take_away(self) -> None:
        access = Access("engineer", (Grant(1, "", "engineer"), Grant(1, "Secret", "viewer")))
        assert access.may("segments.write", 1, "Open")
        assert not access.may("segments.write", 1, "Secret/Deep")

    def test_grants_do_not_narrow_admins(self) -> None:
        assert Access("admin", (Grant(1, "", "viewer"),)).may("parents.refresh", 2)

    def test_a_refusal_says_what_it_takes(self) -> None:
        with pytest.raises(UserError, match="may not add and change users") as caught:
            Access("viewer").require("users.write")
        assert (caught.value.code, caught.value.hint) == ("FORBIDDEN", "it takes the role admin: ask an admin")
        with pytest.raises(UserError, match="here") as caught:
            Access("viewer", (Grant(1, "", "viewer"),)).require("parents.read", 2)
        assert "other places" in caught.value.hint
