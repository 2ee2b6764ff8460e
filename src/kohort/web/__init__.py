"""Servers: what other programs and browsers speak to."""
