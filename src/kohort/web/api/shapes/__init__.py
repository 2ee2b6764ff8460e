"""The shape of every answer: what documents must hold (mypy checks it) and what the OpenAPI document promises."""
