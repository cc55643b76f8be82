"""Channels that their owners connect: YouTube Analytics' days and top videos, revised, missed and ended."""

from datetime import UTC, date, datetime, timedelta

import pytest

from functions.load import app as load
from functions.social import app as social
from local.platforms import youtube_analytics as stand_in
from showrunner import quotas
from showrunner.aws import s3, schedules
from showrunner.database import db
from showrunner.metrics import grants
from showrunner.store.metrics import points
from tests.metrics.conftest import CHANNEL, OTHER, OWNER, connect, run


def planned(name, reading="analytics"):
    from functions.collect import app as collect

    schedules.look_again("metrics-items-youtube", 0)
    place = collect.handler({"run": name, "platform": "youtube", "part": "items"}, None)
    found = s3.get_json(place["key"]) if place["batches"] else []
    return [each for each in found if each["reading"] == reading]


def collect_days(name):
    [batch] = planned(name)
    fetched = social.handler(batch, None)
    assert fetched["state"] == "fetched", fetched
    load.handler({"key": fetched["key"]}, None)
    return batch


def daily(person, artist, days=30):
    [platform] = person("GET", f"/api/v1/artists/{artist}/metrics?days={days}").body["platforms"]
    return {each["metric"]: each for each in platform["daily"]}


def today():
    return date.fromisoformat(quotas.pacific_day(datetime.now(UTC)))


def age(tx, **length):
    db.run(
        tx,
        """
        UPDATE metrics.readings SET checked_at = checked_at - :by::interval,
               planned_at = planned_at - :by::interval, covered_until = (covered_until - :by::interval)::date
        """,
        by=timedelta(**length),
    )
    sql = "UPDATE metrics.days SET fetched_at = fetched_at - :by::interval, day = (day - :by::interval)::date"
    db.run(tx, sql, by=timedelta(**length))


def test_days_of_a_year_come_with_the_owners_permission(person, tx, google, artist):
    response = connect(person, artist)
    assert response.status == 200, response.body
    assert response.body["artist"]["accounts"]["youtube"] == CHANNEL
    run("accounts")

    assert collect_days("first")["since"] == ""

    shown = daily(person, artist)
    assert set(shown) == {
        *("views", "minutes_watched", "seconds_per_view", "subscribers_gained", "subscribers_lost"),
        *("likes", "comments", "shares"),
    }
    newest = (today() - timedelta(days=3)).isoformat()
    values = {each["day"]: each["value"] for each in shown["views"]["history"]}
    assert values[newest] == stand_in._invented(CHANNEL, "views", newest)
    assert values[(today() - timedelta(days=2)).isoformat()] is None
    assert shown["views"]["total"] == sum(each for each in values.values() if each is not None)
    assert shown["seconds_per_view"]["total"] is None
    assert db.value(tx, "SELECT count(*) FROM metrics.days WHERE metric = 'views'") == 363
    [video] = person("GET", f"/api/v1/artists/{artist}/items").body["items"]
    assert video["details"]["views_28_days"] == 90


def test_a_change_of_the_definition_is_named(person, google, artist):
    connect(person, artist)
    run("accounts")
    collect_days("first")

    assert daily(person, artist, days=200)["views"]["redefined_on"] == "2026-08-27"
    assert daily(person, artist, days=200)["likes"]["redefined_on"] is None
    assert daily(person, artist, days=2)["views"]["redefined_on"] is None


def test_a_revised_day_replaces_the_one_before_and_missed_days_are_filled(person, tx, google, artist):
    connect(person, artist)
    run("accounts")
    collect_days("first")
    # Nothing ran for twenty days.
    age(tx, days=20)
    first = today() - timedelta(days=3 + 20 + 7)
    google.analytics[CHANNEL] = {"views": {first.isoformat(): 77_777}}

    assert collect_days("later")["since"] == first.isoformat()

    history = daily(person, artist, days=60)["views"]["history"]
    known = [each for each in history if each["value"] is not None]
    assert {each["day"]: each["value"] for each in known}[first.isoformat()] == 77_777
    assert db.value(tx, "SELECT count(*) FROM metrics.days WHERE metric = 'views'") == 363 + 20
    assert len(known) in (60 - 3, 60 - 4)  # UTC may be a day ahead of Los Angeles


def test_a_gap_among_the_known_days_is_filled(person, tx, google, artist):
    connect(person, artist)
    run("accounts")
    collect_days("first")
    gap = today() - timedelta(days=100)
    db.run(tx, "DELETE FROM metrics.days WHERE day BETWEEN :gap::date AND :gap::date + 3", gap=gap)
    yesterday = "checked_at = checked_at - interval '1 day', planned_at = planned_at - interval '1 day'"
    db.run(tx, f"UPDATE metrics.readings SET {yesterday}")
    assert None in {each["value"] for each in daily(person, artist, 365)["views"]["history"][:-4]}

    assert collect_days("later")["since"] == gap.isoformat()

    assert None not in {each["value"] for each in daily(person, artist, 360)["views"]["history"][:-4]}


def test_loading_an_older_answer_again_changes_nothing(person, tx, google, artist):
    connect(person, artist)
    run("accounts")
    collect_days("first")
    before = {name: each["history"] for name, each in daily(person, artist).items()}
    key = next(key for key in s3.list_keys("archive/connected/youtube/"))

    assert load.handler({"key": key}, None)["days"] == 0
    assert {name: each["history"] for name, each in daily(person, artist).items()} == before


def test_revenue_needs_a_permission_of_its_own(person, google, artist):
    connect(person, artist, revenue=True)
    run("accounts")
    collect_days("first")

    assert daily(person, artist)["revenue_usd"]["total"] > 0


def test_without_the_scope_of_analytics_nothing_is_connected(person, google, artist):
    response = connect(person, artist, without="https://www.googleapis.com/auth/yt-analytics.readonly")

    assert response.status == 400
    assert "leave it on" in response.body["error"]["message"]


def test_another_channel_than_the_artists_is_refused(person, google, artist):
    person("PUT", f"/api/v1/artists/{artist}", {"accounts": {"youtube": CHANNEL}})

    response = connect(person, artist, channel=OTHER)

    assert response.status == 409
    assert OTHER in response.body["error"]["message"]


def test_a_withdrawn_permission_ends_the_days_and_leaves_the_public_figures(person, tx, google, artist):
    connect(person, artist)
    run("accounts")
    collect_days("first")
    google.sign_ins.refresh_tokens.clear()
    google.sign_ins.access_tokens.clear()
    age(tx, days=1)
    [batch] = planned("second")

    ended = social.handler(batch, None)
    load.handler({"disconnected": ended["disconnected"]}, None)

    [platform] = person("GET", f"/api/v1/artists/{artist}/metrics").body["platforms"]
    assert (platform["state"], platform["connected"], platform["daily"]) == ("found", False, [])
    assert "withdrawn" in platform["problem"]
    assert [each["value"] for each in platform["figures"]] == [7, 5, 1]
    age(tx, days=1)
    assert planned("third") == []
    # It can be given again.
    assert connect(person, artist).status == 200
    assert planned("fourth")[0]["since"] == ""


def test_a_person_can_end_the_permission(person, tx, google, artist):
    connect(person, artist)
    run("accounts")
    collect_days("first")

    assert person("DELETE", f"/api/v1/artists/{artist}/accounts/youtube").status == 204

    [platform] = person("GET", f"/api/v1/artists/{artist}/metrics").body["platforms"]
    assert (platform["account_id"], platform["connected"], platform["daily"]) == (CHANNEL, False, [])
    assert db.value(tx, "SELECT count(*) FROM metrics.days") == 0


def test_a_token_that_ended_early_is_renewed_once_and_keeps_its_scopes(person, google, artist):
    connect(person, artist, revenue=True)
    run("accounts")
    google.sign_ins.access_tokens.clear()

    collect_days("first")

    assert "revenue_usd" in daily(person, artist)
    account = grants.Account("youtube", person.organisation_id, artist)
    assert any("monetary" in each for each in grants.scopes(account))


def test_public_figures_of_connected_channels_are_kept(person, tx, google, artist):
    connect(person, artist)
    run("accounts")
    by = timedelta(days=40)
    db.run(tx, "UPDATE metrics.points SET at = at - :by::interval, last_at = last_at - :by::interval", by=by)

    assert points.remove_expired(tx, 10) == 0
    person("DELETE", f"/api/v1/artists/{artist}/accounts/youtube")
    assert points.remove_expired(tx, 10) == 3


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"ids": "channel==UCz"}, 403),
        ({"metrics": ""}, 400),
        ({"metrics": "plays"}, 400),
        ({"metrics": "estimatedRevenue"}, 403),
        ({"startDate": "2026-12-01"}, 400),
        ({"dimensions": "video"}, 400),
        ({"part": "x"}, 400),
        ({"maxResults": "many"}, 400),
    ],
)
def test_the_stand_in_refuses_what_youtube_refuses(google, change, status):
    from urllib.parse import urlencode

    from local.platforms import server
    from local.platforms.google import Grant
    from local.platforms.http import Request

    scopes = ["https://www.googleapis.com/auth/yt-analytics.readonly"]
    google.sign_ins.access_tokens["t"] = Grant(OWNER, scopes)
    usual = {
        "ids": "channel==MINE",
        "startDate": "2026-11-01",
        "endDate": "2026-11-20",
        "metrics": "views",
        "dimensions": "day",
    }
    headers = {"authorization": "Bearer t"}

    def ask(query):
        return server.answer(google, Request("GET", "http://x", "/v2/reports", urlencode(query), headers))

    assert ask(usual).status == 200
    assert ask(usual | change).status == status


def test_the_sample_is_what_the_function_takes(event, tx, google):
    assert social.handler(event("social.analytics"), None)["state"] == "disconnected"
