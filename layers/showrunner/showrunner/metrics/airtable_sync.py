"""Write organisations' artists and videos into their bases at Airtable, once a day.

The machine of metrics runs it: plan compares each row with what was last written, a function without a
database writes the changed ones (airtable_writing.py), ten a call, and load records what was written. A row
that is written twice, as when a worker dies, stays one record, because Airtable finds it by its key.

A base has two tables. `Catalogue` has the text fields Artist ID, Artist, Tier, YouTube, Spotify, TikTok and
Instagram, and a number field for each figure, such as "YouTube followers". `Videos` has the text fields
Video ID, Title, Artist, Platform and Published; its records are only added, never changed.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from showrunner import config
from showrunner.aws import correlation, s3
from showrunner.database import db
from showrunner.metrics import archive
from showrunner.metrics.airtable_rows import CATALOGUE, KEYS, MOST_ROWS, VIDEOS, Write
from showrunner.metrics.archive import Answer
from showrunner.store.metrics import airtable as store

# Column names of the platforms and of their figures.
_PLATFORMS = {"youtube": "YouTube", "spotify": "Spotify", "tiktok": "TikTok", "instagram": "Instagram"}
_FIGURES = {
    "followers": tuple(_PLATFORMS),
    # Those whose views are known as a whole.
    "views": ("youtube", "tiktok"),
}
# A first run of more videos goes on in the next ones: 2,000 calls are seven minutes at five a second.
MOST_VIDEOS = 20_000


def bases() -> dict[str, str]:
    """Return organisation id -> id of its base at Airtable, as the stage is configured."""
    listed = config.setting("AIRTABLE_BASES", "")
    return dict(each.split("=", 1) for each in listed.split(",") if "=" in each)


def plan(run: str) -> dict[str, Any]:
    """Store what each base lacks, as calls of ten rows. Returns their place; a repeat has the same ones."""
    known = s3.find_json(archive.plan_key(run))
    if known is None:
        at = datetime.now(UTC)
        folder = f"{archive.CONNECTED_FOLDER}/airtable/{at:%Y/%m/%d/%H}/{run}"
        changed = []
        for organisation_id, base in bases().items():
            with db.reading() as tx:
                rows = {CATALOGUE: _catalogue(tx, organisation_id), VIDEOS: _videos(tx, organisation_id)}
                digests = {table: store.list_digests(tx, organisation_id, table) for table in rows}
            for table, found in rows.items():
                new = [row for row in found if digests[table].get(row[KEYS[table]]) != digest(row)]
                changed += [
                    (organisation_id, base, table, new[first : first + MOST_ROWS])
                    for first in range(0, len(new), MOST_ROWS)
                ]
        known = [
            Write(
                "airtable",
                organisation_id,
                base,
                table,
                rows,
                {row[KEYS[table]]: digest(row) for row in rows},
                f"{folder}/{number:05}.json.gz",
                correlation.current(),
            )._asdict()
            for number, (organisation_id, base, table, rows) in enumerate(changed)
        ]
        s3.put_json(archive.plan_key(run), known)
    place = {"bucket": config.setting("MEDIA_BUCKET"), "key": archive.plan_key(run)}
    return {"batches": len(known), **place}


def _catalogue(tx: db.Transaction, organisation_id: str) -> list[dict[str, Any]]:
    return [
        {"Artist ID": row["id"], "Artist": row["name"], "Tier": row["tier"]}
        | {name: row["accounts"].get(platform) for platform, name in _PLATFORMS.items()}
        | {
            f"{_PLATFORMS[platform]} {metric}": (row["figures"].get(platform) or {}).get(metric)
            for metric, platforms in _FIGURES.items()
            for platform in platforms
        }
        for row in store.list_catalogue(tx, organisation_id)
    ]


def _videos(tx: db.Transaction, organisation_id: str) -> list[dict[str, Any]]:
    return [
        {
            "Video ID": row["video_id"],
            "Title": row["title"],
            "Artist": row["artist"],
            "Platform": _PLATFORMS[row["platform"]],
            "Published": row["published_at"].isoformat() if row["published_at"] else None,
        }
        for row in store.list_new_videos(tx, organisation_id, VIDEOS, MOST_VIDEOS)
    ]


def digest(row: dict[str, Any]) -> str:
    """Return the SHA-256 of a row, by which an unchanged one is known."""
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()


def load(answer: Answer) -> dict[str, int]:
    """Record the rows that were written, so that they aren't written again before they change."""
    written = json.loads(answer.body)
    with db.transaction() as tx:
        rows = store.save_written(
            tx, written["organisation_id"], written["table"], written["digests"], answer.fetched_at
        )
    return {"artists": 0, "rows": rows}
