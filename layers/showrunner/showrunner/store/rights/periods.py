"""Load the reports of a period: money, payments and deductions. A report replaces that of its period."""

import json
from collections.abc import Iterable
from datetime import date

from showrunner.database import db

_TABLES = ("money", "payments", "deductions")


def prepare_month(tx: db.Transaction, table: str, month: date) -> None:
    """Make the partition of a month: before its rows come, in a transaction of its own."""
    db.value(tx, "SELECT rights.prepare_month(:table, :month)::text", table=table, month=month)


def prefix(report_id: str, organisation_id: str, owner_id: int, month: date) -> list[str]:
    """Return what stands before each row's number, in the order of `copy_rows`."""
    return [report_id, organisation_id, str(owner_id), str(month)]


def copy_rows(
    tx: db.Transaction, table: str, columns: list[str], options: str, blocks: Iterable[bytes]
) -> int:
    """Store rows, in COPY's text with `options`. Returns how many.

    Lines have `prefix`, the row number, money's month of activity, and the file's columns.
    """
    activity = "activity_month, " if table == "money" else ""
    return db.copy_in(
        tx,
        f"COPY rights.{table} (report_id, organisation_id, owner_id, report_month, row_number, {activity}"
        f"{', '.join(columns)}) FROM STDIN ({options})",
        blocks,
    )


def sum_money(tx: db.Transaction, report_id: str, organisation_id: str, owner_id: int, month: date) -> None:
    """Store the sums of a money report by month of activity, adjustment and currency."""
    # Apart from the INSERT, which PostgreSQL plans without parallel workers.
    sums = db.rows(
        tx,
        """
        SELECT activity_month::text, coalesce(adjustment_type, 'None') AS adjustment_type,
               coalesce(currency, 'USD') AS currency, count(*) AS rows, sum(partner_revenue)::text AS revenue
          FROM rights.money WHERE report_id = :report_id AND report_month = :month
         GROUP BY activity_month, 2, 3
        """,
        report_id=report_id,
        month=month,
    )
    db.run(
        tx,
        """
        INSERT INTO rights.money_sums
               (report_id, organisation_id, owner_id, report_month, activity_month, adjustment_type, currency,
                rows, partner_revenue)
        SELECT :report_id::uuid, :organisation_id::uuid, :owner_id::integer, :month::date,
               s.activity_month, s.adjustment_type, s.currency, s.rows, s.revenue
          FROM jsonb_to_recordset(:sums::jsonb)
               s (activity_month date, adjustment_type text, currency text, rows bigint, revenue numeric)
        """,
        report_id=report_id,
        organisation_id=organisation_id,
        owner_id=owner_id,
        month=month,
        sums=json.dumps(sums),
    )


def replace(tx: db.Transaction, report_id: str, previous_ids: list[str], month: date) -> None:
    """Delete the rows of the reports that this one replaces, and mark them as replaced."""
    if not previous_ids:
        return
    for table in _TABLES:
        db.run(
            tx,
            f"""
            DELETE FROM rights.{table}
             WHERE report_id = ANY(:previous_ids::uuid[]) AND report_month = :month
            """,
            previous_ids=previous_ids,
            month=month,
        )
    db.run(
        tx,
        "DELETE FROM rights.money_sums WHERE report_id = ANY(:previous_ids::uuid[])",
        previous_ids=previous_ids,
    )
    db.run(
        tx,
        """
        UPDATE rights.reports SET status = 'replaced', replaced_by = :report_id
         WHERE id = ANY(:previous_ids::uuid[])
        """,
        previous_ids=previous_ids,
        report_id=report_id,
    )
