"""Money of a month, as its reports and its payment summary have it."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

from showrunner.database import db


def get_month(tx: db.Transaction, organisation_id: str, month: date) -> dict[str, list[dict[str, Any]]]:
    """Return the organisation's loaded reports of a month, the sums of their money, and the payments.

    reports: owner_id, id, kind, rows, rejected. sums: owner_id, kind, activity_month, adjustment_type,
    currency, amount. payments: owner_id, revenue_type, adjustment_type, amount_usd, in the file's order. One
    statement reads them all, so that a report which is replaced meanwhile is there whole, before or after.
    """
    found = db.value(
        tx,
        """
        WITH loaded AS (
            SELECT id, owner_id, kind, rows, rejected FROM rights.reports
             WHERE organisation_id = :organisation_id AND status = 'loaded' AND frequency = 'month'
               AND period_start = :month)
        SELECT json_build_object(
            'reports', (SELECT coalesce(json_agg(loaded ORDER BY kind), '[]') FROM loaded),
            'sums', (SELECT coalesce(json_agg(json_build_object(
                         'owner_id', s.owner_id, 'kind', l.kind, 'activity_month', s.activity_month,
                         'adjustment_type', s.adjustment_type, 'currency', s.currency,
                         'amount', s.partner_revenue::text)), '[]')
                       FROM loaded l JOIN rights.money_sums s ON s.report_id = l.id),
            'payments', (SELECT coalesce(json_agg(json_build_object(
                             'owner_id', p.owner_id, 'revenue_type', p.revenue_type,
                             'adjustment_type', p.adjustment_type,
                             'amount_usd', p.partner_revenue_usd::text) ORDER BY p.row_number), '[]')
                           FROM loaded l JOIN rights.payments p ON p.report_id = l.id))::text
        """,
        organisation_id=organisation_id,
        month=month,
    )
    read: dict[str, list[dict[str, Any]]] = json.loads(found)
    for row in read["sums"]:
        row |= {
            "activity_month": date.fromisoformat(row["activity_month"]),
            "amount": Decimal(row["amount"]),
        }
    for row in read["payments"]:
        row["amount_usd"] = Decimal(row["amount_usd"])
    return read
