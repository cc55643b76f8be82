"""The feed's store: order and repetition do not change the result, and nothing is announced twice."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showrunner.database import db
from showrunner.models import Sighting
from showrunner.store.feed import webhook_events
from showrunner.store.feed.webhook_events import Delivery, Known

CHANNEL = "UC" + "a" * 22
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def entry(video="vid00000001", title="First", minute=0, channel=CHANNEL, name="Channel"):
    return Sighting(video, channel, name, title, NOON, NOON + timedelta(minutes=minute))


def tombstone(video="vid00000001", minute=0):
    return Sighting(video, CHANNEL, "Channel", None, None, NOON + timedelta(minutes=minute))


def delivery(*seen, body=None, error=None, delivery_id=None, origin="push"):
    return Delivery(
        delivery_id or str(uuid.uuid4()),
        datetime.now(UTC),
        origin,
        None,
        body or repr(seen).encode(),
        list(seen),
        error,
    )


def state(tx):
    videos = db.rows(
        tx,
        """
        SELECT video_id, channel_id, title, published_at, feed_updated_at, deleted_at FROM feed.videos
         ORDER BY video_id
        """,
    )
    channels = db.rows(tx, "SELECT channel_id, title FROM feed.channels ORDER BY channel_id")
    return videos, channels


def kinds(tx):
    return [row["update_type"] for row in db.rows(tx, "SELECT update_type FROM feed.updates ORDER BY id")]


def test_new_videos_new_titles_and_deletions_become_updates(tx):
    webhook_events.record(tx, [delivery(entry())])
    webhook_events.record(tx, [delivery(entry(title="Second", minute=1))])
    webhook_events.record(tx, [delivery(entry(title="Second", minute=2))])
    webhook_events.record(tx, [delivery(tombstone(minute=3))])
    assert kinds(tx) == ["new_video", "title_update", "unknown", "deleted"]
    [video] = state(tx)[0]
    assert (video["title"], video["deleted_at"]) == ("Second", NOON + timedelta(minutes=3))


def test_the_same_content_is_recorded_as_a_repeat_and_changes_nothing(tx):
    first, second = delivery(entry()), delivery(entry())
    taken = webhook_events.record(tx, [first, second])
    webhook_events.record(tx, [delivery(entry())])
    assert kinds(tx) == ["new_video"]
    rows = db.rows(tx, "SELECT repeat, processed FROM feed.events ORDER BY id")
    assert [row["repeat"] for row in rows] == [False, True, True]
    assert all(row["processed"] for row in rows)
    assert len(taken.events) == 2


def test_a_repeated_delivery_is_not_stored_again_but_announced_again(tx):
    once = delivery(entry())
    taken = webhook_events.record(tx, [once])
    again = webhook_events.record(tx, [once])
    assert again.events == {}
    assert again.repeated == list(taken.events.values())
    assert len(db.rows(tx, "SELECT 1 AS one FROM feed.events")) == 1
    assert webhook_events.list_updates_of(tx, again.repeated)[0]["update_type"] == "new_video"


def test_content_that_was_set_aside_does_not_count_as_known(tx):
    webhook_events.record(tx, [delivery(body=b"<x", error="broken")])
    webhook_events.record(tx, [delivery(entry(), body=b"<x")])
    assert kinds(tx) == ["new_video"]
    assert [
        row["processing_error"] for row in db.rows(tx, "SELECT processing_error FROM feed.events ORDER BY id")
    ] == ["broken", None]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_order_of_arrival_does_not_change_the_result(tx, order):
    seen = [
        entry(),
        entry(title="Second", minute=1),
        tombstone(minute=2),
        entry(title="Third", minute=3, name="Renamed"),
    ]
    for number in order:
        webhook_events.record(tx, [delivery(seen[number])])
    videos, channels = state(tx)
    assert (videos[0]["title"], videos[0]["deleted_at"], videos[0]["feed_updated_at"]) == (
        "Third",
        NOON + timedelta(minutes=2),
        NOON + timedelta(minutes=3),
    )
    assert channels == [{"channel_id": CHANNEL, "title": "Renamed"}]
    assert sorted(kinds(tx)) == ["deleted", "new_video", "title_update", "title_update"]


sightings = st.lists(
    st.builds(
        lambda video, title, minute: entry(video, title, minute) if title else tombstone(video, minute),
        st.sampled_from(["vid00000001", "vid00000002"]),
        st.sampled_from(["A", "B", None]),
        st.integers(0, 6),
    ),
    min_size=1,
    max_size=8,
)


@given(sightings, st.randoms())
def test_merging_is_independent_of_order(seen, random):
    def end(order):
        known = {}
        for each in order:
            known[each.video_id] = webhook_events.merged(known.get(each.video_id, Known(each.video_id)), each)
        return known

    shuffled = list(seen)
    random.shuffle(shuffled)
    assert end(seen) == end(shuffled) == end(seen + shuffled)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sightings, st.randoms(), st.integers(1, 4))
def test_batches_of_any_size_in_any_order_end_in_the_same_state(tx, seen, random, size):
    shuffled = list(seen)
    random.shuffle(shuffled)
    ends = []
    for order, step in ((seen, len(seen)), (shuffled, size)):
        savepoint = db.transaction()
        savepoint.__enter__()
        for batch in itertools.batched(order, step, strict=False):
            webhook_events.record(tx, [delivery(each) for each in batch])
        ends.append(state(tx))
        savepoint.__exit__(ValueError, ValueError(), None)
    assert ends[0] == ends[1]


def test_a_late_entry_adds_the_title_between_two_others(tx):
    for title, minute in (("A", 0), ("A", 4), ("B", 2)):
        webhook_events.record(tx, [delivery(entry(title=title, minute=minute))])
    assert kinds(tx) == ["new_video", "unknown", "title_update"]
    assert state(tx)[0][0]["title"] == "A"


def test_a_batch_with_a_thousand_entries_and_any_text_is_stored(tx):
    titles = ["quote ' \" \\ {} :name %s", "emoji 🎬 ünïcode 漢字", "\u2028 line", "a" * 500]
    seen = [entry(f"v{n:010d}", titles[n % 4], n % 7) for n in range(1000)]
    taken = webhook_events.record(tx, [delivery(*seen)])
    assert len(taken.updates) == 1000
    assert {row["title"] for row in db.rows(tx, "SELECT DISTINCT title FROM feed.videos")} == set(titles)


def test_bodies_that_are_not_valid_text_are_stored_byte_for_byte(tx):
    for body in (b"\xff\xfe<\x00f\x00", b"nul \x00 inside", b"latin \xe9"):
        taken = webhook_events.record(tx, [delivery(body=body, error="unreadable")])
        assert webhook_events.lock_event(tx, taken.events[0]).body == body


def test_a_replay_stores_what_was_set_aside_and_nothing_twice(tx):
    taken = webhook_events.record(tx, [delivery(body=b"raw", error="broken")])
    event = webhook_events.lock_event(tx, taken.events[0])
    assert len(webhook_events.replay(tx, event, [entry()], None)) == 1
    assert webhook_events.replay(tx, event, [entry()], None) == []
    assert kinds(tx) == ["new_video"]
    row = db.one(tx, "SELECT processed, processing_error FROM feed.events")
    assert row == {"processed": True, "processing_error": None}


def test_stored_events_cannot_be_changed(tx):
    webhook_events.record(tx, [delivery(entry())])
    for statement in (
        "UPDATE feed.updates SET title = 'x'",
        "DELETE FROM feed.updates",
        "TRUNCATE feed.updates",
    ):
        with pytest.raises(Exception, match="permission denied"), db.transaction():
            db.run(tx, statement)


def test_a_poll_omits_known_videos(tx):
    webhook_events.record(tx, [delivery(entry())])
    new = entry("vid00000002")
    renamed = entry(title="Renamed", minute=5)
    assert webhook_events.drop_known(tx, [entry(minute=3), new]) == [new]
    assert webhook_events.drop_known(tx, [renamed]) == [renamed]
