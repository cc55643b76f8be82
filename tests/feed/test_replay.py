"""Replay of stored events, and updates that two workers write at the same time."""

import uuid

from showrunner.store.feed import webhook_events
from tests.feed.ingestion import OTHER, atom, kinds, notification, poll


def test_a_replay_processes_an_event_that_was_set_aside(world, tx):
    world.notify(notification(atom(channel=OTHER)))
    _, page = world.api("GET", "/api/v1/webhook-events", query={"processed": "false"})
    event_id = page["webhook_events"][0]["id"]
    status, body = world.api("POST", f"/api/v1/webhook-events/{event_id}/replay")
    assert (status, body["processed"], body["processing_error"]) == (200, True, None)
    assert kinds(tx) == ["new_video"]
    world.api("POST", f"/api/v1/webhook-events/{event_id}/replay")
    assert kinds(tx) == ["new_video"]


def test_a_replay_of_a_repeat_changes_nothing(world, tx):
    world.notify(notification(atom()), notification(atom()))
    first, repeat = world.api("GET", "/api/v1/webhook-events", query={"order": "asc", "order_by": "id"})[1][
        "webhook_events"
    ]
    assert repeat["repeat_of"] == first["id"]
    for event in (repeat, first, repeat):
        assert world.api("POST", f"/api/v1/webhook-events/{event['id']}/replay") == (
            200,
            event | {"processed_at": processed_at(world, event)},
        )
    assert kinds(tx) == ["new_video"]


def processed_at(world, event):
    """Return processed_at, the only field that a replay may change."""
    return world.api("GET", f"/api/v1/webhook-events/{event['id']}")[1]["processed_at"]


def test_a_replay_of_content_that_another_event_delivered_is_a_repeat(world, tx):
    body = atom(channel=OTHER)
    world.notify(notification(body), notification(body, channel=OTHER))
    aside, delivered = world.api("GET", "/api/v1/webhook-events", query={"order": "asc", "order_by": "id"})[
        1
    ]["webhook_events"]
    status, event = world.api("POST", f"/api/v1/webhook-events/{aside['id']}/replay")
    assert (status, event["processed"], event["processing_error"], event["repeat_of"]) == (
        200,
        True,
        None,
        delivered["id"],
    )
    assert kinds(tx) == ["new_video"]


def lose_first_race(monkeypatch, name):
    """Let the first call fail as if another worker had committed the same videos."""
    real, calls = getattr(webhook_events, name), []

    def races(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise webhook_events.Raced
        return real(*arguments)

    monkeypatch.setattr(webhook_events, name, races)


def test_a_poll_is_retried_when_another_worker_adds_the_same_videos(world, tx, monkeypatch):
    lose_first_race(monkeypatch, "record")
    world.notify(poll(str(uuid.uuid4())))
    assert kinds(tx) == ["new_video"]
    assert world.take("NOTIFICATIONS_DEAD_URL") == []


def test_a_replay_is_retried_when_another_worker_adds_the_same_videos(world, tx, monkeypatch):
    world.notify(notification(atom(channel=OTHER)))
    [event] = world.api("GET", "/api/v1/webhook-events")[1]["webhook_events"]
    lose_first_race(monkeypatch, "replay")
    assert world.api("POST", f"/api/v1/webhook-events/{event['id']}/replay")[0] == 200
    assert kinds(tx) == ["new_video"]


def test_a_poll_that_the_database_refuses_is_set_aside_alone(world, tx):
    bad = poll(str(uuid.uuid4()), video_id="vid00000bad", title="a\0b")
    assert world.notify(notification(atom()), bad, poll(str(uuid.uuid4()), video_id="vid00000002")) == {
        "batchItemFailures": []
    }
    assert sorted(kinds(tx)) == ["new_video", "new_video"]
    assert world.take("NOTIFICATIONS_DEAD_URL") == [bad]
