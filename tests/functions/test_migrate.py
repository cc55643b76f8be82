"""The migrate function: migrations, the privileges of the functions' role, and its password."""

import base64
import contextlib
import shutil

import pytest
from pg8000.native import DatabaseError

from functions.migrate import app
from showrunner.database import db
from showrunner.errors import Conflict
from showrunner.store import roles
from tests.conftest import in_threads, put_secrets


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "0001_first.sql").write_text(
        "CREATE SCHEMA trial; CREATE TABLE trial.one (a int); -- two statements in one file"
    )
    (tmp_path / "0002_second.sql").write_text("INSERT INTO trial.one VALUES (1);")
    return tmp_path


@pytest.fixture
def database(postgres, monkeypatch):
    """Create a database for this test alone."""
    with contextlib.closing(administrator(postgres)) as connection:
        connection.run("CREATE DATABASE trial OWNER showrunner")
    monkeypatch.setenv("DATABASE_NAME", "trial")
    yield
    with contextlib.closing(administrator(postgres)) as connection:
        connection.run("DROP DATABASE trial WITH (FORCE)")


def administrator(postgres):
    from pg8000.native import Connection

    return Connection(
        "postgres",
        host="127.0.0.1",
        port=postgres.port,
        database="postgres",
        password=postgres.password,
        ssl_context=False,
    )


def test_migrations_apply_to_an_empty_database_and_a_second_run_changes_nothing(database):
    applied = app.handler({}, None)["applied"]

    assert applied[0] == "0001_initial"
    assert app.handler({}, None) == {"applied": []}


def test_concurrent_runs_apply_each_file_once(database, folder):
    def run(_):
        with contextlib.closing(app.connect()) as connection:
            return app.migrate(connection, folder)

    results = in_threads(4, run)

    assert sorted(results, key=len) == [[], [], [], ["0001_first", "0002_second"]]


def test_a_failing_file_changes_nothing_and_can_be_repaired(database, folder):
    (folder / "0003_third.sql").write_text("INSERT INTO trial.one VALUES (3); SELECT * FROM missing;")
    with contextlib.closing(app.connect()) as connection:
        with pytest.raises(Exception, match="missing"):
            app.migrate(connection, folder)
        assert connection.run("SELECT a FROM trial.one") == [[1]]

        (folder / "0003_third.sql").write_text("INSERT INTO trial.one VALUES (3);")
        assert app.migrate(connection, folder) == ["0003_third"]


def test_a_file_changed_after_it_was_applied_is_refused(database, folder):
    with contextlib.closing(app.connect()) as connection:
        app.migrate(connection, folder)
        (folder / "0001_first.sql").write_text("SELECT 1")
        with pytest.raises(Conflict, match="0001_first"):
            app.migrate(connection, folder)


def test_no_file_number_stands_twice(folder):
    shutil.copy(folder / "0002_second.sql", folder / "0002_other.sql")
    with pytest.raises(Conflict, match="numbered"):
        app.files(folder)


# The functions' role


PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


def privileges(owner, table):
    ask = "SELECT has_table_privilege('showrunner_functions_local', :table, :privilege)"
    return {
        privilege for privilege in PRIVILEGES if owner.run(ask, table=table, privilege=privilege) == [[True]]
    }


def test_the_functions_role_may_use_our_tables_only(postgres):
    """Detects a schema that a migration does not grant, and a table that can be emptied."""
    with contextlib.closing(app.connect()) as owner:
        tables = owner.run(
            """
            SELECT c.oid::regclass::text,
                   EXISTS (SELECT FROM pg_trigger t
                            WHERE t.tgrelid = c.oid AND t.tgfoid::regproc::text LIKE '%refuse_change') AS kept
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
               AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'public')
            """
        )
        found = {table: privileges(owner, table) for table, _ in tables}

    kept = {table for table, is_kept in tables if is_kept}
    assert {"audit.events", "feed.updates"} <= kept
    assert {
        table: given
        for table, given in found.items()
        if given != ({"SELECT", "INSERT"} if table in kept else {"SELECT", "INSERT", "UPDATE", "DELETE"})
    } == {}


def test_the_functions_role_uses_partitions_only_through_their_tables(postgres):
    """A partition is a table with its own privileges, independent of its parent's."""
    with contextlib.closing(app.connect()) as owner:
        owner.run("BEGIN")
        owner.run("SELECT feed.prepare_month('2032-05-17')")
        parts = [
            name
            for (name,) in owner.run(
                "SELECT oid::regclass::text FROM pg_class WHERE relispartition AND relkind = 'r'"
            )
        ]
        found = {part: given for part in parts if (given := privileges(owner, part))}
        owner.run("ROLLBACK")

    assert "feed.updates_2032_05" in parts
    assert found == {}


def test_the_functions_role_owns_nothing_and_has_no_privileges(postgres):
    with contextlib.closing(app.connect()) as owner:
        (role,) = owner.run(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles "
            "WHERE rolname = 'showrunner_functions_local'"
        )
        owned = owner.run(
            "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner "
            "WHERE r.rolname LIKE 'showrunner_functions%'"
        )

    assert role == [False] * 5
    assert owned == [[0]]


CHANGES = ("UPDATE audit.events SET action = 'x'", "DELETE FROM audit.events", "TRUNCATE audit.events")
WAYS_AROUND = (
    "ALTER TABLE audit.events DISABLE TRIGGER ALL",
    "DROP TRIGGER append_only ON audit.events",
    (
        "CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN RETURN OLD; END $$"
    ),
    "SET LOCAL session_replication_role = replica",
    "DROP TABLE audit.events",
    "SET ROLE showrunner",
    "CREATE TABLE audit.copies (a int)",
    "CREATE TABLE public.copies (a int)",
)


def test_the_functions_role_may_only_insert_audit_rows(tx):
    """The functions' role lacks the privilege, and cannot disable the owner's trigger."""
    for statement in (*CHANGES, *WAYS_AROUND):
        with (
            pytest.raises(DatabaseError, match=r"permission denied|must be owner"),
            db.transaction() as inner,
        ):
            inner.command(statement)


def test_the_owner_cannot_change_audit_rows(postgres):
    with contextlib.closing(app.connect()) as owner:
        for statement in CHANGES:
            owner.run("BEGIN")
            owner.run(
                "INSERT INTO audit.events (subject, action, thing, thing_id, request_id) "
                "VALUES ('s', 'a', 't', 't', 'r')"
            )
            with pytest.raises(DatabaseError, match="only added"):
                owner.run(statement)
            owner.run("ROLLBACK")


def test_only_the_functions_role_prepares_a_months_partition(tx):
    db.run(tx, "SELECT feed.prepare_month('2031-05-17')")

    assert db.value(tx, "SELECT to_regclass('feed.events_2031_05') IS NOT NULL") is True
    assert (
        db.value(tx, "SELECT has_function_privilege('public', 'feed.prepare_month(date)', 'EXECUTE')")
        is False
    )


def test_the_next_migration_applies_a_new_password_from_ssm(postgres):
    put_secrets({"database/password": "another-one"})
    with pytest.raises(DatabaseError, match="password authentication failed"):
        db.connect()
    app.handler({}, None)
    db.connect().close()

    put_secrets(postgres.secrets)
    app.handler({}, None)
    db.connect().close()


def test_no_statement_contains_the_password():
    """The example of RFC 7677, section 3."""
    verifier = roles.verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))

    assert "pencil" not in verifier
    assert (
        verifier == "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
