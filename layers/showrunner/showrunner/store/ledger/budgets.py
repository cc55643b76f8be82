"""Budgets: what videos, channels and organisations may cost, have cost, and have reserved for running steps.

Costs of stand-ins, which nobody pays, count too, so that budgets work the same on every stage. Days and
months are those of UTC.
"""

from decimal import Decimal
from typing import Any

from showrunner.database import db
from showrunner.errors import NotFound

_DAY = "date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
_MONTH = "date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"


def lock(tx: db.Transaction, organisation_id: str) -> None:
    """Let no other transaction reserve for this organisation until this one ends."""
    db.value(
        tx,
        "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))::text",
        key=f"budgets of {organisation_id}",
    )


def get_used(
    tx: db.Transaction, organisation_id: str, channel_id: str, video_id: str | None
) -> dict[str, Any]:
    """Return the channel's `budget` setting and what is used of each budget: video, day, month.

    Used is what was paid and what other videos have reserved. The video's own reservation isn't counted: the
    caller replaces it. Raises NotFound.
    """
    row = db.one(
        tx,
        f"""
        SELECT coalesce(c.settings -> 'budget', '{{}}') AS budget,
               (SELECT coalesce(sum(k.amount_usd), 0) FROM ledger.costs k
                 WHERE k.video_id = :video_id::uuid) AS video,
               (SELECT coalesce(sum(k.amount_usd), 0)
                  FROM ledger.costs k JOIN studio.videos v ON v.id = k.video_id
                 WHERE k.organisation_id = c.organisation_id AND v.channel_id = c.id
                   AND k.recorded_at >= {_DAY})
               + (SELECT coalesce(sum(r.amount_usd), 0) FROM ledger.reservations r
                   WHERE r.channel_id = c.id AND r.video_id IS DISTINCT FROM :video_id::uuid) AS day,
               (SELECT coalesce(sum(k.amount_usd), 0) FROM ledger.costs k
                 WHERE k.organisation_id = c.organisation_id AND k.recorded_at >= {_MONTH})
               + (SELECT coalesce(sum(r.amount_usd), 0) FROM ledger.reservations r
                   WHERE r.organisation_id = c.organisation_id
                     AND r.video_id IS DISTINCT FROM :video_id::uuid) AS month
          FROM studio.channels c WHERE c.id = :channel_id AND c.organisation_id = :organisation_id
        """,
        organisation_id=organisation_id,
        channel_id=channel_id,
        video_id=video_id,
    )
    if row is None:
        raise NotFound("There is no such channel.")
    return row


def get_expected(
    tx: db.Transaction, organisation_id: str, channel_id: str, video_usd: Decimal
) -> dict[str, Decimal]:
    """Return what running videos will still cost: of the channel (`day`), of the organisation (`month`).

    `video_usd`: what a whole video is expected to cost. Paid and reserved parts are left out.
    """
    row = db.one(
        tx,
        """
        SELECT coalesce(sum(rest) FILTER (WHERE channel_id = :channel_id), 0) AS day,
               coalesce(sum(rest), 0) AS month
          FROM (SELECT v.channel_id, greatest(0, :video_usd
                       - (SELECT coalesce(sum(k.amount_usd), 0) FROM ledger.costs k WHERE k.video_id = v.id)
                       - (SELECT coalesce(sum(r.amount_usd), 0) FROM ledger.reservations r
                           WHERE r.video_id = v.id)) AS rest
                  FROM studio.videos v
                 WHERE v.organisation_id = :organisation_id AND v.status IN ('queued', 'processing')
                   AND v.deleted_at IS NULL) running
        """,
        organisation_id=organisation_id,
        channel_id=channel_id,
        video_usd=video_usd,
    )
    if row is None:
        raise AssertionError("an aggregate returns one row")
    return {name: Decimal(row[name]) for name in ("day", "month")}


def reserve(
    tx: db.Transaction, organisation_id: str, channel_id: str, video_id: str, step: str, amount: Decimal
) -> None:
    """Replace the video's reservation. The caller holds the lock and has compared with the budgets."""
    db.run(
        tx,
        """
        INSERT INTO ledger.reservations (video_id, organisation_id, channel_id, step, amount_usd)
        VALUES (:video_id, :organisation_id, :channel_id, :step, :amount)
        ON CONFLICT (video_id) DO UPDATE
           SET step = excluded.step, amount_usd = excluded.amount_usd, reserved_at = now()
        """,
        organisation_id=organisation_id,
        channel_id=channel_id,
        video_id=video_id,
        step=step,
        amount=amount,
    )


def release(tx: db.Transaction, video_id: str) -> None:
    """Remove the video's reservation, if it has one."""
    db.run(tx, "DELETE FROM ledger.reservations WHERE video_id = :video_id", video_id=video_id)


def get_month(tx: db.Transaction, organisation_id: str) -> dict[str, Any]:
    """Return what the organisation has `used` and `reserved` this month, as decimal strings in USD."""
    row = db.one(
        tx,
        f"""
        SELECT (SELECT coalesce(sum(amount_usd), 0)::text FROM ledger.costs
                 WHERE organisation_id = :organisation_id AND recorded_at >= {_MONTH}) AS used,
               (SELECT coalesce(sum(amount_usd), 0)::text FROM ledger.reservations
                 WHERE organisation_id = :organisation_id) AS reserved
        """,
        organisation_id=organisation_id,
    )
    if row is None:
        raise AssertionError("a query without FROM returns one row")
    return row
