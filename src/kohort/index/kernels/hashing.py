"""SHA-256 of many texts as compiled code: places on the line of an A/B test."""

from __future__ import annotations

from typing import Any

import numpy as np

from kohort.index.compiled import I64, INT64, OUT_U64, U8, helper, kernel


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _root_digits(number: int, root: int) -> int:
    """The first 32 binary digits after the point of a square (2) or cube (3) root."""
    scaled = number << (32 * root)
    low, high = 0, 1 << 40
    while low < high:
        middle = (low + high + 1) // 2
        if middle**root <= scaled:
            low = middle
        else:
            high = middle - 1
    return low & 0xFFFFFFFF


_ROUND = np.array([_root_digits(prime, 3) for prime in _primes(64)], dtype=np.uint32)
_START = np.array([_root_digits(prime, 2) for prime in _primes(8)], dtype=np.uint32)


@helper
def _rotated(word: Any, by: Any) -> Any:
    return (word >> np.uint32(by)) | (word << np.uint32(32 - by))


@helper
def _compress(state: Any, words: Any) -> Any:
    """One block of SHA-256 (FIPS 180-4, 6.2.2)."""
    for t in range(16, 64):
        early, late = words[t - 15], words[t - 2]
        small0 = _rotated(early, 7) ^ _rotated(early, 18) ^ (early >> np.uint32(3))
        small1 = _rotated(late, 17) ^ _rotated(late, 19) ^ (late >> np.uint32(10))
        words[t] = words[t - 16] + small0 + words[t - 7] + small1
    a, b, c, d = state[0], state[1], state[2], state[3]
    e, f, g, h = state[4], state[5], state[6], state[7]
    for t in range(64):
        chosen = (e & f) ^ (~e & g)
        most = (a & b) ^ (a & c) ^ (b & c)
        first = h + (_rotated(e, 6) ^ _rotated(e, 11) ^ _rotated(e, 25)) + chosen + _ROUND[t] + words[t]
        second = (_rotated(a, 2) ^ _rotated(a, 13) ^ _rotated(a, 22)) + most
        h, g, f, e, d, c, b, a = g, f, e, np.uint32(d + first), c, b, a, np.uint32(first + second)
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d
    state[4] += e
    state[5] += f
    state[6] += g
    state[7] += h


@kernel((I64, U8, U8, INT64, INT64, OUT_U64))
def hash_places(offsets: Any, texts: Any, prefix: Any, first: Any, last: Any, places: Any) -> None:
    """The first 64 bits of SHA-256 of the prefix and each text; text i is texts[offsets[i]:offsets[i + 1]]."""
    state, words = np.empty(8, dtype=np.uint32), np.empty(64, dtype=np.uint32)
    lead = len(prefix)
    for i in range(first, last):
        start = offsets[i]
        length = lead + offsets[i + 1] - start
        state[:] = _START
        for block in range((length + 9 + 63) // 64):
            for t in range(16):
                word = np.uint32(0)
                for j in range(4):
                    place = block * 64 + t * 4 + j
                    byte = np.uint32(0)
                    if place < lead:
                        byte = np.uint32(prefix[place])
                    elif place < length:
                        byte = np.uint32(texts[start + place - lead])
                    elif place == length:
                        byte = np.uint32(0x80)
                    word = (word << np.uint32(8)) | byte
                words[t] = word
            if (block + 1) * 64 >= length + 9:
                words[14] = np.uint32((length * 8) >> 32)
                words[15] = np.uint32((length * 8) & 0xFFFFFFFF)
            _compress(state, words)
        places[i - first] = (np.uint64(state[0]) << np.uint64(32)) | np.uint64(state[1])
