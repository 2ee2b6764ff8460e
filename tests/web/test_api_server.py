"""What the server of pages does after its start, so that first questions are as quick as others."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from kohort.bootstrap import Kohort
from kohort.web.server import _warm_up


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Garbage of other tests is looked at again afterwards."""
    yield
    gc.unfreeze()


def warmed(work: Callable[[Callable[[], None]], None]) -> None:
    """Warm up as the server does, on a thread of its own."""
    kohort = cast(Kohort, SimpleNamespace(engines=SimpleNamespace(warm_up=work)))
    thread = threading.Thread(target=_warm_up, args=[kohort])
    thread.start()
    thread.join()


def test_loaded_code_is_not_looked_through_for_garbage_again() -> None:
    gc.unfreeze()
    warmed(lambda loaded: loaded())
    assert gc.get_freeze_count() > 10_000


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="threads have no priorities here")
def test_who_holds_locks_that_questions_need_is_not_slower_than_they_are() -> None:
    seen: list[int] = []
    warmed(lambda _loaded: seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
    assert seen == [os.getpriority(os.PRIO_PROCESS, 0)]


def test_a_warm_up_that_fails_ends_nothing() -> None:
    def fails(_loaded: Callable[[], None]) -> None:
        raise RuntimeError("no")

    warmed(fails)
