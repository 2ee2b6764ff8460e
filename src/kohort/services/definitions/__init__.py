"""Definitions in the store: brought in from files and out again, saved, moved, compared and taken back."""
