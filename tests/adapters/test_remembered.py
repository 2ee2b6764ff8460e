"""What a request remembers of the store, and that nobody is told what is not true any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from kohort.adapters.sqlalchemy import remembered
from kohort.adapters.sqlalchemy.engine import parse_url
from kohort.adapters.sqlalchemy.store import SQLAlchemyStore
from kohort.foundation.errors import UserError
from kohort.ports.sources import NewSource
from kohort.ports.users import Grant

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(any_url: str) -> Iterator[SQLAlchemyStore]:
    opened = SQLAlchemyStore(any_url)
    yield opened
    opened.close()


@pytest.fixture
def other(any_url: str, store: SQLAlchemyStore) -> Iterator[SQLAlchemyStore]:  # noqa: ARG001
    """The same database, opened by somebody else."""
    opened = SQLAlchemyStore(any_url)
    yield opened
    opened.close()


@pytest.fixture
def server(postgres_url: str) -> Iterator[SQLAlchemyStore]:
    """A store on a server."""
    opened = SQLAlchemyStore(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def elsewhere(server: SQLAlchemyStore, postgres_url: str) -> Iterator[Engine]:  # noqa: ARG001
    """A connection of a program that is not Kohort."""
    engine = create_engine(parse_url(postgres_url))
    yield engine
    engine.dispose()


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

    def after_a_look(work: Callable[[], Any]) -> Any:
        store._remembered.mark()
        return store.at_once(work)

    assert in_request(store, lambda: after_a_look(lambda: names(store))) is None
    in_request(store, lambda: names(store))
    assert in_request(store, lambda: after_a_look(lambda: names(store))) == ["Customers"]
    assert in_request(store, lambda: after_a_look(store.users)) is None


def test_at_once_asks_a_file_but_never_waits_for_a_server(store: SQLAlchemyStore) -> None:
    save(store, "Customers")
    in_request(store, lambda: names(store))
    is_file = store._url.get_backend_name() == "sqlite"
    assert in_request(store, lambda: store.at_once(lambda: names(store))) == (["Customers"] if is_file else None)


def test_only_so_much_is_kept(store: SQLAlchemyStore) -> None:
    store._remembered._most = 2
    made: list[int] = []

    def work() -> None:
        for number in (1, 2, 3, 3, 1):
            store.remembered(number, lambda: made.append(number))  # noqa: B023

    in_request(store, work)
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


@pytest.mark.parametrize("seed", range(4))
def test_kept_answers_are_those_of_fresh_reads(store: SQLAlchemyStore, other: SQLAlchemyStore, seed: int) -> None:
    draw = Random(seed)
    answers = _all_answers(store.save_parent("A", "a", {}, by="ada", at=AT).id)
    for _ in range(60):
        _do_something(draw, draw.choice((store, other)))
        for asked in (store, other):
            wanted = draw.sample(sorted(answers), 3)
            kept = in_request(asked, lambda asked=asked, wanted=wanted: [answers[each](asked) for each in wanted])
            assert kept == [answers[each](asked) for each in wanted]


def _all_answers(parent_id: int) -> dict[str, Callable[[SQLAlchemyStore], Any]]:
    """What a request may ask, by name."""
    return {
        "parents": lambda asked: asked.parents(),
        "parent": lambda asked: asked.parent("a"),
        "segments": lambda asked: asked.segments(parent_id),
        "mark": lambda asked: asked.definitions_mark(parent_id),
        "refresh": lambda asked: asked.last_refresh(parent_id),
        "evaluation": lambda asked: asked.last_evaluation(parent_id),
        "grants": lambda asked: asked.grants(1),
        "sources": lambda asked: asked.sources(),
        "source": lambda asked: asked.source("shop"),
        "keys": lambda asked: asked.write_keys(),
    }


def _do_something(draw: Random, by: SQLAlchemyStore) -> None:
    """A change, one that is taken back, several at once, or none."""
    [parent] = by.parents()
    number = draw.randrange(10**6)
    match draw.randrange(8):
        case 0:
            by.save_parent("A", "a", {"number": number}, by="ada", at=AT)
        case 1:
            by.save_segment(parent.id, "", f"S{draw.randrange(4)}", "batch", {"number": number}, str(number), by="ada", at=AT)
        case 2 if found := by.segments(parent.id):
            by.delete_segment(draw.choice(found).id)
        case 3:
            refresh = by.start_refresh(parent.id, as_of=AT, at=AT)
            by.finish_refresh(refresh.id, "success", at=AT, population=number)
        case 4:
            with suppress(ZeroDivisionError), by.transaction():
                by.save_parent("A", "a", {"number": -number}, by="ada", at=AT)
                raise ZeroDivisionError
        case 5:
            with by.transaction():
                by.save_evaluation(parent.id, 1, as_of=AT, at=AT, total=number, populations=[])
                user = by.users()[0] if by.users() else by.add_user("ada", "viewer", "-", by="ada", at=AT)
                by.set_grants(user.id, [Grant(parent.id, str(number), "viewer")])
        case 6:
            source = by.source("shop") or by.add_source(NewSource("Shop", "shop"), str(number), "1234", by="ada", at=AT)
            if draw.random() < 0.3:
                by.remove_source(source.id)
            else:
                by.rotate_key(source.id, f"{number}b", "1234", by="ada", at=AT)
        case _:
            pass


def test_many_at_once_are_never_told_what_was_before_they_asked(store: SQLAlchemyStore, other: SQLAlchemyStore) -> None:
    """Somebody counts up; whoever asks is told at least what was committed when the request began, however many ask."""
    committed, older = [save(store, "0")], []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            least = committed[-1]
            found = in_request(store, lambda: [store.definitions_mark(1), store.parents()[-1].id][1])
            if found < least:
                older.append((found, least))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for number in range(1, 10):
        committed.append(save(other if number % 2 else store, str(number)))  # noqa: PERF401
    done.set()
    for thread in threads:
        thread.join()
    assert older == []


@pytest.mark.postgres
class TestServer:
    """What two connections of a server can do to each other."""

    def rename(self, connection: Connection, name: str) -> None:
        connection.execute(text("UPDATE parent_segments SET name = :name"), {"name": name})

    def look(self, store: SQLAlchemyStore) -> list[str]:
        return list(in_request(store, lambda: names(store)))

    def test_what_is_not_committed_is_neither_seen_nor_taken_for_seen(self, server: SQLAlchemyStore, elsewhere: Engine) -> None:
        save(server, "before")
        with elsewhere.connect() as connection:
            for ends, seen in ((connection.rollback, "before"), (connection.commit, "after")):
                self.rename(connection, "after")
                assert self.look(server) == ["before"]
                assert self.look(server) == ["before"]
                ends()
                assert self.look(server) == [seen]

    def test_a_commit_between_the_look_and_the_read_is_seen_by_the_next(self, server: SQLAlchemyStore, elsewhere: Engine) -> None:
        save(server, "before")

        def between() -> list[str]:
            server._remembered.mark()
            with elsewhere.begin() as connection:
                self.rename(connection, "after")
            return names(server)

        assert in_request(server, between) == ["after"]
        with elsewhere.begin() as connection:
            self.rename(connection, "later")
        assert self.look(server) == ["later"]

    def test_one_transaction_is_counted_once_however_much_it_changes(self, server: SQLAlchemyStore, elsewhere: Engine) -> None:
        def number() -> int:
            with elsewhere.connect() as connection:
                return int(connection.execute(text("SELECT number FROM changes")).scalar_one())

        before = number()
        with server.transaction():
            for name in ("a", "b", "c"):
                save(server, name)
        save(server, "c")
        assert number() == before + 1, "the last one changed nothing"

    def test_who_changes_something_holds_the_count_before_anything_else(self, server: SQLAlchemyStore, elsewhere: Engine) -> None:
        """So numbers are given in the order of the commits, and nobody can wait for each other crosswise."""
        save(server, "Customers")
        with elsewhere.connect() as first, elsewhere.connect() as second:
            first.execute(text("UPDATE users SET name = name"))
            second.execute(text("SET lock_timeout = '50ms'"))
            with pytest.raises(Exception, match="lock timeout") as caught:
                self.rename(second, "after")
            assert "changes" in str(caught.value)
            self.rename(first, "first")
            first.commit()
        assert self.look(server) == ["first"]

    def test_tables_of_another_schema_are_found_by_their_full_name(self, server: SQLAlchemyStore, elsewhere: Engine) -> None:
        save(server, "before")
        assert self.look(server) == ["before"]
        with elsewhere.begin() as connection:
            schema = connection.execute(text("SELECT current_schema()")).scalar_one()
            connection.execute(text("SET search_path = ''"))
            connection.execute(text(f"UPDATE {schema}.parent_segments SET name = 'after'"))
        assert self.look(server) == ["after"]

    def test_a_count_from_an_older_dump_is_another_one(self, server: SQLAlchemyStore, elsewhere: Engine) -> None:
        save(server, "before")
        assert self.look(server) == ["before"]
        with elsewhere.begin() as connection:
            number = connection.execute(text("SELECT number FROM changes")).scalar_one()
            self.rename(connection, "after")
            connection.execute(text("DELETE FROM changes"))
            connection.execute(text("INSERT INTO changes VALUES (:number)"), {"number": number})
        assert self.look(server) == ["after"]

    def test_a_watch_that_lost_its_connection_begins_anew(self, server: SQLAlchemyStore, elsewhere: Engine) -> None:
        save(server, "before")
        assert self.look(server) == ["before"]
        with elsewhere.begin() as connection:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%FROM changes' AND pid <> pg_backend_pid()"
            assert connection.execute(text(ended)).all()
            self.rename(connection, "after")
        assert in_request(server, server._remembered.mark) is None
        assert self.look(server) == ["after"]
        with elsewhere.begin() as connection:
            self.rename(connection, "later")
        assert self.look(server) == ["later"]

    def test_a_count_that_somebody_took_away_keeps_nothing(self, server: SQLAlchemyStore, elsewhere: Engine) -> None:
        save(server, "before")
        assert self.look(server) == ["before"]
        with elsewhere.begin() as connection:
            connection.execute(text("DELETE FROM changes"))
            self.rename(connection, "after")
        assert self.look(server) == ["after"]

    def test_a_closed_store_looks_no_more(self, server: SQLAlchemyStore) -> None:
        def closed() -> None:
            server.close()
            server._remembered.mark()

        assert in_request(server, server._remembered.mark) is not None
        in_request(server, closed)
        assert in_request(server, server._remembered.mark) is None

    def test_a_server_that_is_gone_is_a_message(self, server: SQLAlchemyStore, monkeypatch: pytest.MonkeyPatch) -> None:
        def gone(*_: object, **__: object) -> None:
            raise server._engine.dialect.loaded_dbapi.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(server._engine.dialect, "connect", gone)
        monkeypatch.setattr(server._remembered._watch._engine.dialect, "connect", gone)  # type: ignore[attr-defined]
        server._engine.dispose()
        with pytest.raises(UserError):
            self.look(server)
