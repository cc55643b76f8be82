"""Accounts on TikTok and Instagram: connected by their owners, collected, renewed, and lost."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
import requests

from functions.load import app as load
from functions.social import app as social
from local.platforms import instagram as instagram_stand_in
from local.platforms import tiktok as tiktok_stand_in
from showrunner import quotas, rates
from showrunner.aws import dynamodb, s3, schedules, sdk, ssm
from showrunner.aws import email as ses
from showrunner.database import db
from showrunner.errors import CredentialRejected, Disconnected, PlatformUnavailable, ServiceUnavailable
from showrunner.metrics import clients, collection, connected_fetching, fetching, grants
from showrunner.platforms import instagram
from showrunner.platforms.http import Answer
from showrunner.store.metrics import accounts
from tests.accounts.calls import emails_to
from tests.conftest import put_secrets
from tests.metrics.conftest import consent, run

NAMES = ("tiktok/client_key", "tiktok/client_secret", "instagram/client_id", "instagram/client_secret")
URLS = (
    "TIKTOK_API_URL",
    "TIKTOK_LOGIN_URL",
    "INSTAGRAM_API_URL",
    "INSTAGRAM_LOGIN_URL",
    "INSTAGRAM_OAUTH_URL",
)
PLATFORMS = ("tiktok", "instagram")
INSIGHTS = f"/v26.0/{instagram_stand_in.user_id('ada')}/insights"


@pytest.fixture
def apps(world, monkeypatch):
    """Return the world, whose apps at TikTok and Instagram the stage knows."""
    base = fetching.config.setting("YOUTUBE_BASE_URL")
    for name in URLS:
        monkeypatch.setenv(name, base)
    put_secrets(dict.fromkeys(NAMES, "local"))
    for cached in (clients._tiktok, clients._instagram):
        cached.cache_clear()
    yield world
    for cached in (clients._tiktok, clients._instagram):
        cached.cache_clear()
    for name in NAMES:
        sdk.client("ssm").delete_parameter(Name=f"/showrunner/test/{name}")
    ssm.forget()


def app_of(world, platform):
    return world.tiktok_app if platform == "tiktok" else world.instagram_app


@pytest.fixture
def artist(person):
    return person("POST", "/api/v1/artists", {"name": "Tides", "tier": "active"}).body["artist"]["id"]


def connect(person, artist, platform, name="ada", without=""):
    path = f"/api/v1/artists/{artist}/accounts/{platform}"
    begun = person("GET", f"{path}/connect")
    assert begun.status == 200, begun.body
    back = consent(begun.body["authorization_url"], name, without)
    cookie = begun.headers["set-cookie"].partition(";")[0]
    body = {"code": back["code"], "state": back["state"]}
    return person("POST", f"{path}/callback", body, cookie=cookie)


def shown(person, artist):
    [platform] = person("GET", f"/api/v1/artists/{artist}/metrics").body["platforms"]
    return platform, {each["metric"]: each["value"] for each in platform["figures"]}


def batch_of(platform, name="first"):
    from functions.collect import app as collect

    [batch] = s3.get_json(collect.handler({"run": name, "platform": platform}, None)["key"])
    return batch


def account_of(person, artist, platform):
    return grants.Account(platform, person.organisation_id, artist)


# ------------------------------------------------------------------------------------------------ Connect


def test_tiktoks_figures_are_collected_once_the_owner_agrees(person, apps, artist):
    apps.tiktok_app.figures["ada"] = {"follower_count": 4_200, "likes_count": 99, "video_count": 25}
    response = connect(person, artist, "tiktok")

    assert response.status == 200, response.body
    assert response.body["artist"]["accounts"]["tiktok"] == tiktok_stand_in.open_id("ada")
    assert run("first", "tiktok").states == ["fetched"]
    platform, values = shown(person, artist)
    assert platform["state"] == "found"
    views = sum(100 * (1 + number) for number in range(25))  # two pages
    assert values == {"followers": 4_200, "likes": 99, "videos": 25, "views": views}


@pytest.mark.parametrize(
    ("platform", "kind", "figures"),
    [
        ("tiktok", "video", {"views": 300, "likes": 10, "comments": 1, "shares": 0}),
        ("instagram", "post", {"likes": 0, "comments": 0, "views": 50, "reach": 50}),
    ],
)
def test_videos_and_posts_have_figures_of_their_own(person, tx, apps, artist, platform, kind, figures):
    apps.instagram_app.figures["ada"] = {"media_count": 12}
    connect(person, artist, platform)
    run("first", platform)

    items = person("GET", f"/api/v1/artists/{artist}/items?kind={kind}").body["items"]

    assert len(items) == (3 if platform == "tiktok" else 12)
    assert figures in [each["figures"] for each in items]
    # Insights are asked for the ten newest posts.
    assert sum("views" in each["figures"] for each in items) == min(len(items), 10)
    count = db.value(tx, "SELECT count(*) FROM metrics.item_points")
    for key in s3.list_keys(f"archive/connected/{platform}/"):
        load.handler({"key": key}, None)
    assert db.value(tx, "SELECT count(*) FROM metrics.item_points") == count > 0


def test_views_of_more_videos_than_are_read_are_unknown(person, apps, artist):
    apps.tiktok_app.figures["ada"] = {"video_count": 101}
    connect(person, artist, "tiktok")

    run("first", "tiktok")

    assert shown(person, artist)[1]["views"] is None


def test_instagrams_followers_are_not_its_posts(person, apps, artist):
    apps.instagram_app.figures["ada"] = {"followers_count": 3_100, "media_count": 12}
    connect(person, artist, "instagram")

    assert run("first", "instagram").states == ["fetched"]
    assert shown(person, artist)[1] == {
        "followers": 3_100,
        "posts": 12,
        "views_day": 100,
        "reach_day": 200,
        "interactions_day": 300,
    }


def days_of(person, artist):
    platform, _ = shown(person, artist)
    views = next(each for each in platform["daily"] if each["metric"] == "views")
    return {each["day"]: each["value"] for each in views["history"] if each["value"] is not None}


def test_missing_days_are_filled_and_those_that_instagram_never_states_stay_gaps(
    person, tx, apps, artist, monkeypatch
):
    monkeypatch.setattr(collection, "FILLED", timedelta(days=6))
    today = datetime.now(UTC).date()
    days = [(today - timedelta(days=number)).isoformat() for number in range(7)]
    silent = days[3]
    apps.instagram_app.silent.add(silent)
    connect(person, artist, "instagram")
    for hour in range(40):
        batch = batch_of("instagram", f"hour-{hour}")
        assert len(batch["days"]) <= collection.FILLED_AT_ONCE
        load.handler({"key": social.handler(batch, None)["key"]}, None)
        by = "SET planned_at = planned_at - interval '1 hour', checked_at = checked_at - interval '1 hour'"
        db.run(tx, f"UPDATE metrics.accounts {by}")
        schedules.look_again("metrics-instagram", 0)
        forget_rates()
        if batch["days"] == [silent]:
            break

    # Only the day that Instagram doesn't state is asked for still; today isn't over.
    assert set(days_of(person, artist)) == {*days[1:]} - {silent}
    assert set(days_of(person, artist).values()) == {100}
    assert db.value(tx, "SELECT count(*) FROM metrics.days WHERE metric = 'views'") == 5
    apps.instagram_app.silent.clear()
    batch = batch_of("instagram", "filled")
    key = social.handler(batch, None)["key"]
    load.handler({"key": key}, None)
    load.handler({"key": key}, None)
    assert set(days_of(person, artist)) == {*days[1:]}


def forget_rates():
    """Let an hour of an account's calls have passed."""
    client, table = sdk.client("dynamodb"), {"TableName": os.environ["STATE_TABLE"]}
    for item in client.scan(**table)["Items"]:
        if item["pk"]["S"].startswith("rate#"):
            client.delete_item(**table, Key={name: item[name] for name in ("pk", "sk")})


def test_insights_that_instagram_does_not_know_yet_are_unknown_and_never_zero(person, apps, artist):
    apps.instagram_app.unknown.add("ada")
    connect(person, artist, "instagram")

    run("first", "instagram")

    _, values = shown(person, artist)
    assert values["followers"] is not None
    assert [values[name] for name in ("views_day", "reach_day", "interactions_day")] == [None] * 3


@pytest.mark.parametrize("platform", PLATFORMS)
def test_tokens_lie_sealed_and_appear_in_no_answer(person, apps, artist, platform):
    response = connect(person, artist, platform)

    item = sdk.client("dynamodb").get_item(
        TableName=fetching.config.setting("STATE_TABLE"),
        Key={"pk": {"S": f"grant#{platform}#{artist}"}, "sk": {"S": "tokens"}},
    )["Item"]
    app = app_of(apps, platform)
    tokens = app.access_tokens if platform == "tiktok" else app.long_tokens
    assert tokens
    for token in tokens:
        assert token not in json.dumps(response.body)
        assert token.encode() not in item["tokens"]["B"]


def test_a_state_is_for_one_browser_person_and_artist_and_works_once(person, apps, artist):
    path = f"/api/v1/artists/{artist}/accounts/tiktok"
    other = person("POST", "/api/v1/artists", {"name": "Neap"}).body["artist"]["id"]
    begun = person("GET", f"{path}/connect")
    back = consent(begun.body["authorization_url"])
    cookie = begun.headers["set-cookie"].partition(";")[0]
    body = {"code": back["code"], "state": back["state"]}

    no_cookie = person("POST", f"{path}/callback", body)
    elsewhere = person("POST", path.replace(artist, other) + "/callback", body, cookie=cookie)
    good = person("POST", f"{path}/callback", body, cookie=cookie)
    again = person("POST", f"{path}/callback", body, cookie=cookie)

    assert [each.status for each in (no_cookie, elsewhere, good, again)] == [400, 400, 200, 400]


def test_a_declined_permission_says_so(person, apps, artist):
    response = connect(person, artist, "tiktok", without="user.info.stats")

    assert response.status == 400
    assert "leave it on" in response.body["error"]["message"]


def test_an_account_belongs_to_one_artist_of_an_organisation(person, apps, artist):
    other = person("POST", "/api/v1/artists", {"name": "Neap"}).body["artist"]["id"]
    connect(person, artist, "tiktok")

    assert connect(person, other, "tiktok").status == 409
    assert dynamodb.find(f"grant#tiktok#{other}", "tokens") is None


def test_other_platforms_are_not_connected(person, apps, artist):
    assert person("GET", f"/api/v1/artists/{artist}/accounts/spotify/connect").status == 404


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_removed_account_is_forgotten_with_its_tokens(person, apps, artist, platform):
    connect(person, artist, platform)
    run("first", platform)

    assert person("DELETE", f"/api/v1/artists/{artist}/accounts/{platform}").status == 204

    assert dynamodb.find(f"grant#{platform}#{artist}", "tokens") is None
    assert person("GET", f"/api/v1/artists/{artist}/metrics").body["platforms"] == []


def test_a_removed_artist_leaves_no_tokens(person, apps, artist):
    connect(person, artist, "tiktok")

    person("DELETE", f"/api/v1/artists/{artist}")

    assert dynamodb.find(f"grant#tiktok#{artist}", "tokens") is None


# ------------------------------------------------------------------------------------------------ Renewal


def test_a_token_is_renewed_before_it_ends_and_its_successor_is_stored(person, apps, artist):
    connect(person, artist, "tiktok")
    account = account_of(person, artist, "tiktok")
    soon = time.time() + 7_200 - 300

    first = grants.access_token(account, _refresh("tiktok"), now=time.time())
    second = grants.access_token(account, _refresh("tiktok"), now=soon)
    third = grants.access_token(account, _refresh("tiktok"), now=soon)

    assert first != second == third
    assert apps.tiktok_app.refreshes == 1
    # The refresh token that was stored is the one that works.
    grants.access_token(account, _refresh("tiktok"), refused=third, now=soon)
    assert apps.tiktok_app.refreshes == 2


def _refresh(platform):
    return lambda token: clients.refresh(platform, token)


def test_workers_at_once_renew_a_token_once(person, apps, artist):
    connect(person, artist, "tiktok")
    account = account_of(person, artist, "tiktok")
    soon = time.time() + 7_200 - 300

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: grants.access_token(account, _refresh("tiktok"), now=soon), range(8)))

    assert apps.tiktok_app.refreshes == 1
    assert found <= set(apps.tiktok_app.access_tokens)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("outcome", ["bad_gateway", "truncated"])
def test_a_failed_renewal_uses_the_token_while_it_lasts_and_disconnects_nobody(
    person, apps, artist, platform, outcome
):
    connect(person, artist, platform)
    account = account_of(person, artist, platform)
    lasts = 7_200 if platform == "tiktok" else 60 * 86_400
    app_of(apps, platform).token_outcomes.add_all([{"outcome": outcome}] * 2)

    known = grants.access_token(account, _refresh(platform), now=time.time() + lasts - 100)
    assert known
    with pytest.raises(PlatformUnavailable):
        grants.access_token(account, _refresh(platform), refused=known, now=time.time() + lasts - 100)

    assert dynamodb.find(f"grant#{platform}#{artist}", "tokens") is not None


def test_instagrams_token_is_not_renewed_on_its_first_day(person, apps, artist):
    connect(person, artist, "instagram")
    account = account_of(person, artist, "instagram")
    for token, grant in list(apps.instagram_app.long_tokens.items()):
        apps.instagram_app.long_tokens[token] = grant._replace(issued_at=time.time() - 31 * 86_400)

    grants.access_token(account, _refresh("instagram"), now=time.time() + 3_600)
    assert apps.instagram_app.refreshes == 0
    grants.access_token(account, _refresh("instagram"), now=time.time() + 31 * 86_400)
    assert apps.instagram_app.refreshes == 1


def test_a_token_that_tiktok_ended_early_is_renewed_at_once(person, apps, artist):
    connect(person, artist, "tiktok")
    apps.tiktok_app.access_tokens.clear()

    assert run("first", "tiktok").states == ["fetched"]
    assert apps.tiktok_app.refreshes == 1


def test_a_renewal_that_was_interrupted_is_named_as_the_reason(person, apps, artist):
    """TikTok's refresh token works once: a worker that dies after the answer loses the next one."""
    connect(person, artist, "tiktok")
    account = account_of(person, artist, "tiktok")

    class Killed(BaseException):
        """Stands for the end of the process."""

    def killed_after_the_answer(token):
        clients.refresh("tiktok", token)
        raise Killed

    soon = time.time() + 7_200 - 300
    with pytest.raises(Killed):
        grants.access_token(account, killed_after_the_answer, now=soon)

    # The access token still lasts for five minutes; then the renewal is tried again.
    with pytest.raises(Disconnected, match=r"interrupted.*Nobody withdrew"):
        grants.access_token(account, _refresh("tiktok"), now=soon + 60)
    assert connect(person, artist, "tiktok").status == 200
    apps.tiktok_app.revoke("ada")
    with pytest.raises(Disconnected, match="withdrawn or has expired"):
        grants.access_token(account, _refresh("tiktok"), now=soon)


def test_tokens_of_another_organisation_can_not_be_opened(person, apps, artist):
    connect(person, artist, "tiktok")
    stolen = grants.Account("tiktok", artist, artist)

    with pytest.raises(CredentialRejected):
        grants.access_token(stolen, _refresh("tiktok"))


# ------------------------------------------------------------------------------------------------ Lost


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_withdrawn_permission_disconnects_and_says_so(person, apps, artist, platform):
    connect(person, artist, platform)
    batch = batch_of(platform)
    app_of(apps, platform).revoke("ada")

    ended = social.handler(batch, None)
    assert ended["state"] == "disconnected"
    assert load.handler({"disconnected": ended["disconnected"]}, None) == {"state": "disconnected"}

    found, _ = shown(person, artist)
    assert found["state"] == "disconnected"
    assert "onnect the account again" in found["problem"]
    assert run("second", platform).states == []  # nobody asks for it any more
    assert connect(person, artist, platform).status == 200
    assert shown(person, artist)[0]["problem"] is None
    assert run("third", platform).states == ["fetched"]


def test_an_old_word_that_it_is_lost_does_not_end_a_new_connection(person, tx, apps, artist):
    connect(person, artist, "tiktok")
    before = datetime.now(UTC) - timedelta(minutes=5)

    assert accounts.save_disconnected(tx, artist, "tiktok", "withdrawn", before) is None
    assert shown(person, artist)[0]["state"] == "new"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_person_who_connected_an_account_is_told_once_that_it_is_lost(person, tx, apps, artist, platform):
    connect(person, artist, platform)
    address = db.value(
        tx,
        "SELECT u.email FROM accounts.users u JOIN accounts.members m ON m.user_id = u.id"
        " WHERE m.organisation_id = :organisation",
        organisation=person.organisation_id,
    )
    batch = batch_of(platform)
    app_of(apps, platform).revoke("ada")
    ended = social.handler(batch, None)
    before = len(emails_to(address))

    for _ in range(2):
        load.handler({"disconnected": ended["disconnected"]}, None)

    told = emails_to(address)[before:]
    assert [each["subject"] for each in told] == [
        f"Connect Tides's {'TikTok' if platform == 'tiktok' else 'Instagram'} account again"
    ]
    # Whoever left the organisation isn't told: a second loss.
    connect(person, artist, platform)
    db.run(tx, "DELETE FROM accounts.members WHERE organisation_id = :o", o=person.organisation_id)
    later = {**ended["disconnected"], "at": (datetime.now(UTC) + timedelta(minutes=1)).isoformat()}
    load.handler({"disconnected": later}, None)
    assert len(emails_to(address)) == before + 1


def test_posts_that_few_people_saw_disconnect_nobody(person, apps, artist):
    """Instagram's error has the code of a missing permission."""
    apps.instagram_app.figures["ada"] = {"media_count": 3}
    apps.instagram_app.unseen = {0, 2}
    connect(person, artist, "instagram")

    assert run("first", "instagram").states == ["fetched"]
    items = person("GET", f"/api/v1/artists/{artist}/items?kind=post").body["items"]
    assert sorted("views" in each["figures"] for each in items) == [False, False, True]


@pytest.mark.parametrize(
    ("platform", "outcome"),
    [
        ("tiktok", "internal_error"),
        ("tiktok", "bad_gateway"),
        ("tiktok", "truncated"),
        ("instagram", "transient"),
        ("instagram", "bad_gateway"),
        ("instagram", "truncated"),
    ],
)
def test_a_failure_of_the_platform_disconnects_nobody(person, apps, artist, platform, outcome):
    connect(person, artist, platform)
    batch = batch_of(platform)
    app_of(apps, platform).outcomes.add(outcome)

    with pytest.raises(PlatformUnavailable):
        social.handler(batch, None)

    assert s3.size(batch["key"]) is None
    assert social.handler(batch, None)["state"] == "fetched"


def test_a_changed_password_ends_instagrams_connection(person, apps, artist):
    connect(person, artist, "instagram")
    batch = batch_of("instagram")
    apps.instagram_app.outcomes.add("password_changed")

    assert social.handler(batch, None)["state"] == "disconnected"


def test_an_account_whose_calls_are_used_up_waits_as_long_as_instagram_says(person, apps, artist):
    connect(person, artist, "instagram")
    batch = batch_of("instagram")
    apps.instagram_app.outcomes.add("full")

    later = social.handler(batch, None)

    assert later["state"] == "later"
    assert 500 < later["wait_seconds"] <= 540
    assert rates.available(f"instagram:{artist}", rates.INSTAGRAM_ACCOUNT) == 0


@pytest.mark.parametrize("fault", ["killed", "unreachable", "busy"])
def test_an_email_about_a_lost_account_is_sent_again_if_its_worker_or_ses_fails(
    person, tx, apps, artist, fault, monkeypatch
):
    from botocore.exceptions import ClientError, EndpointConnectionError

    connect(person, artist, "tiktok")
    batch = batch_of("tiktok")
    apps.tiktok_app.revoke("ada")
    ended = social.handler(batch, None)
    faults = {
        "killed": KeyboardInterrupt(),
        "unreachable": EndpointConnectionError(endpoint_url="https://email.us-east-1.amazonaws.com"),
        "busy": ClientError({"Error": {"Code": "Throttling", "Message": ""}}, "SendEmail"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(ses, "send", Mock(side_effect=faults[fault]))
        with pytest.raises(KeyboardInterrupt if fault == "killed" else ServiceUnavailable):
            load.handler(ended, None)
    sent = Mock()
    monkeypatch.setattr(ses, "send", sent)

    for _ in range(2):
        load.handler(ended, None)

    assert sent.call_count == 1


def test_an_email_that_ses_never_takes_ends_no_step(person, tx, apps, artist, monkeypatch):
    from botocore.exceptions import ClientError

    connect(person, artist, "tiktok")
    batch = batch_of("tiktok")
    apps.tiktok_app.revoke("ada")
    ended = social.handler(batch, None)
    refused = ClientError({"Error": {"Code": "MessageRejected", "Message": ""}}, "SendEmail")
    monkeypatch.setattr(ses, "send", Mock(side_effect=refused))

    for _ in range(2):
        assert load.handler(ended, None) == {"state": "disconnected"}

    assert ses.send.call_count == 1


# ------------------------------------------------------------------------------------------------ Limits


def test_calls_of_an_account_that_instagram_refuses_are_no_failure_and_wait(person, apps, artist):
    connect(person, artist, "instagram")
    batch = batch_of("instagram")
    apps.instagram_app.outcomes.add("limit")

    later = social.handler(batch, None)
    calls = apps.instagram_app.calls
    again = social.handler(batch, None)

    assert (later["state"], 500 < later["wait_seconds"] <= 540) == ("later", True)
    assert (again["state"], apps.instagram_app.calls) == ("later", calls)  # nobody asks meanwhile
    assert dynamodb.find("breaker#instagram", "state") is None
    assert quotas.spent("instagram", "account") == 100
    rates.check(connected_fetching.INSTAGRAM_APP)  # other accounts go on


def test_when_the_apps_calls_are_spent_no_account_is_asked(person, apps, artist):
    connect(person, artist, "instagram")
    batch = batch_of("instagram")
    apps.instagram_app.outcomes.add("app_limit")

    assert social.handler(batch, None)["state"] == "skipped"  # for an hour
    calls = apps.instagram_app.calls
    # Of another artist: the account's own bucket knows nothing.
    sdk.client("dynamodb").delete_item(
        TableName=os.environ["STATE_TABLE"],
        Key={"pk": {"S": f"rate#instagram:{artist}"}, "sk": {"S": "bucket"}},
    )

    assert social.handler(batch, None)["state"] == "skipped"
    assert apps.instagram_app.calls == calls
    assert quotas.spent("instagram", "app") == 100


def test_figures_that_came_before_an_accounts_limit_are_kept(person, apps, artist, monkeypatch):
    """Five calls are left for it: profile, posts and insights come, and those of two of twelve posts."""
    apps.instagram_app.figures["ada"] = {"media_count": 12}
    monkeypatch.setitem(instagram_stand_in.LIMITS, "calls_an_impression", 8)
    connect(person, artist, "instagram")

    assert run("first", "instagram").states == ["fetched"]
    items = person("GET", f"/api/v1/artists/{artist}/items?kind=post").body["items"]
    # Three of the eight are for the missing days of a new account.
    assert sum("views" in each["figures"] for each in items) == 2
    # From 95 % on nobody asks, so Instagram has refused none.
    assert apps.instagram_app.refused == 0


def test_a_token_is_used_for_longer_if_its_renewal_meets_a_limit(person, apps, artist):
    connect(person, artist, "instagram")
    account = account_of(person, artist, "instagram")
    apps.instagram_app.token_outcomes.add("limit")

    assert grants.access_token(account, _refresh("instagram"), now=time.time() + 59 * 86_400)
    assert apps.instagram_app.refreshes == 0


@pytest.mark.parametrize(
    ("account_calls", "app_calls", "code", "header"),
    [(3, 200, 80002, "x-business-use-case-usage"), (4_800, 3, 4, "x-app-usage")],
)
def test_the_stand_in_refuses_the_call_that_is_too_many(
    person, apps, artist, monkeypatch, account_calls, app_calls, code, header
):
    monkeypatch.setitem(instagram_stand_in.LIMITS, "calls_an_impression", account_calls)
    monkeypatch.setitem(instagram_stand_in.LIMITS, "app_calls_a_user", app_calls)
    connect(person, artist, "instagram")
    [token] = apps.instagram_app.long_tokens
    url = f"{os.environ['INSTAGRAM_API_URL']}/v26.0/me?fields=username"

    answers = [requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=5) for _ in range(4)]

    assert [each.status_code for each in answers] == [200, 200, 200, 400]
    assert answers[-1].json()["error"]["code"] == code
    assert '"call_count": 33' in answers[0].headers[header]
    assert '"call_count": 100' in answers[-1].headers[header]
    assert apps.instagram_app.refused == 1


def test_what_headers_of_instagram_may_say_is_read_or_left():
    def usage(**headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return instagram.usage(Answer(200, named, b"{}"))

    account = {"call_count": 28, "total_cputime": 25, "total_time": 96, "estimated_time_to_regain_access": 0}
    full = account | {"call_count": 100, "estimated_time_to_regain_access": 7}
    assert usage(x_business_use_case_usage=json.dumps({"1": [account]})) == (96, 3_600, 0, 0)
    assert usage(x_business_use_case_usage=json.dumps({"1": [account], "2": [full]})) == (100, 3_600, 0, 0)
    assert usage(x_app_usage=json.dumps({"call_count": 95})) == (0, 0, 95, 3_600)
    for odd in ("", "[]", "null", '{"1": 3}', '{"1": ["a"]}', '{"1": [{"call_count": "many"}]}', "{"):
        assert usage(x_business_use_case_usage=odd, x_app_usage=odd) == (0, 0, 0, 0)


def test_a_daily_quota_of_tiktok_stops_all_calls_until_midnight_utc(person, apps, artist):
    connect(person, artist, "tiktok")
    batch = batch_of("tiktok")
    apps.tiktok_app.outcomes.add("daily_quota")

    assert social.handler(batch, None)["state"] == "skipped"
    calls = apps.tiktok_app.calls
    assert social.handler(batch, None)["state"] == "skipped"

    assert apps.tiktok_app.calls == calls
    end = rates._find("tiktok", datetime.now(UTC))["paused_until"]
    assert datetime.fromtimestamp(end / 1_000_000, UTC).time().isoformat() == "00:00:00"


def test_a_burst_that_tiktok_refuses_stops_all_calls_for_its_minute(person, apps, artist):
    connect(person, artist, "tiktok")
    batch = batch_of("tiktok")
    apps.tiktok_app.outcomes.add("rate_limit")

    first = social.handler(batch, None)

    assert (first["state"], first["wait_seconds"]) == ("later", 60)
    calls = apps.tiktok_app.calls
    assert social.handler(batch, None)["state"] == "later"
    assert apps.tiktok_app.calls == calls


# ------------------------------------------------------------------------------------------------ Others


def test_the_answers_of_one_organisations_connection_are_not_another_ones(person, tx, apps, artist):
    connect(person, artist, "tiktok")
    batch = batch_of("tiktok")
    fetched = social.handler(batch, None)
    batch = {**batch, "artist_id": "8b864d01-b42d-40cf-8fc9-64ff0f9619ff"}

    assert load.handler({"key": fetched["key"]}, None)["artists"] == 1
    found = accounts.lock(tx, "tiktok", batch["accounts"], batch["artist_id"])
    assert found == {}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_stage_without_an_app_can_connect_nobody_and_says_why(person, apps, artist, platform):
    put_secrets({})
    name = "tiktok/client_key" if platform == "tiktok" else "instagram/client_id"
    sdk.client("ssm").delete_parameter(Name=f"/showrunner/test/{name}")
    ssm.forget()

    response = person("GET", f"/api/v1/artists/{artist}/accounts/{platform}/connect")

    assert response.status == 503
    put_secrets({name: "local"})


def test_the_samples_are_what_the_functions_take(event, apps):
    assert social.handler(event("social.batch"), None)["state"] == "disconnected"
    assert load.handler(event("load.disconnected"), None) == {"state": "disconnected"}


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "status"),
    [
        ("GET", "/v2/user/info/", "fields=open_id,followers", "", 400),
        ("GET", "/v2/user/info/", "", "", 400),
        ("POST", "/v2/video/list/", "fields=id", '{"max_count": 21}', 400),
        ("POST", "/v2/video/list/", "fields=id", '{"max_count": 20}', 200),
    ],
)
def test_the_stand_in_for_tiktok_refuses_what_tiktok_refuses(apps, method, path, query, body, status):
    app = apps.tiktok_app
    app.access_tokens["good"] = tiktok_stand_in.Grant("ada", ("user.info.basic", "video.list"), 1e12)
    headers = {"authorization": "Bearer good", "content-type": "application/json"}
    request = tiktok_stand_in.Request(method, "http://x", path, query, headers, body.encode())

    assert tiktok_stand_in.answer(app, request).status == status


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/v26.0/me", "fields=followers_count", 200),
        ("/v26.0/me", "fields=followers", 400),
        ("/v26.0/me/insights", "", None),
        ("/v20.0/me", "fields=id", None),
        (INSIGHTS, "metric=impressions&period=day", 400),
        (INSIGHTS, "metric=views&period=day", 400),
        (INSIGHTS, "metric=views&period=day&metric_type=total_value", 400),
        (INSIGHTS, "metric=views&period=day&metric_type=total_value&since=9&until=8", 400),
        (INSIGHTS, "metric=views&period=day&metric_type=total_value&since=1&until=86401", 400),
        (INSIGHTS, f"metric=views&period=day&metric_type=total_value&since=1&until={31 * 86_400 + 1}", 400),
        ("/v26.0/178410/insights", "metric=views&period=day&metric_type=total_value", 400),
    ],
    ids=lambda value: str(value),
)
def test_the_stand_in_for_instagram_refuses_what_instagram_refuses(apps, path, query, status):
    app = apps.instagram_app
    app.long_tokens["good"] = instagram_stand_in.Grant(
        "ada", (instagram_stand_in.INSIGHTS,), time.time(), 1e9
    )
    request = instagram_stand_in.Request("GET", "http://x", path, query, {"authorization": "Bearer good"})
    reply = instagram_stand_in.answer(app, request)

    assert (reply and reply.status) == status
