"""Users: passwords, lock-out, sessions, set-up links."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from kohort.adapters.passwords import Argon2Passwords
from kohort.foundation.clock import FixedClock
from kohort.foundation.errors import UserError
from kohort.ports.definitions import DefinitionStore
from kohort.ports.users import Grant, Role, UserRecord
from kohort.services import users
from kohort.services.access import Access
from kohort.services.users import Actor
from tests.services.people import CLI, PASSWORDS, RIGHT, code


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
        with pytest.raises(UserError, match=r"cannot have U\+202E"):
            add("ann\u202e")()
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
        assert (changed.who, changed.way, changed.object, changed.detail) == ("ops", "cli", "Ann", "engineer → marketer")
        assert changed.before == users.user_fingerprint(ann) != changed.after

    @pytest.mark.usefixtures("ann")
    def test_the_audit_log_says_in_words_what_became_of_a_user(self, store: DefinitionStore, clock: FixedClock) -> None:
        users.change_user(store, "ann", role="viewer", disabled=True, actor=CLI, clock=clock)
        users.change_user(store, "ann", disabled=False, actor=CLI, clock=clock)
        parent = store.save_parent("Shop", "shop", {"name": "Shop"}, by="ops", at=clock.now())
        for grants in ([Grant(parent.id, "", "viewer")], [], []):
            users.set_grants(store, "ann", grants, actor=CLI, clock=clock)
        told = [(record.entry.action, record.entry.detail) for record in store.audit(limit=9)][::-1]
        assert told == [
            ("user.add", "engineer"),
            ("user.change", "engineer → viewer, disabled"),
            ("user.change", "enabled"),
            ("user.grants", "shop:/ viewer"),
            ("user.grants", "no limits"),
        ]

    def test_a_limit_is_in_the_audit_log_with_the_name_of_its_place(
        self, store: DefinitionStore, ann: UserRecord, clock: FixedClock
    ) -> None:
        parent = store.save_parent("Shop", "shop", {"name": "Shop"}, by="ops", at=clock.now())
        users.set_grants(store, ann.name, [Grant(parent.id, "Value", "viewer")], actor=CLI, clock=clock)
        [newest] = store.audit(limit=1)
        assert newest.entry.detail == "shop:/Value viewer"

    def test_who_reads_an_old_revision_is_told_who_changed_the_role_or_limits_and_when(
        self, store: DefinitionStore, ann: UserRecord, clock: FixedClock
    ) -> None:
        read = users.user_revision(store, ann)
        parent = store.save_parent("Shop", "shop", {"name": "Shop"}, by="ops", at=clock.now())
        users.set_grants(store, ann.name, [Grant(parent.id, "Value", "viewer")], actor=Actor("bob"), clock=clock)
        clock.move_to(clock.now() + timedelta(hours=1))
        users.set_password(store, PASSWORDS, ann.name, RIGHT, actor=Actor("eve"), clock=clock)
        sign_in(store, clock)
        with pytest.raises(UserError, match="bob changed it at 2024-01-01 00:00:00 GMT") as caught:
            users.change_user(store, ann.name, role="viewer", revision=read, actor=CLI, clock=clock)
        assert caught.value.code == "CHANGED_MEANWHILE"

    def test_a_password_that_is_hashed_anew_at_sign_in_is_no_change_of_the_user(
        self, store: DefinitionStore, ann: UserRecord, clock: FixedClock
    ) -> None:
        clock.move_to(clock.now() + timedelta(hours=1))
        signed_in = users.sign_in(store, Argon2Passwords(memory_kib=128, rounds=1), "ann", RIGHT, address="", clock=clock)
        assert signed_in.user.password_hash != ann.password_hash
        assert (signed_in.user.updated_by, signed_in.user.updated_at) == (ann.updated_by, ann.updated_at)

    def test_a_limit_that_could_not_hold_is_refused(self, store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
        parent = store.save_parent("Shop", "shop", {"name": "Shop"}, by="ops", at=clock.now())

        def grant(*places: tuple[str, Role]) -> Callable[[], object]:
            wanted = [Grant(parent.id, folder, role) for folder, role in places]
            return lambda: users.set_grants(store, ann.name, wanted, actor=CLI, clock=clock)

        assert code(grant(("", "engineer"), ("Secret ", "viewer"))) == code(grant(("A//B", "viewer"))) == "INVALID_FOLDER"
        assert code(grant(("/Value/", "viewer"), ("Value", "engineer"))) == "GRANTED_TWICE"
        assert list(store.grants(ann.id)) == []
        grant(("/Value/", "viewer"), ("Value", "viewer"))()
        assert list(store.grants(ann.id)) == [Grant(parent.id, "Value", "viewer")]

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
            code(lambda: users.change_own_password(store, PASSWORDS, caller, "wrong", "another long one", clock=clock))
            == "OLD_PASSWORD_WRONG"
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
        assert waits == [15, 30, 60]
        clock.move_to(clock.now() + timedelta(hours=1))
        assert sign_in(store, clock).user.id == ann.id
        assert code(lambda: sign_in(store, clock, "wrong")) == "WRONG_PASSWORD"

    def test_a_wrong_old_password_is_told_as_that_counts_and_is_in_the_audit_log(
        self, store: DefinitionStore, ann: UserRecord, clock: FixedClock
    ) -> None:
        caller = users.caller_of_session(store, sign_in(store, clock).secret, address="::1", clock=clock)
        assert caller is not None
        change = partial(users.change_own_password, store, PASSWORDS, caller, "wrong", "another long one", clock=clock)
        assert [code(change) for _ in range(6)] == ["OLD_PASSWORD_WRONG"] * 5 + ["LOCKED_OUT"]
        assert code(lambda: sign_in(store, clock)) == "LOCKED_OUT"
        entries = [record.entry for record in store.audit(limit=5)]
        assert {(entry.who, entry.action, entry.object) for entry in entries} == {(ann.name, "password.refused", ann.name)}
        assert [entry.detail for entry in entries] == ["the account is locked for 15 seconds", "", "", "", ""]

    def test_who_could_not_sign_in_is_not_said_to_have_done_anything(
        self, store: DefinitionStore, ann: UserRecord, clock: FixedClock
    ) -> None:
        assert code(lambda: sign_in(store, clock, "wrong", address="6.6.6.6")) == "WRONG_PASSWORD"
        [newest] = store.audit(limit=1)
        told = newest.entry
        assert (told.who, told.action, told.object, told.address) == ("", "session.refused", ann.name, "6.6.6.6")

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
