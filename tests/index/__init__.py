"""Tests of the profile index."""
