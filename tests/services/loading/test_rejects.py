"""What is kept of calls that could not be taken."""

from __future__ import annotations

from kohort.events.model import Received
from tests.services.loading.event_desk import BEGIN, Desk


def test_samples_do_not_show_write_keys() -> None:
    desk = Desk()
    bodies = [b'{"writeKey":"secret","type":"track","event":"Bad"}', b'{"writeKey":"secret","event":']
    desk.log.append([Received("web", BEGIN, body, "track") for body in bodies])
    desk.load()
    samples = [row["sample"] for row in desk.rows("rejects")]
    assert samples == ['{"writeKey":"****","type":"track","event":"Bad"}', '{"writeKey":"****","event":']
    desk.close()
