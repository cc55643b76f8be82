"""YouTube's daily quota, its circuit breaker and its key, as users of the Ingestion API meet them."""

from datetime import UTC, datetime, timedelta

import pytest

from showrunner import breakers, quotas
from showrunner.errors import PlatformUnavailable, QuotaExceeded
from tests.feed.ingestion import CALLBACK, KEY, http
from tests.feed.polling import from_url


def test_a_spent_quota_is_refused_until_midnight_pacific_time(youtube):
    noon = datetime(2031, 7, 4, 19, tzinfo=UTC)
    for _ in range(3):
        quotas.spend("test", "general", 10, 30, noon)
    with pytest.raises(QuotaExceeded) as refused:
        quotas.spend("test", "general", 1, 30, noon)
    assert refused.value.retry_at == datetime(2031, 7, 5, 7, tzinfo=UTC)
    assert quotas.spent("test", "general", noon) == 30
    quotas.spend("test", "general", 1, 30, noon + timedelta(days=1))


@pytest.mark.parametrize("year", range(2024, 2036))
def test_the_quota_day_is_the_date_in_los_angeles(year):
    from zoneinfo import ZoneInfo

    at = datetime(year, 1, 1, tzinfo=UTC)
    for _ in range(24 * 366):
        at += timedelta(hours=1)
        assert quotas.pacific_day(at) == at.astimezone(ZoneInfo("America/Los_Angeles")).date().isoformat()


def test_a_spent_quota_is_429_with_retry_after_and_youtube_is_not_called(world, youtube):
    from functions.feed import app

    youtube.quota = 0
    body = {"url": "https://www.youtube.com/@channelname", "callback_url": CALLBACK}
    for _ in range(2):
        answer = app.handler(http("POST", "/api/v1/channels/from-url", body, x_api_key=KEY), None)
        assert answer["statusCode"] == 429
        left = quotas.next_attempt_at(datetime.now(UTC)) - datetime.now(UTC)
        assert abs(int(answer["headers"]["retry-after"]) - left.total_seconds()) < 60
    assert youtube.calls["/youtube/v3/channels"] == 1


def test_quota_is_reserved_before_a_call_and_returned_if_it_was_never_sent(world, youtube, monkeypatch):
    from_url(world, "https://www.youtube.com/@nobody")
    assert quotas.spent("youtube", "general") == 1  # a call that finds nothing costs too
    youtube.failing["/youtube/v3/channels"] = 1
    from_url(world, "https://www.youtube.com/@channelname")
    assert quotas.spent("youtube", "general") == 2
    monkeypatch.setenv("YOUTUBE_BASE_URL", "http://127.0.0.1:9")
    assert from_url(world, "https://www.youtube.com/@channelname")[0] == 502
    assert quotas.spent("youtube", "general") == 2


def test_five_failures_open_youtubes_breaker(world, youtube):
    youtube.failing["/youtube/v3/channels"] = 100
    for _ in range(5):
        assert from_url(world, "https://www.youtube.com/@channelname")[0] == 502
    before = youtube.calls.total()
    assert from_url(world, "https://www.youtube.com/@channelname")[0] == 502
    assert youtube.calls.total() == before
    with pytest.raises(PlatformUnavailable):
        breakers.check("youtube")


def test_a_key_that_youtube_refuses_is_502(world, youtube):
    youtube.key = "another"
    assert from_url(world, "https://www.youtube.com/@channelname")[0] == 502
