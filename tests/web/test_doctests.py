"""The examples in the modules of the server."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("name", ["keys", "nearby", "pixels", "rates", "routes"])
def test_examples(name: str) -> None:
    results = doctest.testmod(import_module(f"kohort.web.ingest.{name}"))
    assert results.attempted
    assert not results.failed
