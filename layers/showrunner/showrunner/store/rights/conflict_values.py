"""Value conflicts of ownership: what their assets have earned in the newest months that are loaded."""

from datetime import date
from typing import Any

from showrunner.database import db

# Money comes once a month; three months even out a good or bad one.
MONTHS = 3


def has_conflicts(tx: db.Transaction, owner_id: int) -> bool:
    """Tell whether the owner has any conflict."""
    return bool(
        db.value(
            tx,
            "SELECT EXISTS (SELECT FROM rights.conflicts WHERE owner_id = :owner_id)",
            owner_id=owner_id,
        )
    )


def list_reports(tx: db.Transaction, owner_id: int) -> list[dict[str, Any]]:
    """Return id, kind and month of the owner's loaded money reports of the newest MONTHS that have one."""
    return db.rows(
        tx,
        """
        WITH loaded AS (
            SELECT DISTINCT r.id::text, r.kind, s.report_month AS month
              FROM rights.money_sums s JOIN rights.reports r ON r.id = s.report_id
             WHERE s.owner_id = :owner_id AND r.status = 'loaded' AND r.frequency = 'month')
        SELECT id, kind, month FROM loaded
         WHERE month IN (SELECT DISTINCT month FROM loaded ORDER BY month DESC LIMIT :months::integer)
         ORDER BY month, kind
        """,
        owner_id=owner_id,
        months=MONTHS,
    )


def save(tx: db.Transaction, owner_id: int, report_ids: list[str], months: list[date]) -> None:
    """Set the value of each conflict to the revenue in USD that these reports have for its asset.

    Without reports the values become unknown. One pass over the months' money, whatever the number of
    conflicts.
    """
    db.run(
        tx,
        """
        UPDATE rights.conflicts x
           SET value_usd = CASE WHEN :months::date[] = '{}' THEN NULL ELSE coalesce(m.amount, 0) END,
               value_months = :months::date[]
          FROM (SELECT DISTINCT asset_id FROM rights.conflicts WHERE owner_id = :owner_id) c
          LEFT JOIN (
                SELECT asset_id, sum(partner_revenue) AS amount FROM rights.money
                 WHERE report_id = ANY(:report_ids::uuid[]) AND report_month = ANY(:months::date[])
                   AND coalesce(currency, 'USD') = 'USD'
                   AND asset_id IN (SELECT asset_id FROM rights.conflicts WHERE owner_id = :owner_id)
                 GROUP BY asset_id) m USING (asset_id)
         WHERE x.owner_id = :owner_id AND x.asset_id = c.asset_id
        """,
        owner_id=owner_id,
        report_ids=report_ids,
        months=months,
    )
