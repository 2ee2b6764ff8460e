"""Sources: who may send calls, what arrived of each, and what became of it."""
