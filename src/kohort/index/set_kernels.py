"""Counting over sets of profiles as compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from kohort.index.compiled import array, helper, kernel, output

_U64, _OUT_I64 = array(types.uint64), output(types.int64)


@helper
def _popcount(word: Any) -> Any:
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@kernel((_U64, _U64, _OUT_I64))
def count_common(one: Any, other: Any, found: Any) -> None:
    """found[0]: how many bits are set in both."""
    both = np.uint64(0)
    for word in range(len(one)):
        both += _popcount(one[word] & other[word])
    found[0] = np.int64(both)
