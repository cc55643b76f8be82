"""How often the videos of connected channels were shown and clicked, by day."""

import json
from datetime import date
from typing import Any

from showrunner.database import db

# So many days of a video are kept, up to the newest one that a report states, and shown as one figure.
SHOWN_DAYS = 28


def replace(
    tx: db.Transaction, artist_id: str, platform: str, first: date, last: date, found: list[dict[str, Any]]
) -> None:
    """Save {item_id, day, impressions, clicks} each in place of what is known of `first` to `last`.

    Only videos that are known as items are kept, and only the newest SHOWN_DAYS.
    """
    db.run(
        tx,
        """
        DELETE FROM metrics.video_days
         WHERE artist_id = :artist_id AND platform = :platform
           AND day BETWEEN :first::date AND :last::date
        """,
        artist_id=artist_id,
        platform=platform,
        first=first,
        last=last,
    )
    db.run(
        tx,
        """
        INSERT INTO metrics.video_days (artist_id, platform, kind, item_id, day, impressions, clicks)
        SELECT i.artist_id, i.platform, i.kind, i.item_id, g.day, g.impressions, g.clicks
          FROM json_to_recordset(:found::json)
               AS g (item_id text, day date, impressions bigint, clicks numeric)
          JOIN metrics.items i ON i.artist_id = :artist_id AND i.platform = :platform AND i.kind = 'video'
           AND i.item_id = g.item_id
        """,
        artist_id=artist_id,
        platform=platform,
        found=json.dumps(found, default=date.isoformat),
    )
    db.run(
        tx,
        """
        DELETE FROM metrics.video_days
         WHERE artist_id = :artist_id AND platform = :platform AND day <= (
            SELECT max(day) - :days::integer FROM metrics.days
             WHERE artist_id = :artist_id AND platform = :platform AND metric = 'impressions')
        """,
        artist_id=artist_id,
        platform=platform,
        days=SHOWN_DAYS,
    )


def remove(tx: db.Transaction, artist_id: str, platform: str) -> None:
    """Delete all days of an artist's videos on a platform."""
    db.run(
        tx,
        "DELETE FROM metrics.video_days WHERE artist_id = :artist_id AND platform = :platform",
        artist_id=artist_id,
        platform=platform,
    )
