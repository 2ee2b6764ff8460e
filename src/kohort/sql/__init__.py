"""SQL as sqlglot trees: names, typed literals, dialect differences as data."""
