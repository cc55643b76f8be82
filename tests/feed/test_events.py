"""Each update is sent to the event bus, also after a failure in between."""

import uuid

import pytest

from showrunner import signed
from tests.feed.ingestion import atom, kinds, notification, poll


def test_a_poll_stays_in_the_queue_until_the_bus_accepts_its_updates(world, tx, monkeypatch):
    from showrunner import events as bus

    message, sent = poll(str(uuid.uuid4())), []

    def refuses(kind, details):
        if details and not sent:
            sent.append(None)
            raise signed.Refused("AccessDeniedException", "no")
        sent.extend(each["video_id"] for each in details)

    monkeypatch.setattr(bus, "emit_all", refuses)  # moto's bus refuses nobody
    with pytest.raises(signed.Refused):
        world.notify(message)
    assert world.take("NOTIFICATIONS_DEAD_URL") == []
    world.notify(message)
    assert sent == [None, "vid00000001"]
    assert kinds(tx) == ["new_video"]


def test_an_update_is_sent_to_the_bus_again_after_a_crash(world, tx, monkeypatch):
    from showrunner import events as bus

    sent = []
    monkeypatch.setattr(bus, "emit_all", lambda kind, details: sent.append([each["event_id"] for each in details]))  # moto's bus can't be read
    message = notification(atom())
    world.notify(message)
    world.notify(message)
    assert sent[0] == sent[1] != []
