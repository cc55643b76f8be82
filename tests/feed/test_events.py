"""Each update is sent to the event bus, also after a failure in between."""

import uuid

import pytest

from showrunner.aws import rpc
from tests.feed.ingestion import atom, kinds, notification, poll


def test_a_poll_stays_in_the_queue_until_the_bus_accepts_its_updates(world, tx, monkeypatch):
    from showrunner.aws import events

    message, sent = poll(str(uuid.uuid4())), []

    def refuses(updates):
        if updates and not sent:
            sent.append(None)
            raise rpc.AwsError("AccessDeniedException", "no")
        sent.extend(each.video_id for each in updates)

    monkeypatch.setattr(events, "put", refuses)  # moto's event bus never refuses
    with pytest.raises(rpc.AwsError):
        world.notify(message)
    assert world.take("NOTIFICATIONS_DEAD_URL") == []
    world.notify(message)
    assert sent == [None, "vid00000001"]
    assert kinds(tx) == ["new_video"]


def test_an_update_is_sent_to_the_bus_again_after_a_crash(world, tx, monkeypatch):
    from showrunner.aws import events

    sent = []
    # moto's event bus cannot be read
    monkeypatch.setattr(events, "put", lambda updates: sent.append([each.event_id for each in updates]))
    message = notification(atom())
    world.notify(message)
    world.notify(message)
    assert sent[0] == sent[1] != []
