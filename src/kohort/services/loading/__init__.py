"""From the log to the tables of sources: in order, every call exactly once, beside a server or alone."""
