"""What a request remembers of the store, and that nobody is told what is not true any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kohort.adapters.sqlalchemy import remembered
from kohort.adapters.sqlalchemy.store import SQLAlchemyStore
from kohort.ports.users import Grant

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLAlchemyStore]:
    opened = SQLAlchemyStore(tmp_path / "kohort.db")
    yield opened
    opened.close()


@pytest.fixture
def other(tmp_path: Path, store: SQLAlchemyStore) -> Iterator[SQLAlchemyStore]:  # noqa: ARG001
    """The same database, opened by somebody else."""
    opened = SQLAlchemyStore(tmp_path / "kohort.db")
    yield opened
    opened.close()


def in_request(store: SQLAlchemyStore, work: Callable[[], Any]) -> Any:
    """What somebody gets whose request begins now."""

    def begun() -> Any:
        store.begin_request()
        return work()

    return copy_context().run(begun)


def names(store: SQLAlchemyStore) -> list[str]:
    return [parent.name for parent in store.parents()]


def save(store: SQLAlchemyStore, name: str) -> int:
    return store.save_parent(name, name.lower(), {"name": name}, by="ada", at=AT).id


def queries_of(store: SQLAlchemyStore, monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> int:
    """How many transactions some work takes in one request."""
    begun: list[bool] = []
    begin = store._begin
    with monkeypatch.context() as patched:
        patched.setattr(store, "_begin", lambda *, writes: (begun.append(writes), begin(writes=writes))[1])
        in_request(store, work)
    return len(begun)


def test_what_was_read_is_not_read_again(store: SQLAlchemyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    parent_id = save(store, "Customers")

    def work() -> None:
        store.parents()
        store.parent("customers")
        store.segments(parent_id)
        store.last_refresh(parent_id)
        store.last_evaluation(parent_id)
        store.definitions_mark(parent_id)

    assert queries_of(store, monkeypatch, work) == 6
    assert queries_of(store, monkeypatch, work) == 0


def test_nothing_is_remembered_outside_of_requests(store: SQLAlchemyStore, other: SQLAlchemyStore) -> None:
    save(store, "Customers")
    in_request(store, lambda: names(store))
    save(other, "Shops")
    assert names(store) == ["Customers", "Shops"]


def test_the_next_request_sees_what_another_process_committed(store: SQLAlchemyStore, other: SQLAlchemyStore) -> None:
    save(store, "Customers")
    assert in_request(store, lambda: names(store)) == ["Customers"]
    save(other, "Shops")
    assert in_request(store, lambda: names(store)) == ["Customers", "Shops"]


def test_whoever_commits_sees_it_at_once(store: SQLAlchemyStore) -> None:
    def work() -> list[list[str]]:
        before = names(store)
        save(store, "Customers")
        between = names(store)
        with store.transaction():
            save(store, "Shops")
            inside = names(store)
        return [before, between, inside, names(store)]

    both = ["Customers", "Shops"]
    assert in_request(store, work) == [[], ["Customers"], both, both]


def test_what_was_rolled_back_is_not_remembered(store: SQLAlchemyStore) -> None:
    def work() -> list[str]:
        with suppress(ZeroDivisionError), store.transaction():
            save(store, "Customers")
            assert names(store) == ["Customers"]
            raise ZeroDivisionError
        return names(store)

    assert in_request(store, work) == []


def test_a_long_request_looks_again(store: SQLAlchemyStore, other: SQLAlchemyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(remembered.time, "monotonic", lambda: now[0])

    def work() -> list[list[str]]:
        first = names(store)
        save(other, "Customers")
        soon = names(store)
        now[0] += remembered.LONGEST_SECONDS + 0.01
        return [first, soon, names(store)]

    assert in_request(store, work) == [[], [], ["Customers"]]


def test_an_older_request_does_not_make_a_newer_one_forget_or_lie(store: SQLAlchemyStore, other: SQLAlchemyStore) -> None:
    def older() -> list[str]:
        save(other, "Customers")
        assert in_request(store, lambda: names(store)) == ["Customers"]
        names(store)
        return list(in_request(store, lambda: names(store)))

    assert in_request(store, older) == ["Customers"]


def test_a_session_ends_when_its_time_is_over_or_somebody_ends_it(store: SQLAlchemyStore) -> None:
    user = store.add_user("ada", "viewer", "-", by="ada", at=AT)
    store.add_session("hash", user.id, at=AT, expires_at=AT + timedelta(hours=1), address="")

    def found(minutes: int) -> bool:
        return store.session("hash", AT + timedelta(minutes=minutes)) is not None

    assert in_request(store, lambda: (found(59), found(60), found(59))) == (True, False, True)
    store.end_sessions(token_hash="hash")
    assert in_request(store, lambda: found(59)) is False


def test_a_user_who_is_disabled_or_gets_grants_is_another_one_with_the_next_request(store: SQLAlchemyStore, other: SQLAlchemyStore) -> None:
    parent_id = save(store, "Customers")
    user = store.add_user("ada", "viewer", "-", by="ada", at=AT)
    store.add_token("hash", "1234", user.id, "t", "viewer", by="ada", at=AT, expires_at=None)
    assert in_request(store, lambda: store.token("hash", AT)) is not None
    assert in_request(store, lambda: store.grants(user.id)) == []
    other.set_grants(user.id, [Grant(parent_id, "", "viewer")])
    assert in_request(store, lambda: store.grants(user.id)) == [Grant(parent_id, "", "viewer")]
    other.update_user(replace(user, disabled=True), by="ada", at=AT)
    assert in_request(store, lambda: store.token("hash", AT)) is None


def test_at_once_reads_nothing(store: SQLAlchemyStore) -> None:
    save(store, "Customers")
    assert store.at_once(lambda: names(store)) is None
    assert in_request(store, lambda: store.at_once(lambda: names(store))) is None
    in_request(store, lambda: names(store))
    assert in_request(store, lambda: store.at_once(lambda: names(store))) == ["Customers"]
    assert in_request(store, lambda: store.at_once(lambda: store.users())) is None


def test_only_so_much_is_kept(tmp_path: Path) -> None:
    store = SQLAlchemyStore(tmp_path / "kohort.db")
    store._remembered._most = 2
    made: list[int] = []

    def work() -> None:
        for number in (1, 2, 3, 3, 1):
            store.remembered(number, lambda: made.append(number))  # noqa: B023

    in_request(store, work)
    store.close()
    assert made == [1, 2, 3, 1]


def test_many_who_write_and_read_see_what_they_wrote(store: SQLAlchemyStore) -> None:
    missing: list[str] = []

    def work(number: int) -> None:
        for turn in range(5):
            name = f"P{number}-{turn}"
            save(store, name)
            if name not in names(store):
                missing.append(name)

    threads = [threading.Thread(target=in_request, args=(store, lambda number=number: work(number))) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []
    assert len(in_request(store, lambda: names(store))) == 30
