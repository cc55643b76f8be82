"""The catalogue at Airtable: changed rows only, ten a call, within its limits, and none twice."""

import json
import time
from datetime import UTC, datetime
from urllib.request import Request, urlopen

import pytest
import requests

from functions.airtable import app as airtable
from functions.collect import app as collect
from functions.load import app as load
from showrunner import quotas, rates
from showrunner.aws import s3, sdk, ssm
from showrunner.database import db
from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable
from showrunner.metrics import airtable_writing, fetching
from showrunner.platforms.airtable import failure
from showrunner.platforms.http import Answer
from tests.conftest import put_secrets

BASE = "app" + "B" * 14


@pytest.fixture
def app(world, client, monkeypatch):
    """Return the stand-in's workspace; the organisation of `client` has a base."""
    monkeypatch.setenv("AIRTABLE_BASE_URL", fetching.config.setting("YOUTUBE_BASE_URL"))
    monkeypatch.setenv("AIRTABLE_BASES", f"{client.organisation_id}={BASE}")
    put_secrets({"airtable/token": "local"})
    airtable_writing._client.cache_clear()
    yield world.airtable_app
    airtable_writing._client.cache_clear()
    sdk.client("ssm").delete_parameter(Name="/showrunner/test/airtable/token")
    ssm.forget()


@pytest.fixture
def unhurried(monkeypatch):
    """Let calls follow each other at once: these tests are not about the rate."""
    monkeypatch.setattr(rates, "reserve", lambda *_: None)


def add(client, number):
    lines = [f"Artist {n:03},active" for n in range(number)]
    client("POST", "/api/v1/artists/import", {"csv": "\n".join(["name,tier", *lines])})


def plan(name):
    place = collect.handler({"run": name, "platform": "airtable"}, None)
    return s3.get_json(place["key"]) if place["batches"] else []


def sync(name):
    """Do what the machine does in a run. Returns the number of calls."""
    batches = plan(name)
    for batch in batches:
        written = airtable.handler(batch, None)
        assert written["state"] == "fetched", written
        load.handler({"key": written["key"]}, None)
    return len(batches)


def records(app, table="Catalogue"):
    return [each["fields"] for each in app.base(BASE).records.get(table, {}).values()]


def test_artists_are_written_in_tens_and_unchanged_ones_never_again(client, tx, app, unhurried):
    app.base(BASE).window.calls = 1_000
    add(client, 25)

    assert sync("first") == 3
    assert app.writes == len(records(app)) == 25
    assert sync("second") == 0

    artist = client("GET", "/api/v1/artists?sort=name&limit=1").body["artists"][0]
    client("PUT", f"/api/v1/artists/{artist['id']}", {"tier": "standard"})
    assert sync("third") == 1

    assert app.writes == 26
    assert [each["Tier"] for each in records(app)].count("standard") == 1
    assert len(records(app)) == 25


def test_figures_that_nobody_knows_are_empty(client, tx, app, unhurried):
    body = {"name": "Tides", "accounts": {"youtube": "UC" + "a" * 22}}
    artist = client("POST", "/api/v1/artists", body).body["artist"]["id"]
    db.run(
        tx,
        """
        INSERT INTO metrics.points (artist_id, platform, metric, at, last_at, value, definition)
        VALUES (:id, 'youtube', 'views', now(), now(), 0, 2)
        """,
        id=artist,
    )

    sync("first")

    assert records(app) == [
        {
            "Artist ID": artist,
            "Artist": "Tides",
            "Tier": "standard",
            "YouTube": "UC" + "a" * 22,
            "YouTube views": 0,
        }
    ]


def test_videos_are_added_once_and_never_changed(client, tx, app, unhurried):
    body = {"name": "Tides", "accounts": {"youtube": "UC" + "a" * 22}}
    artist = client("POST", "/api/v1/artists", body).body["artist"]["id"]

    def find(video_id):
        db.run(
            tx,
            """
            INSERT INTO metrics.items (artist_id, platform, kind, item_id, title, first_at, found_at)
            VALUES (:artist_id, 'youtube', 'video', :id, 'Tide', now(), now())
            """,
            artist_id=artist,
            id=video_id,
        )

    find("vid00000001")
    sync("first")
    db.run(tx, "UPDATE metrics.items SET title = 'Another title'")
    find("vid00000002")
    app.base(BASE).window.calls = 1_000

    assert sync("second") == 1

    assert [(each["Video ID"], each["Title"]) for each in records(app, "Videos")] == [
        ("vid00000001", "Tide"),
        ("vid00000002", "Tide"),
    ]


def test_a_worker_that_dies_after_the_answer_adds_nothing_twice(client, tx, app, unhurried):
    add(client, 3)
    app.outcomes.add("lost_answer")
    [batch] = plan("first")

    with pytest.raises(PlatformUnavailable):
        airtable.handler(batch, None)
    assert len(records(app)) == 3  # it has happened, and nobody knows
    written = airtable.handler(batch, None)
    assert airtable.handler(batch, None) == written  # from the archive, without a call
    for _ in range(2):
        load.handler({"key": written["key"]}, None)

    assert len(records(app)) == 3
    assert plan("second") == []


def test_rows_whose_load_was_lost_are_written_again_by_the_next_run_and_once(client, tx, app, unhurried):
    """A write to Airtable whose load was lost is planned again, because its row isn't recorded as written."""
    add(client, 12)
    first, second = plan("first")
    load.handler({"key": airtable.handler(first, None)["key"]}, None)
    airtable.handler(second, None)  # archived, and its load fails for good

    assert [len(batch["rows"]) for batch in plan("second")] == [2]
    assert sync("third") == 1
    assert sync("fourth") == 0

    assert len(records(app)) == 12


def test_too_many_calls_rest_for_30_seconds_and_a_spent_month_is_skipped(client, tx, app):
    add(client, 1)
    [batch] = plan("first")
    app.outcomes.add("rate_limit")

    later = airtable.handler(batch, None)
    assert (later["state"], 29 <= later["wait_seconds"] <= 31) == ("later", True)
    assert airtable.handler(batch, None)["state"] == "later"  # nobody calls during the rest
    assert app.calls == 0
    rates._update(f"airtable:{BASE}", {"UpdateExpression": "REMOVE paused_until"})

    time.sleep(0.3)
    app.outcomes.add("month_spent")
    assert airtable.handler(batch, None)["state"] == "skipped"
    assert airtable.handler(batch, None)["state"] == "skipped"
    assert app.calls == 1
    assert plan("second") != []  # it stays due


def test_the_calls_of_a_month_are_counted_and_end_at_the_plans_number(
    client, tx, app, unhurried, monkeypatch
):
    monkeypatch.setenv("AIRTABLE_CALLS_A_MONTH", "1")
    add(client, 11)
    first, second = plan("first")

    assert airtable.handler(first, None)["state"] == "fetched"
    assert airtable.handler(second, None)["state"] == "skipped"

    assert (app.calls, quotas.spent("airtable", "calls")) == (1, 1)
    assert quotas.left()["airtable", "calls"] == 0
    monkeypatch.setenv("AIRTABLE_CALLS_A_MONTH", "0")  # a plan without a limit
    assert airtable.handler(second, None)["state"] == "fetched"
    assert ("airtable", "calls") not in quotas.limits()


def test_a_month_that_somebody_else_has_spent_is_shown(client, tx, app, unhurried):
    add(client, 1)
    [batch] = plan("first")
    app.calls_a_month = 0

    assert airtable.handler(batch, None)["state"] == "skipped"

    assert quotas.left()["airtable", "plan"] == 0


def test_the_stand_in_refuses_the_51st_call_of_a_second_over_all_bases(app):
    app.factor = 1e-6  # its clock stands nearly still
    answers = []
    for number in range(51):
        url = f"{fetching.config.setting('AIRTABLE_BASE_URL')}/v0/app{number:014}/Catalogue"
        asked = requests.get(url, headers={"Authorization": "Bearer local"}, timeout=5)
        answers.append(asked.status_code)

    assert answers == [200] * 50 + [429]


def test_the_month_ends_on_its_first_day():
    body = json.dumps({"errors": [{"error": "PUBLIC_API_BILLING_LIMIT_EXCEEDED", "message": "x"}]})
    error = failure(Answer(429, {}, body.encode()), datetime(2026, 12, 31, 23, tzinfo=UTC))

    assert error.retry_at == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda batch: batch | {"rows": [{"Artist ID": "1", "Colour": "red"}]}, PlatformRejected, "Colour"),
        (lambda batch: batch | {"rows": [{"Artist ID": 7}]}, PlatformRejected, "cannot accept"),
        (lambda batch: batch | {"rows": [{"Artist": "T"}]}, PlatformRejected, "missing in a record"),
        (lambda batch: batch | {"rows": [{"Artist ID": str(n)} for n in range(11)]}, PlatformRejected, "10"),
    ],
)
def test_what_airtable_refuses_says_why(client, tx, app, unhurried, change, error, words):
    add(client, 1)
    [batch] = plan("first")

    with pytest.raises(error, match=words):
        airtable.handler(change(batch), None)


def test_a_wrong_token_says_where_it_belongs(client, tx, app, unhurried):
    put_secrets({"airtable/token": "wrong"})
    add(client, 1)
    [batch] = plan("first")

    with pytest.raises(CredentialRejected, match="airtable/token"):
        airtable.handler(batch, None)


def test_records_can_be_read_in_pages_from_the_stand_in(client, tx, app, unhurried):
    app.base(BASE).window.calls = 1_000
    add(client, 12)
    sync("first")
    url = f"{fetching.config.setting('YOUTUBE_BASE_URL')}/v0/{BASE}/Catalogue?pageSize=10"
    headers = {"Authorization": "Bearer local"}

    with urlopen(Request(url, headers=headers)) as answer:
        page = json.loads(answer.read())
    with urlopen(Request(f"{url}&offset={page['offset']}", headers=headers)) as answer:
        rest = json.loads(answer.read())

    assert (len(page["records"]), len(rest["records"])) == (10, 2)
    assert "offset" not in rest


def test_an_organisation_without_a_base_is_left_out(client, tx, app, monkeypatch):
    monkeypatch.setenv("AIRTABLE_BASES", "")
    add(client, 1)

    assert plan("first") == []


def test_the_samples_are_what_the_functions_take(event, tx, app, unhurried):
    assert collect.handler(event("collect.airtable"), None)["batches"] == 0
    assert airtable.handler(event("airtable.batch"), None)["state"] == "fetched"
