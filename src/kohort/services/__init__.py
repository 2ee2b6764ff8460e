"""Use cases, one verb a module: what the CLI (and later the API) calls."""
