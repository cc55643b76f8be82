"""Load archived answers into the database. Loading one again changes nothing."""

from datetime import UTC, datetime
from typing import Any

from showrunner.database import db
from showrunner.metrics import airtable_sync, archive, item_loading, runs
from showrunner.metrics.definitions import METRICS, definition
from showrunner.metrics.runs import Run
from showrunner.models import Statistics
from showrunner.platforms import (
    instagram_statistics,
    spotify_statistics,
    tiktok_statistics,
    youtube_statistics,
)
from showrunner.store.metrics import accounts, days, loads, points

# Reads a platform's answer.
_READERS = {
    "youtube": youtube_statistics.read,
    "spotify": spotify_statistics.read,
    "tiktok": tiktok_statistics.read,
    "instagram": instagram_statistics.read,
}
# Platforms whose answer about an account has its newest items too.
_ITEM_READERS = {"tiktok": tiktok_statistics.read_videos, "instagram": instagram_statistics.read_posts}
# Platforms that state figures of past days.
_DAY_READERS = {"instagram": instagram_statistics.read_days}


def load(key: str) -> dict[str, Any]:
    """Load an archived answer. Returns how many artists it is about, and how many runs were written.

    An account that was asked for and isn't in the answer is missing. Figures that the platform doesn't
    state are unknown: they are not written. `ending` as `report_loading.load` returns it.
    """
    answer = archive.read(key)
    if answer.platform == "airtable":
        return airtable_sync.load(answer)
    loaded = item_loading.load(answer) if answer.reading else _load(answer)
    with db.transaction() as tx:
        loads.save(tx, key, datetime.now(UTC))
    return loaded


def _load(answer: archive.Answer) -> dict[str, int]:
    """Load an answer about accounts themselves."""
    found = {each.account_id: each for each in _READERS[answer.platform](answer.body)}
    with db.transaction() as tx:
        only = answer.artist_id or None
        artists = accounts.lock(tx, answer.platform, answer.accounts, only)
        written = _runs(tx, answer.platform, artists, found, answer.fetched_at)
        points.save(tx, written)
        checked = [
            {"account_id": each, "response": found[each].item if each in found else None}
            for each in answer.accounts
        ]
        accounts.save_checked(tx, answer.platform, answer.fetched_at, checked, only)
        if read_items := _ITEM_READERS.get(answer.platform):
            item_loading.save(tx, answer.platform, answer.fetched_at, read_items(answer.body), [], only)
        if read_days := _DAY_READERS.get(answer.platform):
            stated = [each._asdict() for each in read_days(answer.body)]
            for artist_id, account_id in artists.items():
                days.save(tx, artist_id, answer.platform, account_id, answer.fetched_at, stated)
    return {"artists": len(artists), "runs": len(written)}


def disconnect(platform: str, artist_id: str, reason: str, at: datetime) -> dict[str, Any] | None:
    """Record that a platform ended our permission, so that the account isn't asked for any more.

    Returns the name of the artist and the email of the person to tell, as `accounts.save_disconnected` does,
    until `told` says that it is done; None if nobody has to be told.
    """
    with db.transaction() as tx:
        lost = accounts.save_disconnected(tx, artist_id, platform, reason, at)
        if lost and platform == "youtube":
            # Terms of YouTube: what an owner's permission gave is deleted when it ends.
            days.remove(tx, artist_id, platform)
    return lost if lost and lost["email"] else None


def told(platform: str, artist_id: str) -> None:
    """Record that the person who connected a lost account was told."""
    with db.transaction() as tx:
        accounts.save_told(tx, artist_id, platform)


def _runs(
    tx: db.Transaction, platform: str, artists: dict[str, str], found: dict[str, Statistics], at: datetime
) -> list[dict[str, Any]]:
    """Return the runs to write, as `points.save` takes them. `artists`: id of each artist -> account id."""
    before = points.list_before(tx, platform, list(artists), list(METRICS[platform]), at)
    written = []
    for artist_id, account_id in artists.items():
        figures = found[account_id].figures if account_id in found else {}
        for metric, value in figures.items():
            row = before.get((artist_id, metric))
            known = Run(*row) if row else None
            written += [
                {"artist_id": artist_id, "platform": platform, "metric": metric, **run._asdict()}
                for run in runs.observe(known, at, value, definition(platform, metric, at))
            ]
    return written
