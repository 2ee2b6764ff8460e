"""The studio: the pages that people open. Pages read; every change goes through the API, so there is one way to do each thing."""
