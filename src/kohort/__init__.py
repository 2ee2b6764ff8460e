"""Kohort: an audience engine. Tables and events become profiles, rules become segments."""

__version__ = "0.1.0"
