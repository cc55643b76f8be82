"""functions/migrate"""

import contextlib
import shutil

import pytest

from functions.migrate import app
from showrunner import db
from showrunner.errors import Conflict
from tests.conftest import in_threads


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "0001_first.sql").write_text("CREATE SCHEMA trial; CREATE TABLE trial.one (a int); -- two statements in one file")
    (tmp_path / "0002_second.sql").write_text("INSERT INTO trial.one VALUES (1);")
    return tmp_path


@pytest.fixture
def database(postgres, monkeypatch):
    """A database of this test's own."""
    with contextlib.closing(administrator(postgres)) as connection:
        connection.run("CREATE DATABASE trial OWNER showrunner")
    monkeypatch.setenv("DATABASE_NAME", "trial")
    yield
    with contextlib.closing(administrator(postgres)) as connection:
        connection.run("DROP DATABASE trial WITH (FORCE)")


def administrator(postgres):
    from pg8000.native import Connection

    return Connection("postgres", host="127.0.0.1", port=postgres.port, database="postgres", password=postgres.password, ssl_context=False)


def test_the_real_files_apply_to_an_empty_database_and_a_second_run_changes_nothing(database):
    applied = app.handler({}, None)["applied"]

    assert applied[0] == "0001_initial"
    assert app.handler({}, None) == {"applied": []}


def test_two_runs_at_once_apply_each_file_once(database, folder):
    def run(_):
        with contextlib.closing(db.connect()) as connection:
            return app.migrate(connection, folder)

    results = in_threads(4, run)

    assert sorted(results, key=len) == [[], [], [], ["0001_first", "0002_second"]]


def test_a_file_that_fails_leaves_nothing_and_can_be_repaired(database, folder):
    (folder / "0003_third.sql").write_text("INSERT INTO trial.one VALUES (3); SELECT * FROM missing;")
    with contextlib.closing(db.connect()) as connection:
        with pytest.raises(Exception, match="missing"):
            app.migrate(connection, folder)
        assert connection.run("SELECT a FROM trial.one") == [[1]]

        (folder / "0003_third.sql").write_text("INSERT INTO trial.one VALUES (3);")
        assert app.migrate(connection, folder) == ["0003_third"]


def test_a_file_changed_after_it_was_applied_is_refused(database, folder):
    with contextlib.closing(db.connect()) as connection:
        app.migrate(connection, folder)
        (folder / "0001_first.sql").write_text("SELECT 1")
        with pytest.raises(Conflict, match="0001_first"):
            app.migrate(connection, folder)


def test_numbers_have_no_gap_and_no_double(folder):
    shutil.copy(folder / "0002_second.sql", folder / "0004_fourth.sql")
    with pytest.raises(Conflict, match="numbered"):
        app.files(folder)
