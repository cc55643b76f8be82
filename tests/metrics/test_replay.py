"""Archived answers that were not loaded are loaded by a later run, and any day can be loaded again."""

from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest

from functions.collect import app as collect
from functions.load import app as load
from functions.youtube import app as youtube
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import DatabaseUnavailable, InvalidRequest
from showrunner.metrics import archive, collection, loading, replay
from tests.metrics.conftest import count_points, run, work
from tests.metrics.test_collection import CHANNEL, age, values


@pytest.fixture
def channel(world):
    """Let YouTube have a channel. Returns its statistics."""
    statistics = {"subscriberCount": "1200", "viewCount": "56000", "videoCount": "12"}
    world.channels[CHANNEL] = {"title": "Tides", "statistics": statistics}
    return statistics


@pytest.fixture
def artist(client, channel):
    body = {"name": "Tides", "tier": "active", "accounts": {"youtube": CHANNEL}}
    return client("POST", "/api/v1/artists", body).body["artist"]["id"]


@pytest.fixture
def measured(monkeypatch):
    found = []
    monkeypatch.setattr(replay.metrics, "add_metric", lambda name, _, value: found.append((name, value)))
    return found


@pytest.fixture
def looked_at(tx, monkeypatch):
    """Return a function that lets the archive have been looked at so long ago. Its newest hour counts too."""
    monkeypatch.setattr(replay, "_SETTLED", timedelta(0))

    def look(hours=2):
        db.run(tx, "DELETE FROM metrics.archive_checks")
        sql = (
            "INSERT INTO metrics.archive_checks VALUES ('youtube', date_trunc('hour', now()) - :by::interval)"
        )
        db.run(tx, sql, by=timedelta(hours=hours))

    look()
    return look


def lose(name):
    """Do a run whose answer is archived and can't be loaded: the database is away. Returns its key.

    The failure is injected, because the connection that would have to break has the test's own transaction.
    """
    [batch] = s3.get_json(collect.handler({"run": name, "platform": "youtube"}, None)["key"])
    fetched = youtube.handler(batch, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading.points, "save", Mock(side_effect=DatabaseUnavailable("The database is away.")))
        with pytest.raises(DatabaseUnavailable):
            load.handler({"key": fetched["key"]}, None)
    return fetched["key"]


def test_a_lost_load_is_found_by_the_next_run_and_loaded_at_its_own_time(
    client, tx, channel, artist, looked_at, measured
):
    key = lose("lost")
    looked_at()
    assert (values(client, artist)["followers"], count_points(tx)) == (None, 0)
    channel["subscriberCount"] = "1300"
    age(tx, hours=1)

    batches = s3.get_json(collect.handler({"run": "next", "platform": "youtube"}, None)["key"])

    assert [each["key"] for each in batches if each["is_archived"]] == [key] == [batches[0]["key"]]
    assert ("AnswersNotLoaded", 1) in measured
    # A repeat of the plan has the same batches.
    work(collect.handler({"run": "next", "platform": "youtube"}, None), "youtube")
    found = db.rows(tx, "SELECT at, value FROM metrics.points WHERE metric = 'followers' ORDER BY at")
    assert [row["value"] for row in found] == [1200, 1300]
    assert found[0]["at"] == archive.read(key).fetched_at
    # It is loaded now: nobody looks for it any more.
    looked_at()
    assert replay.lost("youtube", datetime.now(UTC)) == []
    assert measured[-1] == ("AnswersNotLoaded", 0)


def test_an_hour_with_a_missing_answer_is_looked_at_until_it_is_loaded(tx, artist, looked_at):
    key = lose("lost")
    looked_at()
    for _ in range(2):
        assert [each.key for each in replay.lost("youtube", datetime.now(UTC))] == [key]
    load.handler({"key": key}, None)
    assert replay.lost("youtube", datetime.now(UTC)) == []
    # Older than what anybody looks for.
    db.run(tx, "DELETE FROM metrics.loads")
    assert replay.lost("youtube", datetime.now(UTC) + replay.LOOKED_BACK + timedelta(hours=2)) == []


def test_an_hour_without_work_finds_a_lost_load_and_asks_the_database_for_nothing_else(
    client, tx, channel, artist, looked_at, monkeypatch
):
    monkeypatch.setattr(replay, "_SETTLED", timedelta(hours=2))
    key = lose("lost")
    now = datetime.now(UTC)

    with monkeypatch.context() as patch:
        # Not before the run must have ended.
        patch.setattr(collection.db, "transaction", Mock(side_effect=AssertionError))
        assert collect.handler({"run": "soon", "platform": "youtube"}, None)["batches"] == 0
    assert not replay.is_overdue("youtube", now + timedelta(minutes=119))
    assert replay.is_overdue("youtube", now + timedelta(minutes=121))
    replay.expect_loads("youtube", "lost", now - timedelta(hours=2))
    monkeypatch.setattr(replay, "_SETTLED", timedelta(0))

    batches = s3.get_json(collect.handler({"run": "later", "platform": "youtube"}, None)["key"])

    assert [each["key"] for each in batches] == [key]
    work(collect.handler({"run": "later", "platform": "youtube"}, None), "youtube")
    assert values(client, artist)["followers"] == 1200
    # The next look finds nothing, and ends the search.
    looked_at()
    assert replay.lost("youtube", datetime.now(UTC)) == []
    assert not replay.is_overdue("youtube", datetime.now(UTC) + timedelta(hours=3))


def test_a_run_that_loaded_all_leaves_nothing_to_look_for(tx, channel, artist, event):
    in_time = datetime.now(UTC) + timedelta(hours=3)
    collect.handler({"run": "first", "platform": "youtube"}, None)
    assert replay.is_overdue("youtube", in_time)

    settled = event("collect.settle") | {"run": "first"}
    assert collect.handler(settled, None) == {"settled": "first"}
    assert collect.handler(settled, None) == {"settled": "first"}  # a repeat

    assert not replay.is_overdue("youtube", in_time)


def test_runs_about_items_and_of_one_artist_are_looked_for_too(client, tx, channel, artist):
    in_time = datetime.now(UTC) + timedelta(hours=3)
    run("found")
    replay.settle("youtube", "found")
    for name, more in (
        ("items", {"part": "items"}),
        ("one", {"organisation_id": client.organisation_id, "artist_id": artist}),
    ):
        assert collect.handler({"run": name, "platform": "youtube", **more}, None)["batches"]
        assert replay.is_overdue("youtube", in_time)
        replay.settle("youtube", name)
        assert not replay.is_overdue("youtube", in_time)


def test_answers_of_before_the_first_look_are_left_alone(tx, artist):
    lose("lost")
    db.run(tx, "DELETE FROM metrics.archive_checks")

    assert replay.lost("youtube", datetime.now(UTC) + timedelta(hours=1)) == []
    assert db.value(tx, "SELECT count(*) FROM metrics.archive_checks") == 1


def test_no_more_are_loaded_again_than_fit_into_a_run(tx, world, looked_at, monkeypatch):
    monkeypatch.setattr(replay, "MOST_REPLAYED", 2)
    hour = datetime.now(UTC)
    for batch in archive.batches("youtube", ["a", "b", "c"], 1, "lost", hour):
        archive.write(batch, b"{}", hour)

    assert len(replay.lost("youtube", hour)) == 2


def test_a_day_can_be_loaded_again_into_an_empty_database(tx, artist):
    run("first")
    known = db.rows(tx, "SELECT * FROM metrics.points ORDER BY metric")
    assert known
    [key] = [each for each in s3.list_keys("archive/public/youtube/") if each.endswith(".gz")]
    day = datetime.strptime(key[23:36], "%Y/%m/%d/%H")  # noqa: DTZ007 - a key's hour is in UTC

    for name, count in (("empty", 0), ("again", len(known))):
        assert count_points(tx) in (count, len(known))
        if name == "empty":
            db.run(tx, "DELETE FROM metrics.points")
        event = {"run": name, "platform": "youtube", "day": f"{day:%Y-%m-%d}"}
        result = work(collect.handler(event, None), "youtube")
        assert (result.states, result.artists) == (["archived"], 1)
        assert db.rows(tx, "SELECT * FROM metrics.points ORDER BY metric") == known
    one = {"run": "hour", "platform": "youtube", "day": f"{day:%Y-%m-%d}", "hour": day.hour}
    assert collect.handler(one, None)["batches"] == 1
    assert collect.handler({**one, "run": "other", "hour": (day.hour + 1) % 24}, None)["batches"] == 0


@pytest.mark.parametrize(
    ("platform", "day", "hour"),
    [
        ("myspace", "2026-11-28", None),
        ("youtube", "yesterday", None),
        ("youtube", 20261128, None),
        ("youtube", "2026-11-28", 24),
        ("youtube", "2026-11-28", -1),
        ("youtube", "2026-11-28", "7"),
    ],
)
def test_a_day_that_there_is_not_is_refused(platform, day, hour):
    with pytest.raises(InvalidRequest):
        replay.plan("x", platform, day, hour)


def test_the_sample_is_what_the_function_takes(event, world):
    assert collect.handler(event("collect.replay"), None)["batches"] == 0
