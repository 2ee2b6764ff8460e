"""API tokens: what one may, until when, and what ends with it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from kohort.foundation.clock import FixedClock
from kohort.ports.definitions import DefinitionStore
from kohort.ports.users import UserRecord
from kohort.services import tokens, users
from tests.services.people import CLI, PASSWORDS, code


def test_a_token_acts_for_its_owner_and_no_higher(store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
    issued = tokens.add_token(store, ann, "job", role="marketer", actor=CLI, clock=clock)
    assert issued.token not in repr(list(store.tokens()))
    assert issued.record.last_four == issued.token[-4:]
    caller = tokens.caller_of_token(store, issued.token, address="", clock=clock)
    assert caller is not None
    assert (caller.access.role, caller.actor.way) == ("marketer", "token")
    users.change_user(store, "ann", role="viewer", actor=CLI, clock=clock)
    caller = tokens.caller_of_token(store, issued.token, address="", clock=clock)
    assert caller is not None
    assert caller.access.role == "viewer"


def test_what_is_too_much_is_refused(store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
    assert code(lambda: tokens.add_token(store, ann, "x", role="admin", actor=CLI, clock=clock)) == "ROLE_TOO_HIGH"
    assert code(lambda: tokens.add_token(store, ann, "x", role="engineer", most="viewer", actor=CLI, clock=clock)) == "ROLE_TOO_HIGH"
    assert code(lambda: tokens.add_token(store, ann, "x", days=0, actor=CLI, clock=clock)) == "DAYS_INVALID"
    assert code(lambda: tokens.add_token(store, ann, "\t", actor=CLI, clock=clock)) == "NAME_INVALID"
    assert list(store.tokens()) == []


def test_tokens_expire_and_are_revoked(store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
    short = tokens.add_token(store, ann, "short", days=1, actor=CLI, clock=clock)
    long = tokens.add_token(store, ann, "long", days=None, actor=CLI, clock=clock)
    clock.move_to(clock.now() + timedelta(days=1))
    assert tokens.caller_of_token(store, short.token, address="", clock=clock) is None
    assert tokens.caller_of_token(store, long.token, address="", clock=clock) is not None
    bob = users.add_user(store, PASSWORDS, "bob", "viewer", "", actor=CLI, clock=clock)
    assert code(lambda: tokens.revoke_token(store, long.record.id, owner=bob, actor=CLI, clock=clock)) == "TOKEN_NOT_FOUND"
    tokens.revoke_token(store, long.record.id, owner=ann, actor=CLI, clock=clock)
    assert tokens.caller_of_token(store, long.token, address="", clock=clock) is None


def test_what_was_made_with_a_token_ends_with_it(store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
    first = tokens.add_token(store, ann, "first", actor=CLI, clock=clock)
    second = tokens.add_token(store, ann, "second", used=first.record, actor=CLI, clock=clock)
    third = tokens.add_token(store, ann, "third", used=second.record, actor=CLI, clock=clock)
    other = tokens.add_token(store, ann, "other", actor=CLI, clock=clock)
    tokens.revoke_token(
        store, tokens.add_token(store, ann, "gone", used=first.record, actor=CLI, clock=clock).record.id, actor=CLI, clock=clock
    )
    done = tokens.revoke_token(store, first.record.id, owner=ann, actor=CLI, clock=clock)
    assert [token.name for token in done.with_it] == ["second", "third"]
    for issued in (first, second, third):
        assert tokens.caller_of_token(store, issued.token, address="", clock=clock) is None
    assert tokens.caller_of_token(store, other.token, address="", clock=clock) is not None
    told = [(record.entry.object, record.entry.detail) for record in store.audit(limit=3)]
    assert told == [
        (str(third.record.id), f"Ann: third, made with token {second.record.id}"),
        (str(second.record.id), f"Ann: second, made with token {first.record.id}"),
        (str(first.record.id), "Ann: first"),
    ]
    assert code(lambda: tokens.add_token(store, ann, "late", used=second.record, actor=CLI, clock=clock)) == "SIGN_IN_FIRST"


def test_a_token_ends_none_that_may_more(store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
    high = tokens.add_token(store, ann, "high", actor=CLI, clock=clock).record
    low = tokens.add_token(store, ann, "low", role="viewer", actor=CLI, clock=clock).record
    revoke = partial(tokens.revoke_token, store, owner=ann, most="viewer", actor=CLI, clock=clock)
    assert code(lambda: revoke(high.id)) == "FORBIDDEN"
    assert revoke(low.id).token.revoked_at == clock.now()
    assert tokens.revoke_token(store, high.id, owner=ann, most="engineer", actor=CLI, clock=clock).token.id == high.id


def test_a_token_of_a_disabled_user_is_not_called_valid(store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
    record = tokens.add_token(store, ann, "job", days=1, actor=CLI, clock=clock).record
    assert tokens.state_of(record, ann, clock.now()) == "valid"
    disabled = users.change_user(store, "ann", disabled=True, actor=CLI, clock=clock)
    assert tokens.state_of(record, disabled, clock.now()) == "disabled"
    assert tokens.state_of(record, disabled, clock.now() + timedelta(days=1)) == "expired"
    revoked = tokens.revoke_token(store, record.id, actor=CLI, clock=clock).token
    assert tokens.state_of(revoked, disabled, clock.now()) == "revoked"


def test_with_which_token_something_was_done_is_in_the_audit_log(store: DefinitionStore, ann: UserRecord, clock: FixedClock) -> None:
    issued = tokens.add_token(store, ann, "job", actor=CLI, clock=clock)
    caller = tokens.caller_of_token(store, issued.token, address="::1", clock=clock)
    assert caller is not None
    tokens.add_token(store, ann, "other", used=issued.record, actor=caller.actor, clock=clock)
    assert [(record.entry.way, record.entry.token_id) for record in store.audit(limit=2)] == [("token", issued.record.id), ("cli", None)]
