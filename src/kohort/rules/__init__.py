"""The rule language: what a segment means, in one frozen tree, with every way to write, check and tell it."""
