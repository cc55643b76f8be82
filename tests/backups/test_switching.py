"""A restored copy in place of the stage's database, and back, against PostgreSQL."""

import contextlib
import threading
import time
import uuid

import pytest

from functions.migrate import app as migrate
from showrunner.backups import manifest, switching
from showrunner.database import db, owner
from showrunner.errors import Conflict, DatabaseUnavailable, InvalidRequest, NotFound
from showrunner.store import backups
from showrunner.store.accounts import personal_data
from showrunner.store.audit import audit_log
from tests.backups.conftest import back_up, restore, run
from tests.backups.test_backups import WHO, fill
from tests.conftest import add_organisation
from tests.functions.test_migrate import administrator


def switch(database):
    return migrate.handler({"command": "switch", "database": database, "by": "arn:operator"}, None)


def names():
    with db.reading() as tx:
        return {row["name"] for row in db.rows(tx, "SELECT name FROM accounts.organisations")}


@pytest.fixture
def people(database, bucket):
    """Add what the backup will hold. Returns the ids."""
    return fill()


@pytest.fixture
def copy(people):
    """A complete copy of the stage's database, which has one organisation more by now."""
    made = restore(back_up())["database"]
    with db.transaction() as tx:
        add_organisation(tx, "Later")
    return made


def test_the_stage_goes_on_with_the_copy_and_can_go_back(copy):
    before = names()
    assert "Later" in before

    done = switch(copy)

    assert (done["database"], done["deleted"]) == ("kept", 0)
    assert names() == before - {"Later"}, "this thread's session was ended, and a new one found the copy"
    with db.reading() as tx:
        found = db.one(tx, "SELECT subject, change FROM audit.events WHERE action = 'switch'")
    assert found == {
        "subject": "operator",
        "change": {"by": "arn:operator", "database": {"before": done["before"], "after": copy}},
    }

    back = switch(done["before"])

    assert names() == before
    assert migrate.handler({}, None) == {"applied": []}
    with owner.session() as tx:
        assert backups.list_copies(tx) == [back["before"]]


def test_what_was_deleted_since_the_restore_is_deleted_in_the_copy_too(copy, people):
    with db.transaction() as tx:
        personal_data.erase(tx, people["user"])
        audit_log.add(tx, WHO, "erase", "user", people["user"], {})

    assert switch(copy)["deleted"] == 1

    with db.reading() as tx:
        assert (
            db.value(tx, "SELECT full_name FROM accounts.users WHERE id = :i", i=people["user"]) == "Erased"
        )


def test_a_copy_that_cannot_be_migrated_leaves_the_stage_as_it_was(copy):
    """The copy gets the migrations that it lacks first. Here one is asked for again that it has."""
    last = max(number for number, _, _ in migrate.files(migrate.FOLDER))
    with contextlib.closing(owner.connect(copy)) as connection:
        connection.run("DELETE FROM public.migrations WHERE number = :last", last=last)

    with pytest.raises(Exception, match="exist"):
        switch(copy)
    assert "Later" in names()


def test_an_incomplete_copy_is_refused(people):
    backup_id = back_up()
    restore_id = manifest.begin_restore(manifest.get(backup_id))
    begun = {"kind": "restore", "step": "prepare", "do": "work", "id": backup_id, "restore_id": restore_id}
    run(begun, until="finish")

    with pytest.raises(Conflict, match="not complete"):
        switch(manifest.database_of(restore_id))
    assert names()


def test_only_a_restored_copy_can_be_switched_to(people, event):
    with pytest.raises(NotFound):
        migrate.handler(event("migrate.switch"), None)
    for name in ("kept", "postgres", 'showrunner_restore_x"; DROP'):
        with pytest.raises(InvalidRequest, match="showrunner_restore"):
            switch(name)
    with pytest.raises(NotFound, match="GET /api/v1/backups"):
        switch(manifest.database_of(str(uuid.uuid4())))


def test_a_switch_that_fails_on_the_way_leaves_the_stage_as_it_was(copy, monkeypatch):
    def break_off(*_):
        raise DatabaseUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(switching.backups, "exchange", break_off)
        with pytest.raises(DatabaseUnavailable):
            switch(copy)
    assert "Later" in names()

    switch(copy)
    assert "Later" not in names()


def test_a_switch_that_was_killed_is_repeated(copy, postgres):
    with contextlib.closing(administrator(postgres)) as connection:
        connection.run("ALTER DATABASE kept WITH ALLOW_CONNECTIONS false")

    switch(copy)

    assert "Later" not in names()


def test_a_request_in_the_middle_of_a_switch_waits(copy, postgres):
    db.close()
    found = []
    with contextlib.closing(administrator(postgres)) as connection:
        connection.run("ALTER DATABASE kept WITH ALLOW_CONNECTIONS false")
        asking = threading.Thread(target=lambda: found.append(names()))
        asking.start()
        time.sleep(0.3)
        assert found == []
        connection.run("ALTER DATABASE kept WITH ALLOW_CONNECTIONS true")
        asking.join(10)
    assert "Later" in found[0]
