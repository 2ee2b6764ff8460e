"""Parent segments: written, checked, their fields and what values those have, their profile index."""
