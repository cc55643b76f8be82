"""Streams of reports that YouTube makes for content owners by itself."""

import json
from typing import Any

from showrunner.database import db


def list_owners(tx: db.Transaction) -> list[dict[str, Any]]:
    """Return the content owners whose id at YouTube is known.

    Columns: id, organisation_id, name, youtube_id and uses_service_account.
    """
    return db.rows(
        tx,
        """
        SELECT w.id, w.organisation_id::text, w.name, w.youtube_id, w.uses_service_account
          FROM rights.content_owners w JOIN accounts.organisations o ON o.id = w.organisation_id
         WHERE w.youtube_id IS NOT NULL AND o.content_owner AND o.suspended_at IS NULL ORDER BY w.id
        """,
    )


def save(tx: db.Transaction, owner: dict[str, Any], streams: list[dict[str, Any]], at: str) -> None:
    """Save what was found of an owner's streams: those that were not found any more have ended."""
    db.run(
        tx,
        """
        INSERT INTO rights.streams (owner_id, organisation_id, job_id, report_type, name, kind, state, reason,
                                    reports, fetched, newest_end, newest_created, deprecated_at, checked_at)
        SELECT :owner_id::integer, :organisation_id::uuid, s.*, :at::timestamptz
          FROM json_to_recordset(:streams::json) AS s (
               job_id text, report_type text, name text, kind text, state text, reason text, reports integer,
               fetched integer, newest_end timestamptz, newest_created timestamptz, deprecated_at timestamptz)
            ON CONFLICT (owner_id, job_id) DO UPDATE
           SET report_type = excluded.report_type, name = excluded.name, kind = excluded.kind,
               state = excluded.state, reason = excluded.reason, reports = excluded.reports,
               fetched = excluded.fetched,
               newest_end = coalesce(excluded.newest_end, streams.newest_end),
               newest_created = coalesce(excluded.newest_created, streams.newest_created),
               deprecated_at = excluded.deprecated_at, checked_at = excluded.checked_at
        """,
        owner_id=owner["id"],
        organisation_id=owner["organisation_id"],
        streams=json.dumps(streams),
        at=at,
    )
    db.run(
        tx,
        """
        UPDATE rights.streams SET state = 'ended', reason = 'YouTube has no such job any more.'
         WHERE owner_id = :owner_id AND checked_at < :at::timestamptz AND state <> 'ended'
        """,
        owner_id=owner["id"],
        at=at,
    )


def fail(tx: db.Transaction, owner: dict[str, Any], reason: str) -> None:
    """Record that an owner's streams could not be looked at."""
    db.run(
        tx,
        "UPDATE rights.streams SET state = 'failed', reason = :reason WHERE owner_id = :owner_id"
        " AND state <> 'ended'",
        owner_id=owner["id"],
        reason=reason,
    )


def take_announcements(tx: db.Transaction, owner_id: int, before: str) -> list[dict[str, Any]]:
    """Return report_type and deprecated_at of types that end before a time, each once."""
    return db.rows(
        tx,
        """
        UPDATE rights.streams SET announced_at = now()
         WHERE owner_id = :owner_id AND announced_at IS NULL AND deprecated_at < :before::timestamptz
        RETURNING report_type, deprecated_at
        """,
        owner_id=owner_id,
        before=before,
    )


def count_standing(tx: db.Transaction) -> int:
    """Return how many streams of all owners are late, have a gap, expire or have failed."""
    return int(
        db.value(
            tx,
            "SELECT count(*) FROM rights.streams WHERE state IN ('late', 'gap', 'expiring', 'failed')",
        )
    )


def list_of(tx: db.Transaction, organisation_id: str) -> list[dict[str, Any]]:
    """Return the organisation's streams by content owner and type."""
    return db.rows(
        tx,
        """
        SELECT w.name AS content_owner, s.job_id, s.report_type, s.name, s.kind, s.state, s.reason, s.reports,
               s.fetched, s.newest_end, s.newest_created, s.deprecated_at, s.checked_at
          FROM rights.streams s JOIN rights.content_owners w ON w.id = s.owner_id
         WHERE s.organisation_id = :organisation_id ORDER BY lower(w.name), s.report_type, s.job_id
        """,
        organisation_id=organisation_id,
    )
