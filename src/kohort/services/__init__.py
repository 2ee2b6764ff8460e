"""Use cases, one verb a module: what the command line, the API and the studio call."""
