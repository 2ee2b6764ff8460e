"""What every test needs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

settings.register_profile("steady", derandomize=True)
settings.load_profile("steady")  # the same examples every time, but for tests marked `long`: a change is judged by what it does
providers._get_local_constants = lambda: providers._local_constants
# Hypothesis mixes constants of modules of ours that happen to be loaded into what it draws: another order of tests, other examples.


@pytest.fixture(autouse=True)
def _own_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """A browser that other tests left open has an event loop on this thread; tests without one begin loops of their own."""
    loop = asyncio._get_running_loop()
    if loop is None or "browser" in request.fixturenames:
        yield
        return
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
