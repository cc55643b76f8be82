"""Delete all rows of a content owner, many at a time.

No foreign key does it: loading a million rows would check it a million times.
"""

from datetime import date
from typing import Any

from showrunner.database import db


def list_reports(tx: db.Transaction, owner_id: int) -> list[dict[str, Any]]:
    """Return id and month of the owner's reports; the month is None for those without a period."""
    return db.rows(
        tx,
        """
        SELECT id::text, date_trunc('month', period_start)::date AS month FROM rights.reports
         WHERE owner_id = :owner_id ORDER BY dropped_at, id
        """,
        owner_id=owner_id,
    )


def remove_report(tx: db.Transaction, report_id: str, month: date | None) -> None:
    """Delete a report with its rows, sums and refused rows."""
    db.run(
        tx,
        """
        WITH money AS (DELETE FROM rights.money WHERE report_id = :report_id AND report_month = :month),
             payments AS (DELETE FROM rights.payments WHERE report_id = :report_id),
             deductions AS (DELETE FROM rights.deductions WHERE report_id = :report_id)
        DELETE FROM rights.reports WHERE id = :report_id
        """,
        report_id=report_id,
        month=month,
    )


def remove_owner(tx: db.Transaction, owner_id: int) -> None:
    """Delete a content owner without reports: the rows of its snapshots with their history, and itself."""
    db.run(tx, "DELETE FROM rights.history WHERE owner_id = :owner_id", owner_id=owner_id)
    # Dropping keeps readers waiting until the end of the transaction, so it comes after the long part.
    db.value(tx, "SELECT rights.drop_partitions(:owner_id)::text", owner_id=owner_id)
    db.run(
        tx,
        """
        WITH claims AS (DELETE FROM rights.claims WHERE owner_id = :owner_id),
             assets AS (DELETE FROM rights.assets WHERE owner_id = :owner_id),
             conflicts AS (DELETE FROM rights.conflicts WHERE owner_id = :owner_id),
             videos AS (DELETE FROM rights.videos WHERE owner_id = :owner_id),
             files AS (DELETE FROM rights.reference_files WHERE owner_id = :owner_id)
        DELETE FROM rights.content_owners WHERE id = :owner_id
        """,
        owner_id=owner_id,
    )
