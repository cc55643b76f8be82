"""Polls find the videos that the hub did not announce."""

import random

import pytest

from showrunner import quotas
from showrunner.aws import sdk
from showrunner.database import db
from showrunner.store.feed import polls
from tests.feed.ingestion import atom, kinds, notification
from tests.feed.polling import ENRICH, POLL, make_polls_due, run_once, upload, work


def origins(tx):
    return [row["origin"] for row in db.rows(tx, "SELECT origin FROM feed.events ORDER BY id")]


def test_a_poll_finds_a_missed_video_and_records_its_origin(world, youtube, followed, tx):
    upload(youtube, "vid00000009")
    run_once(world)
    assert world.api("GET", "/api/v1/videos/vid00000009")[1]["title"] == "Missed"
    assert origins(tx) == ["feed"]
    assert kinds(tx) == ["new_video"]
    assert youtube.spent == 0


def test_a_poll_that_finds_nothing_new_stores_no_event(world, youtube, followed, tx):
    upload(youtube, "vid00000001")
    run_once(world)
    before = origins(tx)
    youtube.videos["vid00000001"]["views"] = 999
    db.run(tx, "UPDATE feed.polls SET poll_at = now() - interval '1 second'")
    run_once(world)
    assert origins(tx) == before


def test_a_push_after_the_poll_changes_nothing(world, youtube, followed, tx):
    upload(youtube, "vid00000001", hours=80)
    run_once(world)
    world.notify(notification(atom(title="Missed")))
    assert kinds(tx) == ["new_video", "unknown"]


def test_the_uploads_playlist_is_polled_when_the_feed_fails(world, youtube, followed, tx):
    upload(youtube, "vid00000008")
    youtube.failing["/feeds/videos.xml"] = 10
    run_once(world)
    assert kinds(tx) == []
    assert youtube.spent == 0
    assert db.value(
        tx, "SELECT poll_at < now() + interval '6 minutes' FROM feed.polls"
    )  # the hour has not passed yet
    make_polls_due(tx)
    run_once(world)
    assert origins(tx) == ["playlist"]
    assert quotas.spent("youtube", "general") == 1


def test_a_failing_free_feed_is_polled_more_often_than_the_paid_playlist(world, youtube, followed, tx):
    youtube.failing["/feeds/videos.xml"] = 10
    paid = []
    for _ in range(4):
        paid += [each["paid"] for each in run_once(world)]
        make_polls_due(tx)
    assert paid == [False, True, False, False]
    db.run(tx, "UPDATE feed.polls SET paid_at = paid_at - interval '20 minutes'")
    assert [each["paid"] for each in run_once(world)] == [True]


def test_the_free_feed_is_polled_without_quota(world, youtube, followed, tx):
    youtube.failing["/feeds/videos.xml"] = 10
    run_once(world)
    make_polls_due(tx)
    quotas.spend("youtube", "general", quotas.POLL_UNITS, 10_000, share="polling")
    assert [each["paid"] for each in run_once(world)] == [False]


# Stored times of a channel's polls. Simulations move them back instead of the server's clock forward.
TIMES = ("poll_at", "paid_at", "last_polled_at", "last_found_at")


def test_missed_videos_are_found_within_an_hour_and_the_quota_lasts_all_day(postgres):
    """Simulate a day with a silent hub on the store's own SQL, and a new video on every channel now and then.

    Each step is a transaction of its own: in one long transaction PostgreSQL keeps every old version of the
    rows, and the steps get slower and slower.
    """
    chance = random.Random(11)
    channels = [f"UC{number:022d}" for number in range(40)]
    move = ", ".join(f"{name} = {name} - make_interval(mins => :step)" for name in TIMES)
    units, waiting, delays, step = 1_500, {}, [], 4
    try:
        with db.transaction() as tx:
            db.run(
                tx,
                "INSERT INTO feed.polls (channel_id, poll_at) SELECT unnest(:channels::text[]), now()",
                channels=channels,
            )
        for at in range(0, 1440, step):
            for channel in channels:
                if channel not in waiting and chance.random() < 0.04:
                    waiting[channel] = at
            # The feeds of three channels fail all day, those of all channels for eight hours.
            failing = set(channels if 480 <= at < 960 else channels[:3])
            with db.transaction() as tx:
                db.run(tx, f"UPDATE feed.polls SET {move}", step=step)
                seconds = polls.playlist_seconds(polls.count_failing(tx), units, (1440 - at) * 60)
                for row in polls.claim_due(tx, 200, seconds):
                    channel = row["channel_id"]
                    units -= row["paid"]
                    polls.save(tx, channel, "503" if channel in failing else None)
                    if (channel not in failing or row["paid"]) and channel in waiting:
                        delays.append(at + step - waiting.pop(channel))
                        polls.save_found(tx, channel)
            assert units >= 0
    finally:
        with db.transaction() as tx:
            db.run(tx, "DELETE FROM feed.polls")
    assert len(delays) > 300
    assert max(delays) <= 60
    assert all(at > 1440 - 60 for at in waiting.values())


@pytest.mark.parametrize(
    ("active", "found", "longest"), [(False, False, 1200), (True, False, 2700), (True, True, 1200)]
)
def test_every_channel_is_polled_within_an_hour_and_a_suspect_one_sooner(
    world, youtube, followed, tx, active, found, longest
):
    if active:
        db.run(tx, "UPDATE feed.subscriptions SET status = 'active', expires_at = now() + interval '1 day'")
    if found:
        db.run(tx, "UPDATE feed.polls SET last_found_at = now()")
    run_once(world)
    wait = db.value(tx, "SELECT extract(epoch FROM poll_at - now()) FROM feed.polls")
    assert longest * 0.89 < wait <= longest


def test_paid_polls_are_spread_over_the_rest_of_the_day():
    assert polls.playlist_seconds(0, 6000, 86_400) == polls.SUSPECT_SECONDS
    assert polls.playlist_seconds(10, 6000, 86_400) == polls.SUSPECT_SECONDS
    assert polls.playlist_seconds(1000, 6000, 86_400) == 14_400  # 1,000 channels, six polls each
    assert polls.playlist_seconds(5, 0, 3600) is None


def test_a_failing_message_does_not_fail_its_batch(world, youtube):
    failed, reported = work(world, "no JSON", POLL, {"kind": "poll"}, ENRICH)
    assert failed == ["0", "2"]
    assert [each["kind"] for each in reported] == ["polled", "enriched"]


@pytest.mark.parametrize("fault", ["refused", "missing"])
def test_a_refused_or_missing_key_does_not_stop_free_polls(world, youtube, fault):
    if fault == "missing":
        sdk.client("ssm").delete_parameter(Name="/showrunner/test/youtube/api_key")
    youtube.key = "another"
    upload(youtube, "vid00000001")

    failed, [reported] = work(world, ENRICH, POLL)
    assert (failed, len(reported["found"]), reported["error"]) == ([], 1, None)

    youtube.failing["/feeds/videos.xml"] = 1
    failed, [reported] = work(world, POLL)
    assert (failed, reported["found"]) == ([], [])
    assert "key" in reported["error"]


def test_a_replaced_key_is_used_at_once(world, youtube):
    upload(youtube, "vid00000001")
    youtube.key = "new"
    assert work(world, ENRICH) == ([], [])
    sdk.client("ssm").put_parameter(
        Name="/showrunner/test/youtube/api_key", Value="new", Type="SecureString", Overwrite=True
    )
    assert work(world, ENRICH)[1][0]["videos"]
