"""Ask TikTok and Instagram for the figures of an account that its owner connected. Uses no database."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from showrunner import breakers, rates
from showrunner.errors import ConfigurationMissing, Disconnected
from showrunner.metrics import clients, fetching, grants
from showrunner.metrics.archive import Batch
from showrunner.metrics.fetching import Result
from showrunner.platforms import instagram_statistics, tiktok_statistics
from showrunner.platforms.tiktok import TokenRefused

# Views of an account with more videos are unknown: a page of 20 is a call.
MOST_PAGES = 5


def fetch(batch: Batch) -> Result:
    """Archive what the platform says about an account. Returns and raises what `fetching.archive_once` does.

    Beside its states: disconnected, if the owner withdrew the permission, with what Load records. A stage
    without an app at the platform skips the batch.
    """
    ask, read = (
        (_ask_tiktok, tiktok_statistics.read)
        if batch.platform == "tiktok"
        else (_ask_instagram, instagram_statistics.read)
    )
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


def _token(batch: Batch, refused: str | None = None) -> str:
    account = grants.Account(batch.platform, batch.organisation_id, batch.artist_id)
    return grants.access_token(
        account, lambda refresh_token: clients.refresh(batch.platform, refresh_token), refused=refused
    )


def _ask_tiktok(batch: Batch) -> bytes:
    """Return {user, pages}: the answers about the user and its newest videos."""
    token = _token(batch)
    try:
        user = _tiktok(lambda: clients.client_of_tiktok().user(token))
    except TokenRefused:
        # Once: TikTok may have ended it early.
        token = _token(batch, refused=token)
        user = _tiktok(lambda: clients.client_of_tiktok().user(token))
    pages: list[bytes] = []
    cursor: int | None = None
    while len(pages) < MOST_PAGES and (not pages or cursor is not None):
        pages.append(_page(token, cursor))
        cursor = tiktok_statistics.next_cursor(pages[-1])
    return json.dumps({"user": json.loads(user), "pages": [json.loads(page) for page in pages]}).encode()


def _page(token: str, cursor: int | None) -> bytes:
    return _tiktok(lambda: clients.client_of_tiktok().videos(token, cursor))


def _tiktok(call: Callable[[], bytes]) -> bytes:
    rates.reserve("tiktok", rates.TIKTOK)
    with breakers.guard("tiktok", "figures"):
        return call()


def _ask_instagram(batch: Batch) -> bytes:
    """Return {profile, media, insights}: three answers."""
    token, client = _token(batch), clients.client_of_instagram()
    [account_id] = batch.accounts
    now = datetime.now(UTC)
    calls: dict[str, Callable[[], tuple[dict[str, Any], float | None]]] = {
        "profile": lambda: client.profile(token),
        "media": lambda: client.media(token),
        "insights": lambda: client.insights(token, account_id, now),
    }
    bucket = f"instagram:{batch.artist_id}"
    answers = {}
    for name, call in calls.items():
        rates.reserve(bucket, rates.INSTAGRAM_ACCOUNT)
        with breakers.guard("instagram", "figures"):
            answers[name], seconds = call()
        if seconds is not None:
            # The answer counts; the next call waits.
            rates.pause(bucket, seconds)
    return json.dumps(answers).encode()
