"""Write keys in samples."""

from __future__ import annotations

import pytest

from kohort.events.masking import mask_write_keys


@pytest.mark.parametrize(
    ("sample", "shown"),
    [
        ('{"writeKey":"secret"}', '{"writeKey":"****"}'),
        ('{"a":1,"WriteKey" : "se\\"cret", "b": 2}', '{"a":1,"WriteKey" : "****", "b": 2}'),
        ('{"write_key":"secr', '{"write_key":"****"'),
        ('{"key":"writeKey", "x": "secret"}', '{"key":"writeKey", "x": "secret"}'),
        ('{"writeKey": null}', '{"writeKey": null}'),
        ("", ""),
    ],
)
def test_keys_are_stars(sample: str, shown: str) -> None:
    assert mask_write_keys(sample) == shown
