"""Backups of all tables and their restore into a new database, against PostgreSQL and S3 on moto."""

import contextlib
import gzip
import uuid

import pytest

from functions.backup import app
from functions.migrate import app as migrate
from showrunner.aws import sdk
from showrunner.backups import export, manifest
from showrunner.backups import restore as restoring
from showrunner.database import db, owner
from showrunner.errors import Conflict, InvalidRequest
from showrunner.store.accounts import organisations, personal_data, users
from showrunner.store.audit import audit_log
from tests.backups.conftest import BUCKET, back_up, restore, run
from tests.conftest import add_organisation

WHO = {"organisation_id": None, "subject": "somebody", "actor": None, "request_id": "r", "address": None}

# What two databases have to agree in, beside their rows.
SHAPE = {
    "keys": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint",
    "triggers": "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal",
    "tables": "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace <> 99",
}


def rows_of(connection):
    """Return all rows of all tables as text, in order, by the table's name."""
    names = connection.run(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') AND relpersistence = 'p' "
        "AND relnamespace::regnamespace::text !~ '^(pg_|information_schema|public)'"
    )
    return {
        name: connection.run(f'SELECT t::text AS row FROM {name} t ORDER BY t::text COLLATE "C"')
        for (name,) in names
    }


def shape_of(connection):
    return {kind: sorted(map(tuple, connection.run(sql))) for kind, sql in SHAPE.items()}


def fill():
    """Add rows of several kinds: texts that COPY must quote, months of old, and references to each other."""
    with db.transaction() as tx:
        organisation_id = add_organisation(tx, "Tab\tand\nline \\N 'quoted' – ü")
        user_id = users.add(tx, f"{uuid.uuid4().hex}@example.com", None, "Ada", None, None)
        sql = "INSERT INTO accounts.members (organisation_id, user_id, role) VALUES (:o, :u, 'user')"
        db.run(tx, sql, o=organisation_id, u=user_id)
        channel_id = db.value(
            tx,
            "INSERT INTO studio.channels (organisation_id, name) VALUES (:o, 'Bees') RETURNING id",
            o=organisation_id,
        )
        audit_log.add(tx, WHO, "make", "channel", str(channel_id), {"name": "Bees"})
    with contextlib.closing(owner.connect()) as connection:
        connection.run("SELECT feed.prepare_month('2024-02-01'), audit.prepare_month('2024-02-01')")
        connection.run(
            "INSERT INTO audit.events (at, subject, action, thing, thing_id, request_id) "
            "VALUES ('2024-02-29', 's', 'a', 't', 't', 'r')"
        )
    return {"organisation": organisation_id, "user": user_id, "channel": str(channel_id)}


def test_a_restored_copy_has_every_row_key_trigger_and_sequence(database, bucket):
    fill()
    outcome = restore(back_up())

    assert (outcome["status"], outcome["differences"], outcome["orphans"]) == ("identical", [], 0)
    with (
        contextlib.closing(owner.connect()) as kept,
        contextlib.closing(owner.connect(outcome["database"])) as copy,
    ):
        assert rows_of(copy) == rows_of(kept)
        assert sum(map(len, rows_of(copy).values())) > 5
        assert shape_of(copy) == shape_of(kept)
        (before,), (after,) = (each.run("SELECT last_value FROM audit.event_ids") for each in (kept, copy))
        assert before == after
        with pytest.raises(Exception, match="append"):
            copy.run("DELETE FROM audit.events")


def test_each_object_is_stored_in_infrequent_access_with_its_checksum(database, bucket):
    fill()
    backup_id = back_up()

    document = manifest.get(backup_id)
    objects = bucket.list_objects_v2(Bucket=BUCKET, Prefix=f"tables/{backup_id}/")["Contents"]
    assert len(objects) == len(document["tables"]) > 40
    assert {each["StorageClass"] for each in objects} == {"STANDARD_IA"}
    assert sum(each["Size"] for each in objects) == document["bytes"]
    table = document["tables"]["accounts.organisations"]
    body = bucket.get_object(Bucket=BUCKET, Key=f"tables/{backup_id}/accounts.organisations.gz")[
        "Body"
    ].read()
    assert gzip.decompress(body).count(b"\n") == table["rows"] == 1
    assert document["migrations"] == [number for number, _, _ in migrate.files(migrate.FOLDER)]


def test_an_object_that_was_changed_is_not_restored(database, bucket):
    fill()
    backup_id = back_up()
    key = f"tables/{backup_id}/accounts.organisations.gz"
    body = gzip.decompress(bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    bucket.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(body.replace(b"quoted", b"forged")))

    with pytest.raises(Conflict, match=r"accounts\.organisations is not what the backup wrote"):
        restore(backup_id)


def test_what_was_deleted_on_request_after_the_backup_is_deleted_in_the_copy(database, bucket):
    gone, restored = fill(), fill()
    backup_id = back_up()
    with db.transaction() as tx:
        personal_data.erase(tx, gone["user"])
        audit_log.add(tx, WHO, "erase", "user", gone["user"], {})
        within = {**WHO, "organisation_id": gone["organisation"]}
        audit_log.add(tx, within, "remove", "channel", gone["channel"], {})
        audit_log.add(tx, within, "remove", "channel", str(uuid.uuid4()), {})
        audit_log.add(tx, WHO, "remove", "organisation", restored["organisation"], {})
        audit_log.add(tx, WHO, "restore", "organisation", restored["organisation"], {})
        organisations.remove(tx, gone["organisation"])
        audit_log.add(tx, WHO, "remove", "organisation", gone["organisation"], {})

    outcome = restore(backup_id)

    assert (outcome["status"], outcome["erased"]) == ("identical", 4)
    with contextlib.closing(owner.connect(outcome["database"])) as copy:
        assert copy.run("SELECT full_name FROM accounts.users WHERE erased_at IS NULL") == [["Ada"]]
        assert copy.run("SELECT count(*) FROM accounts.users WHERE full_name = 'Erased'") == [[1]]
        alive = copy.run("SELECT id::text FROM accounts.organisations WHERE deleted_at IS NULL")
        assert alive == [[restored["organisation"]]]
        assert copy.run("SELECT id::text FROM studio.channels WHERE deleted_at IS NULL") == [
            [restored["channel"]]
        ]


def test_deletions_since_a_snapshot_are_repeated_in_the_database_that_came_from_it(database):
    person = fill()["user"]
    with db.transaction() as tx:
        audit_log.add(tx, WHO, "erase", "user", person, {})
    noted = migrate.handler({"command": "deletions", "since": "2026-01-01T00:00:00+00:00"}, None)

    assert migrate.handler({"command": "delete", **noted}, None) == {"deleted": 1}
    with db.reading() as tx:
        assert db.value(tx, "SELECT full_name FROM accounts.users WHERE id = :id", id=person) == "Erased"


def test_a_backup_of_several_snapshots_leaves_out_rows_whose_parent_was_deleted_between(
    database, bucket, monkeypatch
):
    """Each invocation has no more time than for one table, so that each has a snapshot of its own."""
    lost, kept = fill(), fill()
    monkeypatch.setattr(export, "RUN_SECONDS", -1)
    state = {"kind": "manual", "step": "begin", "do": "work", "id": manifest.new_id()}
    while "accounts.members" not in manifest_tables(state):
        state = app.handler(state, None)
    assert "accounts.users" not in manifest_tables(state)
    with db.transaction() as tx:
        db.run(tx, "DELETE FROM accounts.members WHERE user_id = :id", id=lost["user"])
        db.run(tx, "DELETE FROM accounts.users WHERE id = :id", id=lost["user"])

    run(state)
    monkeypatch.setattr(restoring, "RUN_SECONDS", 600)
    outcome = restore(state["id"])

    assert (outcome["status"], outcome["orphans"]) == ("identical", 1)
    with contextlib.closing(owner.connect(outcome["database"])) as copy:
        assert copy.run("SELECT user_id::text FROM accounts.members") == [[kept["user"]]]


def manifest_tables(state):
    return {} if state["step"] == "begin" else manifest.get(state["id"])["tables"]


def test_a_restore_goes_on_where_it_was_interrupted(database, bucket):
    fill()
    backup_id = back_up()
    restore_id = manifest.begin_restore(manifest.get(backup_id))
    begun = {"kind": "restore", "step": "prepare", "do": "work", "id": backup_id, "restore_id": restore_id}

    loaded = run(begun, until="finish")
    again = run({**loaded, "step": "load"}, until="finish")
    run(again)

    assert manifest.get(backup_id)["restore"]["status"] == "identical"


def test_copies_older_than_a_week_are_deleted_with_the_next_backup(database, bucket):
    old, new = f"showrunner_restore_{0:032x}", f"showrunner_restore_{'f' * 32}"
    with contextlib.closing(owner.connect()) as connection:
        for name in (old, new):
            connection.run(f"CREATE DATABASE {name}")
        back_up(until="export")
        found = connection.run("SELECT datname FROM pg_database WHERE datname LIKE 'showrunner_restore_%'")

    assert found == [[new]]


def test_a_failed_step_is_shown_with_its_error(database, bucket):
    backup_id = back_up(until="export")

    app.handler({"kind": "manual", "step": "fail", "id": backup_id, "error": "DatabaseUnavailable"}, None)

    found = manifest.get(backup_id)
    assert (found["status"], found["error"]) == ("failed", "DatabaseUnavailable")


def test_a_backup_whose_execution_was_stopped_counts_as_failed(database, bucket):
    backup_id = back_up(until="export")
    manifest.save({**manifest.get(backup_id), "started_at": "2026-01-01T00:00:00+00:00"})

    assert manifest.get(backup_id)["status"] == "failed"


def test_the_steps_take_the_sample_events(database, bucket, event):
    begun = app.handler(event("backup.begin"), None)
    asked = app.handler(event("backup.prepare"), None)

    assert (begun["do"], begun["step"]) == ("work", "export")
    assert (asked["do"], asked["step"]) == ("database", "load")
    sample = event("migrate.copy")
    assert {"database", "migrations"} <= sample.keys() & asked.keys()
    assert migrate.handler(sample, None)["applied"][0] == "0001_initial"


def test_the_migrate_function_makes_no_other_database_for_a_restore(database):
    for name in ("kept", "postgres", 'showrunner_restore_x"; DROP'):
        with pytest.raises(InvalidRequest, match="showrunner_restore"):
            migrate.handler({"command": "copy", "database": name, "migrations": [1]}, None)


def test_the_schedule_starts_the_machine(bucket, machine, event):
    backup_id = app.handler(event("backup.scheduled"), None)["started"]

    (execution,) = sdk.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert execution["name"] == f"backup-{backup_id}"
