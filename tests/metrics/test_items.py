"""Videos and playlists on YouTube: found, asked for within each bucket of the quota, loaded, shown."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from functions.collect import app as collect
from functions.load import app as load
from functions.youtube import app as youtube
from local.platforms import discovery
from showrunner import quotas
from showrunner.aws import s3, schedules
from showrunner.database import db
from showrunner.errors import PlatformUnavailable
from showrunner.metrics import collection
from showrunner.metrics.readings import READINGS
from showrunner.store.metrics import items, points
from tests.conftest import add_organisation
from tests.metrics.conftest import run, run_items

CHANNEL = "UC" + "a" * 22
DAY = "2026-11-{:02}T10:00:00Z"


@pytest.fixture
def channel(world):
    """Return a channel of three videos and a playlist on the stand-in."""
    world.channels[CHANNEL] = {"title": "Tides", "views": 1, "videos": 3, "subscribers": 1}
    for number, views in enumerate((50, 900, 70)):
        world.videos[f"vid0000000{number}"] = {
            "channel_id": CHANNEL,
            "title": f"Tide & moon {number}",
            "published_at": DAY.format(number + 1),
            "views": views,
            "likes": 7,
        }
    world.channel_playlists["PL1"] = {"channel_id": CHANNEL, "title": "All tides", "videos": 3}
    return world


@pytest.fixture
def artist(client, channel):
    body = {"name": "Tides", "tier": "active", "accounts": {"youtube": CHANNEL}}
    artist_id = client("POST", "/api/v1/artists", body).body["artist"]["id"]
    run("accounts")
    return artist_id


def listed(client, artist, query=""):
    return client("GET", f"/api/v1/artists/{artist}/items{query}").body["items"]


def age(tx, hours):
    """Let everything have happened so long ago."""
    by = timedelta(hours=hours)
    for table in ("readings", "items"):
        sql = f"UPDATE metrics.{table} SET checked_at = checked_at - :by::interval, "
        db.run(tx, f"{sql} planned_at = planned_at - :by::interval", by=by)
    sql = "UPDATE metrics.items SET found_at = found_at - :by::interval, first_at = first_at - :by::interval"
    db.run(tx, sql, by=by)
    db.run(
        tx, "UPDATE metrics.item_points SET at = at - :by::interval, last_at = last_at - :by::interval", by=by
    )
    schedules.look_again("metrics-items-youtube", 0)


def test_videos_are_found_first_and_asked_for_in_the_next_run(client, tx, world, artist):
    before = world.spent
    assert run_items("find").states == ["fetched"] * 3  # the feed, the top videos, the playlists
    assert [each["figures"] for each in listed(client, artist, "?kind=video")] == [{}] * 3

    assert run_items("ask").states == ["fetched"]

    top = listed(client, artist, "?kind=video&sort=-views")
    assert [(each["title"], each["figures"]["views"]) for each in top] == [
        ("Tide & moon 1", 900),
        ("Tide & moon 2", 70),
        ("Tide & moon 0", 50),
    ]
    assert top[0]["figures"] == {"views": 900, "likes": 7}
    assert top[0]["details"] == {"seconds": 60}
    assert top[0]["published_at"] == "2026-11-02T10:00:00+00:00"
    [playlist] = listed(client, artist, "?kind=playlist")
    assert (playlist["title"], playlist["figures"]) == ("All tides", {"videos": 3})
    assert world.spent - before == 1  # the playlists
    assert dict(world.spent_apart) == {"search": 1, "video_statistics": 1}


def test_50_videos_are_one_unit_and_all_organisations_share_it(client, tx, service, world, channel):
    other = service(add_organisation(tx, "Others"), "artists:all")
    ids = []
    for call in (client, other):
        body = {"name": "Tides", "tier": "active", "accounts": {"youtube": CHANNEL}}
        ids.append(call("POST", "/api/v1/artists", body).body["artist"]["id"])
    world.videos |= {
        f"vid000001{number:02}": {"channel_id": CHANNEL, "title": "T", "published_at": DAY.format(9)}
        for number in range(47)
    }
    run("accounts")
    run_items("find")
    run_items("ask")

    assert world.spent_apart["video_statistics"] == 1
    assert len(listed(client, ids[0], "?kind=video&limit=100")) == 50
    assert listed(client, ids[0]) == listed(other, ids[1])
    assert client("GET", f"/api/v1/artists/{ids[1]}/items").status == 404


def test_an_unchanged_figure_is_stored_once_and_a_day_loaded_twice_changes_nothing(client, tx, world, artist):
    def count():
        return db.value(tx, "SELECT count(*) FROM metrics.item_points")

    run_items("find")
    run_items("ask")
    assert count() == 7  # views and likes of three videos, and the length of a playlist
    age(tx, 1)
    assert run_items("again").states == ["fetched"]
    assert count() == 7
    keys = [key for key in s3.list_keys("archive/public/youtube/") if "/ask/" in key or "/again/" in key]
    for key in keys:
        assert load.handler({"key": key}, None)["runs"] == 0
    assert count() == 7


def test_a_video_that_is_gone_says_so_and_keeps_its_figures(client, tx, world, artist):
    run_items("find")
    run_items("ask")
    del world.videos["vid00000001"]
    age(tx, 1)
    run_items("later")

    gone = [each for each in listed(client, artist, "?kind=video") if each["checked_at"] > each["found_at"]]

    assert [(each["item_id"], each["figures"]["views"]) for each in gone] == [("vid00000001", 900)]
    age(tx, 1)
    assert [batch["accounts"] for batch in planned("once more") if batch["reading"] == "videos"] == [
        ["vid00000000", "vid00000002"]
    ]


def planned(name):
    place = collect.handler({"run": name, "platform": "youtube", "part": "items"}, None)
    return s3.get_json(place["key"]) if place["batches"] else []


def test_a_run_that_is_repeated_has_the_same_batches(tx, world, artist):
    first = planned("find")
    s3.remove(["archive/public/runs/find.json"])
    schedules.look_again("metrics-items-youtube", 0)

    # It ended between its claim and its plan.
    assert [each["accounts"] for each in planned("find")] == [each["accounts"] for each in first]
    assert len(first) == 3


def test_without_accounts_the_database_is_not_asked(client, tx, world, monkeypatch):
    assert planned("first") == []
    with monkeypatch.context() as patch:
        patch.setenv("DATABASE_HOST", "192.0.2.1")
        assert planned("second") == []

    client("POST", "/api/v1/artists", {"name": "Tides", "accounts": {"youtube": CHANNEL}})

    assert schedules.is_work_due("metrics-items-youtube")


def test_a_channel_without_a_feed_is_asked_for_on_the_next_day(client, tx, world, artist):
    del world.channels[CHANNEL]
    uploads = [each for each in planned("find") if each["reading"] == "uploads"]

    fetched = youtube.handler(uploads[0], None)

    assert load.handler({"key": fetched["key"]}, None) == {
        "state": "loaded",
        "artists": 0,
        "items": 0,
        "runs": 0,
    }
    assert db.value(tx, "SELECT checked_at IS NOT NULL FROM metrics.readings WHERE reading = 'uploads'")


def test_feeds_that_came_before_a_failure_are_archived(world, channel, monkeypatch):
    other = "UC" + "b" * 22
    world.channels[other] = {"title": "Neap"}
    batch = {
        "platform": "youtube",
        "accounts": [CHANNEL, other],
        "key": "archive/public/youtube/x.json.gz",
        "reading": "uploads",
    }
    real, calls = youtube.fetching.Feeds.raw, []

    def once(feeds, channel_id):
        calls.append(channel_id)
        if len(calls) > 1:
            raise PlatformUnavailable("The feed answers 503.")
        return real(feeds, channel_id)

    monkeypatch.setattr(youtube.fetching.Feeds, "raw", once)

    assert youtube.handler(batch, None)["state"] == "fetched"
    from showrunner.metrics import archive

    assert archive.read(batch["key"]).accounts == [CHANNEL]


def test_a_bucket_that_is_spent_stops_no_other(client, tx, world, artist, monkeypatch):
    monkeypatch.setattr(quotas, "_is_fresh", lambda now: False)
    ledger = quotas.Ledger("youtube", "search", quotas.SEARCHES_A_DAY)
    ledger.exhaust(ledger.spend(1))

    assert sorted(run_items("find").states) == ["fetched", "fetched", "skipped"]
    assert world.spent_apart["search"] == 0


# ------------------------------------------------------------------------------------------------ Schedule


def test_24_runs_stay_within_every_bucket_of_the_day():
    """Compute the most that a day's runs can ask for, from the table that the runs are planned with."""
    most = {each.name: 24 * each.calls for each in READINGS["youtube"]}

    general = 24 * collection.YOUTUBE.calls + most["playlists"] + quotas.REFRESHES_A_DAY
    assert general <= quotas.SHARES["metrics"]
    # With less than a tenth left an alarm goes off.
    assert most["top_videos"] <= 0.9 * quotas.SEARCHES_A_DAY
    assert most["videos"] <= 0.9 * quotas.VIDEO_STATISTICS_A_DAY
    assert sum(quotas.SHARES.values()) == quotas.ALL_UNITS


def test_a_day_of_too_many_videos_stays_within_its_calls_and_leaves_none_out(client, tx, world, artist):
    db.run(
        tx,
        """
        INSERT INTO metrics.items (artist_id, platform, kind, item_id, first_at, found_at)
        SELECT :artist_id, 'youtube', 'video', 'v' || lpad(n::text, 10, '0'), now(), now()
          FROM generate_series(1, 3000) n
        """,
        artist_id=artist,
    )
    begin, counts = datetime.now(UTC), {}
    for hour in range(24):
        at = begin + timedelta(hours=hour)
        chosen = items.claim_due(tx, "youtube", "video", (3_600, 86_400), 500, f"run {hour}", at)
        assert len(chosen) <= 500
        answers = [{"kind": "video", "item_id": each, "figures": {}, "details": {}} for each in chosen]
        items.save_checked(tx, "youtube", at + timedelta(minutes=4), answers)
        for each in chosen:
            counts[each] = counts.get(each, 0) + 1

    assert len(counts) == 3_000
    assert set(counts.values()) == {4}


# ------------------------------------------------------------------------------------------------ Stand-in


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("videos:batchGetStats", {"id": "a", "part": "statistics", "maxResults": "5"}, 400),
        ("videos:batchGetStats", {"id": "a"}, 400),
        ("videos:batchGetStats", {"id": ",".join(["a"] * 51), "part": "statistics"}, 400),
        ("videos:batchGetStats", {"id": "a", "part": "player"}, 400),
        ("search", {"part": "snippet", "channelId": CHANNEL, "order": "views", "type": "video"}, 400),
        ("search", {"part": "snippet", "maxResults": "51"}, 400),
        ("playlists", {"part": "snippet"}, 400),
        ("playlists", {"part": "snippet", "channelId": "UC" + "z" * 22}, 404),
        ("playlists", {"part": "items", "channelId": CHANNEL}, 400),
    ],
)
def test_the_stand_in_refuses_what_the_discovery_document_refuses(channel, path, query, status):
    from urllib.parse import urlencode

    from local.platforms import server
    from local.platforms.http import Request

    headers = {"x-goog-api-key": channel.key}
    request = Request("GET", "http://x", f"/youtube/v3/{path}", urlencode(query), headers)

    assert server.answer(channel, request).status == status


def test_the_methods_that_are_called_are_in_the_discovery_document():
    for path in ("videos:batchGetStats", "search", "playlists"):
        assert discovery.method("youtube.v3", "GET", f"/youtube/v3/{path}")


# ------------------------------------------------------------------------------------------------ Retention


def test_items_that_youtube_has_not_named_for_29_days_are_deleted_with_their_figures(
    client, tx, world, artist
):
    run_items("find")
    run_items("ask")
    age(tx, 28 * 24)
    assert (items.remove_expired_points(tx, 10), items.remove_expired(tx, 10)) == (0, 0)
    age(tx, 2 * 24)

    assert items.remove_expired_points(tx, 2) == 2
    assert items.remove_expired(tx, 10) == 4
    assert db.value(tx, "SELECT count(*) FROM metrics.item_points") == 0


def test_the_next_months_have_their_partition(tx):
    for month in range(3):
        points.prepare_month(tx, month)

    sql = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'metrics.item_points'::regclass"
    assert db.value(tx, sql) == 4


def test_the_samples_are_what_the_functions_take(event, tx, world):
    world.seeded = True

    assert collect.handler(event("collect.items"), None)["batches"] == 0
    assert youtube.handler(event("youtube.videos"), None)["state"] == "fetched"
    assert json.loads(json.dumps(load.handler({"key": event("youtube.videos")["key"]}, None)))["items"] == 2
