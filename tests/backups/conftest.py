"""A database of a test's own, a backup bucket on moto, and the backup machine's steps."""

import contextlib
import json
import os
import uuid

import pytest

from functions.backup import app as backup
from functions.migrate import app as migrate
from showrunner.aws import sdk
from showrunner.backups import manifest
from showrunner.database import db
from tests.functions.test_migrate import administrator

BUCKET = os.environ["BACKUP_BUCKET"]


@pytest.fixture
def bucket(aws):
    """Return a client of S3. The backup bucket is empty before and after the test."""
    client = sdk.client("s3")
    empty(client)
    yield client
    empty(client)


def empty(client):
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for each in page.get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=each["Key"])


@pytest.fixture(scope="module")
def migrated(postgres):
    """An empty migrated database, which each test's own is copied from."""
    with contextlib.closing(administrator(postgres)) as connection:
        connection.run("CREATE DATABASE migrated OWNER showrunner")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DATABASE_NAME", "migrated")
            migrate.handler({}, None)
        yield "migrated"
        connection.run("DROP DATABASE migrated WITH (FORCE)")


@pytest.fixture
def database(postgres, migrated, bucket, monkeypatch):
    """A migrated database that this test alone fills. Copies that restores have made go with it."""
    with contextlib.closing(administrator(postgres)) as connection:
        connection.run(f"CREATE DATABASE kept OWNER showrunner TEMPLATE {migrated}")
    monkeypatch.setenv("DATABASE_NAME", "kept")
    db.close()
    yield postgres
    db.close()
    with contextlib.closing(administrator(postgres)) as connection:
        copies = connection.run("SELECT datname FROM pg_database WHERE datname LIKE 'showrunner_restore_%'")
        for (name,) in [*copies, ("kept",)]:
            connection.run(f'DROP DATABASE "{name}" WITH (FORCE)')


def run(state, until=None):
    """Do what the machine does with a state, up to the step `until`. Returns the last state."""
    while state["do"] != "done" and state["step"] != until:
        if state["do"] == "database":
            migrate.handler(
                {"command": "copy", "database": state["database"], "migrations": state["migrations"]}, None
            )
        state = backup.handler(state, None)
    return state


def back_up(until=None):
    return run({"kind": "manual", "step": "begin", "do": "work", "id": manifest.new_id()}, until)["id"]


def restore(backup_id):
    """Restore a backup. Returns the manifest's words about it."""
    restore_id = manifest.begin_restore(manifest.get(backup_id))
    run({"kind": "restore", "step": "prepare", "do": "work", "id": backup_id, "restore_id": restore_id})
    return manifest.get(backup_id)["restore"]


@pytest.fixture
def machine(aws, monkeypatch):
    """A machine that ends at once. Returns its ARN."""
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    made = sdk.client("stepfunctions").create_state_machine(
        name=f"backup-{uuid.uuid4()}",
        roleArn="arn:aws:iam::123456789012:role/machine",
        definition=definition,
    )["stateMachineArn"]
    monkeypatch.setenv("BACKUP_MACHINE_ARN", made)
    return made
