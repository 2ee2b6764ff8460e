"""What every event log must do. A subclass provides the fixture `open_log`, which opens one and the same log, as other processes would."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kohort.events.model import Received
from kohort.ports.event_log import EventLog, Position

OpenLog = Callable[[], EventLog]
START = Position(0)


def request(number: int, **fields: object) -> Received:
    """A small request that differs from every other."""
    return Received("shop", 1_700_000_000_000_000 + number, b'{"batch":[{"n":%d}]}' % number, **fields)  # type: ignore[arg-type]


def bodies(log: EventLog, after: Position = START, limit: int = 1000) -> list[bytes]:
    return [entry.received.body for entry in log.read(after, limit)]


class EventLogContract:
    """Run on every adapter."""

    @pytest.fixture
    def log(self, open_log: OpenLog) -> Iterator[EventLog]:
        log = open_log()
        yield log
        log.close()

    def test_a_new_log_is_empty(self, log: EventLog) -> None:
        assert log.end() == START
        assert list(log.read(START)) == []
        assert log.marks() == {}
        log.drop(Position(10))

    def test_every_field_comes_back_as_it_was(self, log: EventLog) -> None:
        sent = [
            Received("web_shop", 1, b""),
            Received("web_shop", -5, bytes(range(256)) * 300, "track", (0,), {0: "given"}, "203.0.113.7"),
            Received("日本", 2**62, b"\xff\xfe", "", (0, 7, 2499), {1: "a", 2498: "é\u0000"}, "::1"),
        ]
        log.append(sent)
        assert [entry.received for entry in log.read(START)] == sent

    def test_positions_ascend_and_lead_on(self, log: EventLog) -> None:
        first = log.append([request(1), request(2)])
        second = log.append([request(3)])
        assert START < first < second == log.end()
        entries = list(log.read(START))
        positions = [entry.position for entry in entries]
        assert positions == sorted(set(positions))
        assert positions[1:] == [first, second]
        for place, entry in enumerate(entries):
            assert list(log.read(entry.position)) == entries[place + 1 :]

    def test_appending_nothing_changes_nothing(self, log: EventLog) -> None:
        end = log.append([request(1)])
        assert log.append([]) == end == log.end()

    def test_a_limit_is_kept(self, log: EventLog) -> None:
        log.append([request(number) for number in range(200)])
        assert bodies(log, limit=3) == [request(number).body for number in range(3)]
        assert len(bodies(log, limit=150)) == 150

    def test_other_readers_see_what_is_appended_at_once(self, log: EventLog, open_log: OpenLog) -> None:
        reader = open_log()
        assert bodies(reader) == []
        end = log.append([request(1)])
        assert bodies(reader) == [request(1).body]
        assert reader.end() == end
        log.append([request(2)])
        assert bodies(reader, end) == [request(2).body]
        reader.close()

    def test_readers_do_not_hold_up_the_writer_nor_miss_anything(self, log: EventLog, open_log: OpenLog) -> None:
        log.append([request(number) for number in range(100)])
        reader = open_log()
        reading = reader.read(START)
        seen = [next(reading).received.body]
        log.append([request(100)])
        seen += [entry.received.body for entry in reading]
        after = [entry.position for entry in reader.read(START)][len(seen) - 1]
        seen += bodies(reader, after)
        assert seen == [request(number).body for number in range(101)]
        reader.close()

    def test_it_is_all_there_after_closing(self, log: EventLog, open_log: OpenLog) -> None:
        end = log.append([request(1), request(2)])
        log.close()
        again = open_log()
        assert again.end() == end
        assert bodies(again) == [request(1).body, request(2).body]
        assert again.append([request(3)]) > end
        assert bodies(again, end) == [request(3).body]
        again.close()

    def test_marks_are_kept_by_name(self, log: EventLog, open_log: OpenLog) -> None:
        log.mark("tables", Position(7))
        log.mark("ids", Position(3))
        log.mark("tables", Position(9))
        assert dict(open_log().marks()) == {"tables": Position(9), "ids": Position(3)}

    def test_nothing_after_what_may_be_dropped_is_dropped(self, log: EventLog) -> None:
        middle = log.append([request(1), request(2)])
        log.append([request(3)])
        log.drop(middle)
        assert bodies(log, middle) == [request(3).body]

    def test_nothing_after_a_mark_is_dropped(self, log: EventLog) -> None:
        first = log.append([request(1)])
        log.mark("slow", first)
        end = log.append([request(2)])
        log.drop(end)
        assert bodies(log, first) == [request(2).body]

    def test_positions_go_on_after_everything_was_dropped(self, log: EventLog, open_log: OpenLog) -> None:
        end = log.append([request(1)])
        log.drop(end)
        log.close()
        again = open_log()
        assert again.end() == end
        assert again.append([request(2)]) > end
        again.close()
