"""Artists on Spotify: their figures in both modes of an app, its limits, and its failures."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from functions.collect import app as collect
from functions.load import app as load
from functions.spotify import app as spotify
from local.platforms import clock, limits
from local.platforms import spotify as stand_in
from local.platforms import spotify_catalogue as catalogue
from local.platforms.http import Request
from showrunner import quotas, rates
from showrunner.aws import s3, sdk, ssm
from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable
from showrunner.metrics import collection, fetching, readings
from tests.conftest import put_secrets
from tests.metrics.conftest import run, run_items

ARTIST, OTHER = "a" * 22, "b" * 22


@pytest.fixture
def app(world, monkeypatch):
    """Return the stand-in's app at Spotify, in extended mode."""
    base = fetching.config.setting("YOUTUBE_BASE_URL")
    monkeypatch.setenv("SPOTIFY_BASE_URL", base)
    monkeypatch.setenv("SPOTIFY_ACCOUNTS_URL", base)
    monkeypatch.setenv("SPOTIFY_MODE", "extended")
    put_secrets({"spotify/client_id": world.spotify_app.client_id, "spotify/client_secret": "local"})
    world.spotify_app.figures[ARTIST] = {"followers": {"href": None, "total": 4_100}, "popularity": 37}
    fetching._spotify.cache_clear()
    yield world.spotify_app
    fetching._spotify.cache_clear()
    for name in ("client_id", "client_secret"):
        sdk.client("ssm").delete_parameter(Name=f"/showrunner/test/spotify/{name}")
    ssm.forget()


@pytest.fixture
def development(app, monkeypatch):
    monkeypatch.setenv("SPOTIFY_MODE", "development")
    app.mode = "development"
    return app


@pytest.fixture
def artist(client):
    body = {"name": "Tides", "tier": "active", "accounts": {"spotify": ARTIST}}
    return client("POST", "/api/v1/artists", body).body["artist"]["id"]


def values(client, artist):
    [platform] = client("GET", f"/api/v1/artists/{artist}/metrics").body["platforms"]
    return platform["state"], {each["metric"]: each["value"] for each in platform["figures"]}


def batch_of(run_name="first"):
    [batch] = s3.get_json(collect.handler({"run": run_name, "platform": "spotify"}, None)["key"])
    return batch


def test_figures_of_an_artist_are_collected_and_shown(client, app, artist):
    assert run("first", platform="spotify").states == ["fetched"]

    assert values(client, artist) == ("found", {"followers": 4_100, "popularity": 37})
    totals = client("GET", f"/api/v1/artists/{artist}/metrics").body["totals"]
    assert [(each["metric"], each["value"], each["platforms"]) for each in totals] == [
        ("followers", 4_100, ["spotify"]),
        ("views", None, []),
    ]


def test_50_artists_are_one_call_in_extended_mode(client, app):
    lines = [f"Artist {n},active,{n:022}" for n in range(51)]
    client("POST", "/api/v1/artists/import", {"csv": "\n".join(["name,tier,spotify", *lines])})

    result = run("first", platform="spotify")

    assert (result.artists, app.calls) == (51, 2)


def test_an_app_in_development_mode_gets_no_figures_and_they_stay_unknown(client, development, artist):
    assert run("first", platform="spotify").states == ["fetched"]

    assert values(client, artist) == ("found", {"followers": None, "popularity": None})
    assert quotas.spent("spotify", "calls") == 1


@pytest.mark.parametrize("mode", ["extended", "development"])
def test_an_artist_that_spotify_does_not_have_is_missing(client, app, artist, mode, monkeypatch):
    monkeypatch.setenv("SPOTIFY_MODE", mode)
    app.mode = mode
    app.missing.add(ARTIST)

    run("first", platform="spotify")

    assert values(client, artist)[0] == "missing"


def test_a_platform_that_fails_stops_no_other(client, world, app, artist):
    channel = "UC" + "a" * 22
    world.channels[channel] = {"title": "T", "statistics": {"viewCount": "5"}}
    client("PUT", f"/api/v1/artists/{artist}", {"accounts": {"youtube": channel}})
    app.outcomes.add("server_error")

    with pytest.raises(PlatformUnavailable):
        run("first", platform="spotify")

    assert run("second", platform="youtube").states == ["fetched"]


# ------------------------------------------------------------------------------------------------ Limits


def test_a_full_rate_is_waited_for_and_costs_no_call(app, artist):
    batch = batch_of()
    ahead = datetime.now(UTC) + timedelta(seconds=20)
    for _ in range(rates.SPOTIFY.burst):
        rates.reserve("spotify", rates.SPOTIFY, ahead)

    assert spotify.handler(batch, None)["state"] == "later"
    assert app.calls == 0


def test_a_refusal_with_retry_after_pauses_all_callers_for_as_long(app, artist):
    batch = batch_of()
    app.outcomes.add("rate_limit")

    first, second = spotify.handler(batch, None), spotify.handler(batch, None)

    assert first == {"state": "later", "wait_seconds": 7}
    assert 5 <= second["wait_seconds"] <= 7
    assert app.calls == 0


def test_a_spent_quota_skips_the_batch_until_spotify_renews_it(app, artist):
    batch = batch_of()
    app.outcomes.add("quota")

    assert spotify.handler(batch, None) == {"state": "skipped"}
    assert spotify.handler(batch, None) == {"state": "skipped"}
    assert app.calls == 1  # the ledger knows that the quota is spent
    assert rates.available("spotify", rates.SPOTIFY, datetime.now(UTC) + timedelta(hours=9)) == 0
    assert rates.available("spotify", rates.SPOTIFY, datetime.now(UTC) + timedelta(hours=11)) > 0


def test_the_calls_of_a_day_in_development_mode_are_counted(development, artist, monkeypatch):
    batch = batch_of()
    quotas.spend("spotify", "calls", quotas.SPOTIFY_CALLS_A_DAY, quotas.SPOTIFY_CALLS_A_DAY)

    assert spotify.handler(batch, None)["state"] in ("skipped", "later")  # later in the last minutes of a day
    assert development.calls == 0


@pytest.mark.parametrize(("zone", "length", "days"), [("America/Los_Angeles", 10, 1), ("UTC", 7, 31)])
def test_the_stand_ins_quotas_begin_again_with_the_day_or_the_month(zone, length, days, monkeypatch):
    renewal = limits.Renewal(zone, length)
    monkeypatch.setattr(clock, "now", lambda: 1_767_225_600.0)

    assert [renewal.used("calls", total) for total in (1, 5, 100)] == [1, 5, 100]
    monkeypatch.setattr(clock, "now", lambda: 1_767_225_600.0 + days * 86_400)
    assert [renewal.used("calls", total) for total in (101, 103)] == [1, 3]
    assert renewal.used("others", 2) == 2


def test_a_call_that_was_never_sent_does_not_count(development, artist, monkeypatch):
    monkeypatch.setenv("SPOTIFY_ACCOUNTS_URL", "http://127.0.0.1:9")
    fetching._spotify.cache_clear()

    with pytest.raises(PlatformUnavailable):
        spotify.handler(batch_of(), None)

    assert quotas.spent("spotify", "calls") == 0


def test_a_day_of_runs_in_development_mode_stays_below_the_quota():
    assert 24 * collection.SPOTIFY_DEVELOPMENT.calls <= quotas.SPOTIFY_CALLS_A_DAY
    assert stand_in.LIMITS["development_calls_a_day"] > quotas.SPOTIFY_CALLS_A_DAY
    assert rates.SPOTIFY.calls < stand_in.LIMITS["window_calls"]


# ------------------------------------------------------------------------------------------------ Failures


@pytest.mark.parametrize("outcome", ["server_error", "bad_gateway", "truncated"])
def test_a_failure_archives_nothing_and_the_repeat_succeeds(app, artist, outcome):
    batch = batch_of()
    app.outcomes.add(outcome)

    with pytest.raises(PlatformUnavailable):
        spotify.handler(batch, None)

    assert s3.size(batch["key"]) is None
    assert spotify.handler(batch, None)["state"] == "fetched"


def test_failures_durations_and_refused_keys_are_measured(app, artist, monkeypatch):
    measured = []
    monkeypatch.setattr(
        fetching.metrics, "add_metric", lambda name, unit, value: measured.append((name, value))
    )
    named = []
    monkeypatch.setattr(fetching.metrics, "add_dimension", lambda *dimension: named.append(dimension))
    batch = batch_of()
    for outcome in ("server_error", "no_premium"):
        app.outcomes.add(outcome)
        with pytest.raises((PlatformUnavailable, CredentialRejected)):
            spotify.handler(batch, None)
    spotify.handler(batch, None)

    assert [value for name, value in measured if name == "FetchFailures"] == [100, 100, 0]
    # As the alarms name it, beside the function.
    assert {value for name, value in named if name == "platform"} == {"spotify"}
    assert [value for name, value in measured if name == "FetchCredentialsRejected"] == [1]
    assert all(0 < value < 60_000 for name, value in measured if name == "FetchDuration")


def test_an_expired_token_is_replaced_at_once(app, artist):
    spotify.handler(batch_of(), None)
    s3.remove([batch_of()["key"]])
    app.outcomes.add("expired_token")

    assert spotify.handler(batch_of(), None)["state"] == "fetched"
    assert len(app.tokens) == 1


def test_a_secret_that_is_wrong_says_where_it_belongs(app, artist):
    put_secrets({"spotify/client_secret": "wrong"})

    with pytest.raises(CredentialRejected, match="spotify/client_secret"):
        spotify.handler(batch_of(), None)


def test_an_app_that_lost_its_owners_subscription_says_so(app, artist):
    app.outcomes.add("no_premium")

    with pytest.raises(CredentialRejected, match="Premium"):
        spotify.handler(batch_of(), None)


def test_the_wrong_mode_names_the_parameter(app, artist):
    app.mode = "development"

    with pytest.raises(PlatformRejected, match="SpotifyMode=development"):
        spotify.handler(batch_of(), None)


def test_a_stage_without_an_app_skips_its_batches(app, artist):
    batch = batch_of()
    sdk.client("ssm").delete_parameter(Name="/showrunner/test/spotify/client_id")
    ssm.forget()

    assert spotify.handler(batch, None) == {"state": "skipped"}
    put_secrets({"spotify/client_id": "local"})


def test_the_sample_is_what_the_function_takes(event, app):
    assert spotify.handler(event("spotify.batch"), None)["state"] == "fetched"
    assert load.handler({"key": event("spotify.batch")["key"]}, None)["artists"] == 0


# ------------------------------------------------------------------------------------------------ Stand-in


def test_invented_followers_grow_and_are_the_same_again(app):
    def followers(days):
        found = stand_in.artist(app, OTHER, stand_in.BEGIN + days * 86_400)
        return found["followers"]["total"]

    assert followers(300) == followers(300)
    assert followers(300) < followers(301) < followers(330)


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/v1/artists", "ids=" + ",".join(["c" * 22] * 51), 400),
        ("/v1/artists", f"ids={ARTIST}&market=GB", 400),
        ("/v1/artists", "ids=short", 400),
        ("/v1/artists/short", "", 400),
        (f"/v1/artists/{ARTIST}", "", 200),
    ],
)
def test_the_stand_in_refuses_what_spotify_refuses(app, path, query, status):
    app.tokens["good"] = 1e12
    request = stand_in.Request("GET", "http://x", path, query, {"authorization": "Bearer good"})

    assert stand_in.answer(app, request).status == status
    assert stand_in.answer(app, stand_in.Request("GET", "http://x", path, query, {})).status == 401


def test_the_window_of_the_stand_in_refuses_the_call_that_is_too_many(app):
    app.tokens["good"] = 1e12
    request = stand_in.Request(
        "GET", "http://x", f"/v1/artists/{ARTIST}", "", {"authorization": "Bearer good"}
    )
    statuses = [stand_in.answer(app, request).status for _ in range(app.window.calls + 1)]

    assert (statuses.count(200), statuses[-1]) == (app.window.calls, 429)


# ------------------------------------------------------------------------------------------------ Albums


def listed(client, artist, kind):
    return client("GET", f"/api/v1/artists/{artist}/items?kind={kind}&limit=100").body["items"]


def test_albums_and_tracks_are_found_and_have_their_popularity(client, tx, app, artist):
    run("accounts", platform="spotify")
    assert run_items("albums", "spotify").states == ["fetched"]
    assert run_items("details", "spotify").states == ["fetched"]
    assert run_items("tracks", "spotify").states == ["fetched"]

    albums, tracks = listed(client, artist, "album"), listed(client, artist, "track")

    assert len(albums) == catalogue.ALBUM_COUNT
    assert len(tracks) == catalogue.ALBUM_COUNT * catalogue.TRACK_COUNT
    assert {tuple(sorted(each["figures"])) for each in albums} == {("popularity", "tracks")}
    assert {tuple(sorted(each["figures"])) for each in tracks} == {("popularity",)}
    assert albums[0]["details"]["label"] == "Tide Records"
    assert all(each["details"]["isrc"] for each in tracks)
    assert app.calls == 4  # an artist, its list, three albums, twelve tracks


def test_an_app_in_development_mode_gets_albums_one_by_one_and_no_popularity(client, tx, development, artist):
    run("accounts", platform="spotify")
    run_items("albums", "spotify")

    assert run_items("details", "spotify").states == ["fetched"] * catalogue.ALBUM_COUNT

    albums, tracks = listed(client, artist, "album"), listed(client, artist, "track")
    assert {tuple(each["figures"]) for each in albums} == {("tracks",)}
    assert {tuple(each["figures"]) for each in tracks} == {()}
    assert "label" not in albums[0]["details"]
    assert quotas.spent("spotify", "calls") == development.calls == 2 + catalogue.ALBUM_COUNT


def test_24_runs_of_a_development_app_stay_within_its_calls_of_a_day():
    calls = collection.SPOTIFY_DEVELOPMENT.calls + sum(each.calls for each in readings.SPOTIFY_DEVELOPMENT)

    # With less than a tenth left an alarm goes off.
    assert 24 * calls <= 0.9 * quotas.SPOTIFY_CALLS_A_DAY


@pytest.mark.parametrize(
    ("path", "query", "mode", "status"),
    [
        ("/v1/albums", {"ids": ",".join(["a" * 22] * 21)}, "extended", 400),
        ("/v1/albums", {"ids": "a" * 22}, "development", 403),
        ("/v1/tracks", {"ids": "a" * 22}, "development", 403),
        ("/v1/tracks", {"ids": "short"}, "extended", 400),
        (f"/v1/artists/{'a' * 22}/albums", {"limit": "51"}, "extended", 400),
        (f"/v1/artists/{'a' * 22}/albums", {"include_groups": "live"}, "extended", 400),
        (f"/v1/albums/{'a' * 22}", {}, "development", 200),
    ],
)
def test_the_stand_in_refuses_albums_as_spotify_does(path, query, mode, status):
    request = Request("GET", "http://x", path, urlencode(query), {})

    assert catalogue.answer(mode, request).status == status
