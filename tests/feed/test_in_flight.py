"""Messages that the release before put into the queues are understood by this one.

Recorded from the release of 2026-11-22. When a message changes, its old form is added here and stays for one
release.
"""

import base64
import json
import uuid

from showrunner.aws import queues
from showrunner.database import db
from showrunner.feed import intake
from showrunner.feed.messages import HubRequest, LookUpVideos, PollChannel
from tests.feed.ingestion import CALLBACK, CHANNEL, atom, kinds

AT = "2026-11-22T08:00:05.123456+00:00"


def test_requests_to_the_hub_without_a_kind_are_understood():
    old = {"token": "x" * 43, "mode": "subscribe"}
    assert queues.decode(json.dumps(old), (HubRequest,)) == HubRequest("x" * 43, "subscribe")


def test_requests_to_poll_and_to_look_up_are_understood():
    poll = {"kind": "poll", "channel_id": CHANNEL, "paid": True}
    enrich = {"kind": "enrich", "video_ids": ["vid00000001"]}
    classes = (PollChannel, LookUpVideos)

    assert queues.decode(json.dumps(poll), classes) == PollChannel(CHANNEL, True)
    assert queues.decode(json.dumps(enrich), classes) == LookUpVideos(["vid00000001"])


def test_every_message_to_the_intake_is_processed(world, tx):
    _, subscription = world.api(
        "POST", "/api/v1/subscriptions", {"channel_id": CHANNEL, "callback_url": CALLBACK}
    )
    key = subscription["id"]
    found = {
        "video_id": "vid00000002",
        "title": "Polled",
        "channel_title": None,
        "published_at": AT,
        "at": AT,
    }
    body = base64.b64encode(atom()).decode()
    old = [
        {"kind": "verified", "subscription_id": key, "lease_seconds": 432_000, "at": AT},
        {
            "kind": "answered",
            "subscription_id": key,
            "outcome": "unavailable",
            "reason": "503",
            "retry_after": None,
            "at": AT,
        },
        {
            "kind": "notification",
            "delivery_id": str(uuid.uuid4()),
            "subscription_id": key,
            "channel_id": CHANNEL,
            "body": body,
            "at": AT,
        },
        {
            "kind": "polled",
            "delivery_id": str(uuid.uuid4()),
            "channel_id": CHANNEL,
            "origin": "feed",
            "found": [found],
            "error": None,
            "at": AT,
        },
        {
            "kind": "enriched",
            "videos": [{"video_id": "vid00000001", "details": {"duration_seconds": 5}}],
            "missing": ["vid00000002"],
            "at": AT,
        },
        {"kind": "denied", "subscription_id": key, "reason": "no", "at": AT},
    ]

    assert world.notify(*old) == {"batchItemFailures": []}

    assert world.take("NOTIFICATIONS_DEAD_URL") == []
    assert sorted(kinds(tx)) == ["new_video", "new_video"]
    assert {each["kind"] for each in old} == {each._field_defaults["kind"] for each in intake.CLASSES}


def test_polls_that_were_stored_as_atom_can_be_replayed(world, tx):
    """Until 2026-11 a poll's find was written as a hub's XML."""
    sql = """
        INSERT INTO feed.events (received_at, origin, content_hash, raw_xml)
        VALUES (now(), 'feed', sha256(:body), :text) RETURNING id
    """
    event_id = db.value(tx, sql, body=atom(), text=atom().decode())

    assert world.api("POST", f"/api/v1/webhook-events/{event_id}/replay")[0] == 200

    assert kinds(tx) == ["new_video"]
