"""Benchmarks: programs that print a table and ratios in one run."""
