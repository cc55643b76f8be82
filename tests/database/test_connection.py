"""showrunner.database.db on a real server."""

import contextlib
import ssl
import uuid
from pathlib import Path

import pytest
from pg8000.native import DatabaseError

from functions.migrate import app as migrate
from showrunner import config
from showrunner.database import db
from showrunner.errors import Conflict, DatabaseUnavailable, InvalidRequest


def test_rows_are_read_by_column_name(tx):
    assert db.one(tx, "SELECT :a::int AS a, 'x' AS b", a=3) == {"a": 3, "b": "x"}
    assert db.rows(tx, "SELECT n FROM unnest(:list::int[]) n", list=[2, 1]) == [{"n": 2}, {"n": 1}]
    assert db.one(tx, "SELECT 1 WHERE false") is None
    assert db.value(tx, "SELECT count(*) FROM unnest(:list::text[]) n", list=["a", 'quo"te\\']) == 2


def test_a_statement_is_prepared_once(tx):
    for number in range(3):
        assert db.value(tx, "SELECT :n::int * 2 AS double", n=number) == number * 2
    assert db.value(tx, "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%AS double'") == 1


def test_an_inner_transaction_is_rolled_back_alone(tx):
    insert = "INSERT INTO accounts.organisations (name) VALUES (:name)"
    assert db.run(tx, insert, name="outer") == 1
    with pytest.raises(RuntimeError), db.transaction() as inner:  # noqa: PT012
        db.run(inner, insert, name="inner")
        raise RuntimeError
    names = [
        row["name"]
        for row in db.rows(tx, "SELECT name FROM accounts.organisations WHERE name IN ('outer', 'inner')")
    ]
    assert names == ["outer"]


def test_a_constraint_violation_names_the_constraint(tx):
    db.CONSTRAINTS["organisations_pkey"] = (Conflict, "This organisation exists.")
    number = uuid.uuid4()
    insert = "INSERT INTO accounts.organisations (id, name) VALUES (:id, :name)"
    db.run(tx, insert, id=number, name="first")
    with pytest.raises(Conflict, match="This organisation exists"), db.transaction() as inner:
        db.run(inner, insert, id=number, name="second")
    with pytest.raises(InvalidRequest), db.transaction() as inner:
        db.run(inner, insert, id=uuid.uuid4(), name="")
    with pytest.raises(InvalidRequest), db.transaction() as inner:
        db.run(inner, insert, id="not a uuid", name="x")
    with pytest.raises(DatabaseError), db.transaction() as inner:
        db.run(inner, "SELECT nothing FROM nowhere")


@pytest.fixture
def session(postgres):
    """Return this thread's session, outside any transaction of the test."""
    db.close()
    yield db.session()
    db.close()


def kill_others():
    """End every other session of the role, as a failover does."""
    connection = db.connect()
    connection.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = current_user AND pid <> pg_backend_pid()"
    )
    connection.close()


def test_a_session_lost_between_requests_is_replaced(session):
    with db.transaction() as tx:
        assert db.value(tx, "SELECT 1") == 1
    kill_others()
    with db.transaction() as tx:
        assert db.value(tx, "SELECT 2") == 2
    kill_others()
    with db.reading() as tx:
        assert db.value(tx, "SELECT 3") == 3


def test_a_session_lost_inside_a_transaction_is_an_error_and_the_next_works(session):
    with pytest.raises(DatabaseUnavailable), db.transaction() as tx:  # noqa: PT012
        db.value(tx, "SELECT 1")
        kill_others()
        db.value(tx, "SELECT 2")
    with db.transaction() as tx:
        assert db.value(tx, "SELECT 3") == 3


def test_a_plan_outdated_by_a_migration_is_prepared_again(session):
    with contextlib.closing(migrate.connect()) as owner:
        owner.run("CREATE TABLE access.stale (a int)")
        try:
            with db.reading() as tx:
                assert db.rows(tx, "SELECT * FROM access.stale") == []
            owner.run("ALTER TABLE access.stale ADD COLUMN b text")
            with db.transaction() as tx:
                db.run(tx, "INSERT INTO access.stale VALUES (1, 'x')")
            with db.reading() as tx:
                assert db.rows(tx, "SELECT * FROM access.stale") == [{"a": 1, "b": "x"}]
        finally:
            owner.run("DROP TABLE access.stale")


def test_a_statement_that_takes_too_long_is_cancelled(tx):
    with pytest.raises(DatabaseUnavailable), db.transaction() as inner:  # noqa: PT012
        db.run(inner, "SET LOCAL statement_timeout = 20")
        db.run(inner, "SELECT pg_sleep(5)")


def test_an_unreachable_server_raises_service_unavailable(session, monkeypatch):
    monkeypatch.setenv("DATABASE_PORT", "1")
    with pytest.raises(DatabaseUnavailable), db.transaction():
        pass
    with pytest.raises(DatabaseUnavailable), db.reading() as tx:
        db.value(tx, "SELECT 1")


def test_tls_is_verified_against_the_one_ca(monkeypatch, tmp_path):
    monkeypatch.setattr(db, "_context", [])
    assert db.tls() is None
    import certifi

    first = (
        Path(certifi.where()).read_text().split("-----END CERTIFICATE-----")[0]
        + "-----END CERTIFICATE-----\n"
    )
    (tmp_path / "ca.pem").write_text(first[first.index("-----BEGIN") :])
    monkeypatch.setenv("DATABASE_CA", str(tmp_path / "ca.pem"))
    context = db.tls()
    assert context is db.tls()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert config.setting("DATABASE_CA") == str(tmp_path / "ca.pem")
