"""The shipped test kit: data and rule strategies, the case runner, port contracts."""
