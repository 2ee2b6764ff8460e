"""Calls of the Segment spec: how they are read, checked and named, and which rows of which tables they become."""
