"""What every store must do with users. A subclass provides the fixture `open_store`, which opens one and the same database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kohort.foundation.errors import UserError
from kohort.ports.definitions import DefinitionStore
from kohort.ports.users import AuditEntry, Grant, UserRecord
from kohort.testing.store_contract import OpenStore, StoreContract

T0 = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)
T1 = T0 + timedelta(hours=1)
T2 = T1 + timedelta(microseconds=1)


class UserStoreContract(StoreContract):
    """Run on every adapter."""

    @pytest.fixture
    def ann(self, store: DefinitionStore) -> UserRecord:
        return store.add_user("Ann@Example.com", "admin", "hash", by="cli", at=T0)

    def test_a_user_is_found_by_name_whatever_its_capital_letters(self, store: DefinitionStore, ann: UserRecord) -> None:
        assert (ann.name, ann.role, ann.disabled, ann.password_hash) == ("Ann@Example.com", "admin", False, "hash")
        assert store.user("ann@example.COM") == ann
        assert store.user("ann") is None

    def test_names_are_taken_once(self, store: DefinitionStore, ann: UserRecord) -> None:
        assert _code(lambda: store.add_user("ANN@example.com", "viewer", "", by="cli", at=T0)) == "NAME_TAKEN"
        assert _code(lambda: store.add_user("x" * 201, "viewer", "", by="cli", at=T0)) == "NAME_TOO_LONG"
        assert list(store.users()) == [ann]

    def test_users_come_by_name(self, store: DefinitionStore) -> None:
        for name in ("b", "a", "c"):
            store.add_user(name, "viewer", "", by="cli", at=T0)
        assert [user.name for user in store.users()] == ["a", "b", "c"]

    def test_role_password_and_state_change_the_name_does_not(self, store: DefinitionStore, ann: UserRecord) -> None:
        store.add_user("bob", "admin", "", by="cli", at=T0)
        wanted = replace(ann, role="viewer", disabled=True, password_hash="other", name="Eve")
        changed = store.update_user(wanted, by="bob", at=T1)
        assert changed == replace(wanted, name=ann.name, updated_at=T1, updated_by="bob")
        assert store.update_user(changed, by="eve", at=T2) == changed
        assert _code(lambda: store.update_user(replace(ann, id=99), by="bob", at=T1)) == "USER_NOT_FOUND"

    @pytest.mark.parametrize("change", [{"role": "engineer"}, {"disabled": True}])
    def test_the_last_admin_stays(self, store: DefinitionStore, ann: UserRecord, change: dict[str, object]) -> None:
        bob = store.add_user("bob", "admin", "", by="cli", at=T0)
        store.update_user(replace(bob, disabled=True), by="ann", at=T0)
        assert _code(lambda: store.update_user(replace(ann, **change), by="ann", at=T1)) == "LAST_ADMIN"  # type: ignore[arg-type]
        assert store.user("ann@example.com") == ann

    def test_grants_are_replaced_as_a_whole(self, store: DefinitionStore, ann: UserRecord) -> None:
        parent = store.save_parent("Shop", "shop", {}, by="ann", at=T0)
        first = [Grant(parent.id, "", "viewer"), Grant(parent.id, "Marketing", "marketer")]
        store.set_grants(ann.id, first[::-1])
        assert list(store.grants(ann.id)) == first
        store.set_grants(ann.id, first[1:])
        assert list(store.grants(ann.id)) == first[1:]
        assert _code(lambda: store.set_grants(ann.id, [Grant(99, "", "viewer")])) == "PARENT_NOT_FOUND"
        assert _code(lambda: store.set_grants(99, [])) == "USER_NOT_FOUND"
        assert list(store.grants(ann.id)) == first[1:]

    def test_a_session_lasts_until_it_expires_or_ends(self, store: DefinitionStore, ann: UserRecord) -> None:
        session = store.add_session("s1", ann.id, at=T0, expires_at=T1, address="10.0.0.1")
        assert store.session("s1", T0) == (session, ann)
        assert store.session("s1", T1) is None
        assert store.session("S1", T0) is None
        assert store.end_sessions(token_hash="s1") == 1
        assert store.session("s1", T0) is None

    def test_all_sessions_of_a_user_end_and_no_others(self, store: DefinitionStore, ann: UserRecord) -> None:
        bob = store.add_user("bob", "viewer", "", by="cli", at=T0)
        for token, user in (("s1", ann), ("s2", ann), ("s3", bob)):
            store.add_session(token, user.id, at=T0, expires_at=T1, address="")
        assert store.end_sessions(user_id=ann.id) == 2
        assert store.session("s1", T0) is None
        assert store.session("s3", T0) is not None

    def test_who_is_disabled_has_no_session_and_no_token(self, store: DefinitionStore) -> None:
        bob = store.add_user("bob", "viewer", "", by="cli", at=T0)
        store.add_session("s", bob.id, at=T0, expires_at=T1, address="")
        store.add_token("t", "abcd", bob.id, "laptop", "viewer", by="bob", at=T0, expires_at=None)
        store.update_user(replace(bob, disabled=True), by="ann", at=T0)
        assert store.session("s", T0) is None
        assert store.token("t", T0) is None

    def test_a_token_is_valid_until_it_expires_or_is_revoked(self, store: DefinitionStore, ann: UserRecord) -> None:
        short = store.add_token("t1", "aaaa", ann.id, "job", "viewer", by="ann", at=T0, expires_at=T1)
        long = store.add_token("t2", "bbbb", ann.id, "job", "admin", by="ann", at=T0, expires_at=None)
        assert store.token("t1", T0) == (short, ann)
        assert store.token("t1", T1) is None
        assert store.token("t2", T1) == (long, ann)
        revoked = store.revoke_token(long.id, T1)
        assert revoked == replace(long, revoked_at=T1) == store.revoke_token(long.id, T2)
        assert store.token("t2", T1) is None
        assert list(store.tokens(ann.id)) == [revoked, short] == list(store.tokens())
        assert list(store.tokens(99)) == []
        assert _code(lambda: store.revoke_token(99, T1)) == "TOKEN_NOT_FOUND"

    def test_with_which_token_a_token_was_made_is_kept(self, store: DefinitionStore, ann: UserRecord) -> None:
        first = store.add_token("t1", "aaaa", ann.id, "job", "viewer", by="ann", at=T0, expires_at=None)
        second = store.add_token("t2", "bbbb", ann.id, "job", "viewer", by="ann", at=T0, expires_at=None, made_with=first.id)
        assert first.made_with is None
        assert [token.made_with for token in store.tokens(ann.id)] == [first.id, None]
        assert store.token("t2", T0) == (second, ann)

    def test_failures_are_counted_until_the_right_password(self, store: DefinitionStore, open_store: OpenStore) -> None:
        assert store.failures("account:ann") is None
        assert store.add_failure("account:ann", T0).failures == 1
        again = open_store()
        found = again.add_failure("account:ann", T1)
        again.close()
        assert (found.failures, found.last_at) == (2, T1)
        assert store.failures("account:ann") == found
        assert store.failures("address:ann") is None
        store.clear_failures("account:ann")
        assert store.failures("account:ann") is None

    def test_a_setup_link_works_once_and_only_the_newest(self, store: DefinitionStore) -> None:
        store.add_setup_link("first", at=T0, expires_at=T1)
        store.add_setup_link("second", at=T0, expires_at=T1)
        assert not store.use_setup_link("first", T0)
        assert store.has_setup_link("second", T0)
        assert store.use_setup_link("second", T0)
        assert not store.use_setup_link("second", T0)
        store.add_setup_link("third", at=T0, expires_at=T1)
        assert not store.use_setup_link("third", T1)

    def test_the_audit_log_comes_newest_first_and_in_parts(self, store: DefinitionStore) -> None:
        entries = [
            AuditEntry(
                T0 + timedelta(seconds=n),
                ("ann", "bob")[n % 2],
                "token",
                "segment.save",
                "segment",
                f"A/{n}",
                "",
                f"f{n}",
                "::1",
                "",
                n or None,
            )
            for n in range(5)
        ]
        kept = [store.add_audit(entry) for entry in entries]
        assert [record.entry for record in store.audit(limit=2)] == entries[:-3:-1]
        assert [record.entry for record in store.audit(limit=9, before_id=kept[2].id)] == [entries[1], entries[0]]
        assert {record.entry.who for record in store.audit(limit=9, who="bob")} == {"bob"}
        assert [record.entry for record in store.audit(limit=9, kind="segment", object="A/3")] == [entries[3]]
        assert list(store.audit(limit=9, kind="source")) == []
        assert [record.entry for record in store.audit(limit=1, actions={"segment.save", "segment.add"})] == entries[:-2:-1]
        assert list(store.audit(limit=9, actions={"segment.add"})) == []

    def test_a_change_and_its_audit_entry_are_kept_together_or_not_at_all(self, store: DefinitionStore) -> None:
        def half() -> None:
            with store.transaction():
                store.add_user("bob", "viewer", "", by="cli", at=T0)
                store.add_audit(AuditEntry(T0, "ann", "cli", "user.add", "user", "bob"))
                raise RuntimeError

        with pytest.raises(RuntimeError):
            half()
        assert list(store.users()) == []
        assert list(store.audit(limit=9)) == []


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    return caught.value.code
