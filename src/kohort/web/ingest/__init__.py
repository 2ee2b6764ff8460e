"""The Segment HTTP API: calls come in, are on disk, and only then acknowledged."""
