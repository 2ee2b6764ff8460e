"""The HTTP API for people and programs: `/api/v1`. Parses, calls one service, formats."""
