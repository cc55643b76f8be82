"""Notifications become channels, videos and updates; a message that fails is set aside alone."""

from showrunner.aws import rpc
from showrunner.database import db
from showrunner.store.feed import webhook_events
from tests.feed.ingestion import CHANNEL, atom, events, kinds, notification, tombstone


def test_notifications_become_channels_videos_and_updates(world, tx):
    assert world.notify(
        notification(atom()),
        notification(atom(title="New title", updated="2026-11-20T10:00:00+00:00")),
        notification(tombstone()),
    ) == {"batchItemFailures": []}
    assert sorted(kinds(tx)) == ["deleted", "new_video", "title_update"]
    status, body = world.api("GET", "/api/v1/videos/vid00000001")
    assert (status, body["title"], body["published_at"]) == (200, "New title", "2026-11-20T08:12:50.000000Z")
    assert body["deleted_at"] is None  # the entry is newer than the tombstone
    status, body = world.api("GET", f"/api/v1/channels/{CHANNEL}")
    assert (status, body["title"]) == (200, "Channel")


def test_the_channel_of_a_tombstone_comes_from_its_author(world, tx):
    world.notify(notification(tombstone()))
    assert db.one(tx, "SELECT channel_id, update_type FROM feed.updates") == {
        "channel_id": CHANNEL,
        "update_type": "deleted",
    }
    assert world.api("GET", "/api/v1/videos/vid00000001")[0] == 404
    world.notify(notification(atom()))
    status, body = world.api("GET", "/api/v1/videos/vid00000001")
    assert (status, body["deleted_at"]) == (200, "2026-11-20T09:00:00.000000Z")


def test_markup_in_titles_is_text(world, tx):
    world.notify(notification(atom(title="<![CDATA[<script>alert(1)</script> & ]]>&#60;b&gt; &quot;x&quot;")))
    assert db.value(tx, "SELECT title FROM feed.videos") == '<script>alert(1)</script> & <b> "x"'


def test_dates_with_an_offset_are_the_same_moment(world, tx):
    world.notify(notification(atom(updated="2026-11-20T10:00:00+05:30")))
    world.notify(notification(atom(title="Newer", updated="2026-11-20T04:30:01Z")))
    assert kinds(tx) == ["new_video", "title_update"]
    assert db.value(tx, "SELECT title FROM feed.videos") == "Newer"


def test_a_message_that_the_database_refuses_stops_no_other(world, tx):
    """No code of ours writes such a message."""
    assert world.notify(notification(atom(), delivery_id="no uuid"), notification(atom("vid00000002"))) == {
        "batchItemFailures": []
    }
    assert kinds(tx) == ["new_video"]
    assert [each["delivery_id"] for each in world.take("NOTIFICATIONS_DEAD_URL")] == ["no uuid"]


def test_a_feed_without_entries_is_processed_without_updates(world, tx):
    world.notify(notification(b'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title></feed>'))
    assert [row["processed"] for row in events(tx)] == [True]
    assert kinds(tx) == []


def test_an_unreadable_message_goes_to_the_dead_letter_queue_unchanged(world, tx):
    assert world.notify('"no', notification(atom()), "[]") == {"batchItemFailures": []}
    assert kinds(tx) == ["new_video"]
    dead = rpc.call(
        "sqs",
        "ReceiveMessage",
        {"QueueUrl": world.queues["NOTIFICATIONS_DEAD_URL"], "MaxNumberOfMessages": 10},
    )["Messages"]
    assert sorted(each["Body"] for each in dead) == ['"no', "[]"]
    for each in dead:
        rpc.call(
            "sqs",
            "DeleteMessage",
            {"QueueUrl": world.queues["NOTIFICATIONS_DEAD_URL"], "ReceiptHandle": each["ReceiptHandle"]},
        )


def test_a_message_with_missing_fields_is_set_aside(world, tx):
    world.notify({"kind": "notification"}, {"kind": "nothing"}, notification(atom()))
    assert kinds(tx) == ["new_video"]
    assert len(world.take("NOTIFICATIONS_DEAD_URL")) == 2


def test_a_delivery_that_breaks_the_batch_is_set_aside_alone(world, tx, monkeypatch):
    record = webhook_events.record

    def fails(tx, deliveries):
        if any(seen.video_id == "vid00000bad" for each in deliveries for seen in each.seen):
            raise RuntimeError("boom")
        return record(tx, deliveries)

    monkeypatch.setattr(
        webhook_events, "record", fails
    )  # no content that the reader accepts is known to break the database
    world.notify(notification(atom()), notification(atom("vid00000bad")), notification(atom("vid00000002")))
    assert kinds(tx) == ["new_video", "new_video"]
    assert [row["processing_error"] for row in events(tx)] == [None, "RuntimeError: boom", None]


def test_a_premiere_is_stored_with_its_date_in_the_future(world, tx):
    world.notify(notification(atom(published="2099-01-01T00:00:00+00:00")))

    assert kinds(tx) == ["new_video"]
    assert world.api("GET", "/api/v1/videos/vid00000001")[1]["published_at"] == "2099-01-01T00:00:00.000000Z"


def test_an_edit_of_a_video_published_years_ago_is_no_new_video(world, tx):
    world.notify(notification(atom(published="2019-01-01T00:00:00+00:00")))
    world.notify(
        notification(
            atom(title="Renamed", published="2019-01-01T00:00:00+00:00", updated="2026-11-21T00:00:00+00:00")
        )
    )

    assert kinds(tx) == ["unknown", "title_update"]
