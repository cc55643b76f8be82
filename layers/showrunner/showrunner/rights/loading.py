"""Load a dropped file: its reports are recognised, read as streams, and stored with what they change.

Each report is one transaction, which holds its rows and its record: killed anywhere, it has happened whole or
not at all, and the queue delivers the message again. Memory stays flat, because the file goes through the
function's disk.
"""

import contextlib
import csv
import functools
import hashlib
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import IO, Any, NamedTuple
from zoneinfo import ZoneInfo

from showrunner import config
from showrunner.aws import events, queues, s3
from showrunner.database import db
from showrunner.errors import InvalidRequest
from showrunner.models import ReportProcessed
from showrunner.reports import names, opening, rows
from showrunner.reports.names import Name, Period
from showrunner.reports.opening import Payload, Refused
from showrunner.reports.rows import Found, Reject, Rows
from showrunner.rights import conflict_values, drop_order
from showrunner.rights.loading_progress import Progress
from showrunner.rights.messages import PREFIX, ReportDropped
from showrunner.store.rights import content_owners, periods, reports, snapshots
from showrunner.telemetry import logger

# The largest known report has 180 MB packed. The function's disk has room for this and for zips inside it.
MAX_BYTES = 2 << 30
# The function has 15 minutes; a statement that took them all could not end in a message.
STATEMENT_SECONDS = 840
# What people who watch are told after the last row, where it takes seconds.
_INDEXING, _MERGING = "Indexes for searches are made.", "New, changed and removed rows are stored."
# Days of reports are those of YouTube's own clock.
PACIFIC = ZoneInfo("America/Los_Angeles")


class Waiting(Exception):
    """A person must confirm the report. The message says why."""

    def __init__(self, message: str, counts: dict[str, int]) -> None:
        super().__init__(message)
        self.counts = counts


class Drop(NamedTuple):
    """A file on the function's disk, and whose it is."""

    message: ReportDropped
    owner: dict[str, Any]
    path: Path
    sha256: str


class Report(NamedTuple):
    """A report that is being loaded."""

    id: str
    owner: dict[str, Any]
    payload: Payload
    found: Found
    period: Period
    confirmed: bool


def load(message: ReportDropped) -> None:
    """Load the reports of a file that was dropped, and announce what became of them.

    Raises InvalidRequest for a file outside the folders of content owners. A file that is gone is ignored.
    A daily report waits in the queue for those of earlier days.
    """
    owner = _owner(message.object_key)
    if drop_order.must_wait(message):
        queues.send(config.setting("REPORTS_QUEUE_URL"), message, drop_order.WAIT_SECONDS)
        return
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        drop = _download(message, owner, Path(folder))
        if drop is None:
            return
        try:
            if message.bytes > MAX_BYTES:
                raise Refused(f"The file has more than {MAX_BYTES >> 30} GB.")
            filename = message.object_key.rsplit("/", 1)[-1]
            payloads = opening.payloads(drop.path, filename, Path(folder))
        except Refused as refusal:
            _refuse_file(drop, str(refusal))
        else:
            seen: dict[tuple[str, date], str] = {}
            for payload in payloads:
                _load_one(drop, payload, seen)
    _announce(message)


def _owner(object_key: str) -> dict[str, Any]:
    parts = object_key.split("/")
    if not object_key.startswith(PREFIX) or len(parts) < 3 or not parts[-1]:
        raise InvalidRequest(
            f"{object_key[:200]} isn't in a content owner's folder, {PREFIX}<content owner>/."
        )
    with db.reading() as tx:
        owner = content_owners.find(tx, parts[1])
    if owner is None:
        raise InvalidRequest(
            f"There is no content owner {parts[1][:100]}: a platform admin adds it with "
            "POST /api/v1/admin/organisations/{id}/content-owner, then the file can be dropped again."
        )
    return owner


def _download(message: ReportDropped, owner: dict[str, Any], folder: Path) -> Drop | None:
    length = s3.size(message.object_key)
    if length is None:
        logger.warning("the dropped file is gone", extra={"object_key": message.object_key})
        return None
    digest, path = hashlib.sha256(), folder / "dropped"
    with path.open("wb") as file:
        for piece in s3.stream(message.object_key, 0, min(length, MAX_BYTES)):
            digest.update(piece)
            file.write(piece)
    return Drop(message, owner, path, digest.hexdigest())


def _start(drop: Drop, member: str) -> str | None:
    message = drop.message
    with db.transaction() as tx:
        return reports.start(
            tx,
            drop.owner,
            message.object_key,
            message.version,
            member,
            message.bytes,
            message.dropped_at,
            drop.sha256,
        )


def _refuse_file(drop: Drop, reason: str) -> None:
    report_id = _start(drop, "")
    if report_id is not None:
        with db.transaction() as tx:
            reports.finish(tx, report_id, "refused", reason)


def _load_one(drop: Drop, payload: Payload, seen: dict[tuple[str, date], str]) -> None:
    """Load one report of the file, and record how it ended. `seen`: those of the same archive before it."""
    report_id = _start(drop, payload.name)
    if report_id is None:
        return
    try:
        with db.transaction() as tx:
            same = reports.find_same(tx, drop.owner["id"], drop.sha256, payload.name, report_id)
            if same is not None:
                reports.finish(tx, report_id, "duplicate", f"The same file was loaded before, as {same}.")
                return
        report = _recognise(drop, payload, report_id)
        key = report.found.kind.name, report.period.start
        if key in seen:
            raise Refused(f"The archive has two reports of this kind and period; the other is {seen[key]}.")
        seen[key] = payload.name
        _store(report)
    except Refused as refusal:
        _end(report_id, "refused", str(refusal))
    except Waiting as waiting:
        _end(report_id, "waiting", str(waiting), waiting.counts)
    except Exception as error:
        if not isinstance(error, queues.OUTAGES):
            _end(report_id, "failed", "It failed on our side; it is tried three times in all.")
        raise


def _end(report_id: str, status: str, reason: str, counts: dict[str, int] | None = None) -> None:
    with db.transaction() as tx:
        reports.finish(tx, report_id, status, reason, counts)


def _recognise(drop: Drop, payload: Payload, report_id: str) -> Report:
    """Return what a report is, and record it. Raises Refused."""
    owner, key = drop.owner, drop.message.object_key
    name = names.read(f"{key}/{payload.name}" if payload.name else key)
    if name.kind is None and payload.name:
        name = _of_archive(names.read(key), name)
    if not names.same_owner(name.owner, owner["name"], owner["other_names"]):
        raise Refused(
            f"The file's name says that it is of {name.owner}, but it lies in the folder of {owner['name']}: "
            "put it into the right one, or have the name added to this content owner."
        )
    found = rows.recognise(payload, name.kind)
    period = name.period
    if found.kind.is_snapshot:
        day = period.end if period else drop.message.dropped_at.astimezone(PACIFIC).date()
        period = Period("day", day, day)
    elif period is None:
        raise Refused("The file's name has no period: keep the name that YouTube gave it.")
    today = datetime.now(PACIFIC).date()
    if not date(2005, 1, 1) <= period.start <= today + timedelta(days=1):
        raise Refused(f"The period begins on {period.start}: that can't be.")
    with db.transaction() as tx:
        confirmed = reports.describe(
            tx,
            report_id,
            found.kind.name,
            period.frequency,
            period.start,
            period.end,
            [*found.notes, *(f"The column {each} appears twice." for each in found.mapping.repeated)],
            list(found.mapping.unknown),
        )
    return Report(report_id, owner, payload, found, period, confirmed)


def _of_archive(archive: Name, member: Name) -> Name:
    """Return what an archive's name says of a member whose own name says nothing."""
    return archive._replace(owner=member.owner or archive.owner, period=member.period or archive.period)


# ------------------------------------------------------------------------------------------------- Storing


class Spool:
    """Refused rows on the function's disk: while rows go to the database, its connection takes no others."""

    def __init__(self, file: IO[str], report_id: str) -> None:
        self._file, self._report_id = file, report_id
        self._writer = csv.writer(file, lineterminator="\n")
        self.count = 0

    def add(self, reject: Reject) -> None:
        self.count += 1
        self._writer.writerow(
            [self._report_id, *(each.replace("\0", "") if isinstance(each, str) else each for each in reject)]
        )

    def clear(self) -> None:
        """Forget all rows: the file is read once more."""
        self._file.seek(0)
        self._file.truncate()
        self.count = 0

    def blocks(self) -> Iterator[bytes]:
        self._file.seek(0)
        while block := self._file.read(1 << 18):
            yield block.encode()


@contextlib.contextmanager
def _spool(report_id: str) -> Iterator[Spool]:
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
        yield Spool(file, report_id)


def _store(report: Report) -> None:
    """Store a report's rows in one transaction. Raises Refused or Waiting, and then nothing is changed."""
    kind = report.found.kind
    table = "history" if kind.is_snapshot else kind.table.name
    if table in ("history", "money"):
        with db.transaction() as tx:
            periods.prepare_month(tx, table, report.period.start)
    with (
        Progress(report.id, report.owner["organisation_id"]) as progress,
        db.transaction() as tx,
        db.long_statements(tx, STATEMENT_SECONDS),
        _spool(report.id) as spool,
    ):
        reports.lock_kind(tx, report.owner["id"], kind.name)
        later = reports.find_later(tx, report.id, is_snapshot=kind.is_snapshot)
        if later is not None:
            reports.finish(tx, report.id, "outdated", f"A later one is loaded: {later}.")
            return
        counts = (_store_snapshot if kind.is_snapshot else _store_period)(tx, report, spool, progress)
        progress.end()
        if counts["accepted"] + counts["rejected"] != counts["rows"]:
            raise AssertionError(f"rows are missing: {counts}")
        if counts["rejected"] and not counts["accepted"]:
            reports.finish(tx, report.id, "refused", "None of its rows could be read.", counts)
        else:
            reports.finish(tx, report.id, "loaded", counts=counts)
            conflict_values.refresh(tx, report.owner["id"], kind.name)


def _store_period(tx: db.Transaction, report: Report, spool: Spool, progress: Progress) -> dict[str, int]:
    """Store the rows of a period's report in place of those of the report before."""
    kind, owner, month = report.found.kind, report.owner, report.period.start.replace(day=1)
    is_money = kind.table.name == "money"
    reader = Rows(report.payload, report.found, spool.add, month if is_money else None)
    progress.watch(reader, "They are added up, and replace those of the report before.")
    lines = reader.lines(periods.prefix(report.id, owner["organisation_id"], owner["id"], month))
    accepted = periods.copy_rows(tx, kind.table.name, reader.columns, reader.copy_options, lines)
    reports.copy_rejects(tx, spool.blocks())
    counts, previous = reader.counts, reports.list_previous(tx, report.id)
    if not counts.rows and not report.confirmed and reports.have_rows(tx, previous):
        raise Waiting(
            "It has no rows, and the report of this period before has some. Look whether it is complete, "
            "then confirm it with POST /api/v1/cms/reports/{id}/confirm.",
            {"rows": 0},
        )
    if accepted or not counts.rejected:
        if is_money:
            periods.sum_money(tx, report.id, owner["organisation_id"], owner["id"], month)
        periods.replace(tx, report.id, previous, month)
    return {
        "rows": counts.rows,
        "accepted": accepted,
        "rejected": spool.count,
        "totals": counts.totals,
    }


def _store_snapshot(tx: db.Transaction, report: Report, spool: Spool, progress: Progress) -> dict[str, int]:
    """Bring the table to what the snapshot has."""
    found, owner = report.found, report.owner
    reader = Rows(report.payload, found, spool.add)
    snapshot = snapshots.Snapshot(
        found.kind.table,
        found.kind.name,
        reader.columns,
        owner["organisation_id"],
        owner["id"],
        report.id,
        report.period.start,
    )
    before = snapshots.begin(tx, snapshot)
    progress.watch(reader, _INDEXING)
    outcome = None
    if not before and snapshot.table.needs_whole_key:
        lines = functools.partial(reader.lines, with_number=False, with_digest=True)
        outcome = snapshots.copy_first(tx, snapshot, reader.copy_options, lines)
        if outcome is None:
            spool.clear()
            reader = Rows(report.payload, found, spool.add)
    if outcome is None:
        only = _changed_rows(tx, report, snapshot, before, progress) if before else None
        progress.watch(reader, _MERGING if before else _INDEXING, after=0.5 if before else 0.0)
        staged = snapshots.copy_rows(
            tx, snapshot, reader.copy_options, reader.lines(with_digest=True, only=only)
        )
    reports.copy_rejects(tx, spool.blocks())
    total = reader.counts.rows
    if spool.count and spool.count == total:
        return {"rows": total, "accepted": 0, "rejected": total}
    if outcome is None:
        outcome = (
            snapshots.merge(tx, snapshot, before, staged)
            if before
            else snapshots.load_first(tx, snapshot, staged)
        )
    return {
        "rows": total,
        "accepted": outcome.accepted,
        "rejected": reports.count_rejects(tx, report.id),
        "new": outcome.new,
        "changed": outcome.changed,
        "removed": outcome.removed,
    }


def _changed_rows(
    tx: db.Transaction, report: Report, snapshot: snapshots.Snapshot, before: int, progress: Progress
) -> "Bits":
    """Return the numbers of the rows that differ from those of the snapshot before. Raises Waiting."""
    reader = Rows(report.payload, report.found, lambda _: None)
    progress.watch(reader, "They are compared with the snapshot before.", until=0.5)
    snapshots.copy_digests(tx, reader.digests())
    total = reader.counts.rows
    if total * 2 < before and not report.confirmed:
        raise Waiting(
            f"It has {total} rows, and the snapshot before has {before}: less than half. Look whether it is "
            "complete, then confirm it with POST /api/v1/cms/reports/{id}/confirm.",
            {"rows": total},
        )
    bits = Bits(total)
    for number in snapshots.list_changed(tx, snapshot):
        bits.add(number)
    return bits


class Bits:
    """A set of row numbers from 1 to `most`, in one bit each."""

    def __init__(self, most: int) -> None:
        self._bytes = bytearray(most // 8 + 1)

    def add(self, number: int) -> None:
        self._bytes[number >> 3] |= 1 << (number & 7)

    def __call__(self, number: int) -> bool:
        return bool(self._bytes[number >> 3] & 1 << (number & 7))


def _announce(message: ReportDropped) -> None:
    """Put an event for each report of the file on the bus; a repeat has the same event_id."""
    with db.reading() as tx:
        found = reports.list_of_object(tx, message.object_key, message.version)
    events.put(
        [
            ReportProcessed(
                f"{row['id']}:{row['status']}",
                row["id"],
                row["organisation_id"],
                row["status"],
                100 if row["status"] == "loaded" else 0,
                row["reason"] or f"{row['accepted']} rows of {row['rows']} were loaded.",
                row["finished_at"].isoformat(),
                rows=row["rows"],
            )
            for row in found
        ]
    )
