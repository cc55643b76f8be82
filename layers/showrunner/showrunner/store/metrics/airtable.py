"""Rows for an organisation's base at Airtable, and what was last written there."""

import json
from datetime import datetime
from typing import Any

from showrunner.database import db


def list_catalogue(tx: db.Transaction, organisation_id: str) -> list[dict[str, Any]]:
    """Return id, name, tier and accounts (platform -> account id) of each artist, with the newest figures.

    figures: platform -> metric -> value, of followers and views.
    """
    return db.rows(
        tx,
        """
        SELECT a.id::text, a.name, a.tier,
               (SELECT coalesce(jsonb_object_agg(c.platform, c.account_id), '{}')
                  FROM metrics.accounts c WHERE c.artist_id = a.id) AS accounts,
               (SELECT coalesce(jsonb_object_agg(c.platform, f.figures), '{}')
                  FROM metrics.accounts c
                 CROSS JOIN LATERAL (
                    SELECT coalesce(jsonb_object_agg(m.metric, p.value), '{}') AS figures
                      FROM (VALUES ('followers'), ('views')) AS m (metric)
                     CROSS JOIN LATERAL (
                        SELECT p.value FROM metrics.points p
                         WHERE p.artist_id = a.id AND p.platform = c.platform AND p.metric = m.metric
                         ORDER BY p.at DESC LIMIT 1) p) f
                 WHERE c.artist_id = a.id) AS figures
          FROM metrics.artists a WHERE a.organisation_id = :organisation_id ORDER BY a.id
        """,
        organisation_id=organisation_id,
    )


def list_new_videos(
    tx: db.Transaction, organisation_id: str, table_name: str, limit: int
) -> list[dict[str, Any]]:
    """Return video_id, title, artist, platform and published_at of videos that were never written.

    Oldest first, at most `limit`. Videos without a known title come later.
    """
    return db.rows(
        tx,
        """
        SELECT DISTINCT ON (i.first_at, i.item_id)
               i.item_id AS video_id, i.title, a.name AS artist, i.platform, i.published_at
          FROM metrics.items i JOIN metrics.artists a ON a.id = i.artist_id
         WHERE a.organisation_id = :organisation_id AND i.kind = 'video' AND i.title IS NOT NULL
           AND NOT EXISTS (SELECT FROM metrics.airtable_rows w
                            WHERE w.organisation_id = :organisation_id AND w.table_name = :table_name
                              AND w.key = i.item_id)
         ORDER BY i.first_at, i.item_id LIMIT :limit
        """,
        organisation_id=organisation_id,
        table_name=table_name,
        limit=limit,
    )


def list_digests(tx: db.Transaction, organisation_id: str, table_name: str) -> dict[str, str]:
    """Return the digest of each row that was written, by its key."""
    found = db.rows(
        tx,
        """
        SELECT key, digest FROM metrics.airtable_rows
         WHERE organisation_id = :organisation_id AND table_name = :table_name
        """,
        organisation_id=organisation_id,
        table_name=table_name,
    )
    return {row["key"]: row["digest"] for row in found}


def save_written(
    tx: db.Transaction, organisation_id: str, table_name: str, digests: dict[str, str], at: datetime
) -> int:
    """Record rows, key -> digest, that were written at `at`. Returns how many were newer than known ones."""
    return db.run(
        tx,
        """
        INSERT INTO metrics.airtable_rows AS w (organisation_id, table_name, key, digest, written_at)
        SELECT o.id, :table_name, g.key, g.value, :at
          FROM json_each_text(:digests::json) AS g (key, value)
          JOIN accounts.organisations o ON o.id = :organisation_id
            ON CONFLICT (organisation_id, table_name, key) DO UPDATE
           SET digest = excluded.digest, written_at = excluded.written_at
         WHERE w.written_at < excluded.written_at
        """,
        organisation_id=organisation_id,
        table_name=table_name,
        digests=json.dumps(digests),
        at=at,
    )
