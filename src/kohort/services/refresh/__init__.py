"""The refresh of a parent segment: its tables measured, its profiles and behaviors built and switched to at once."""
