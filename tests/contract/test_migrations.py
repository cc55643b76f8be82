"""The migration files on a real server, and the lists of the stores.

How `migrate` works: tests/functions/test_migrate.py.
"""

import contextlib
import importlib
import json
import re
import uuid
from collections.abc import Iterator

import pytest

from functions.migrate import app as migrate
from showrunner.database import db, pages
from tests.conftest import in_threads
from tests.contract import code

EMPTY = "contract_empty"
# Foreign keys whose table is too small to need an index.
SMALL = {"studio.channel_removals channel_removals_organisation_id_fkey"}  # its rows live for ten minutes


@pytest.fixture
def empty_database(postgres, monkeypatch):
    """Create an empty database for this test alone."""
    from pg8000.native import Connection

    with contextlib.closing(
        Connection(
            "postgres",
            host="127.0.0.1",
            port=postgres.port,
            database="postgres",
            password=postgres.password,
            ssl_context=False,
        )
    ) as administrator:
        administrator.run(f"DROP DATABASE IF EXISTS {EMPTY}")
        administrator.run(f"CREATE DATABASE {EMPTY} OWNER showrunner")
        monkeypatch.setenv("DATABASE_NAME", EMPTY)
        yield
        administrator.run(f"DROP DATABASE {EMPTY} WITH (FORCE)")


def test_migration_files_have_a_number_each_and_are_named_by_their_effect():
    names = sorted(path.name for path in migrate.FOLDER.iterdir())

    assert len({int(name.split("_")[0]) for name in names}) == len(names)
    assert [name for name in names if not re.fullmatch(r"\d{4}_[a-z0-9_]+\.sql", name)] == []


def test_four_concurrent_migrations_apply_each_file_once(empty_database):
    def run(_):
        with contextlib.closing(migrate.connect()) as connection:
            return migrate.migrate(connection)

    results = in_threads(4, run)

    assert sorted(map(len, results)) == [0, 0, 0, len(list(migrate.FOLDER.iterdir()))]


def test_no_migration_ends_its_transaction():
    """Each file runs in one transaction: after a COMMIT inside, half of it would stay if the rest fails."""
    for path in migrate.FOLDER.iterdir():
        statements = re.sub(
            r"--.*|\$\$.*?\$\$",
            "",
            path.read_text(encoding="utf-8"),
            flags=re.DOTALL if "$$" in path.read_text(encoding="utf-8") else 0,
        )

        assert not re.search(
            r"^\s*(BEGIN|COMMIT|ROLLBACK)\s*;|CONCURRENTLY", statements, re.MULTILINE | re.IGNORECASE
        ), path.name


# What the functions of the release before, which go on until the new ones are there, would fail at.
BREAKS = re.compile(
    r"""
    \bDROP\s+(TABLE|COLUMN|SCHEMA|VIEW|TYPE|FUNCTION)\b
    | \bRENAME\b
    | \bALTER\s+COLUMN\s+\S+\s+(SET\s+DATA\s+)?TYPE\b
    | \bSET\s+NOT\s+NULL\b
    | \bADD\s+COLUMN\b(?![^,;]*\bDEFAULT\b)[^,;]*\bNOT\s+NULL\b
    | \bREVOKE\b[^;]*\bFROM\s+showrunner_functions\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
# The last file from before anything was deployed: until then there was no release to break.
BEFORE_THE_FIRST_RELEASE = 30
# The first line of a file that takes away what no release in use reads any more.
CONTRACTS = re.compile(r"-- Contracts: .{20,}")


def breaks_the_release_before(text: str) -> list[str]:
    if CONTRACTS.match(text):
        return []
    return [found[0] for found in BREAKS.finditer(re.sub(r"--.*", "", text))]


def test_a_migration_only_adds_or_says_that_nothing_reads_what_it_takes_away():
    """The old functions run during the migration, and a release that is taken back runs on the new schema."""
    later = [path for path in migrate.FOLDER.iterdir() if int(path.name[:4]) > BEFORE_THE_FIRST_RELEASE]

    assert {path.name: breaks_the_release_before(path.read_text(encoding="utf-8")) for path in later} == {
        path.name: [] for path in later
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ALTER TABLE studio.videos DROP COLUMN title;", ["DROP COLUMN"]),
        ("ALTER TABLE a RENAME COLUMN b TO c;", ["RENAME"]),
        ("ALTER TABLE a ALTER COLUMN b SET DATA TYPE bigint;", ["ALTER COLUMN b SET DATA TYPE"]),
        ("ALTER TABLE a ALTER COLUMN b SET NOT NULL;", ["SET NOT NULL"]),
        ("ALTER TABLE a ADD COLUMN b text NOT NULL, ADD COLUMN c int;", ["ADD COLUMN b text NOT NULL"]),
        ("ALTER TABLE a ADD COLUMN b text NOT NULL DEFAULT '';", []),
        ("CREATE TABLE a (b text NOT NULL); -- no DROP TABLE here", []),
        ("-- Contracts: nothing has read a.b since 0007.\nALTER TABLE a DROP COLUMN b;", []),
    ],
)
def test_a_migration_that_breaks_the_release_before_is_recognised(text, found):
    assert breaks_the_release_before(text) == found


def test_every_foreign_key_has_an_index(postgres):
    """Without an index, deleting the referenced row reads the whole table."""
    with db.reading() as tx:
        found = db.rows(
            tx,
            """
            SELECT c.conrelid::regclass::text || ' ' || c.conname AS key FROM pg_constraint c
             WHERE c.contype = 'f' AND c.conparentid = 0 AND c.connamespace::regnamespace::text <> 'public'
               AND NOT EXISTS (
                   SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1]
               )
             ORDER BY 1
            """,
        )

    assert {row["key"] for row in found} == SMALL


# ---------------------------------------------------------------- Orders


def lists() -> dict[str, pages.List]:
    """Return every list of the stores by module and name."""
    stores = [code.module_of(path) for path in code.layer_files() if "store" in path.parts]
    return {
        f"{module.removeprefix('showrunner.store.')}.{name}": value
        for module in stores
        for name, value in vars(importlib.import_module(module)).items()
        if isinstance(value, pages.List)
    }


def default_order(definition: pages.List) -> str:
    """Return the statement of a list's first page, in its default order and without filters."""
    names = re.findall(r"(?<!:):(\w+)", definition.source + definition.always)
    parameters = {name: str(uuid.uuid4()) for name in names}
    db.close()  # a new connection has no prepared statements
    with db.transaction() as tx:
        pages.select(tx, definition, pages.PageRequest(20, None, None, None), parameters)
        (statement,) = [sql for sql in tx.statements if "OFFSET" in sql]
    return statement


def plan(statement: str) -> list[str]:
    """Return the plan's steps below LIMIT; table scans and sorts appear only if nothing else is possible."""
    names: dict[str, int] = {}
    numbered = re.sub(
        r"(?<!:):(\w+)", lambda found: f"${names.setdefault(found[1], len(names) + 1)}", statement
    )
    with db.transaction() as tx:
        for step in ("seqscan", "sort", "incremental_sort", "bitmapscan"):
            tx.command(f"SET LOCAL enable_{step} = off")
        plan = tx.open().execute_simple(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {numbered}").rows[0][0]
    found = plan if isinstance(plan, list) else json.loads(plan)
    # The outermost one: the newest of a subquery is a limit, too.
    limit = next(node for node in _nodes(found[0]["Plan"]) if node["Node Type"] == "Limit")
    return [node["Node Type"] for node in _nodes(limit)]


def _nodes(node: dict) -> Iterator[dict]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


def test_every_list_of_the_stores_is_found():
    assert lists().keys() >= {"studio.videos._LIST", "studio.channels._LIST", "feed.lists.VIDEOS"}


# Few rows of one organisation or person, from two tables, each found by an index.
SORTED = {"accounts.members._LIST", "accounts.linked_accounts._LIST"}


@pytest.mark.parametrize("name", sorted(lists().keys() - SORTED))
def test_the_default_order_of_every_list_is_served_by_an_index(postgres, name):
    steps = plan(default_order(lists()[name]))

    assert any(step.startswith("Index") for step in steps), steps
    assert [step for step in steps if "Sort" in step or step == "Seq Scan"] == []


def test_an_order_without_an_index_is_detected(postgres):
    steps = plan(
        "SELECT * FROM studio.videos v WHERE v.organisation_id = :organisation_id AND v.deleted_at IS NULL "
        "ORDER BY v.progress LIMIT :limit"
    )

    assert "Sort" in steps
