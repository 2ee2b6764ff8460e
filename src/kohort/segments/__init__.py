"""Segments, folders and A/B tests: definitions, how they refer to each other, their versions."""
