"""Small parts of pages: charts and tables in words, answers that are kept."""

from __future__ import annotations

import doctest
import threading
from importlib import import_module

import pytest

from kohort.web.studio.charts import spark_points
from kohort.web.studio.kept import Kept
from kohort.web.studio.tables import Sorting


@pytest.mark.parametrize("name", ["web.studio.charts", "web.studio.tables", "services.definitions.folders"])
def test_examples(name: str) -> None:
    results = doctest.testmod(import_module(f"kohort.{name}"))
    assert results.attempted
    assert not results.failed


def test_a_small_line_has_few_points_and_ends_with_the_last_value() -> None:
    points = spark_points([*range(364), 5000]).split()
    assert len(points) <= 32
    assert points[-1] == "96,2"


def test_what_has_no_value_is_sorted_last_either_way() -> None:
    values = [2, None, 3, 1]
    assert Sorting("size", False).sorted(values, lambda value: value) == [1, 2, 3, None]
    assert Sorting("size", True).sorted(values, lambda value: value) == [3, 2, 1, None]


def test_an_answer_is_made_once_even_when_many_ask_at_the_same_time() -> None:
    kept, begun = Kept(), threading.Barrier(5)
    made: list[str] = []

    def make() -> str:
        made.append("answer")
        return "answer"

    def ask() -> None:
        begun.wait()
        assert kept.get("key", make) == "answer"

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["answer"]


def test_a_failure_is_not_kept_and_old_answers_make_room() -> None:
    kept = Kept(most=2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert [kept.get(key, lambda key=key: key) for key in "abc"] == ["a", "b", "c"]  # type: ignore[misc]
    assert kept.get("c", lambda: "other") == "c"
    assert kept.get("a", lambda: "anew") == "anew"
