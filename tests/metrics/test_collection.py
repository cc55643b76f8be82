"""From the accounts that are due to the figures of the API: plan, fetch, load, show."""

import gzip
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from functions.collect import app as collect
from functions.load import app as load
from functions.youtube import app as youtube
from local.platforms import youtube_statistics
from showrunner import quotas
from showrunner.aws import s3, schedules
from showrunner.database import db
from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, StorageMissing
from showrunner.metrics import collection
from showrunner.store.metrics import accounts
from tests.conftest import ROOT, add_organisation, put_secrets
from tests.metrics.conftest import count_points, run

CHANNEL, OTHER = "UC" + "a" * 22, "UC" + "b" * 22


@pytest.fixture
def channel(world):
    """Return a function that tells YouTube the statistics of the channel."""

    def tell(channel_id=CHANNEL, **statistics):
        counters = {"subscriberCount": "1200", "viewCount": "56000", "videoCount": "12"}
        world.channels[channel_id] = {"title": "Tides", "statistics": counters | statistics}

    tell()
    return tell


@pytest.fixture
def artist(client):
    body = {"name": "Tides", "tier": "active", "accounts": {"youtube": CHANNEL}}
    return client("POST", "/api/v1/artists", body).body["artist"]["id"]


def figures(client, artist, query=""):
    found = client("GET", f"/api/v1/artists/{artist}/metrics{query}").body
    return {each["metric"]: each for each in found["platforms"][0]["figures"]}


def values(client, artist):
    return {metric: each["value"] for metric, each in figures(client, artist).items()}


def age(tx, **length):
    """Let everything have happened so long ago."""
    for column in ("at", "last_at"):
        db.run(tx, f"UPDATE metrics.points SET {column} = {column} - :by::interval", by=timedelta(**length))
    db.run(
        tx,
        """
        UPDATE metrics.accounts
           SET checked_at = checked_at - :by::interval, planned_at = planned_at - :by::interval
        """,
        by=timedelta(**length),
    )
    schedules.look_again("metrics", 0)


def test_figures_of_an_artist_are_collected_and_shown(client, tx, channel, artist):
    assert values(client, artist) == {"followers": None, "views": None, "videos": None}

    assert run("first").states == ["fetched"]

    found = client("GET", f"/api/v1/artists/{artist}/metrics?days=2").body
    [platform] = found["platforms"]
    assert (platform["account_id"], platform["state"]) == (CHANNEL, "found")
    assert values(client, artist) == {"followers": 1_200, "views": 56_000, "videos": 12}
    followers = platform["figures"][0]
    assert followers["age_seconds"] < 60
    assert [each["value"] for each in followers["history"]] == [None, 1_200]
    assert [(each["days"], each["change"]) for each in followers["growth"]] == [
        (1, None),
        (7, None),
        (30, None),
    ]
    assert [each["definitions"] for each in found["totals"]] == [{"youtube": 1}, {"youtube": 2}]
    assert [(each["metric"], each["value"], each["missing"]) for each in found["totals"]] == [
        ("followers", 1_200, []),
        ("views", 56_000, []),
    ]


def test_growth_and_history_have_what_was_observed(client, tx, channel, artist):
    run("first")
    age(tx, days=7)
    channel(viewCount="57000")
    run("second")

    views = figures(client, artist, "?days=9")["views"]

    assert [(each["days"], each["change"]) for each in views["growth"]] == [(1, None), (7, 1_000), (30, None)]
    assert [each["value"] for each in views["history"]] == [None, 56_000, *[None] * 6, 57_000]


def test_an_unchanged_figure_is_stored_once_and_its_age_is_that_of_the_last_observation(
    client, tx, channel, artist
):
    run("first")
    age(tx, hours=1)
    before = count_points(tx)
    run("second")

    assert count_points(tx) == before == 3
    assert figures(client, artist)["views"]["age_seconds"] < 60


def test_a_figure_that_youtube_hides_is_unknown_and_never_zero(client, channel, artist):
    channel(subscriberCount="0", hiddenSubscriberCount=True)

    run("first")

    assert values(client, artist) == {"followers": None, "views": 56_000, "videos": 12}
    totals = client("GET", f"/api/v1/artists/{artist}/metrics").body["totals"]
    assert [(each["value"], each["missing"]) for each in totals] == [(None, ["youtube"]), (56_000, [])]


def test_an_account_that_youtube_does_not_have_is_missing_and_keeps_its_figures(
    client, tx, world, channel, artist
):
    run("first")
    del world.channels[CHANNEL]
    age(tx, hours=1)
    run("second")
    age(tx, hours=1)

    found = client("GET", f"/api/v1/artists/{artist}/metrics").body["platforms"][0]
    assert (found["state"], found["figures"][0]["value"]) == ("missing", 1_200)
    assert run("third").states == []  # it is asked for daily now
    age(tx, hours=23)
    channel()
    assert run("fourth").states == ["fetched"]
    assert client("GET", f"/api/v1/artists/{artist}/metrics").body["platforms"][0]["state"] == "found"


def test_organisations_that_follow_the_same_channel_cost_one_call(
    client, tx, service, world, channel, artist
):
    other = service(add_organisation(tx, "Others"), "artists:all")
    theirs = other("POST", "/api/v1/artists", {"name": "T", "accounts": {"youtube": CHANNEL}}).body["artist"]

    result = run("first")

    assert (result.artists, world.spent) == (2, 1)
    assert values(client, artist) == values(other, theirs["id"])
    assert client("GET", f"/api/v1/artists/{theirs['id']}/metrics").status == 404


def test_figures_of_a_replaced_account_are_deleted_because_nothing_compares_with_them(
    client, tx, channel, artist
):
    run("first")
    age(tx, days=1)
    channel(OTHER, viewCount="7")

    client("PUT", f"/api/v1/artists/{artist}", {"accounts": {"youtube": OTHER}})

    assert values(client, artist) == {"followers": None, "views": None, "videos": None}
    run("second")
    views = figures(client, artist)["views"]
    assert (views["value"], views["growth"][0]["change"]) == (7, None)


# ------------------------------------------------------------------------------------------------ Repeats


def test_every_step_can_be_repeated(client, tx, world, channel, artist):
    planned = collect.handler({"run": "first"}, None)
    assert collect.handler({"run": "first"}, None) == planned
    [batch] = s3.get_json(planned["key"])
    fetched = youtube.handler(batch, None)
    channel(viewCount="99")
    assert youtube.handler(batch, None) == fetched
    assert world.spent == 1
    loaded = load.handler({"key": fetched["key"]}, None)
    again = load.handler({"key": fetched["key"]}, None)

    assert (loaded["runs"], again["runs"], count_points(tx)) == (3, 0, 3)
    assert values(client, artist)["views"] == 56_000


def test_a_day_can_be_loaded_again_from_the_archive(client, tx, channel, artist):
    run("first")
    keys = [key for key in s3.list_keys("archive/public/youtube/") if "/first/" in key]
    db.run(tx, "DELETE FROM metrics.points")

    for key in keys:
        load.handler({"key": key}, None)

    assert values(client, artist) == {"followers": 1_200, "views": 56_000, "videos": 12}


def test_what_was_changed_in_the_archive_is_not_loaded(tx, channel, artist):
    run("first")
    key = next(key for key in s3.list_keys("archive/public/youtube/") if "/first/" in key)
    document = json.loads(gzip.decompress(s3.get_bytes(key)))
    document["body"] = document["body"].replace("56000", "66000")
    s3.put_bytes(key, gzip.compress(json.dumps(document).encode()))

    with pytest.raises(StorageMissing, match="sha256 differs"):
        load.handler({"key": key}, None)


def test_a_run_that_was_killed_leaves_its_accounts_due(tx, channel, artist):
    planned = collect.handler({"run": "killed"}, None)

    assert collect.handler({"run": "at once"}, None)["batches"] == 0
    age(tx, hours=1)
    assert (planned["batches"], run("next").artists) == (1, 1)


# ------------------------------------------------------------------------------------------------ Schedule


def roster(client, number, tier):
    lines = [f"{tier} {n},{tier},UC{tier[0]}{n:021}" for n in range(number)]
    client("POST", "/api/v1/artists/import", {"csv": "\n".join(["name,tier,youtube", *lines])})


def collect_at(tx, now, name):
    """Plan a run at a time, and mark its accounts as asked for, as a run that takes four minutes does."""
    chosen = accounts.claim_due(tx, "youtube", collection.YOUTUBE.calls * collection.YOUTUBE.ids, name, now)
    answers = [{"account_id": each, "response": {}} for each in chosen]
    accounts.save_checked(tx, "youtube", now + timedelta(minutes=4), answers)
    return chosen


def test_a_day_of_too_many_artists_stays_within_the_share_and_leaves_none_out(client, tx):
    roster(client, 2_000, "active")
    roster(client, 1_500, "standard")
    begin = datetime(2026, 11, 29, 8, 7, tzinfo=UTC)

    asked = [collect_at(tx, begin + timedelta(hours=hour), f"run {hour}") for hour in range(26)]

    units = sum(-(-len(each) // collection.YOUTUBE.ids) for each in asked[:24])
    counts = {}
    for each in (account for chosen in asked[:24] for account in chosen):
        counts[each] = counts.get(each, 0) + 1
    assert units <= quotas.SHARES["metrics"] - 60
    assert units / (sum(counts.values()) / collection.YOUTUBE.ids) <= 1.02
    assert len(counts) == 3_500
    assert min(counts.values()) >= 1
    assert min(n for each, n in counts.items() if each.startswith("UCa")) >= 5


def test_few_artists_are_collected_hourly_and_daily(client, tx):
    roster(client, 3, "active")
    roster(client, 2, "standard")
    begin = datetime(2026, 11, 29, 8, 7, tzinfo=UTC)

    asked = [len(collect_at(tx, begin + timedelta(hours=hour), f"run {hour}")) for hour in range(49)]

    assert asked == [5 if hour % 24 == 0 else 3 for hour in range(49)]


def test_the_shares_leave_room_for_the_refreshes():
    hourly = 24 * collection.YOUTUBE.calls

    assert hourly + quotas.REFRESHES_A_DAY <= quotas.SHARES["metrics"]


def test_without_artists_the_hourly_run_does_not_ask_the_database(client, tx, world, monkeypatch):
    assert collect.handler({"run": "first"}, None)["batches"] == 0
    assert not schedules.is_work_due("metrics")
    with monkeypatch.context() as patch:
        patch.setenv("DATABASE_HOST", "192.0.2.1")
        assert collect.handler({"run": "second"}, None)["batches"] == 0

    client("POST", "/api/v1/artists", {"name": "Tides", "accounts": {"youtube": CHANNEL}})

    assert collect.handler({"run": "third"}, None)["batches"] == 1
    assert not schedules.is_work_due("metrics")
    assert schedules.is_work_due("metrics", (datetime.now(UTC) + timedelta(hours=23, minutes=50)).timestamp())


def test_every_hour_writes_what_is_left_of_each_quota_that_was_used(tx, world, capsys):
    quotas.spend("youtube", "search", 95, 100)
    quotas.spend("spotify", "calls", 450, quotas.SPOTIFY_CALLS_A_DAY)
    quotas.observe("instagram", "account", 97)
    quotas.reserve("youtube", "refresh", 60, 60, "a person")  # our own limit: no platform's quota
    collect.handler({"run": "first"}, None)
    capsys.readouterr()

    assert collect.handler({"run": "without-work"}, None)["batches"] == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "QuotaLeft" in line]
    left = {(line["platform"], line["bucket"]): line["QuotaLeft"] for line in lines}
    assert left == {("youtube", "search"): 5, ("spotify", "calls"): 50, ("instagram", "account"): 3}
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert (directive["Dimensions"], line["stage"]) == ([["platform", "bucket", "stage"]], "test")


def test_every_bucket_that_a_call_is_counted_in_is_measured_and_shown():
    """Each ledger that the code spends from is a row of limits()."""
    sources = (ROOT / "layers" / "showrunner" / "showrunner").rglob("*.py")
    used = {
        (project, bucket)
        for source in sources
        for project, bucket in re.findall(
            r'(?:Ledger|spend|reserve|observe)\(\s*"(\w+)", "(\w+)"', source.read_text(encoding="utf-8")
        )
    }

    assert used
    assert used <= quotas.limits().keys()


# ------------------------------------------------------------------------------------------------ Failures


@pytest.mark.parametrize("outcome", ["daily_quota", "daily_quota_new"])
def test_a_spent_quota_skips_the_batch_and_leaves_it_due(tx, world, channel, artist, outcome, monkeypatch):
    monkeypatch.setattr(quotas, "_is_fresh", lambda now: False)
    world.outcomes.add_all([{"outcome": outcome}])

    assert run("first").states == ["skipped"]
    assert run("second").states == []
    age(tx, hours=1)
    assert run("third").states == ["skipped"]
    assert world.spent == 1  # the ledger knows that the quota is spent


def test_a_refusal_just_after_midnight_is_waited_for(world, channel, artist, monkeypatch):
    monkeypatch.setattr(quotas, "_is_fresh", lambda now: True)
    world.outcomes.add_all([{"outcome": "daily_quota"}])
    [batch] = s3.get_json(collect.handler({"run": "first"}, None)["key"])

    later = youtube.handler(batch, None)

    assert later["state"] == "later"
    assert 290 <= later["wait_seconds"] <= 300


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("backend_error", PlatformUnavailable),
        ("rate_limit", PlatformUnavailable),
        ("bad_gateway", PlatformUnavailable),
        ("key_service_blocked", CredentialRejected),
    ],
)
def test_a_failure_archives_nothing_and_the_repeat_succeeds(tx, world, channel, artist, outcome, error):
    world.outcomes.add_all([{"outcome": outcome}])
    [batch] = s3.get_json(collect.handler({"run": "first"}, None)["key"])

    with pytest.raises(error):
        youtube.handler(batch, None)

    assert s3.size(batch["key"]) is None
    assert youtube.handler(batch, None)["state"] == "fetched"


def test_a_key_that_is_wrong_says_where_it_belongs(world, channel, artist):
    put_secrets({"youtube/api_key": "wrong"})
    [batch] = s3.get_json(collect.handler({"run": "first"}, None)["key"])

    with pytest.raises(CredentialRejected, match="youtube/api_key"):
        youtube.handler(batch, None)


def test_more_ids_than_a_call_takes_are_refused(world):
    world.seeded = True
    ids = [f"UC{n:022}" for n in range(51)]
    batch = {"platform": "youtube", "accounts": ids, "key": "archive/public/youtube/x"}

    with pytest.raises(PlatformRejected, match="At most 50"):
        youtube.handler(batch, None)


def test_a_batch_of_50_is_answered_whole(client, tx, world):
    world.seeded = True
    roster(client, 50, "active")

    assert run("first").artists == 50
    assert world.spent == 1
    [number] = {
        row["n"] for row in db.rows(tx, "SELECT count(*) AS n FROM metrics.accounts WHERE state = 'found'")
    }
    assert number == 50


def test_invented_figures_grow_and_are_the_same_again():
    def views(days):
        found = youtube_statistics.statistics(CHANNEL, youtube_statistics.BEGIN + days * 86_400)
        return int(found["viewCount"])

    assert views(300) == views(300)
    assert views(300) < views(301) < views(330)


# ------------------------------------------------------------------------------------------------ Refresh


def test_a_person_can_ask_for_new_figures(client, tx, metrics_machine, channel, artist):
    from showrunner.aws import sdk

    run("first")
    path = f"/api/v1/artists/{artist}/refresh"

    first, second = client("POST", path, {}), client("POST", path, {})

    assert (first.status, second.status, first.body["artist_id"]) == (202, 202, artist)
    client_ = sdk.client("stepfunctions")
    [execution] = [
        each
        for each in client_.list_executions(stateMachineArn=metrics_machine)["executions"]
        if artist in each["name"]
    ]
    given = json.loads(client_.describe_execution(executionArn=execution["executionArn"])["input"])
    channel(viewCount="57000")
    assert run(execution["name"], **given).artists == 1
    assert values(client, artist)["views"] == 57_000


def test_refreshes_have_a_share_of_the_quota(client, tx, metrics_machine, channel, artist, monkeypatch):
    monkeypatch.setattr(quotas, "REFRESHES_A_DAY", 1)
    body = {"name": "Neap", "accounts": {"youtube": OTHER}}
    second = client("POST", "/api/v1/artists", body).body["artist"]["id"]

    assert client("POST", f"/api/v1/artists/{artist}/refresh", {}).status == 202
    response = client("POST", f"/api/v1/artists/{second}/refresh", {})

    assert (response.status, response.body["error"]["code"]) == (429, "QUOTA_EXCEEDED")
    assert int(response.headers["retry-after"]) > 0


def test_an_artist_without_an_account_has_nothing_to_refresh(client, tx, metrics_machine, world):
    artist = client("POST", "/api/v1/artists", {"name": "Neap"}).body["artist"]["id"]

    response = client("POST", f"/api/v1/artists/{artist}/refresh", {})

    assert (response.status, response.body["error"]["code"]) == (409, "CONFLICT")
    found = client("GET", f"/api/v1/artists/{artist}/metrics").body
    assert (found["platforms"], [each["value"] for each in found["totals"]]) == ([], [None, None])


def test_a_run_for_an_artist_asks_for_no_other_organisations(tx, client, world, channel, artist):
    planned = collect.handler(
        {"run": "refresh-1", "artist_id": artist, "organisation_id": add_organisation(tx, "Others")}, None
    )

    assert planned["batches"] == 0


# ------------------------------------------------------------------------------------------------ Samples


def test_the_samples_are_what_the_functions_take(event, client, tx, world, metrics_machine):
    world.seeded = True

    assert collect.handler(event("collect.scheduled"), None)["batches"] == 0
    assert collect.handler(event("collect.artist"), None)["batches"] == 0
    assert youtube.handler(event("youtube.batch"), None)["state"] == "fetched"
    assert load.handler(event("load.batch"), None) == {"state": "loaded", "artists": 0, "runs": 0}
