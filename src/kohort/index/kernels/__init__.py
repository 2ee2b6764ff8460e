"""The compiled loops over an index: marking what passes a test, locating rows, measuring slices, and what is told in place.

A slice is `starts[i]:stops[i]` of some rows (int32); a mask has one bit per row (uint64 words, lowest bit first) and counts only when
`masked`. Results stand at i - first. Bits are written into whole words: ranges begin at multiples of 64.

An index that might be negative is looked at twice, and no loop with one is done many at a time: hot loops count from 0 over a part of
an array, or index with what has no sign. Compiled code is kept until the file of its kernel changes, so a module holds its helpers itself.
"""
