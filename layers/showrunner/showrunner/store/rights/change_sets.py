"""Change sets: what people want changed on YouTube, row by row, and what became of it."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult
from showrunner.errors import Conflict, NotFound
from showrunner.models import SERVICE_ACCOUNT_CONNECTION

db.CONSTRAINTS["change_sets_undo"] = (
    Conflict,
    "This change set was undone before: GET /cms/changes has its undo.",
)

# So many rows are in memory at once.
_AT_ONCE = 2_000
_COUNTS = """
    (SELECT json_build_object('total', count(*), 'invalid', count(*) FILTER (WHERE r.status = 'invalid'),
                              'pending', count(*) FILTER (WHERE r.status = 'pending'),
                              'success', count(*) FILTER (WHERE r.status = 'success'),
                              'unchanged', count(*) FILTER (WHERE r.status = 'unchanged'),
                              'failed', count(*) FILTER (WHERE r.status = 'failed'),
                              'error', count(*) FILTER (WHERE r.status = 'error'))
       FROM rights.changes r WHERE r.change_set_id = s.id)
"""
_ITEM = f"""
    json_build_object('id', s.id, 'name', s.name, 'kind', s.kind, 'status', s.status, 'reason', s.reason,
                      'undo_of', s.undo_of,
                      'undone_by', (SELECT u.id FROM rights.change_sets u WHERE u.undo_of = s.id),
                      'needs_approval', s.needs_approval, 'created_by', s.created_by,
                      'approved_by', s.approved_by, 'rows', {_COUNTS}, 'finish_at', s.finish_at,
                      'created_at', s.created_at, 'started_at', s.started_at, 'finished_at', s.finished_at)
"""
_LIST = List(
    "changes",
    "rights.change_sets s",
    "s.organisation_id = :organisation_id",
    _ITEM,
    {"created_at": Column("s.created_at", "timestamptz"), "id": Column("s.id", "uuid")},
    "-created_at",
    {"status": "s.status = :status"},
)
# What a person compares before the change set runs is what reports say; afterwards it is what YouTube had.
ROW = """
    json_build_object('row', c.row_number, 'change_set_id', c.change_set_id, 'kind', c.kind,
                      'video_id', nullif(c.video_id, ''), 'asset_id', c.target ->> 'asset_id',
                      'claim_id', coalesce(c.target ->> 'claim_id', c.after ->> 'claim_id'),
                      'content_type', c.target ->> 'content_type', 'status', c.status,
                      'message', c.message, 'changes', c.changes,
                      'before', coalesce(c.before, c.known), 'is_exact', c.before IS NOT NULL,
                      'after', c.after, 'queued_at', c.queued_at, 'finished_at', c.finished_at)
"""
_ROWS = List(
    "rows",
    "rights.changes c",
    "c.change_set_id = :change_set_id",
    ROW,
    {"row": Column("c.row_number", "bigint")},
    "row",
    {"status": "c.status = :status"},
    key="row",
)
# A row is a sync from the moment on at which its change set runs.
_SYNCS = List(
    "syncs",
    "rights.changes c",
    "c.organisation_id = :organisation_id AND c.queued_at IS NOT NULL",
    ROW,
    {"queued_at": Column("c.queued_at", "timestamptz"), "id": Column("c.id", "bigint")},
    "-queued_at",
    {"status": "c.status = :status", "video_id": "c.video_id = :video_id"},
)


def add(
    tx: db.Transaction, organisation_id: str, kind: str, name: str, by: str, undo_of: str | None = None
) -> str:
    """Add a change set without rows and return its id. Raises Conflict if `undo_of` was undone before."""
    return str(
        db.value(
            tx,
            """
            INSERT INTO rights.change_sets (organisation_id, kind, name, created_by, undo_of, needs_approval)
            SELECT o.id, :kind, :name, :by, :undo_of::uuid, o.changes_need_approval
              FROM accounts.organisations o WHERE o.id = :organisation_id
            RETURNING id::text
            """,
            organisation_id=organisation_id,
            kind=kind,
            name=name,
            by=by,
            undo_of=undo_of,
        )
    )


def copy_rows(
    tx: db.Transaction, organisation_id: str, kind: str, change_set_id: str, rows: Iterable[dict[str, Any]]
) -> None:
    """Add the rows of a change set.

    A row: number, video_id, connection_id, target, changes, known, status and message.
    """

    def blocks() -> Iterator[bytes]:
        for row in rows:
            out = io.StringIO()
            csv.writer(out, lineterminator="\n").writerow(
                [
                    change_set_id,
                    row["number"],
                    organisation_id,
                    kind,
                    row["video_id"],
                    row["connection_id"],
                    json.dumps(row["target"]),
                    json.dumps(row["changes"], ensure_ascii=False),
                    json.dumps(row["known"], ensure_ascii=False),
                    row["status"],
                    row["message"],
                ]
            )
            yield out.getvalue().encode()

    db.copy_in(
        tx,
        # A match policy has no video: that is an empty text and no NULL.
        """
        COPY rights.changes (change_set_id, row_number, organisation_id, kind, video_id, connection_id,
                             target, changes, known, status, message)
        FROM STDIN (FORMAT csv, FORCE_NOT_NULL (video_id), ENCODING 'UTF8')
        """,
        blocks(),
    )


# Kind of a change set -> that of its undo, if that is another. A claim that has ended can't be made active
# again, so the undo of a release claims anew.
_INVERSE_KINDS = {"claim": "release", "release": "claim"}


def inverse_kind(kind: str) -> str:
    """Return the kind of the change set that undoes one of this kind."""
    return _INVERSE_KINDS.get(kind, kind)


def add_inverse(tx: db.Transaction, change_set_id: str, kind: str, undo_id: str) -> int:
    """Add the rows that undo what another change set, of this kind, has written. Returns how many there are.

    Each expects that nobody has changed its fields since.
    """
    return db.run(
        tx,
        """
        INSERT INTO rights.changes (change_set_id, row_number, organisation_id, kind, video_id, connection_id,
                                    target, changes, expected, known, status)
        SELECT :undo_id::uuid, row_number, organisation_id, :undo_kind, video_id, connection_id,
               CASE kind WHEN 'claim' THEN target || jsonb_build_object('claim_id', after -> 'claim_id')
                         WHEN 'release' THEN target || jsonb_build_object(
                              'asset_id', before -> 'asset_id', 'is_manual', before -> 'is_manual',
                              'content_type', before -> 'content_type')
                         ELSE target END,
               CASE kind WHEN 'claim' THEN '{"status": "inactive"}'
                         WHEN 'release' THEN jsonb_build_object('policy', before -> 'policy')
                         ELSE before END,
               CASE kind WHEN 'claim' THEN jsonb_build_object('policy', after -> 'policy')
                         WHEN 'release' THEN '{}'
                         ELSE after END,
               after, 'pending'
          FROM rights.changes WHERE change_set_id = :id AND status = 'success'
        """,
        id=change_set_id,
        undo_kind=inverse_kind(kind),
        undo_id=undo_id,
    )


def list_(tx: db.Transaction, organisation_id: str, status: str | None, page: PageRequest) -> PageResult:
    """Return a page of the organisation's change sets."""
    return pages.select(tx, _LIST, page, {"organisation_id": organisation_id, "status": status})


def list_rows(tx: db.Transaction, change_set_id: str, status: str | None, page: PageRequest) -> PageResult:
    """Return a page of the rows of a change set."""
    return pages.select(tx, _ROWS, page, {"change_set_id": change_set_id, "status": status})


def list_syncs(
    tx: db.Transaction, organisation_id: str, filters: dict[str, Any], page: PageRequest
) -> PageResult:
    """Return a page of the rows that were sent to YouTube or wait for it. Filters: status, video_id."""
    return pages.select(tx, _SYNCS, page, {"organisation_id": organisation_id, **filters})


def get(tx: db.Transaction, organisation_id: str, change_set_id: str) -> str:
    """Return a change set as JSON text. Raises NotFound."""
    found = db.value(
        tx,
        f"""
        SELECT ({_ITEM})::text FROM rights.change_sets s
         WHERE id = :id AND organisation_id = :organisation_id
        """,
        id=change_set_id,
        organisation_id=organisation_id,
    )
    if found is None:
        raise NotFound("There is no such change set.")
    return str(found)


def lock(tx: db.Transaction, organisation_id: str, change_set_id: str) -> dict[str, Any]:
    """Return kind, status, needs_approval, created_by, name and attempt of a change set, and lock it.

    Raises NotFound.
    """
    found = db.one(
        tx,
        """
        SELECT id::text, kind, status, needs_approval, created_by, name, attempt FROM rights.change_sets
         WHERE id = :id AND organisation_id = :organisation_id FOR UPDATE
        """,
        id=change_set_id,
        organisation_id=organisation_id,
    )
    if found is None:
        raise NotFound("There is no such change set.")
    return found


def approve(tx: db.Transaction, change_set_id: str, by: str) -> None:
    """Record that a second person has approved a change set."""
    db.run(
        tx,
        "UPDATE rights.change_sets SET status = 'approved', approved_by = :by WHERE id = :id",
        id=change_set_id,
        by=by,
    )


def begin(tx: db.Transaction, change_set_id: str, finish_at: datetime) -> int:
    """Begin an attempt: rows without a final result are queued. Returns the attempt's number."""
    db.run(
        tx,
        """
        UPDATE rights.changes SET status = 'pending', message = NULL, queued_at = now(), finished_at = NULL
         WHERE change_set_id = :id AND status IN ('pending', 'error')
        """,
        id=change_set_id,
    )
    return int(
        db.value(
            tx,
            """
            UPDATE rights.change_sets
               SET status = 'running', reason = NULL, attempt = attempt + 1, finish_at = :finish_at,
                   started_at = coalesce(started_at, now()), finished_at = NULL
             WHERE id = :id RETURNING attempt
            """,
            id=change_set_id,
            finish_at=finish_at,
        )
    )


def mark_stopping(tx: db.Transaction, change_set_id: str) -> None:
    """Record that a person stops a running change set."""
    db.run(tx, "UPDATE rights.change_sets SET status = 'stopping' WHERE id = :id", id=change_set_id)


def count_to_do(tx: db.Transaction, change_set_id: str) -> list[dict[str, Any]]:
    """Return connection_id, kind and number of the rows without a final result, for each connection."""
    return db.rows(
        tx,
        """
        SELECT connection_id::text, kind, count(*) AS number FROM rights.changes
         WHERE change_set_id = :id AND status IN ('pending', 'error') GROUP BY connection_id, kind ORDER BY 1
        """,
        id=change_set_id,
    )


def find_running(tx: db.Transaction, change_set_id: str, attempt: int) -> dict[str, Any] | None:
    """Return organisation_id, kind and status of a change set if this attempt is running.

    Waits for who has just begun it.
    """
    return db.one(
        tx,
        """
        SELECT organisation_id::text, kind, status FROM rights.change_sets
         WHERE id = :id AND attempt = :attempt AND status IN ('running', 'stopping') FOR SHARE
        """,
        id=change_set_id,
        attempt=attempt,
    )


def list_pending(tx: db.Transaction, change_set_id: str) -> Iterator[dict[str, Any]]:
    """Yield the rows to do, by connection: number, video_id, connection_id, target, changes and expected."""
    last: dict[str, Any] = {"connection_id": "00000000-0000-0000-0000-000000000000", "number": 0}
    while True:
        found = db.rows(
            tx,
            f"""
            SELECT row_number AS number, video_id, connection_id::text, target, changes, expected
              FROM rights.changes
             WHERE change_set_id = :id AND status = 'pending'
               AND (connection_id, row_number) > (:connection_id::uuid, :number)
             ORDER BY connection_id, row_number LIMIT {_AT_ONCE}
            """,
            id=change_set_id,
            connection_id=last["connection_id"],
            number=last["number"],
        )
        yield from found
        if len(found) < _AT_ONCE:
            return
        last = found[-1]


def save_results(tx: db.Transaction, change_set_id: str, results: dict[str, Any]) -> list[dict[str, Any]]:
    """Save the results of rows (number -> status, message, before, after, at); saving again changes nothing.

    Returns id, video_id, asset_id, status and at of the rows that had none before.
    """
    db.run(
        tx,
        """
        DELETE FROM rights.claims_in_work
         WHERE change_set_id = :id AND row_number IN (SELECT jsonb_object_keys(:results::jsonb)::integer)
        """,
        id=change_set_id,
        results=json.dumps(results),
    )
    return db.rows(
        tx,
        """
        UPDATE rights.changes c
           SET status = r.value ->> 'status', message = r.value ->> 'message',
               before = nullif(r.value -> 'before', 'null'), after = nullif(r.value -> 'after', 'null'),
               finished_at = (r.value ->> 'at')::timestamptz
          FROM jsonb_each(:results::jsonb) r
         WHERE c.change_set_id = :id AND c.row_number = r.key::integer AND c.status = 'pending'
        RETURNING c.id, c.video_id, c.target ->> 'asset_id' AS asset_id, c.status, r.value ->> 'at' AS at
        """,
        id=change_set_id,
        results=json.dumps(results),
    )


# Rows about a content owner that is another organisation's now, or that the service account must not act for.
_OF_OTHERS = """
    (c.kind <> 'metadata' OR c.target ? 'content_owner') AND NOT EXISTS (
        SELECT FROM rights.content_owners w
         WHERE w.organisation_id = c.organisation_id AND w.youtube_id = c.target ->> 'content_owner'
           AND (w.uses_service_account OR c.connection_id <> :service_account::uuid))
"""


def fail_rows_of_others(tx: db.Transaction, change_set_id: str) -> int:
    """Let pending rows fail whose content owner was corrected since they were proposed. Returns how many.

    The service account may act for the owners of all organisations: YouTube would carry them out.
    """
    return db.run(
        tx,
        f"""
        UPDATE rights.changes c
           SET status = 'failed', finished_at = now(),
               message = 'The content owner of this row has been changed since: propose it again.'
         WHERE c.change_set_id = :id AND c.status = 'pending' AND {_OF_OTHERS}
        """,
        id=change_set_id,
        service_account=SERVICE_ACCOUNT_CONNECTION,
    )


def stop_those_of_others(tx: db.Transaction, organisation_id: str) -> list[str]:
    """Mark running change sets as stopping that the organisation may carry out no more. Returns their ids.

    They have rows of content owners that aren't its own, or it is no content owner any more.
    """
    found = db.rows(
        tx,
        f"""
        UPDATE rights.change_sets s SET status = 'stopping'
         WHERE s.organisation_id = :organisation_id AND s.status IN ('running', 'stopping')
           AND (NOT EXISTS (SELECT FROM accounts.organisations o
                             WHERE o.id = s.organisation_id AND o.content_owner)
                OR EXISTS (SELECT FROM rights.changes c
                            WHERE c.change_set_id = s.id AND c.status = 'pending' AND {_OF_OTHERS}))
        RETURNING s.id::text
        """,
        organisation_id=organisation_id,
        service_account=SERVICE_ACCOUNT_CONNECTION,
    )
    return [each["id"] for each in found]


def take_claims(tx: db.Transaction, change_set_id: str) -> int:
    """Reserve the claims that the pending rows are to make; rows whose claim another change set makes fail.

    Waits for others that reserve the same ones. Returns how many failed.
    """
    db.run(
        tx,
        """
        INSERT INTO rights.claims_in_work
               (content_owner, video_id, asset_id, content_type, change_set_id, row_number)
        SELECT target ->> 'content_owner', video_id, target ->> 'asset_id', target ->> 'content_type',
               change_set_id, row_number
          FROM rights.changes WHERE change_set_id = :id AND kind = 'claim' AND status = 'pending'
         ORDER BY 1, 2, 3, 4
            ON CONFLICT DO NOTHING
        """,
        id=change_set_id,
    )
    return db.run(
        tx,
        """
        UPDATE rights.changes c
           SET status = 'failed', finished_at = now(),
               message = 'Another change set is making this claim: GET /api/v1/cms/changes?status=running.'
         WHERE c.change_set_id = :id AND c.kind = 'claim' AND c.status = 'pending'
           AND NOT EXISTS (SELECT FROM rights.claims_in_work w
                            WHERE w.change_set_id = c.change_set_id AND w.row_number = c.row_number)
        """,
        id=change_set_id,
    )


def end(tx: db.Transaction, change_set_id: str, attempt: int, reason: str) -> None:
    """End an attempt: the change set is done, or stopped with a reason if rows are left."""
    db.run(
        tx,
        """
        DELETE FROM rights.claims_in_work w USING rights.change_sets s
         WHERE w.change_set_id = :id AND s.id = :id AND s.attempt = :attempt
        """,
        id=change_set_id,
        attempt=attempt,
    )
    db.run(
        tx,
        """
        UPDATE rights.change_sets s
           SET status = CASE WHEN l.number = 0 THEN 'done' ELSE 'stopped' END,
               reason = CASE WHEN l.number = 0 THEN NULL
                             WHEN s.status = 'stopping' THEN 'It was stopped: run it again to go on.'
                             ELSE :reason END,
               finish_at = NULL, finished_at = clock_timestamp()
          FROM (SELECT count(*) AS number FROM rights.changes
                 WHERE change_set_id = :id AND status = 'pending') l
         WHERE s.id = :id AND s.attempt = :attempt AND s.status IN ('running', 'stopping')
        """,
        id=change_set_id,
        attempt=attempt,
        reason=reason,
    )


def list_failed(tx: db.Transaction, organisation_id: str, video_id: str) -> list[dict[str, Any]]:
    """Return kind, target, changes and name of the newest syncs of a video and of its asset that have failed.

    At most one of each: of the video's metadata first.
    """
    return db.rows(
        tx,
        """
        SELECT * FROM (
            SELECT DISTINCT ON (c.kind) c.kind, c.status, c.target, c.changes, s.name
              FROM rights.changes c JOIN rights.change_sets s ON s.id = c.change_set_id
             WHERE c.organisation_id = :organisation_id AND c.video_id = :video_id AND c.queued_at IS NOT NULL
               AND c.kind IN ('metadata', 'asset_metadata')
             ORDER BY c.kind, c.queued_at DESC, c.id DESC) newest
         WHERE status IN ('failed', 'error') ORDER BY kind DESC
        """,
        organisation_id=organisation_id,
        video_id=video_id,
    )
