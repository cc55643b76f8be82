"""Load a snapshot: all rows of a day, compared with those that the tables have.

A row's digest is that of its text. A row whose digest is known is unchanged, and only the others are read
and stored. One transaction has it all, and temporary tables that end with it.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from showrunner.database import db
from showrunner.errors import Conflict
from showrunner.reports.tables import Table

# So many row numbers are in memory at once.
FETCH = 20_000
_TEMPORARY = ("seen", "staged", "differing", "gone")
# To find a row by its key takes about as long as to read this many in their order.
LOOKUP_COST = 20
# The digests of a million rows are compared in memory; at most two reports are loaded at once.
WORK_MEMORY = "64MB"


class Snapshot(NamedTuple):
    """A snapshot that is being loaded. columns: those of the table that the file has, in its order."""

    table: Table
    kind: str
    columns: list[str]
    organisation_id: str
    owner_id: int
    report_id: str
    day: date

    @property
    def keys(self) -> tuple[str, ...]:
        return self.table.key


class Outcome(NamedTuple):
    """Changes by a snapshot, in rows. accepted: rows of the file that the table has now."""

    accepted: int
    new: int
    changed: int
    removed: int


def begin(tx: db.Transaction, snapshot: Snapshot) -> int:
    """Prepare the temporary tables. Returns how many rows the snapshot before has."""
    # Statistics may still be those of the empty table, for which the planner chooses loops: a second snapshot
    # of 250,000 rows took 27 seconds with them, and 10 without.
    tx.command("SET LOCAL enable_nestloop = off")
    tx.command(f"SET LOCAL work_mem = '{WORK_MEMORY}'")
    for name in _TEMPORARY:
        tx.command(f"DROP TABLE IF EXISTS pg_temp.{name}")
    tx.command("CREATE TEMP TABLE seen (row_number bigint, digest uuid) ON COMMIT DROP")
    types = ", ".join(f"{name} {snapshot.table.columns[name].sql}" for name in snapshot.columns)
    tx.command(f"CREATE TEMP TABLE staged (row_number bigint, digest uuid, {types}) ON COMMIT DROP")
    return int(
        db.value(
            tx,
            f"SELECT count(*) FROM rights.{snapshot.table.name} WHERE owner_id = :owner_id",
            owner_id=snapshot.owner_id,
        )
    )


def copy_digests(tx: db.Transaction, blocks: Iterable[bytes]) -> None:
    """Take row numbers and digests of all rows of the file, in COPY's text."""
    db.copy_in(tx, "COPY pg_temp.seen FROM STDIN", blocks)
    tx.command("ANALYZE pg_temp.seen")


def list_changed(tx: db.Transaction, snapshot: Snapshot) -> Iterator[int]:
    """Yield the numbers of the rows that are new or changed: those whose digest the table lacks.

    The rows of the table whose digest the file lacks are `gone` afterwards; one join finds both.
    """
    keys = ", ".join(f"c.{name}" for name in snapshot.keys)
    tx.command(
        f"""
        CREATE TEMP TABLE differing ON COMMIT DROP AS
        SELECT s.row_number, {keys}, c.digest
          FROM pg_temp.seen s
          FULL JOIN (SELECT * FROM rights.{snapshot.table.name} WHERE owner_id = {snapshot.owner_id:d}) c
            ON c.digest = s.digest
         WHERE c.digest IS NULL OR s.digest IS NULL
        """
    )
    names = ", ".join(snapshot.keys)
    tx.command(
        f"""
        CREATE TEMP TABLE gone ON COMMIT DROP AS
        SELECT {names}, digest FROM pg_temp.differing WHERE row_number IS NULL
        """
    )
    tx.command("ANALYZE pg_temp.gone")
    tx.command(
        "DECLARE wanted NO SCROLL CURSOR FOR"
        " SELECT row_number FROM pg_temp.differing WHERE row_number IS NOT NULL"
    )
    while found := tx.open().run(f"FETCH {FETCH} FROM wanted"):
        for (number,) in found:
            yield number
    tx.command("CLOSE wanted")


def copy_rows(tx: db.Transaction, snapshot: Snapshot, options: str, blocks: Iterable[bytes]) -> int:
    """Take rows to compare, in COPY's text with `options`: row number, digest and the file's columns.

    Returns how many.
    """
    count = db.copy_in(
        tx,
        f"COPY pg_temp.staged (row_number, digest, {', '.join(snapshot.columns)}) FROM STDIN ({options})",
        blocks,
    )
    tx.command("ANALYZE pg_temp.staged")
    return count


def copy_first(
    tx: db.Transaction,
    snapshot: Snapshot,
    options: str,
    lines: Callable[[Sequence[str]], Iterable[bytes]],
) -> Outcome | None:
    """Store the rows of an owner who has none, in COPY's text with `options`.

    lines: returns blocks of them, each row with the values that `lines` is given, its digest and the file's
    columns. They go into a partition without indexes, which are made when all rows are there: writing into
    them row by row took twice as long. Returns None if two rows have the same key; then nothing is stored.
    """
    ours = dict(
        zip(
            ("organisation_id", "owner_id", "first_day", "changed_day"),
            (snapshot.organisation_id, str(snapshot.owner_id), *[str(snapshot.day)] * 2),
            strict=True,
        )
    )
    try:
        with db.transaction():
            partition = _begin_partition(tx, snapshot)
            if partition:
                # The partition has them as its defaults. Nobody can read it before this transaction has
                # ended: its rows are written as old ones, which no later reader or vacuum has to mark.
                ours, options = {}, f"{options}, FREEZE"
            columns = ", ".join([*ours, "digest", *snapshot.columns])
            count = db.copy_in(
                tx,
                f"COPY rights.{partition or snapshot.table.name} ({columns}) FROM STDIN ({options})",
                lines([*ours.values()]),
            )
            if partition:
                _end_partition(tx, snapshot)
    except Conflict:
        return None
    return Outcome(count, count, 0, 0)


def _begin_partition(tx: db.Transaction, snapshot: Snapshot) -> str | None:
    """Make the table for the first rows of an owner. Returns its name, None if the owner has a partition."""
    return db.value(  # type: ignore[no-any-return]
        tx,
        "SELECT rights.begin_partition(:table, :owner_id, :organisation_id::uuid, :day::date)",
        table=snapshot.table.name,
        owner_id=snapshot.owner_id,
        organisation_id=snapshot.organisation_id,
        day=snapshot.day,
    )


def _end_partition(tx: db.Transaction, snapshot: Snapshot) -> None:
    """Make the indexes of the table and attach it. Raises Conflict if two rows have the same key."""
    db.value(
        tx,
        "SELECT rights.end_partition(:table, :owner_id)::text",
        table=snapshot.table.name,
        owner_id=snapshot.owner_id,
    )


def load_first(tx: db.Transaction, snapshot: Snapshot, staged: int) -> Outcome:
    """Store the staged rows of an owner who has none in the table."""
    if _begin_partition(tx, snapshot):
        _end_partition(tx, snapshot)
    stored = _insert(tx, snapshot, "true")
    if stored < staged:
        _reject_repeated(tx, snapshot, delete=False)
    return Outcome(stored, stored, 0, 0)


def merge(tx: db.Transaction, snapshot: Snapshot, before: int, staged: int) -> Outcome:
    """Bring the table to what the file has: new, changed and removed rows, with their history.

    before: how many rows the table has of the owner; `list_changed` has found which of them are gone. staged:
    how many rows of the file are new or changed.
    """
    table, owner = f"rights.{snapshot.table.name}", f"{snapshot.owner_id:d}"
    gone = int(db.value(tx, "SELECT count(*) FROM pg_temp.gone"))
    _reject_alike(tx, snapshot)
    _reject_repeated(tx, snapshot, delete=True)
    _reject_known(tx, snapshot)
    keeps = _note_unknown(tx, snapshot)
    _keep_refused(tx, snapshot)
    with _by_key(tx, few=max(staged, gone) * LOOKUP_COST < before):
        changed = _write_changes(tx, snapshot)
        updated = _update(tx, snapshot)
        new = _insert(
            tx,
            snapshot,
            f"NOT EXISTS (SELECT FROM {table} c WHERE c.owner_id = {owner} AND {_same(snapshot, 'c')})",
        )
        removed = 0 if keeps else _remove(tx, snapshot)
    return Outcome(before - gone + updated + new, new, changed, removed)


@contextlib.contextmanager
def _by_key(tx: db.Transaction, *, few: bool) -> Iterator[None]:
    """Let statements look up the table's rows by their keys if `few`, instead of reading all of them."""
    if not few:
        yield
        return
    _plan_joins(tx, loops="on", others="off")
    yield
    # As `begin` has left them.
    _plan_joins(tx, loops="off", others="on")


def _plan_joins(tx: db.Transaction, *, loops: str, others: str) -> None:
    """Let the planner use nested loops, or the other joins, until the transaction ends."""
    tx.command(f"SET LOCAL enable_nestloop = {loops}")
    tx.command(f"SET LOCAL enable_hashjoin = {others}")
    tx.command(f"SET LOCAL enable_mergejoin = {others}")


def _note_unknown(tx: db.Transaction, snapshot: Snapshot) -> bool:
    """Tell whether rows were refused whose key can't be read, and note that nothing is removed then."""
    return bool(
        db.run(
            tx,
            """
            UPDATE rights.reports
               SET notes = notes || 'Rows without a readable key were refused, so nothing was removed.'::text
             WHERE id = :report_id
               AND EXISTS (SELECT FROM rights.rejects WHERE report_id = :report_id AND key IS NULL)
            """,
            report_id=snapshot.report_id,
        )
    )


def _value(snapshot: Snapshot, name: str) -> str:
    """Return the SQL of a staged row's column, as the table has it."""
    if name in snapshot.keys:
        return f"coalesce(s.{name}, '')" if name in snapshot.columns else "''"
    return f"s.{name}"


def _same(snapshot: Snapshot, row: str) -> str:
    """Return the condition that a row and the staged row s have the same key."""
    return " AND ".join(f"{row}.{name} = {_value(snapshot, name)}" for name in snapshot.keys)


def _key(snapshot: Snapshot, row: str) -> str:
    """Return the SQL of a stored row's key as text: its columns joined by |."""
    return "concat_ws('|', " + ", ".join(f"{row}.{name}" for name in snapshot.keys) + ")"


def _staged_key(snapshot: Snapshot) -> str:
    return "concat_ws('|', " + ", ".join(_value(snapshot, name) for name in snapshot.keys) + ")"


def _tracked(snapshot: Snapshot) -> list[str]:
    """Return the file's columns whose changes are history: neither keys nor figures."""
    return [
        name for name in snapshot.columns if name not in snapshot.keys and name not in snapshot.table.figures
    ]


def _differs(snapshot: Snapshot) -> str:
    names = _tracked(snapshot)
    if not names:
        return "false"
    before = ", ".join(f"c.{name}" for name in names)
    after = ", ".join(_value(snapshot, name) for name in names)
    return f"ROW({before}) IS DISTINCT FROM ROW({after})"


def _insert(tx: db.Transaction, snapshot: Snapshot, condition: str) -> int:
    names = list(dict.fromkeys([*snapshot.keys, *snapshot.columns]))
    return db.run(
        tx,
        f"""
        INSERT INTO rights.{snapshot.table.name}
               (organisation_id, owner_id, digest, first_day, changed_day, {", ".join(names)})
        SELECT :organisation_id::uuid, :owner_id::integer, s.digest, :day::date, :day::date,
               {", ".join(_value(snapshot, name) for name in names)}
          FROM pg_temp.staged s WHERE {condition} ON CONFLICT DO NOTHING
        """,
        organisation_id=snapshot.organisation_id,
        owner_id=snapshot.owner_id,
        day=snapshot.day,
    )


def _reject_repeated(tx: db.Transaction, snapshot: Snapshot, *, delete: bool) -> None:
    """Refuse staged rows whose key an earlier staged row has."""
    db.run(
        tx,
        f"""
        INSERT INTO rights.rejects (report_id, row_number, column_name, value, reason, key)
        SELECT :report_id::uuid, row_number, :columns, key,
               'Row ' || first || ' of the file has the same key.', key
          FROM (SELECT row_number, {_staged_key(snapshot)} AS key,
                       min(row_number) OVER (PARTITION BY {_staged_key(snapshot)}) AS first
                  FROM pg_temp.staged s) rows
         WHERE row_number > first
        """,
        report_id=snapshot.report_id,
        columns=", ".join(snapshot.keys),
    )
    if delete:
        db.run(
            tx,
            """
            DELETE FROM pg_temp.staged s USING rights.rejects r
             WHERE r.report_id = :report_id AND r.row_number = s.row_number
            """,
            report_id=snapshot.report_id,
        )


def _reject_alike(tx: db.Transaction, snapshot: Snapshot) -> None:
    """Refuse rows of the file whose whole text an earlier, unchanged row has."""
    db.run(
        tx,
        f"""
        INSERT INTO rights.rejects (report_id, row_number, column_name, value, reason, key)
        SELECT :report_id::uuid, s.row_number, :columns, {_key(snapshot, "c")},
               'Row ' || s.first || ' of the file is the same row.', {_key(snapshot, "c")}
          FROM (SELECT row_number, digest, min(row_number) OVER (PARTITION BY digest) AS first
                  FROM pg_temp.seen
                 WHERE digest IN (SELECT digest FROM pg_temp.seen GROUP BY digest HAVING count(*) > 1)) s
          JOIN rights.{snapshot.table.name} c ON c.owner_id = :owner_id AND c.digest = s.digest
         WHERE s.row_number > s.first
        """,
        report_id=snapshot.report_id,
        owner_id=snapshot.owner_id,
        columns=", ".join(snapshot.keys),
    )


def _reject_known(tx: db.Transaction, snapshot: Snapshot) -> None:
    """Refuse staged rows whose key an unchanged row of the file has."""
    db.run(
        tx,
        f"""
        WITH known AS (
            DELETE FROM pg_temp.staged s USING rights.{snapshot.table.name} c
             WHERE c.owner_id = :owner_id AND {_same(snapshot, "c")}
               AND NOT EXISTS (SELECT FROM pg_temp.gone g WHERE {_same(snapshot, "g")})
            RETURNING s.row_number, {_key(snapshot, "c")} AS key)
        INSERT INTO rights.rejects (report_id, row_number, column_name, value, reason, key)
        SELECT :report_id::uuid, row_number, :columns, key, 'Another row of the file has the same key.', key
          FROM known
        """,
        report_id=snapshot.report_id,
        owner_id=snapshot.owner_id,
        columns=", ".join(snapshot.keys),
    )


def _write_changes(tx: db.Transaction, snapshot: Snapshot) -> int:
    """Write the history of rows whose tracked columns change. Returns how many rows they are."""
    names = _tracked(snapshot)
    before = ", ".join(f"'{name}', c.{name}" for name in names)
    after = ", ".join(f"'{name}', {_value(snapshot, name)}" for name in names)
    return db.run(
        tx,
        f"""
        INSERT INTO rights.history (organisation_id, owner_id, kind, key, day, report_id, change, columns)
        SELECT :organisation_id::uuid, :owner_id::integer, :kind, rows.key, :day::date, :report_id::uuid,
               'changed',
               (SELECT jsonb_object_agg(o.key, jsonb_build_array(o.value, n.value))
                  FROM jsonb_each(rows.before) o JOIN jsonb_each(rows.after) n USING (key)
                 WHERE o.value IS DISTINCT FROM n.value)
          FROM (SELECT {_key(snapshot, "c")} AS key, jsonb_build_object({before}) AS before,
                       jsonb_build_object({after}) AS after
                  FROM pg_temp.staged s JOIN rights.{snapshot.table.name} c
                    ON c.owner_id = :owner_id AND {_same(snapshot, "c")}
                 WHERE {_differs(snapshot)}) rows
        """,
        organisation_id=snapshot.organisation_id,
        owner_id=snapshot.owner_id,
        kind=snapshot.kind,
        day=snapshot.day,
        report_id=snapshot.report_id,
    )


def _update(tx: db.Transaction, snapshot: Snapshot) -> int:
    values = ", ".join(
        f"{name} = {_value(snapshot, name)}" for name in snapshot.columns if name not in snapshot.keys
    )
    return db.run(
        tx,
        f"""
        UPDATE rights.{snapshot.table.name} c SET digest = s.digest, {values},
               changed_day = CASE WHEN {_differs(snapshot)} THEN :day::date ELSE c.changed_day END
          FROM pg_temp.staged s WHERE c.owner_id = :owner_id AND {_same(snapshot, "c")}
        """,
        owner_id=snapshot.owner_id,
        day=snapshot.day,
    )


def _keep_refused(tx: db.Transaction, snapshot: Snapshot) -> None:
    """Take the rows from `gone` that the file has but that were refused."""
    db.run(
        tx,
        f"""
        DELETE FROM pg_temp.gone g USING rights.rejects r
         WHERE r.report_id = :report_id AND r.key = {_key(snapshot, "g")}
        """,
        report_id=snapshot.report_id,
    )


def _remove(tx: db.Transaction, snapshot: Snapshot) -> int:
    """Remove the rows of the table that are gone, and write them into the history."""
    return db.run(
        tx,
        f"""
        WITH removed AS (
            DELETE FROM rights.{snapshot.table.name} c USING pg_temp.gone g
             WHERE c.owner_id = :owner_id AND c.digest = g.digest
               AND {" AND ".join(f"c.{name} = g.{name}" for name in snapshot.keys)}
            RETURNING c.*)
        INSERT INTO rights.history (organisation_id, owner_id, kind, key, day, report_id, change, columns)
        SELECT :organisation_id::uuid, :owner_id::integer, :kind, {_key(snapshot, "removed")}, :day::date,
               :report_id::uuid, 'removed',
               jsonb_strip_nulls(to_jsonb(removed)) - 'organisation_id' - 'owner_id' - 'digest'
          FROM removed
        """,
        organisation_id=snapshot.organisation_id,
        owner_id=snapshot.owner_id,
        kind=snapshot.kind,
        day=snapshot.day,
        report_id=snapshot.report_id,
    )
