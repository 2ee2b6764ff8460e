"""The rule language's case files, on every evaluator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kohort.testing.cases import Case, load_folder
from kohort.testing.evaluators import EVALUATORS, Evaluator, IndexEvaluator

CASES = load_folder(Path(__file__).parents[1] / "cases")


@pytest.fixture(scope="module")
def evaluators() -> Iterator[dict[str, Evaluator]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(make()) for name, make in EVALUATORS.items()}


@pytest.mark.parametrize("evaluator", list(EVALUATORS))
@pytest.mark.parametrize("case", CASES, ids=str)
def test_members(case: Case, evaluator: str, evaluators: dict[str, Evaluator]) -> None:
    found = evaluators[evaluator].members(case.dataset, case.segments, case.asked, case.as_of)
    assert sorted(found) == sorted(case.members)


ALWAYS_BY_KERNEL = {
    "ab_tests",
    "aggregates",
    "arrays",
    "booleans_and_groups",
    "dates",
    "filters",
    "first_last",
    "grouping",
    "numbers",
    "sequences",
    "sliding",
    "text",
}


@pytest.mark.parametrize("name", sorted(ALWAYS_BY_KERNEL))
def test_the_index_answers_itself(name: str) -> None:
    cases = [case for case in CASES if case.file == f"{name}.yaml"]
    with IndexEvaluator() as evaluator:
        for case in cases[:8]:
            evaluator.members(case.dataset, case.segments, case.asked, case.as_of)
        assert cases
        assert not evaluator.left_to_sql


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 500
