"""Polls beside the pushes, from-url and enrichment, against YouTube's simulator."""

import random
import threading
from datetime import UTC, datetime, timedelta

import pytest

from local.platforms import youtube as simulator
from showrunner import config, db, state
from showrunner.errors import PlatformUnavailable, QuotaExceeded
from showrunner.store import polls
from tests.feed.ingestion import CALLBACK, CHANNEL, KEY, OTHER, atom, batch, http, notification, tombstone


@pytest.fixture
def youtube(world, monkeypatch):
    from functions.poll import app

    known = simulator.World(key="local")
    known.channels = {
        CHANNEL: {"title": "Channel", "handle": "channelname", "user": "olduser"},
        OTHER: {"title": "Other", "handle": "Ünï.code"},
    }
    serving = simulator.server(known, 0)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{serving.server_port}"
    monkeypatch.setenv("FEED_BASE_URL", address)
    monkeypatch.setenv("YOUTUBE_BASE_URL", address)
    config.aws("ssm").put_parameter(Name="/showrunner/test/youtube/api_key", Value="local", Type="SecureString", Overwrite=True)
    config.forget_secrets()
    app.feeds.cache_clear()
    app._youtube.cache_clear()
    state.remove(f"quota#youtube#{state.pacific_day(datetime.now(UTC))}", "general")
    state.remove("breaker#youtube", "state")
    yield known
    app.feeds.cache_clear()
    app._youtube.cache_clear()
    serving.shutdown()
    serving.server_close()


def upload(known, key, title="Missed", channel=CHANNEL, hours=1):
    at = (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="seconds")
    known.videos[key] = {"channel_id": channel, "title": title, "published_at": at, "duration": "PT4M13S", "tags": ["a", "b"], "views": 123}


def minute(world):
    """The schedule, the poll function and the worker, once."""
    from functions.poll import app as poll
    from functions.subscriptions import app as schedule

    schedule.handler({}, None)
    messages = world.take("POLL_QUEUE_URL")
    poll.handler(batch(messages), None)
    world.drain()
    return messages


def kinds(tx):
    return [row["update_type"] for row in db.rows(tx, "SELECT update_type FROM feed.updates ORDER BY id")]


def origins(tx):
    return [row["origin"] for row in db.rows(tx, "SELECT origin FROM feed.events ORDER BY id")]


@pytest.fixture
def followed(world, youtube, tx):
    world.api("POST", "/api/v1/subscriptions", {"channel_id": CHANNEL, "callback_url": CALLBACK})
    db.run(tx, "UPDATE feed.polls SET poll_at = now() - interval '1 second'")
    return CHANNEL


def test_a_video_that_the_hub_missed_is_found_in_the_feed_and_marked_with_its_origin(world, youtube, followed, tx):
    upload(youtube, "vid00000009")
    minute(world)
    assert world.api("GET", "/api/v1/videos/vid00000009")[1]["title"] == "Missed"
    assert origins(tx) == ["feed"]
    assert kinds(tx) == ["new_video"]
    assert youtube.spent == 0


def test_what_is_known_already_leaves_no_trace(world, youtube, followed, tx):
    upload(youtube, "vid00000001")
    minute(world)
    before = origins(tx)
    youtube.videos["vid00000001"]["views"] = 999
    db.run(tx, "UPDATE feed.polls SET poll_at = now() - interval '1 second'")
    minute(world)
    assert origins(tx) == before


def test_the_push_that_comes_after_the_poll_changes_nothing(world, youtube, followed, tx):
    upload(youtube, "vid00000001", hours=80)
    minute(world)
    world.notify(notification(atom(title="Missed")))
    assert kinds(tx) == ["new_video", "unknown"]


def test_where_the_feed_fails_the_uploads_playlist_is_asked_for_a_unit(world, youtube, followed, tx):
    upload(youtube, "vid00000008")
    youtube.failing["/feeds/videos.xml"] = 10
    minute(world)
    assert kinds(tx) == []
    assert youtube.spent == 0
    assert db.value(tx, "SELECT poll_at < now() + interval '6 minutes' FROM feed.polls")  # the hour isn't over yet
    again(tx)
    minute(world)
    assert origins(tx) == ["playlist"]
    assert state.spent("youtube", "general") == 1


def test_the_free_feed_that_fails_is_asked_oftener_than_the_playlist_that_costs(world, youtube, followed, tx):
    youtube.failing["/feeds/videos.xml"] = 10
    paid = []
    for _ in range(4):
        paid += [each["paid"] for each in minute(world)]
        again(tx)
    assert paid == [False, True, False, False]
    db.run(tx, "UPDATE feed.polls SET paid_at = paid_at - interval '20 minutes'")
    assert [each["paid"] for each in minute(world)] == [True]


def test_without_units_the_free_feed_is_asked_all_the_same(world, youtube, followed, tx):
    from functions.subscriptions import app

    youtube.failing["/feeds/videos.xml"] = 10
    minute(world)
    again(tx)
    state.spend("youtube", "general", app.POLL_UNITS, 10_000)
    assert [each["paid"] for each in minute(world)] == [False]


def again(tx):
    db.run(tx, "UPDATE feed.polls SET poll_at = now() - interval '1 second'")


def test_what_the_hub_misses_is_found_within_the_hour_and_the_days_units_last(tx):
    """A simulated day of a hub that is silent, on the store's own SQL: every stored time is moved back instead of the server's clock forward."""
    chance = random.Random(11)
    channels = [f"UC{number:022d}" for number in range(40)]
    db.run(tx, "INSERT INTO feed.polls (channel_id, poll_at) SELECT unnest(:channels::text[]), now()", channels=channels)
    units, waiting, delays, step = 1_500, {}, [], 2
    for at in range(0, 1440, step):
        db.run(tx, f"UPDATE feed.polls SET {', '.join(f'{name} = {name} - make_interval(mins => :step)' for name in TIMES)}", step=step)
        for channel in channels:
            if channel not in waiting and chance.random() < 0.02:
                waiting[channel] = at
        # Three channels' feeds fail for good, all of them for eight hours.
        failing = set(channels if 480 <= at < 960 else channels[:3])
        seconds = polls.playlist_seconds(polls.count_failing(tx), units, (1440 - at) * 60)
        for row in polls.claim_due(tx, 200, seconds):
            channel = row["channel_id"]
            units -= row["paid"]
            polls.save(tx, channel, "503" if channel in failing else None)
            if (channel not in failing or row["paid"]) and channel in waiting:
                delays.append(at + step - waiting.pop(channel))
                polls.save_found(tx, channel)
        assert units >= 0
    assert len(delays) > 300
    assert max(delays) <= 60
    assert all(at > 1440 - 60 for at in waiting.values())


TIMES = ("poll_at", "paid_at", "last_polled_at", "last_found_at")


@pytest.mark.parametrize(("active", "found", "longest"), [(False, False, 1200), (True, False, 2700), (True, True, 1200)])
def test_every_channel_is_polled_again_within_the_hour_and_a_suspect_one_sooner(world, youtube, followed, tx, active, found, longest):
    if active:
        db.run(tx, "UPDATE feed.subscriptions SET status = 'active', expires_at = now() + interval '1 day'")
    if found:
        db.run(tx, "UPDATE feed.polls SET last_found_at = now()")
    minute(world)
    wait = db.value(tx, "SELECT extract(epoch FROM poll_at - now()) FROM feed.polls")
    assert longest * 0.89 < wait <= longest


def test_paid_polls_are_spread_over_what_is_left_of_the_day():
    assert polls.playlist_seconds(0, 6000, 86_400) == polls.SUSPECT_SECONDS
    assert polls.playlist_seconds(10, 6000, 86_400) == polls.SUSPECT_SECONDS
    assert polls.playlist_seconds(1000, 6000, 86_400) == 14_400  # 1,000 channels, six polls each
    assert polls.playlist_seconds(5, 0, 3600) is None


def test_the_ledger_stops_at_the_limit_and_names_midnight_in_los_angeles(youtube):
    noon = datetime(2031, 7, 4, 19, tzinfo=UTC)
    for _ in range(3):
        state.spend("test", "general", 10, 30, noon)
    with pytest.raises(QuotaExceeded) as refused:
        state.spend("test", "general", 1, 30, noon)
    assert refused.value.retry_at == datetime(2031, 7, 5, 7, tzinfo=UTC)
    assert state.spent("test", "general", noon) == 30
    state.spend("test", "general", 1, 30, noon + timedelta(days=1))


@pytest.mark.parametrize("year", range(2024, 2036))
def test_the_quota_day_is_that_of_los_angeles(year):
    from zoneinfo import ZoneInfo

    at = datetime(year, 1, 1, tzinfo=UTC)
    for _ in range(24 * 366):
        at += timedelta(hours=1)
        assert state.pacific_day(at) == at.astimezone(ZoneInfo("America/Los_Angeles")).date().isoformat()


def test_new_videos_get_their_details_in_batches_of_fifty(world, youtube, tx):
    for number in range(60):
        upload(youtube, f"vid{number:08d}")
        world.notify(notification(atom(f"vid{number:08d}")))
    del youtube.videos["vid00000003"]
    messages = minute(world)
    assert [len(each["video_ids"]) for each in messages if each["kind"] == "enrich"] == [50, 10]
    assert youtube.spent == 2
    details = world.api("GET", "/api/v1/videos/vid00000001")[1]["details"]
    assert details == {
        "duration_seconds": 253, "tags": ["a", "b"], "category_id": "22",
        "thumbnails": {"default": "https://i.ytimg.com/vi/vid00000001/default.jpg"}, "statistics": {"views": 123, "likes": 0, "comments": 0},
    }  # fmt: skip
    assert world.api("GET", "/api/v1/videos/vid00000003")[1]["details"] is None
    assert [each for each in minute(world) if each["kind"] == "enrich"] == []


def test_a_video_that_is_not_readable_yet_is_asked_for_again_and_again_for_a_day(world, youtube, tx):
    world.notify(notification(atom()))
    waits = []
    for _ in range(20):
        minute(world)
        wait = db.value(tx, "SELECT extract(epoch FROM enrich_at - now()) FROM feed.videos")
        if wait is None:
            break
        waits.append(round(wait / 60))
        # So much time passes.
        db.run(tx, "UPDATE feed.videos SET enrich_at = now(), last_updated_at = last_updated_at - make_interval(secs => :wait::float8)", wait=wait)
    assert waits == [5, 5, 10, 20, 40, 80, 160, 320, 640, 1280]
    assert youtube.spent == 11

    upload(youtube, "vid00000001")
    world.notify(notification(atom(title="Public now", updated="2026-11-21T00:00:00Z")))
    minute(world)
    assert world.api("GET", "/api/v1/videos/vid00000001")[1]["details"]["duration_seconds"] == 253


def test_a_video_whose_tombstone_came_first_gets_its_details_with_its_entry(world, youtube, tx):
    upload(youtube, "vid00000001")
    world.notify(notification(tombstone(when="2026-11-19T00:00:00Z")))
    minute(world)
    assert youtube.spent == 0
    world.notify(notification(atom()))
    minute(world)
    assert world.api("GET", "/api/v1/videos/vid00000001")[1]["details"]["duration_seconds"] == 253


def test_an_entry_that_is_not_newer_asks_for_nothing(world, youtube, tx):
    world.notify(notification(atom()))
    db.run(tx, "UPDATE feed.videos SET enrich_at = NULL")
    world.notify(notification(atom(title="Earlier", updated="2026-11-19T00:00:00Z")))
    assert db.value(tx, "SELECT enrich_at FROM feed.videos") is None


def test_without_quota_the_videos_wait(world, youtube, tx):
    world.notify(notification(atom()))
    youtube.quota = 0
    minute(world)
    assert db.value(tx, "SELECT enrich_at > now() FROM feed.videos") is True


def work(world, *messages):
    """What the poll function gives back to the queue, and what it tells of."""
    from functions.poll import app

    failed = [each["itemIdentifier"] for each in app.handler(batch(list(messages)), None)["batchItemFailures"]]
    return failed, world.take("NOTIFICATIONS_QUEUE_URL")


ENRICH = {"kind": "enrich", "video_ids": ["vid00000001"]}
POLL = {"kind": "poll", "channel_id": CHANNEL, "paid": True}


def test_a_message_that_fails_takes_no_other_of_its_batch_along(world, youtube):
    failed, told = work(world, "no JSON", POLL, {"kind": "poll"}, ENRICH)
    assert failed == ["0", "2"]
    assert [each["kind"] for each in told] == ["polled", "enriched"]


@pytest.mark.parametrize("fault", ["refused", "missing"])
def test_a_key_that_is_refused_or_missing_stops_no_free_poll(world, youtube, fault):
    if fault == "missing":
        config.aws("ssm").delete_parameter(Name="/showrunner/test/youtube/api_key")
    youtube.key = "another"
    upload(youtube, "vid00000001")

    failed, [told] = work(world, ENRICH, POLL)
    assert (failed, len(told["found"]), told["error"]) == ([], 1, None)

    youtube.failing["/feeds/videos.xml"] = 1
    failed, [told] = work(world, POLL)
    assert (failed, told["found"]) == ([], [])
    assert "key" in told["error"]


def test_a_key_that_was_replaced_is_used_at_once(world, youtube):
    upload(youtube, "vid00000001")
    youtube.key = "new"
    assert work(world, ENRICH) == ([], [])
    config.aws("ssm").put_parameter(Name="/showrunner/test/youtube/api_key", Value="new", Type="SecureString", Overwrite=True)
    assert work(world, ENRICH)[1][0]["videos"]


# ------------------------------------------------------------------------------------------------ from-url


def from_url(world, url):
    return world.api("POST", "/api/v1/channels/from-url", {"url": url, "callback_url": CALLBACK})


def test_a_channel_that_is_found_while_the_queue_is_away_is_named_and_followed_all_the_same(world, youtube, monkeypatch):
    monkeypatch.setenv("HUB_QUEUE_URL", "http://127.0.0.1:1/none")
    status, body = from_url(world, f"https://www.youtube.com/channel/{CHANNEL}")
    assert (status, body["subscription"]["status"]) == (201, "pending")
    assert world.api("GET", f"/api/v1/channels/{CHANNEL}")[1]["title"] == "Channel"


@pytest.mark.parametrize(
    "url",
    [
        f"https://www.youtube.com/channel/{CHANNEL}",
        f"https://www.youtube.com/channel/{CHANNEL}/videos?view=0",
        "https://www.youtube.com/@channelname",
        "https://www.youtube.com/@channelname/featured?si=abc",
        "https://m.youtube.com/@ChannelName",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/watch?list=PL1&v=dQw4w9WgXcQ&t=42s&feature=youtu.be",
        "https://music.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://youtu.be/dQw4w9WgXcQ",
        "https://youtu.be/dQw4w9WgXcQ?si=x",
        "https://www.youtube.com/shorts/dQw4w9WgXcQ",
        "https://www.youtube.com/live/dQw4w9WgXcQ?feature=share",
        "https://www.youtube.com/embed/dQw4w9WgXcQ?start=5",
        "https://www.youtube.com/c/channelname",
        "https://www.youtube.com/user/olduser",
        "http://youtube.com/@channelname",
        "HTTPS://WWW.YOUTUBE.COM/@channelname",
    ],
)
def test_every_form_of_address_finds_its_channel(world, youtube, url):
    upload(youtube, "dQw4w9WgXcQ")
    status, body = from_url(world, url)
    assert status == 201
    assert body["channel"] == {"channel_id": CHANNEL, "title": "Channel", "channel_url": f"https://www.youtube.com/channel/{CHANNEL}"}
    assert body["subscription"] == {"id": body["subscription"]["id"], "channel_id": CHANNEL, "callback_url": CALLBACK, "status": "pending"}
    assert world.api("GET", f"/api/v1/channels/{CHANNEL}")[1]["title"] == "Channel"


def test_handles_in_any_script_are_found(world, youtube):
    assert from_url(world, "https://www.youtube.com/@%C3%9Cn%C3%AF.code")[1]["channel"]["channel_id"] == OTHER


BAD = [
    "https://www.youtube.com/", "https://www.youtube.com/feed/trending", "https://www.youtube.com/watch", "https://www.youtube.com/watch?v=short",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&v=dQw4w9WgXcQ", "https://www.youtube.com/channel/UCshort", "https://www.youtube.com/@",
    "https://www.youtube.com/playlist?list=PL1", "https://vimeo.com/1", "https://www.youtube.com.evil.example/@x", "https://evil.example/?u=youtube.com/@x",
    "https://www.youtube.com@evil.example/@x", "https://user@www.youtube.com/@x", "https://www.youtube.com:8443/@x", "ftp://www.youtube.com/@x",
    "javascript:alert(1)", "youtube.com/@x", "//www.youtube.com/@x", "https://youtu.be/", "https://youtu.be/dQw4w9WgXcQ/more", "http://169.254.169.254/",
    "https://www.youtube.com\\@evil.example/@x", "https://[::1", "https://www.youtube.com/@x\n.evil", " ", "https://youtube.com:abc/@x",
    "https://ｗｗｗ.youtube.com/@x", "https://www.youtube。com/@x", "https://www.youtubе.com/@x", "https://www.youtube.com%2eevil.example/@x",
    "https://%77%77%77.youtube.com/@x", "https://www%2eyoutube.com/@x", "https://www.youtube.com./@x", "https://www.youtube.com//@x",
    "https://www.youtube.com//evil.example/@x", "https://www.youtube.com/./@x", "https://www.youtube.com/../@x", "https://:pass@www.youtube.com/@x",
    "https://@www.youtube.com/@x", "https://www.youtube.com:0/@x", "https://www.youtube.com:65536/@x", "https://www.youtube.com:@evil.example/@x",
    "https://evil.youtube.com/@x", "https://notyoutube.com/@x", "https://xn--youtube-9za.com/@x", "https:www.youtube.com/@x", "https:///www.youtube.com/@x",
    "https://www.youtube.com/redirect?q=https://evil.example", "https://www.youtube.com/attribution_link?u=/watch?v=dQw4w9WgXcQ", "file:///etc/passwd",
    "https://www.youtube.com/channel/UC%2e%2e%2faaaaaaaaaaaaaaaaaaaa", "https://www.youtube.com/user/%00", "https://www.youtube.com/@%0d%0aHost:x",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ%00", "https://www.youtube.com/c/..", "https://youtu.be//dQw4w9WgXcQ", "data:text/html,x",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD)
def test_anything_else_is_400_and_fetches_nothing(world, youtube, url):
    status, body = from_url(world, url)
    assert (status, body["error"], body["details"]["field"]) == (400, "validation failed", "url")
    assert youtube.calls.total() == 0


def test_a_channel_that_is_not_there_is_404(world, youtube):
    assert from_url(world, "https://www.youtube.com/@nobody")[0] == 404
    assert from_url(world, "https://youtu.be/aaaaaaaaaaa")[0] == 404


def test_one_that_is_followed_already_is_409(world, youtube):
    assert from_url(world, "https://www.youtube.com/@channelname")[0] == 201
    assert from_url(world, f"https://www.youtube.com/channel/{CHANNEL}")[0] == 409


def test_a_spent_quota_is_429_with_when_to_come_back_and_nobody_asks_again_until_then(world, youtube):
    from functions.feed import app

    youtube.quota = 0
    body = {"url": "https://www.youtube.com/@channelname", "callback_url": CALLBACK}
    for _ in range(2):
        answer = app.handler(http("POST", "/api/v1/channels/from-url", body, x_api_key=KEY), None)
        assert answer["statusCode"] == 429
        left = state.comes_back(datetime.now(UTC)) - datetime.now(UTC)
        assert abs(int(answer["headers"]["retry-after"]) - left.total_seconds()) < 60
    assert youtube.calls["/youtube/v3/channels"] == 1


def test_units_are_reserved_before_a_call_and_given_back_where_it_never_left(world, youtube, monkeypatch):
    from_url(world, "https://www.youtube.com/@nobody")
    assert state.spent("youtube", "general") == 1  # a call that finds nothing costs too
    youtube.failing["/youtube/v3/channels"] = 1
    from_url(world, "https://www.youtube.com/@channelname")
    assert state.spent("youtube", "general") == 2
    monkeypatch.setenv("YOUTUBE_BASE_URL", "http://127.0.0.1:9")
    assert from_url(world, "https://www.youtube.com/@channelname")[0] == 502
    assert state.spent("youtube", "general") == 2


def test_after_five_failures_nobody_waits_for_youtube(world, youtube):
    youtube.failing["/youtube/v3/channels"] = 100
    for _ in range(5):
        assert from_url(world, "https://www.youtube.com/@channelname")[0] == 502
    before = youtube.calls.total()
    assert from_url(world, "https://www.youtube.com/@channelname")[0] == 502
    assert youtube.calls.total() == before
    with pytest.raises(PlatformUnavailable):
        state.check_breaker("youtube")


def test_a_key_that_youtube_refuses_is_502(world, youtube):
    youtube.key = "another"
    assert from_url(world, "https://www.youtube.com/@channelname")[0] == 502
