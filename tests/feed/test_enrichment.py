"""Details of videos are fetched from the YouTube Data API in batches."""

from showrunner.database import db
from tests.feed.ingestion import atom, notification, tombstone
from tests.feed.polling import run_once, upload


def test_details_of_new_videos_are_fetched_in_batches_of_fifty(world, youtube, tx):
    for number in range(60):
        upload(youtube, f"vid{number:08d}")
        world.notify(notification(atom(f"vid{number:08d}")))
    del youtube.videos["vid00000003"]
    messages = run_once(world)
    assert [len(each["video_ids"]) for each in messages if each["kind"] == "enrich"] == [50, 10]
    assert youtube.spent == 2
    details = world.api("GET", "/api/v1/videos/vid00000001")[1]["details"]
    assert details == {
        "duration_seconds": 253,
        "tags": ["a", "b"],
        "category_id": "22",
        "thumbnails": {"default": "https://i.ytimg.com/vi/vid00000001/default.jpg"},
        "statistics": {"views": 123, "likes": 0, "comments": 0},
    }
    assert world.api("GET", "/api/v1/videos/vid00000003")[1]["details"] is None
    assert [each for each in run_once(world) if each["kind"] == "enrich"] == []


def test_details_of_an_unreadable_video_are_retried_for_a_day(world, youtube, tx):
    world.notify(notification(atom()))
    waits = []
    for _ in range(20):
        run_once(world)
        wait = db.value(tx, "SELECT extract(epoch FROM enrich_at - now()) FROM feed.videos")
        if wait is None:
            break
        waits.append(round(wait / 60))
        # Let this much time pass.
        db.run(
            tx,
            """
            UPDATE feed.videos
               SET enrich_at = now(), last_updated_at = last_updated_at - make_interval(secs => :wait::float8)
            """,
            wait=wait,
        )
    assert waits == [5, 5, 10, 20, 40, 80, 160, 320, 640, 1280]
    assert youtube.spent == 11

    upload(youtube, "vid00000001")
    world.notify(notification(atom(title="Public now", updated="2026-11-21T00:00:00Z")))
    run_once(world)
    assert world.api("GET", "/api/v1/videos/vid00000001")[1]["details"]["duration_seconds"] == 253


def test_details_are_fetched_when_the_entry_arrives_after_the_tombstone(world, youtube, tx):
    upload(youtube, "vid00000001")
    world.notify(notification(tombstone(when="2026-11-19T00:00:00Z")))
    run_once(world)
    assert youtube.spent == 0
    world.notify(notification(atom()))
    run_once(world)
    assert world.api("GET", "/api/v1/videos/vid00000001")[1]["details"]["duration_seconds"] == 253


def test_an_older_entry_requests_no_details(world, youtube, tx):
    world.notify(notification(atom()))
    db.run(tx, "UPDATE feed.videos SET enrich_at = NULL")
    world.notify(notification(atom(title="Earlier", updated="2026-11-19T00:00:00Z")))
    assert db.value(tx, "SELECT enrich_at FROM feed.videos") is None


def test_without_quota_the_details_are_fetched_later(world, youtube, tx):
    world.notify(notification(atom()))
    youtube.quota = 0
    run_once(world)
    assert db.value(tx, "SELECT enrich_at > now() FROM feed.videos") is True
