"""Each update is sent to the event bus, also after a failure in between."""

import uuid

import pytest

from showrunner import signed
from tests.feed.ingestion import atom, kinds, notification, poll


def test_a_poll_whose_updates_the_bus_refuses_stays_in_the_queue_and_is_told_of_by_the_next_run(world, tx, monkeypatch):
    from showrunner import events as bus

    message, told = poll(str(uuid.uuid4())), []

    def refuses(kind, details):
        if details and not told:
            told.append(None)
            raise signed.Refused("AccessDeniedException", "no")
        told.extend(each["video_id"] for each in details)

    monkeypatch.setattr(bus, "emit_all", refuses)  # moto's bus refuses nobody
    with pytest.raises(signed.Refused):
        world.notify(message)
    assert world.take("NOTIFICATIONS_DEAD_URL") == []
    world.notify(message)
    assert told == [None, "vid00000001"]
    assert kinds(tx) == ["new_video"]


def test_each_update_is_told_to_the_bus_once_more_after_a_death(world, tx, monkeypatch):
    from showrunner import events as bus

    told = []
    monkeypatch.setattr(bus, "emit_all", lambda kind, details: told.append([each["event_id"] for each in details]))  # moto's bus can't be read
    message = notification(atom())
    world.notify(message)
    world.notify(message)
    assert told[0] == told[1] != []
