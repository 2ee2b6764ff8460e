"""A rule and the data become a set of profiles: SQL for speed, `reference` as the oracle."""
