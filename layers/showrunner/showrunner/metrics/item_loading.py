"""Load archived answers about videos and other items into the database. Loading one again changes nothing."""

from datetime import datetime
from typing import Any

from showrunner.database import db
from showrunner.metrics import readings, report_loading, runs
from showrunner.metrics.archive import Answer
from showrunner.metrics.definitions import ITEM_METRICS, definition
from showrunner.metrics.runs import Run
from showrunner.models import Item
from showrunner.platforms import spotify_items, youtube_items, youtube_reports
from showrunner.store.metrics import accounts, days, items
from showrunner.store.metrics import readings as readings_store


def load(answer: Answer) -> dict[str, Any]:
    """Load an answer to a reading. Returns how many items it is about, and how many runs were written."""
    if readings.find(answer.platform, answer.reading).is_connected:
        return _load_connected(answer)
    found = read(answer)
    asked = readings.find(answer.platform, answer.reading)
    with db.transaction() as tx:
        if asked.kind is None:
            readings_store.save_checked(tx, answer.platform, asked.name, answer.accounts, answer.fetched_at)
            missing = []
        else:
            known = {each.item_id for each in found}
            missing = [(asked.kind, item_id) for item_id in answer.accounts if item_id not in known]
        written = save(tx, answer.platform, answer.fetched_at, found, missing)
    return {"artists": 0, "items": len(found), "runs": written}


def _load_connected(answer: Answer) -> dict[str, Any]:
    """Load what a channel's owner permitted us to read, unless that permission has ended since.

    What an earlier permission gave was deleted when it ended: a replay must not bring it back.
    """
    with db.reading() as tx:
        is_permitted = accounts.was_connected(
            tx, answer.artist_id, answer.platform, answer.accounts[0], answer.fetched_at
        )
    if not is_permitted:
        return {"artists": 0, "items": 0, "runs": 0}
    return _load_analytics(answer) if answer.reading == "analytics" else report_loading.load(answer)


def _load_analytics(answer: Answer) -> dict[str, int]:
    """Load the reports of a channel that its owner connected. A revised day replaces the one before."""
    [channel_id] = answer.accounts
    stated, videos = youtube_reports.read(answer.body, channel_id)
    until = max((each.day for each in stated), default=None)
    with db.transaction() as tx:
        readings_store.save_covered(
            tx, answer.platform, answer.reading, answer.artist_id, answer.fetched_at, until
        )
        written = days.save(
            tx,
            answer.artist_id,
            answer.platform,
            channel_id,
            answer.fetched_at,
            [each._asdict() for each in stated],
        )
        runs_written = save(tx, answer.platform, answer.fetched_at, videos, [], answer.artist_id)
    return {"artists": 1, "items": len(videos), "runs": runs_written, "days": written}


def read(answer: Answer) -> list[Item]:
    """Return the items of an answer. Raises PlatformUnavailable."""
    match answer.platform, answer.reading:
        case "spotify", "albums":
            return spotify_items.read_albums(answer.body)
        case "spotify", "album_tracks":
            return spotify_items.read_album_tracks(answer.body)
        case "spotify", "tracks":
            return spotify_items.read_tracks(answer.body)
        case "youtube", "videos":
            return youtube_items.read_statistics(answer.body)
        case "youtube", "top_videos":
            return youtube_items.read_search(answer.body)
        case "youtube", "playlists":
            return youtube_items.read_playlists(answer.body)
        case _:
            return youtube_items.read_feeds(answer.body, answer.fetched_at)


def save(
    tx: db.Transaction,
    platform: str,
    at: datetime,
    found: list[Item],
    missing: list[tuple[str, str]],
    artist_id: str | None = None,
) -> int:
    """Save items that a platform named at `at`, and their figures. Returns how many runs were written.

    `missing`: (kind, item id) of those that it was asked for and doesn't have. `artist_id`: whose connection
    answered.
    """
    listed = [
        {
            "kind": each.kind,
            "item_id": each.item_id,
            "account_id": each.account_id,
            "title": each.title,
            "published_at": each.published_at.isoformat() if each.published_at else None,
            "details": each.details,
        }
        # Twice in one answer, as when a list moves while its pages are read.
        for each in {(e.kind, e.item_id, e.account_id): e for e in found if e.account_id}.values()
    ]
    items.save_listed(tx, platform, at, listed, artist_id)
    stated = {(each.kind, each.item_id): each for each in found if each.figures or not each.account_id}
    rows = items.lock(tx, platform, list(stated), artist_id)
    written = _runs(tx, platform, at, stated, rows)
    items.save_points(tx, platform, written)
    answers: list[dict[str, Any]] = [
        {"kind": kind, "item_id": item_id, "figures": each.figures, "details": each.details}
        for (kind, item_id), each in stated.items()
    ]
    answers += [
        {"kind": kind, "item_id": item_id, "figures": None, "details": None} for kind, item_id in missing
    ]
    items.save_checked(tx, platform, at, answers, artist_id)
    return len(written)


def _runs(
    tx: db.Transaction,
    platform: str,
    at: datetime,
    stated: dict[tuple[str, str], Item],
    rows: list[tuple[str, str, str]],
) -> list[dict[str, Any]]:
    """Return the runs to write, as `items.save_points` takes them."""
    figures = {
        (artist_id, kind, item_id, metric): value
        for artist_id, kind, item_id in rows
        for metric, value in stated[kind, item_id].figures.items()
        if metric in ITEM_METRICS[kind]
    }
    before = items.list_before(tx, platform, list(figures), at)
    written = []
    for key, value in figures.items():
        artist_id, kind, item_id, metric = key
        known = Run(*before[key]) if key in before else None
        written += [
            {"artist_id": artist_id, "kind": kind, "item_id": item_id, "metric": metric, **run._asdict()}
            for run in runs.observe(known, at, value, definition(platform, metric, at))
        ]
    return written
