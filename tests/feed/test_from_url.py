"""A channel is found by any form of YouTube address, and nothing else is fetched."""

import json

import pytest

from showrunner import breakers, quotas
from showrunner.aws import dynamodb, s3
from showrunner.caches import public, reads
from showrunner.database import db
from tests.feed.ingestion import CALLBACK, CHANNEL, KEY, OTHER, http
from tests.feed.polling import from_url, upload


def test_a_channel_is_subscribed_even_when_the_queue_is_unreachable(world, youtube, monkeypatch):
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
def test_every_form_of_youtube_address_finds_its_channel(world, youtube, url):
    upload(youtube, "dQw4w9WgXcQ")
    status, body = from_url(world, url)
    assert status == 201
    assert body["channel"] == {
        "channel_id": CHANNEL,
        "title": "Channel",
        "channel_url": f"https://www.youtube.com/channel/{CHANNEL}",
    }
    assert body["subscription"] == {
        "id": body["subscription"]["id"],
        "channel_id": CHANNEL,
        "callback_url": CALLBACK,
        "status": "pending",
    }
    assert world.api("GET", f"/api/v1/channels/{CHANNEL}")[1]["title"] == "Channel"


def test_handles_in_other_scripts_are_found(world, youtube):
    assert from_url(world, "https://www.youtube.com/@%C3%9Cn%C3%AF.code")[1]["channel"]["channel_id"] == OTHER


BAD = [
    "https://www.youtube.com/",
    "https://www.youtube.com/feed/trending",
    "https://www.youtube.com/watch",
    "https://www.youtube.com/watch?v=short",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&v=dQw4w9WgXcQ",
    "https://www.youtube.com/channel/UCshort",
    "https://www.youtube.com/@",
    "https://www.youtube.com/playlist?list=PL1",
    "https://vimeo.com/1",
    "https://www.youtube.com.evil.example/@x",
    "https://evil.example/?u=youtube.com/@x",
    "https://www.youtube.com@evil.example/@x",
    "https://user@www.youtube.com/@x",
    "https://www.youtube.com:8443/@x",
    "ftp://www.youtube.com/@x",
    "javascript:alert(1)",
    "youtube.com/@x",
    "//www.youtube.com/@x",
    "https://youtu.be/",
    "https://youtu.be/dQw4w9WgXcQ/more",
    "http://169.254.169.254/",
    "https://www.youtube.com\\@evil.example/@x",
    "https://[::1",
    "https://www.youtube.com/@x\n.evil",
    " ",
    "https://youtube.com:abc/@x",
    "https://ｗｗｗ.youtube.com/@x",
    "https://www.youtube。com/@x",
    "https://www.youtubе.com/@x",
    "https://www.youtube.com%2eevil.example/@x",
    "https://%77%77%77.youtube.com/@x",
    "https://www%2eyoutube.com/@x",
    "https://www.youtube.com./@x",
    "https://www.youtube.com//@x",
    "https://www.youtube.com//evil.example/@x",
    "https://www.youtube.com/./@x",
    "https://www.youtube.com/../@x",
    "https://:pass@www.youtube.com/@x",
    "https://@www.youtube.com/@x",
    "https://www.youtube.com:0/@x",
    "https://www.youtube.com:65536/@x",
    "https://www.youtube.com:@evil.example/@x",
    "https://evil.youtube.com/@x",
    "https://notyoutube.com/@x",
    "https://xn--youtube-9za.com/@x",
    "https:www.youtube.com/@x",
    "https:///www.youtube.com/@x",
    "https://www.youtube.com/redirect?q=https://evil.example",
    "https://www.youtube.com/attribution_link?u=/watch?v=dQw4w9WgXcQ",
    "file:///etc/passwd",
    "https://www.youtube.com/channel/UC%2e%2e%2faaaaaaaaaaaaaaaaaaaa",
    "https://www.youtube.com/user/%00",
    "https://www.youtube.com/@%0d%0aHost:x",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ%00",
    "https://www.youtube.com/c/..",
    "https://youtu.be//dQw4w9WgXcQ",
    "data:text/html,x",
]


@pytest.mark.parametrize("url", BAD)
def test_any_other_address_is_400_and_nothing_is_fetched(world, youtube, url):
    status, body = from_url(world, url)
    assert (status, body["error"], body["details"]["field"]) == (400, "validation failed", "url")
    assert youtube.calls.total() == 0


def test_a_missing_channel_is_404(world, youtube):
    assert from_url(world, "https://www.youtube.com/@nobody")[0] == 404
    assert from_url(world, "https://youtu.be/aaaaaaaaaaa")[0] == 404


def test_a_channel_with_a_subscription_is_409(world, youtube):
    assert from_url(world, "https://www.youtube.com/@channelname")[0] == 201
    assert from_url(world, f"https://www.youtube.com/channel/{CHANNEL}")[0] == 409


def test_an_address_that_was_asked_for_before_costs_no_unit_for_an_hour(world, youtube):
    assert from_url(world, "https://www.youtube.com/@channelname")[0] == 201
    # Another spelling is another question; the same one is answered without YouTube.
    assert from_url(world, "https://www.youtube.com/@channelname")[0] == 409

    assert quotas.spent("youtube", "general") == 1


def test_an_answer_whose_hour_is_over_is_confirmed_with_its_etag(world, youtube):
    from_url(world, "https://www.youtube.com/@channelname")
    an_hour_later()

    assert from_url(world, "https://www.youtube.com/@channelname")[0] == 409
    assert youtube.unchanged == 1
    assert quotas.spent("youtube", "general") == 2  # 304 costs a unit


@pytest.mark.parametrize("trouble", ["down", "breaker", "quota"])
def test_while_youtube_can_t_be_asked_its_last_answer_is_used_and_says_its_age(world, youtube, tx, trouble):
    from functions.feed import app

    subscription = from_url(world, "https://www.youtube.com/@channelname")[1]["subscription"]
    db.run(tx, "DELETE FROM feed.subscriptions WHERE id = :id", id=subscription["id"])
    an_hour_later()
    if trouble == "down":
        youtube.failing["/youtube/v3/channels"] = 1
    elif trouble == "breaker":
        for _ in range(breakers.FAILURES):
            breakers.record("youtube", answered=False)
    else:
        youtube.quota = 0

    body = {"url": "https://www.youtube.com/@channelname", "callback_url": CALLBACK}
    answer = app.handler(http("POST", "/api/v1/channels/from-url", body, x_api_key=KEY), None)

    assert json.loads(answer["body"])["channel"]["channel_id"] == CHANNEL, answer
    assert answer["statusCode"] == 201
    assert int(answer["headers"]["age"]) >= 3_700


def test_an_address_without_a_channel_is_asked_for_again_after_a_minute(world, youtube):
    assert from_url(world, "https://www.youtube.com/@latecomer")[0] == 404
    youtube.channels["UC" + "l" * 22] = {"title": "Late", "handle": "latecomer"}
    assert from_url(world, "https://www.youtube.com/@latecomer")[0] == 404

    an_hour_later(seconds=61)

    assert from_url(world, "https://www.youtube.com/@latecomer")[0] == 201


def an_hour_later(seconds=3_700):
    """Make all kept answers older, and end those whose time in the state table is over."""
    reads._memory.__init__()
    for name in s3.list_keys(f"{public.FOLDER}/"):
        kept = reads.unpacked(s3.get_bytes(name))
        older = kept._replace(checked_at=kept.checked_at - seconds)
        s3.put_bytes(name, reads._packed(older))
        item = f"cache#{name.rpartition('/')[2].removesuffix('.gz')}"
        dynamodb.put(item, "answer", {"packed": reads._packed(older)}, older.checked_at + reads.TABLE_SECONDS)
