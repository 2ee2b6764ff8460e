"""Who is in which segment: snapshots of an evaluation on disk."""
