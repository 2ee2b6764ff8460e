"""Segments while somebody writes them: every form of a draft, and what it would give."""
