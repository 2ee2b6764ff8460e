"""YAML and JSON text to values that know where they stand in their file, and back."""
