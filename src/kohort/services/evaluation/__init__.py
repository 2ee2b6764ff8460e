"""Who is in which segment: all segments of a parent, one rule, two segments compared."""
