"""All tables as a backup sees them: what there is, COPY out and in, counts and checksums.

For the owner's sessions only (`database/owner.py`): the functions' role neither reads nor makes everything.
UNLOGGED tables are left out: what they hold may be lost. So is the schema `public`, which `migrate` fills.
"""

from typing import Any, NamedTuple

from pg8000.native import identifier, literal

from showrunner.database import db, logins
from showrunner.errors import Conflict

# What a request deletes, as the audit log names it.
_DELETIONS = (
    ("erase", "user"),
    *(("remove", thing) for thing in ("organisation", "channel", "video", "asset", "member", "api_key")),
)
_OURS = "n.nspname NOT IN ('public', 'information_schema') AND n.nspname !~ '^pg_'"
# Rows in any order have the same sum. md5 and text stay the same in later versions of PostgreSQL.
_CHECKSUM = "coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0)::text"


class Table(NamedTuple):
    """A table, or one partition of one. `parent` and `bound` are empty for a table that is no partition."""

    schema: str
    name: str
    columns: list[str]
    parent: str
    bound: str

    @property
    def title(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        return f"{identifier(self.schema)}.{identifier(self.name)}"


def list_tables(tx: db.Transaction) -> list[Table]:
    """Return the tables, those that refer to others first.

    If a backup needs more than one snapshot, a row then refers to none that was added after it.
    """
    found = db.rows(
        tx,
        f"""
        SELECT n.nspname AS schema, c.relname AS name, coalesce(p.relname, '') AS parent,
               coalesce(pg_get_expr(c.relpartbound, c.oid), '') AS bound,
               ARRAY(SELECT a.attname::text FROM pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                        AND a.attgenerated = '' ORDER BY a.attnum) AS columns,
               ARRAY(SELECT DISTINCT fn.nspname || '.' || f.relname
                       FROM pg_constraint k JOIN pg_class f ON f.oid = k.confrelid
                       JOIN pg_namespace fn ON fn.oid = f.relnamespace
                      WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid <> c.oid) AS refers_to
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
         WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND {_OURS}
         ORDER BY 1, 2
        """,
    )
    waiting = {f"{row['schema']}.{row['name']}": row for row in found}
    ordered = []
    while waiting:
        needed = {name for row in waiting.values() for name in row["refers_to"]}
        # Tables that refer to each other in a circle come in the order of their names.
        name = next((each for each in waiting if each not in needed), next(iter(waiting)))
        row = waiting.pop(name)
        ordered.append(Table(row["schema"], row["name"], row["columns"], row["parent"], row["bound"]))
    return ordered


def list_migrations(tx: db.Transaction) -> list[int]:
    """Return the numbers of the migrations that the database has."""
    return [row["number"] for row in db.rows(tx, "SELECT number FROM public.migrations ORDER BY number")]


def list_sequences(tx: db.Transaction) -> dict[str, int]:
    """Return the last value of each sequence that was used, by its quoted name."""
    sql = """
        SELECT format('%I.%I', schemaname, sequencename) AS name, last_value FROM pg_sequences
         WHERE last_value IS NOT NULL AND schemaname <> 'public'
    """
    return {row["name"]: row["last_value"] for row in db.rows(tx, sql)}


def count(tx: db.Transaction, table: Table) -> tuple[int, str]:
    """Return the number of rows and their checksum, which does not depend on their order."""
    row = db.one(tx, f"SELECT count(*) AS rows, {_CHECKSUM} AS checksum FROM ONLY {table.sql} t") or {}
    return row["rows"], row["checksum"]


def copy_out(tx: db.Transaction, table: Table, stream: Any) -> None:
    """Write the rows to `stream`, in PostgreSQL's text format of COPY."""
    db.copy(tx, f"COPY {table.sql} ({_columns(table)}) TO STDOUT", stream)


def copy_in(tx: db.Transaction, table: Table, stream: Any) -> None:
    """Add the rows that `stream` yields."""
    db.copy(tx, f"COPY {table.sql} ({_columns(table)}) FROM STDIN", stream)


def _columns(table: Table) -> str:
    return ", ".join(identifier(name) for name in table.columns)


# ---------------------------------------------------------------- The copy that a restore fills


def list_copies(tx: db.Transaction) -> list[str]:
    """Return the names of the databases that restores have made."""
    sql = r"SELECT datname::text AS name FROM pg_database WHERE datname LIKE 'showrunner\_restore\_%'"
    return [row["name"] for row in db.rows(tx, sql)]


def drop_copy(tx: db.Transaction, name: str) -> None:
    """Delete a database that a restore has made. Raises Conflict or DatabaseUnavailable if it is in use."""
    if not name.startswith("showrunner_restore_"):
        raise Conflict(f"{name} is not a restore's database.")
    tx.command(f"DROP DATABASE IF EXISTS {identifier(name)}")


def make_ready(tx: db.Transaction, tables: list[Table]) -> None:
    """Prepare an empty copy: no foreign keys, no triggers, no rows of migrations, all partitions.

    `finish` takes the keys and triggers back. Nothing happens if it was prepared before.
    """
    if db.value(tx, "SELECT to_regclass('public.restored')") is not None:
        return
    db.run(tx, "CREATE TABLE public.restored (name text PRIMARY KEY, rows bigint, checksum text)")
    db.run(
        tx,
        f"""
        CREATE TABLE public.restored_keys AS
        SELECT format('%I.%I', n.nspname, c.relname) AS of_table, format('%I', k.conname) AS name,
               pg_get_constraintdef(k.oid) AS definition, format('%I.%I', pn.nspname, p.relname) AS parent,
               string_agg(format('p.%I = c.%I', theirs.attname, ours.attname), ' AND ') AS same,
               string_agg(format('c.%I IS NOT NULL', ours.attname), ' AND ') AS given
          FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
         CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS pair (own, other)
          JOIN pg_attribute ours ON ours.attrelid = k.conrelid AND ours.attnum = pair.own
          JOIN pg_attribute theirs ON theirs.attrelid = k.confrelid AND theirs.attnum = pair.other
         WHERE k.contype = 'f' AND k.conparentid = 0 AND {_OURS}
         GROUP BY k.oid, n.nspname, c.relname, pn.nspname, p.relname
        """,
    )
    for row in db.rows(tx, "SELECT of_table, name FROM public.restored_keys"):
        db.run(tx, f"ALTER TABLE {row['of_table']} DROP CONSTRAINT {row['name']}")
    for name in _roots(tx):
        db.run(tx, f"ALTER TABLE {name} DISABLE TRIGGER USER")
        db.run(tx, f"TRUNCATE {name}")
    for table in tables:
        if table.parent:
            parent = f"{identifier(table.schema)}.{identifier(table.parent)}"
            db.run(tx, f"CREATE TABLE IF NOT EXISTS {table.sql} PARTITION OF {parent} {table.bound}")


def _roots(tx: db.Transaction) -> list[str]:
    sql = f"""
        SELECT format('%I.%I', n.nspname, c.relname) AS name
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND {_OURS}
    """
    return [row["name"] for row in db.rows(tx, sql)]


def list_restored(tx: db.Transaction) -> dict[str, tuple[int, str]]:
    """Return rows and checksum of the tables that are in the copy already."""
    found = db.rows(tx, "SELECT name, rows, checksum FROM public.restored")
    return {row["name"]: (row["rows"], row["checksum"]) for row in found}


def add_restored(tx: db.Transaction, table: Table, rows: int, checksum: str) -> None:
    """Record that a table is in the copy, in the transaction that filled it."""
    sql = "INSERT INTO public.restored VALUES (:name, :rows, :checksum)"
    db.run(tx, sql, name=table.title, rows=rows, checksum=checksum)


def remove_orphans(tx: db.Transaction) -> int:
    """Delete rows whose parent is not in the copy, before `finish`. Returns how many.

    Their parent was deleted between two snapshots of the backup, and they with it.
    """
    keys = db.rows(tx, "SELECT of_table, parent, same, given FROM public.restored_keys")
    removed, last = 0, -1
    while last:
        last = sum(
            db.run(
                tx,
                f"""
                DELETE FROM {key["of_table"]} c
                 WHERE {key["given"]} AND NOT EXISTS (SELECT FROM {key["parent"]} p WHERE {key["same"]})
                """,
            )
            for key in keys
        )
        removed += last
    return removed


def finish(tx: db.Transaction, sequences: dict[str, int]) -> None:
    """Give a filled copy its foreign keys, triggers and sequences. Raises Conflict for an orphan."""
    for row in db.rows(tx, "SELECT of_table, name, definition FROM public.restored_keys"):
        db.run(tx, f"ALTER TABLE {row['of_table']} ADD CONSTRAINT {row['name']} {row['definition']}")
    for name in _roots(tx):
        db.run(tx, f"ALTER TABLE {name} ENABLE TRIGGER USER")
    for name, last in sequences.items():
        db.run(tx, "SELECT setval(:name::regclass, :last)", name=name, last=last)
    db.run(tx, "DROP TABLE public.restored, public.restored_keys")


# ---------------------------------------------------------------- A copy in place of the stage's database


def is_whole(tx: db.Transaction) -> bool:
    """Return True if the copy is complete: a restore that is under way keeps notes in it."""
    return db.value(tx, "SELECT to_regclass('public.restored')") is None


def close_to_others(tx: db.Transaction, server: db.Transaction, name: str) -> None:
    """Let nobody else use the database `name`: no new sessions, and those that are there end.

    `tx` is a session in it, which stays; `server` is one elsewhere.
    """
    server.command(f"ALTER DATABASE {identifier(name)} WITH ALLOW_CONNECTIONS false")
    own = db.value(tx, "SELECT pg_backend_pid()")
    end_sessions(server, name, own)


def end_sessions(server: db.Transaction, name: str, kept: int = 0) -> None:
    """End the sessions of a database, except the one with the process id `kept`.

    Only members of a role may end its sessions: the owner becomes one of the functions' roles meanwhile.
    """
    sql = """
        SELECT format('%I', rolname) AS name FROM pg_roles
         WHERE rolname = ANY(:names) AND NOT pg_has_role(oid, 'USAGE')
    """
    roles = [row["name"] for row in db.rows(server, sql, names=list(logins.roles()))]
    for role in roles:
        server.command(f"GRANT {role} TO CURRENT_USER")
    sql = """
        SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
         WHERE datname = :name AND pid <> :kept AND backend_type = 'client backend'
    """
    db.value(server, sql, name=name, kept=kept)
    for role in roles:
        server.command(f"REVOKE {role} FROM CURRENT_USER")


def exchange(server: db.Transaction, name: str, copy: str, aside: str) -> None:
    """Give the database `copy` the name `name`, and the one that has it the name `aside`."""
    for old, new in ((name, aside), (copy, name)):
        server.command(f"ALTER DATABASE {identifier(old)} RENAME TO {identifier(new)}")


def open_again(server: db.Transaction, names: tuple[str, ...]) -> None:
    """Let sessions begin again in those of these databases that are there and closed."""
    sql = """
        SELECT format('%I', datname) AS name FROM pg_database
         WHERE datname = ANY(:names) AND NOT datallowconn
    """
    for row in db.rows(server, sql, names=list(names)):
        server.command(f"ALTER DATABASE {row['name']} WITH ALLOW_CONNECTIONS true")


# ---------------------------------------------------------------- What was deleted since


def list_deletions(tx: db.Transaction, since: str) -> list[dict[str, Any]]:
    """Return what was deleted on request since a time: thing, thing_id, organisation_id. Oldest first."""
    pairs = ", ".join(f"({literal(action)}, {literal(thing)})" for action, thing in _DELETIONS)
    return db.rows(
        tx,
        f"""
        SELECT e.thing, e.thing_id, e.organisation_id::text FROM audit.events e
         WHERE e.at >= :since::timestamptz AND e.outcome = 'success' AND (e.action, e.thing) IN ({pairs})
           AND NOT EXISTS (SELECT FROM audit.events r
                            WHERE r.action = 'restore' AND r.thing = e.thing AND r.thing_id = e.thing_id
                              AND r.id > e.id AND e.thing = 'organisation')
         ORDER BY e.id
        """,
        since=since,
    )
