"""Ports made real; the only home of drivers."""
