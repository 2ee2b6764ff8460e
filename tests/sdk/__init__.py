"""The published clients, unmodified, against a real server."""
