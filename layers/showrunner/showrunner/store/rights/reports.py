"""Reports that were dropped: what each is, what became of its rows, and which were refused."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult
from showrunner.errors import NotFound

# A function that loads a report lives so long: a report that is still loading then was interrupted, and is
# loaded again when the queue delivers its message again.
_LOAD_TIME = "interval '15 minutes'"
_STATUS = (
    "CASE WHEN r.status = 'loading' AND r.started_at < now() - " + _LOAD_TIME + " THEN 'interrupted' "
    "ELSE r.status END"
)
_ITEM = f"""
    json_build_object('id', r.id, 'content_owner', (SELECT w.name FROM rights.content_owners w
                                                     WHERE w.id = r.owner_id),
                      'file', regexp_replace(r.object_key, '^drops/[^/]+/', ''), 'member', r.member,
                      'bytes', r.bytes, 'kind', r.kind, 'frequency', r.frequency,
                      'period_start', r.period_start, 'period_end', r.period_end, 'status', {_STATUS},
                      'reason', r.reason, 'notes', r.notes, 'unknown_columns', r.unknown_columns,
                      'rows', r.rows, 'accepted', r.accepted, 'rejected', r.rejected, 'totals', r.totals,
                      'new', r.new_rows, 'changed', r.changed_rows, 'removed', r.removed_rows,
                      'replaced_by', r.replaced_by, 'dropped_at', r.dropped_at, 'finished_at', r.finished_at)
"""
_LIST = List(
    "reports",
    "rights.reports r",
    "r.organisation_id = :organisation_id",
    _ITEM,
    {"dropped_at": Column("r.dropped_at", "timestamptz"), "id": Column("r.id", "uuid")},
    "-dropped_at",
    {
        "kind": "r.kind = :kind",
        "status": f"{_STATUS} = :status",
        "content_owner": "r.owner_id = (SELECT w.id FROM rights.content_owners w"
        " WHERE lower(w.name) = lower(:content_owner))",
        "month": "r.period_start >= :month::date AND r.period_start < :month::date + interval '1 month'",
    },
)


def list_(
    tx: db.Transaction, organisation_id: str, filters: dict[str, str | None], page: PageRequest
) -> PageResult:
    """Return a page of an organisation's reports. Filters: kind, status, content_owner, month (its 1st)."""
    return pages.select(tx, _LIST, page, {"organisation_id": organisation_id, **filters})


def get(tx: db.Transaction, organisation_id: str, report_id: str) -> str:
    """Return a report as JSON text. Raises NotFound."""
    found = db.value(
        tx,
        f"SELECT ({_ITEM})::text FROM rights.reports r WHERE id = :id AND organisation_id = :organisation_id",
        id=report_id,
        organisation_id=organisation_id,
    )
    if found is None:
        raise NotFound("There is no such report.")
    return str(found)


def start(
    tx: db.Transaction,
    owner: dict[str, Any],
    object_key: str,
    version: str,
    member: str,
    size_bytes: int,
    dropped_at: datetime,
    sha256: str | None,
) -> str | None:
    """Record that a report is being loaded and return its id. None if this was finished before.

    A report that failed or was interrupted begins again, and so does one that a person has confirmed.
    """
    return db.value(  # type: ignore[no-any-return]
        tx,
        """
        INSERT INTO rights.reports AS r (organisation_id, owner_id, object_key, version, member, bytes,
                                         dropped_at, sha256, status)
        VALUES (:organisation_id, :owner_id, :object_key, :version, :member, :size_bytes, :dropped_at,
                :sha256, 'loading')
            ON CONFLICT (object_key, version, member) DO UPDATE
           SET status = 'loading', started_at = now(), reason = NULL, sha256 = excluded.sha256
         WHERE r.status IN ('loading', 'failed') OR (r.status = 'waiting' AND r.confirmed_by IS NOT NULL)
        RETURNING r.id::text
        """,
        organisation_id=owner["organisation_id"],
        owner_id=owner["id"],
        object_key=object_key,
        version=version,
        member=member,
        size_bytes=size_bytes,
        dropped_at=dropped_at,
        sha256=sha256,
    )


def count_ended(tx: db.Transaction, object_keys: list[str]) -> int:
    """Return how many of these objects were looked at to their end, whatever came of them."""
    return int(
        db.value(
            tx,
            """
            SELECT count(DISTINCT object_key) FROM rights.reports
             WHERE object_key = ANY(:object_keys::text[]) AND finished_at IS NOT NULL
            """,
            object_keys=object_keys,
        )
    )


def find_same(tx: db.Transaction, owner_id: int, sha256: str, member: str, report_id: str) -> str | None:
    """Return the id of a loaded report with the same content, None if there is none."""
    return db.value(  # type: ignore[no-any-return]
        tx,
        """
        SELECT id::text FROM rights.reports
         WHERE owner_id = :owner_id AND sha256 = :sha256 AND member = :member AND status = 'loaded'
           AND id <> :report_id LIMIT 1
        """,
        owner_id=owner_id,
        sha256=sha256,
        member=member,
        report_id=report_id,
    )


def describe(
    tx: db.Transaction,
    report_id: str,
    kind: str,
    frequency: str,
    start_: date,
    end: date,
    notes: list[str],
    unknown_columns: list[str],
) -> bool:
    """Record what a report is. Returns whether a person has confirmed it."""
    return bool(
        db.value(
            tx,
            """
            UPDATE rights.reports
               SET kind = :kind, frequency = :frequency, period_start = :start, period_end = :end,
                   notes = :notes::text[], unknown_columns = :unknown_columns::text[]
             WHERE id = :id RETURNING confirmed_by IS NOT NULL
            """,
            id=report_id,
            kind=kind,
            frequency=frequency,
            start=start_,
            end=end,
            notes=notes,
            unknown_columns=unknown_columns,
        )
    )


def lock_kind(tx: db.Transaction, owner_id: int, kind: str) -> None:
    """Let one transaction at a time load an owner's reports of a kind."""
    db.value(
        tx,
        "SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))::text",
        name=f"reports of {kind} of {owner_id}",
    )


def find_later(tx: db.Transaction, report_id: str, *, is_snapshot: bool) -> str | None:
    """Return the id of a loaded report that makes this one outdated, None if there is none.

    It is a later day's snapshot, or a report of the same period that was dropped later.
    """
    return db.value(  # type: ignore[no-any-return]
        tx,
        """
        SELECT o.id::text FROM rights.reports r
          JOIN rights.reports o ON o.owner_id = r.owner_id AND o.kind = r.kind AND o.status = 'loaded'
                               AND o.id <> r.id
         WHERE r.id = :id
           AND CASE WHEN :is_snapshot::boolean
                    THEN (o.period_start, o.dropped_at) > (r.period_start, r.dropped_at)
                    ELSE o.period_start = r.period_start AND o.frequency = r.frequency
                     AND o.dropped_at > r.dropped_at END
         LIMIT 1
        """,
        id=report_id,
        is_snapshot=is_snapshot,
    )


def list_previous(tx: db.Transaction, report_id: str) -> list[str]:
    """Return the ids of the loaded reports of the same owner, kind and period."""
    found = db.rows(
        tx,
        """
        SELECT o.id::text FROM rights.reports r
          JOIN rights.reports o ON o.owner_id = r.owner_id AND o.kind = r.kind AND o.status = 'loaded'
                               AND o.period_start = r.period_start AND o.frequency = r.frequency
                               AND o.id <> r.id
         WHERE r.id = :id
        """,
        id=report_id,
    )
    return [row["id"] for row in found]


def have_rows(tx: db.Transaction, report_ids: list[str]) -> bool:
    """Return whether any of these reports has rows that were accepted."""
    return bool(
        db.value(
            tx,
            "SELECT EXISTS (SELECT FROM rights.reports WHERE id = ANY(:ids::uuid[]) AND accepted > 0)",
            ids=report_ids,
        )
    )


def copy_rejects(tx: db.Transaction, blocks: Iterable[bytes]) -> None:
    """Store refused rows, in CSV: report, row, line, column, value, reason, key."""
    db.copy_in(
        tx,
        "COPY rights.rejects (report_id, row_number, line, column_name, value, reason, key) "
        "FROM STDIN (FORMAT csv, ENCODING 'UTF8')",
        blocks,
    )


def count_rejects(tx: db.Transaction, report_id: str) -> int:
    return int(
        db.value(tx, "SELECT count(*) FROM rights.rejects WHERE report_id = :report_id", report_id=report_id)
    )


def finish(
    tx: db.Transaction,
    report_id: str,
    status: str,
    reason: str | None = None,
    counts: dict[str, int] | None = None,
) -> None:
    """Record how a report ended. counts: rows, accepted, rejected, totals, new, changed and removed."""
    db.run(
        tx,
        """
        UPDATE rights.reports
           SET status = :status, reason = :reason, finished_at = clock_timestamp(), rows = :rows,
               accepted = :accepted, rejected = :rejected, totals = :totals, new_rows = :new,
               changed_rows = :changed, removed_rows = :removed
         WHERE id = :id
        """,
        id=report_id,
        status=status,
        reason=reason,
        **{
            name: (counts or {}).get(name)
            for name in ("rows", "accepted", "rejected", "totals", "new", "changed", "removed")
        },
    )


def list_of_object(tx: db.Transaction, object_key: str, version: str) -> list[dict[str, Any]]:
    """Return id, organisation_id, status, reason, rows, accepted, rejected and finished_at of its reports."""
    return db.rows(
        tx,
        """
        SELECT id::text, organisation_id::text, status, reason, rows, accepted, rejected, finished_at
          FROM rights.reports
         WHERE object_key = :object_key AND version = :version AND finished_at IS NOT NULL
         ORDER BY member
        """,
        object_key=object_key,
        version=version,
    )


def confirm(tx: db.Transaction, organisation_id: str, report_id: str, by: str) -> dict[str, Any] | None:
    """Record who confirmed a waiting report. Returns its object_key, version, bytes and dropped_at.

    None if the report doesn't wait. Raises NotFound.
    """
    get(tx, organisation_id, report_id)
    return db.one(
        tx,
        """
        UPDATE rights.reports SET confirmed_by = :by WHERE id = :id AND status = 'waiting'
        RETURNING object_key, version, bytes, dropped_at
        """,
        id=report_id,
        by=by,
    )


def list_rejects(tx: db.Transaction, report_id: str, after_row: int, limit: int) -> list[dict[str, Any]]:
    """Return refused rows after a row number, in their order."""
    return db.rows(
        tx,
        """
        SELECT row_number, line, column_name, value, reason FROM rights.rejects
         WHERE report_id = :report_id AND row_number > :after_row ORDER BY row_number LIMIT :limit
        """,
        report_id=report_id,
        after_row=after_row,
        limit=limit,
    )
