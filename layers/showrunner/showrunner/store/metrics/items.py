"""Videos, playlists, albums, tracks and posts of artists, and the time series of their figures."""

import json
from datetime import datetime
from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult
from showrunner.store.metrics.accounts import SLACK_SECONDS, is_due, waited
from showrunner.store.metrics.points import PUBLIC_DAYS
from showrunner.store.metrics.readings import Tiers
from showrunner.store.metrics.video_days import SHOWN_DAYS

# What the platform doesn't have any more is asked for as seldom as that of standard artists.
_INTERVAL = """
    CASE WHEN a.tier = 'active' AND i.found_at >= coalesce(i.checked_at, '-infinity')
         THEN :active::bigint ELSE :standard::bigint END
"""
_IS_DUE = is_due("i", _INTERVAL)
_WAITED = waited("i", _INTERVAL)
# Only the days that are shown are kept (video_days.py).
_REACH = f"""
    (SELECT json_build_object(
                'impressions', sum(v.impressions),
                'click_through', round(sum(v.clicks) / nullif(sum(v.impressions), 0), 6),
                'until', max(k.until), 'known_days', max(k.days))
       FROM metrics.video_days v
      CROSS JOIN LATERAL (
         SELECT max(d.day) AS until, count(*) AS days
           FROM metrics.days d
          WHERE d.artist_id = i.artist_id AND d.platform = i.platform AND d.metric = 'impressions'
            AND d.day > (SELECT max(n.day) - {SHOWN_DAYS} FROM metrics.days n
                          WHERE n.artist_id = i.artist_id AND n.platform = i.platform
                            AND n.metric = 'impressions')) k
      WHERE v.artist_id = i.artist_id AND v.platform = i.platform AND v.kind = i.kind
        AND v.item_id = i.item_id
     HAVING count(*) > 0)
"""
_LIST = List(
    "items",
    "metrics.items i",
    "i.artist_id = :artist_id",
    f"""
    json_build_object('platform', i.platform, 'kind', i.kind, 'item_id', i.item_id, 'title', i.title,
                      'published_at', i.published_at, 'figures', i.figures, 'details', i.details,
                      'checked_at', i.checked_at, 'found_at', i.found_at, 'reach', {_REACH})
    """,
    {
        "published_at": Column("coalesce(i.published_at, '-infinity')", "timestamptz"),
        "views": Column("i.views", "bigint"),
        "key": Column("(i.platform || ' ' || i.kind || ' ' || i.item_id)", "text"),
    },
    "-published_at",
    {"platform": "i.platform = :platform", "kind": "i.kind = :kind"},
    key="key",
)


def list_(
    tx: db.Transaction, artist_id: str, platform: str | None, kind: str | None, page: PageRequest
) -> PageResult:
    """Return a page of an artist's items."""
    return pages.select(tx, _LIST, page, {"artist_id": artist_id, "platform": platform, "kind": kind})


def claim_due(
    tx: db.Transaction, platform: str, kind: str, tiers: Tiers, limit: int, run: str, now: datetime
) -> list[str]:
    """Claim at most `limit` items that are due, the most overdue first, and return their ids.

    A run that has claimed items before gets the same ones again.
    """
    claimed = db.rows(
        tx,
        """
        SELECT DISTINCT item_id FROM metrics.items
         WHERE platform = :platform AND kind = :kind AND planned_by = :run
        """,
        platform=platform,
        kind=kind,
        run=run,
    ) or db.rows(
        tx,
        f"""
        WITH chosen AS (
            SELECT i.item_id
              FROM metrics.items i JOIN metrics.artists a ON a.id = i.artist_id
             WHERE i.platform = :platform AND i.kind = :kind
               AND {_IS_DUE}
             GROUP BY i.item_id
             ORDER BY max({_WAITED}) DESC, i.item_id
             LIMIT :limit)
        UPDATE metrics.items i SET planned_at = :now, planned_by = :run
          FROM chosen WHERE i.platform = :platform AND i.kind = :kind AND i.item_id = chosen.item_id
        RETURNING i.item_id
        """,
        platform=platform,
        kind=kind,
        active=tiers[0],
        standard=tiers[1],
        limit=limit,
        run=run,
        now=now,
    )
    return sorted({row["item_id"] for row in claimed})


def next_due_at(tx: db.Transaction, platform: str, kind: str, tiers: Tiers) -> datetime | None:
    """Return when the next item is due if all claimed ones are loaded, None without an item."""
    found: datetime | None = db.value(
        tx,
        f"""
        SELECT min(coalesce(greatest(i.checked_at, i.planned_at) + make_interval(secs => {_INTERVAL}),
                            i.first_at) - make_interval(secs => {SLACK_SECONDS}))
          FROM metrics.items i JOIN metrics.artists a ON a.id = i.artist_id
         WHERE i.platform = :platform AND i.kind = :kind
        """,
        platform=platform,
        kind=kind,
        active=tiers[0],
        standard=tiers[1],
    )
    return found


def save_listed(
    tx: db.Transaction, platform: str, at: datetime, found: list[dict[str, Any]], artist_id: str | None = None
) -> int:
    """Save items that the platform named at `at`, for all artists with their account. Returns how many.

    found: {kind, item_id, account_id, title, published_at, details} each. An older answer than the stored one
    adds items and changes none. `artist_id`: for this artist alone, whose connection answered.
    """
    return db.run(
        tx,
        """
        INSERT INTO metrics.items AS i (artist_id, platform, kind, item_id, title, published_at, details,
                                        first_at, found_at)
        SELECT c.artist_id, :platform, g.kind, g.item_id, left(g.title, 1000), g.published_at, g.details,
               :at, :at
          FROM json_to_recordset(:found::json) AS g (kind text, item_id text, account_id text, title text,
                                                     published_at timestamptz, details jsonb)
          JOIN metrics.accounts c ON c.platform = :platform AND c.account_id = g.account_id
           AND (:artist_id::uuid IS NULL OR c.artist_id = :artist_id::uuid)
         ORDER BY c.artist_id, g.kind, g.item_id
            ON CONFLICT (artist_id, platform, kind, item_id) DO UPDATE
           SET title = coalesce(excluded.title, i.title), found_at = excluded.found_at,
               published_at = coalesce(excluded.published_at, i.published_at),
               details = i.details || excluded.details
         WHERE i.found_at <= excluded.found_at
        """,
        platform=platform,
        at=at,
        found=json.dumps(found),
        artist_id=artist_id,
    )


def lock(
    tx: db.Transaction, platform: str, items: list[tuple[str, str]], artist_id: str | None = None
) -> list[tuple[str, str, str]]:
    """Return (artist id, kind, item id) of the rows of these (kind, item id), and lock them."""
    found = db.rows(
        tx,
        """
        SELECT i.artist_id::text, i.kind, i.item_id
          FROM json_to_recordset(:items::json) AS g (kind text, item_id text)
          JOIN metrics.items i ON i.platform = :platform AND i.kind = g.kind AND i.item_id = g.item_id
         WHERE :artist_id::uuid IS NULL OR i.artist_id = :artist_id::uuid
         ORDER BY i.artist_id, i.kind, i.item_id FOR UPDATE OF i
        """,
        platform=platform,
        items=json.dumps([{"kind": kind, "item_id": item_id} for kind, item_id in items]),
        artist_id=artist_id,
    )
    return [(row["artist_id"], row["kind"], row["item_id"]) for row in found]


def save_checked(
    tx: db.Transaction,
    platform: str,
    at: datetime,
    answers: list[dict[str, Any]],
    artist_id: str | None = None,
) -> None:
    """Save what the platform answered about items at `at`: {kind, item_id, figures, details} each.

    `figures` of None means that it doesn't have the item any more. An older answer changes nothing.
    """
    db.run(
        tx,
        """
        UPDATE metrics.items i
           SET checked_at = :at, figures = coalesce(g.figures, i.figures),
               details = i.details || coalesce(g.details, '{}'),
               found_at = CASE WHEN g.figures IS NULL THEN i.found_at ELSE greatest(i.found_at, :at) END
          FROM json_to_recordset(:answers::json)
               AS g (kind text, item_id text, figures jsonb, details jsonb)
         WHERE i.platform = :platform AND i.kind = g.kind AND i.item_id = g.item_id
           AND (:artist_id::uuid IS NULL OR i.artist_id = :artist_id::uuid)
           AND coalesce(i.checked_at, '-infinity') < :at::timestamptz
        """,
        platform=platform,
        at=at,
        answers=json.dumps(answers),
        artist_id=artist_id,
    )


def list_before(
    tx: db.Transaction, platform: str, rows: list[tuple[str, str, str, str]], at: datetime
) -> dict[tuple[str, str, str, str], tuple[datetime, datetime, int, int]]:
    """Return (at, last_at, value, definition) of the last run that began by `at`, of each figure.

    rows: (artist id, kind, item id, metric) each, which are the keys of the answer too.
    """
    found = db.rows(
        tx,
        """
        SELECT g.artist_id::text, g.kind, g.item_id, g.metric, p.at, p.last_at, p.value, p.definition
          FROM json_to_recordset(:rows::json) AS g (artist_id uuid, kind text, item_id text, metric text)
         CROSS JOIN LATERAL (
            SELECT p.at, p.last_at, p.value, p.definition FROM metrics.item_points p
             WHERE p.artist_id = g.artist_id AND p.platform = :platform AND p.kind = g.kind
               AND p.item_id = g.item_id AND p.metric = g.metric AND p.at <= :at::timestamptz
             ORDER BY p.at DESC LIMIT 1) p
        """,
        platform=platform,
        rows=json.dumps(
            [dict(zip(("artist_id", "kind", "item_id", "metric"), row, strict=True)) for row in rows]
        ),
        at=at,
    )
    return {
        (row["artist_id"], row["kind"], row["item_id"], row["metric"]): (
            row["at"],
            row["last_at"],
            row["value"],
            row["definition"],
        )
        for row in found
    }


def save_points(tx: db.Transaction, platform: str, runs: list[dict[str, Any]]) -> None:
    """Write runs, {artist_id, kind, item_id, metric, at, last_at, value, definition} each.

    A run of the same figure with the same `at` is replaced.
    """
    db.run(
        tx,
        """
        INSERT INTO metrics.item_points (artist_id, platform, kind, item_id, metric, at, last_at, value,
                                         definition)
        SELECT g.artist_id, :platform, g.kind, g.item_id, g.metric, g.at, g.last_at, g.value, g.definition
          FROM json_to_recordset(:runs::json) AS g (artist_id uuid, kind text, item_id text, metric text,
               at timestamptz, last_at timestamptz, value bigint, definition smallint)
            ON CONFLICT (artist_id, platform, kind, item_id, metric, at) DO UPDATE
           SET last_at = excluded.last_at, value = excluded.value, definition = excluded.definition
        """,
        platform=platform,
        runs=json.dumps(runs, default=datetime.isoformat),
    )


def remove_expired_points(tx: db.Transaction, limit: int) -> int:
    """Delete at most `limit` runs that YouTube's terms no longer allow to store. Returns how many."""
    return db.run(
        tx,
        """
        DELETE FROM metrics.item_points p
         USING (SELECT artist_id, platform, kind, item_id, metric, at FROM metrics.item_points
                 WHERE platform = 'youtube' AND last_at < now() - make_interval(days => :days)
                   AND NOT EXISTS (SELECT FROM metrics.accounts c
                                    WHERE c.artist_id = item_points.artist_id AND c.platform = 'youtube'
                                      AND c.connected_at IS NOT NULL)
                 ORDER BY last_at LIMIT :limit FOR UPDATE SKIP LOCKED) e
         WHERE p.artist_id = e.artist_id AND p.platform = e.platform AND p.kind = e.kind
           AND p.item_id = e.item_id AND p.metric = e.metric AND p.at = e.at
        """,
        days=PUBLIC_DAYS,
        limit=limit,
    )


def remove_expired(tx: db.Transaction, limit: int) -> int:
    """Delete items that YouTube hasn't named for longer than its terms allow to store them.

    Their figures go with them. Returns how many.
    """
    return db.run(
        tx,
        """
        DELETE FROM metrics.items i
         USING (SELECT artist_id, platform, kind, item_id FROM metrics.items
                 WHERE platform = 'youtube' AND found_at < now() - make_interval(days => :days)
                 ORDER BY found_at LIMIT :limit FOR UPDATE SKIP LOCKED) e
         WHERE i.artist_id = e.artist_id AND i.platform = e.platform AND i.kind = e.kind
           AND i.item_id = e.item_id
        """,
        days=PUBLIC_DAYS,
        limit=limit,
    )
