"""The examples in the docstrings of the pure part of events hold."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from kohort.events import lenient, naming, rows, scan, timestamps


@pytest.mark.parametrize("module", [lenient, naming, rows, scan, timestamps], ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
