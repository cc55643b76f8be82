"""GET and POST /backups, POST /backups/{id}/restore."""

import json
import uuid

import pytest

from showrunner.access import passwords, sessions
from showrunner.aws import sdk
from showrunner.backups import manifest
from showrunner.database import db
from showrunner.store.accounts import members, users
from tests.backups.conftest import BUCKET
from tests.conftest import Client, add_organisation

BACKUPS = "/api/v1/backups"


@pytest.fixture
def admin(tx, signing_key, bucket, machine):
    email = f"{uuid.uuid4()}@example.com"
    user_id = users.add(tx, email, passwords.digest("Correct-horse-7"), "Ada", None, None)
    members.add(tx, add_organisation(tx), user_id, "user")
    sql = "UPDATE accounts.users SET platform_admin = true, verified_at = now() WHERE id = :id"
    db.run(tx, sql, id=user_id)
    return Client(sessions.begin(tx, members.get(tx, user_id))["access_token"])


def complete(**changes):
    document = manifest.create(manifest.new_id(), "nightly", [1])
    document |= {"status": "complete", "finished_at": manifest.now(), "rows": 7, "bytes": 99, "sha256": "ab"}
    manifest.save(document | changes)
    return document["id"]


def inputs(machine):
    client = sdk.client("stepfunctions")
    found = client.list_executions(stateMachineArn=machine)["executions"]
    return [
        json.loads(client.describe_execution(executionArn=each["executionArn"])["input"]) for each in found
    ]


def test_backups_are_listed_newest_first_with_size_checksum_and_age(admin):
    ids = [complete(started_at=f"2026-11-2{day}T01:20:00+00:00") for day in (6, 7, 8)]

    page = admin("GET", f"{BACKUPS}?limit=2").body
    rest = admin("GET", f"{BACKUPS}?limit=2&cursor={page['next_cursor']}").body

    listed = [*page["backups"], *rest["backups"]]
    assert [each["id"] for each in listed] == sorted(ids, reverse=True)
    assert rest["next_cursor"] is None
    assert listed[0]["age_hours"] > 0
    assert {name: listed[0][name] for name in ("bytes", "sha256", "rows", "storage_class", "restore")} == {
        "bytes": 99,
        "sha256": "ab",
        "rows": 7,
        "storage_class": "STANDARD_IA",
        "restore": None,
    }


def test_an_admin_makes_a_backup_and_a_second_one_waits_for_it(admin, machine):
    response = admin("POST", BACKUPS)

    assert response.status == 202
    (started,) = inputs(machine)
    assert (started["step"], started["kind"], started["id"]) == ("begin", "manual", response.body["id"])
    manifest.create(response.body["id"], "manual", [1])
    assert admin("POST", BACKUPS).status == 409


def test_an_admin_restores_a_backup_once_at_a_time(admin, machine, tx):
    backup_id = complete()

    response = admin("POST", f"{BACKUPS}/{backup_id}/restore")

    assert response.status == 202
    (started,) = inputs(machine)
    assert (started["step"], started["kind"], started["id"]) == ("prepare", "restore", backup_id)
    assert started["restore_id"] == response.body["restore_id"]
    shown = admin("GET", BACKUPS).body["backups"][0]["restore"]
    assert (shown["status"], shown["database"]) == ("running", response.body["database"])
    assert admin("POST", f"{BACKUPS}/{backup_id}/restore").status == 409
    sql = "SELECT change FROM audit.events WHERE action = 'restore' AND thing_id = :id"
    assert db.value(tx, sql, id=backup_id) == {"restore_id": response.body["restore_id"]}


def test_only_a_complete_backup_is_restored(admin):
    running = complete(status="running")

    assert admin("POST", f"{BACKUPS}/{running}/restore").status == 409
    assert admin("POST", f"{BACKUPS}/{uuid.uuid4()}/restore").status == 404


def test_a_backup_that_is_no_document_of_ours_is_not_listed_as_one(admin):
    sdk.client("s3").put_object(Bucket=BUCKET, Key="tables/x/y.gz", Body=b"")

    assert admin("GET", BACKUPS).body == {"backups": [], "next_cursor": None}
