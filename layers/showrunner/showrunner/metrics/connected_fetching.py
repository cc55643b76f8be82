"""Ask TikTok, Instagram and YouTube Analytics about accounts that owners connected. Uses no database."""

import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from showrunner import breakers, quotas, rates
from showrunner.errors import (
    ConfigurationMissing,
    CredentialRejected,
    Disconnected,
    PlatformRejected,
    QuotaExceeded,
)
from showrunner.metrics import clients, fetching, grants, report_fetching
from showrunner.metrics.archive import Batch
from showrunner.metrics.fetching import Result
from showrunner.platforms import google, instagram_statistics, tiktok_statistics, youtube_reports
from showrunner.platforms.credentials import TokenRefused
from showrunner.platforms.instagram import CallsSpent, Usage

# Views of an account with more videos are unknown: a page of 20 is a call.
MOST_PAGES = 5
# The first report of a channel has the days of a year.
FIRST_DAYS = 365
# Insights of an account's newest posts are a call each, and begin within this time of the function's 120 s.
MOST_POSTS, POSTS_SECONDS = 10, 60
# The bucket of pauses for all accounts: each of them has a bucket for its calls.
INSTAGRAM_APP = "instagram"
# Less than half of a limit is no news, and costs no request to the state table.
NOTED_PERCENT = 50


def fetch(batch: Batch) -> Result:
    """Archive what the platform says about an account. Returns and raises what `fetching.archive_once` does.

    Beside its states: disconnected, if the owner withdrew the permission, with what Load records. A stage
    without an app at the platform skips the batch.
    """
    asked: dict[str, tuple[Callable[[Batch], bytes], Callable[[bytes], Any]]] = {
        "youtube": (
            # Its files were read before they were archived.
            (_ask_reports, json.loads)
            if batch.reading == "reports"
            else (_ask_analytics, lambda body: youtube_reports.read(body, batch.accounts[0]))
        ),
        "tiktok": (_ask_tiktok, tiktok_statistics.read),
        "instagram": (_ask_instagram, instagram_statistics.read),
    }
    ask, read = asked[batch.platform]
    try:
        return fetching.archive_once(batch, lambda: ask(batch), read)
    except ConfigurationMissing as error:
        return fetching.skipped(error.message)
    except Disconnected as error:
        ended = {
            "platform": batch.platform,
            "artist_id": batch.artist_id,
            "reason": error.message,
            "at": datetime.now(UTC).isoformat(),
        }
        return {"state": "disconnected", "disconnected": ended}


def _account(batch: Batch) -> grants.Account:
    return grants.Account(batch.platform, batch.organisation_id, batch.artist_id)


def _token(batch: Batch, refused: str | None = None) -> str:
    account = _account(batch)
    return grants.access_token(
        account, lambda refresh_token: clients.refresh(batch.platform, refresh_token), refused=refused
    )


def _ask_analytics(batch: Batch) -> bytes:
    """Return {days, videos}: YouTube Analytics' reports of each day and of the top videos of 28 days."""
    token, client = _token(batch), clients.client_of_analytics()
    with_revenue = google.REVENUE in grants.scopes(_account(batch))
    # Days in Los Angeles; today's isn't over.
    until = date.fromisoformat(quotas.pacific_day(datetime.now(UTC))) - timedelta(days=1)
    since = date.fromisoformat(batch.since) if batch.since else until - timedelta(days=FIRST_DAYS - 1)

    calls = rates.Calls("youtube_analytics", rates.YOUTUBE_ANALYTICS)

    def days(access_token: str) -> dict[str, Any]:
        first = min(since, until)
        return _analytics(
            calls, lambda: client.days(access_token, first, until, with_revenue=with_revenue), coming=2
        )

    try:
        found = days(token)
    except TokenRefused:
        # Once: Google may have ended it early.
        token = _token(batch, refused=token)
        found = days(token)
    begin = until - timedelta(days=27)
    videos = _analytics(calls, lambda: client.top_videos(token, begin, until))
    return json.dumps({"days": found, "videos": videos}).encode()


def _ask_reports(batch: Batch) -> bytes:
    """Return the list of the channel's new reports, whose files are archived."""
    token = _token(batch)
    try:
        return report_fetching.ask(batch, token)
    except CredentialRejected:
        # Once: Google may have ended it early.
        return report_fetching.ask(batch, _token(batch, refused=token))


def _analytics(calls: rates.Calls, call: Callable[[], dict[str, Any]], *, coming: int = 1) -> dict[str, Any]:
    calls.take(coming)
    with fetching.heeding("youtube", "youtube_analytics"), breakers.guard("youtube", "analytics"):
        return call()


def _ask_tiktok(batch: Batch) -> bytes:
    """Return {user, pages}: the answers about the user and its newest videos."""
    token, calls = _token(batch), rates.Calls("tiktok", rates.TIKTOK)

    def user(access_token: str) -> bytes:
        # A first page of videos follows.
        return _tiktok(calls, lambda: clients.client_of_tiktok().user(access_token), coming=2)

    try:
        found = user(token)
    except TokenRefused:
        # Once: TikTok may have ended it early.
        token = _token(batch, refused=token)
        found = user(token)
    pages: list[bytes] = []
    cursor: int | None = None
    while len(pages) < MOST_PAGES and (not pages or cursor is not None):
        pages.append(_tiktok(calls, partial(clients.client_of_tiktok().videos, token, cursor)))
        cursor = tiktok_statistics.next_cursor(pages[-1])
    return json.dumps({"user": json.loads(found), "pages": [json.loads(page) for page in pages]}).encode()


def _tiktok(calls: rates.Calls, call: Callable[[], bytes], *, coming: int = 1) -> bytes:
    calls.take(coming)
    with fetching.heeding("tiktok"), breakers.guard("tiktok", "figures"):
        return call()


def _ask_instagram(batch: Batch) -> bytes:
    """Return {profile, media, day, insights, days, posts}.

    Three answers, of which `insights` is about `day`; those about missing days by day; and the insights of
    the newest posts by id.
    """
    # Nobody calls while the app's calls are spent: refused ones make it longer.
    rates.check(INSTAGRAM_APP)
    until = time.monotonic() + POSTS_SECONDS
    token, client = _token(batch), clients.client_of_instagram()
    [account_id] = batch.accounts
    now = datetime.now(UTC)
    calls = rates.Calls(f"instagram:{batch.artist_id}", rates.INSTAGRAM_ACCOUNT)
    account: dict[str, Callable[[], tuple[dict[str, Any], Usage]]] = {
        "profile": lambda: client.profile(token),
        "media": lambda: client.media(token),
        "insights": lambda: client.insights(token, account_id, now),
    }
    days = batch.days or []
    coming = len(account) + len(days)
    answers: dict[str, Any] = {
        name: _instagram(calls, call, coming - number) for number, (name, call) in enumerate(account.items())
    }
    answers |= {"day": (now.date() - timedelta(days=1)).isoformat(), "days": {}, "posts": {}}
    for number, day in enumerate(days):
        after = datetime.combine(date.fromisoformat(day) + timedelta(days=1), datetime.min.time(), UTC)
        with contextlib.suppress(PlatformRejected, QuotaExceeded):
            # The day stays a gap, and another run asks for it.
            answers["days"][day] = _instagram(
                calls, partial(client.insights, token, account_id, after), len(days) - number
            )
    posts = (answers["media"].get("data") or [])[:MOST_POSTS]
    for number, post in enumerate(posts):
        if time.monotonic() > until:
            break
        with contextlib.suppress(PlatformRejected, QuotaExceeded):
            # A story without enough viewers, or no call left in this hour: the account's own figures count.
            answers["posts"][post["id"]] = _instagram(
                calls, partial(client.post_insights, token, str(post["id"])), len(posts) - number
            )
    return json.dumps(answers).encode()


def _instagram(
    calls: rates.Calls, call: Callable[[], tuple[dict[str, Any], Usage]], coming: int
) -> dict[str, Any]:
    calls.take(coming)
    try:
        with breakers.guard("instagram", "figures"):
            answer, usage = call()
    except CallsSpent as error:
        _heed(calls, error.usage)
        raise
    _heed(calls, usage)
    return answer


def _heed(calls: rates.Calls, usage: Usage) -> None:
    """Record what is used of Instagram's limits, and let the next calls wait where one is nearly spent."""
    for bucket, used in (("account", usage.account), ("app", usage.app)):
        if used >= NOTED_PERCENT:
            quotas.observe("instagram", bucket, min(used, 100))
    if usage.app_seconds:
        rates.pause(INSTAGRAM_APP, usage.app_seconds)
    if seconds := max(usage.account_seconds, usage.app_seconds):
        calls.pause(seconds)
