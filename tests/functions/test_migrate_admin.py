"""functions/migrate with {"command": "admin"}: make the first admin of a new stage."""

import contextlib
import json

import pytest

from functions.feed import app as feed
from functions.migrate import app
from showrunner.database import db
from showrunner.errors import InvalidRequest
from tests.conftest import Client, payload
from tests.functions.test_migrate import administrator

PASSWORD = "Correct-horse-7-battery"
ANYONE = Client()


@pytest.fixture
def stage(postgres, signing_key, monkeypatch):
    """A migrated database that nobody has used yet."""
    with contextlib.closing(administrator(postgres)) as connection:
        connection.run("CREATE DATABASE fresh OWNER showrunner")
    monkeypatch.setenv("DATABASE_NAME", "fresh")
    db.close()
    app.handler({}, None)
    yield
    db.close()
    with contextlib.closing(administrator(postgres)) as connection:
        connection.run("DROP DATABASE fresh WITH (FORCE)")


def follow(key: str) -> dict:
    request = payload("GET", "/api/v1/subscriptions", {"x-api-key": key, "host": "127.0.0.1"}, None)
    return feed.handler(request, None)


def test_the_first_admin_sets_a_password_opens_admin_routes_and_the_ingestion_api(stage, event):
    told = app.handler(event("migrate.admin"), None)

    reset = ANYONE(
        "POST", "/api/v1/auth/password/reset", {"token": told["password_token"], "password": PASSWORD}
    )
    assert reset.status == 200, reset
    login = ANYONE("POST", "/api/v1/auth/login", {"email": "owner@label.example", "password": PASSWORD})
    assert login.status == 200, login
    admin = Client(login.body["access_token"], told["organisation_id"])
    assert admin("GET", "/api/v1/admin/quotas").status == 200
    assert follow(told["ingestion_key"])["statusCode"] == 200
    with db.reading() as tx:
        (row,) = db.rows(
            tx, "SELECT subject, action, thing_id, change FROM audit.events WHERE action = 'make_admin'"
        )
        assert (
            db.value(tx, "SELECT name FROM accounts.organisations WHERE id = :id", id=told["organisation_id"])
            == "Label"
        )
    assert (row["subject"], row["thing_id"]) == ("operator", told["user_id"])
    assert row["change"]["by"] == "arn:aws:iam::123456789012:user/operator"
    assert told["ingestion_key"] not in json.dumps(row)


def test_run_again_it_changes_nothing_that_is_there(stage, event):
    first = app.handler(event("migrate.admin"), None)
    ANYONE("POST", "/api/v1/auth/password/reset", {"token": first["password_token"], "password": PASSWORD})

    again = app.handler(event("migrate.admin"), None)

    assert (again["user_id"], again["organisation_id"]) == (first["user_id"], first["organisation_id"])
    assert again["password_token"] is None
    assert again["ingestion_key"] is None
    assert follow(first["ingestion_key"])["statusCode"] == 200


def test_somebody_who_registered_keeps_their_password_and_organisation(stage, event, aws):
    body = {
        "email": "owner@label.example",
        "password": PASSWORD,
        "full_name": "Owner",
        "company": "Their label",
    }
    registered = ANYONE("POST", "/api/v1/auth/register", body)
    assert registered.status == 201, registered

    told = app.handler(event("migrate.admin"), None)

    assert told["user_id"] == registered.body["user_id"]
    assert told["password_token"] is None
    assert (
        ANYONE("POST", "/api/v1/auth/login", {"email": "owner@label.example", "password": PASSWORD}).status
        == 200
    )
    with db.reading() as tx:
        assert db.value(tx, "SELECT count(*) FROM accounts.organisations") == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"command": "admin"},
        {"command": "admin", "email": "nobody", "by": "x"},
        {"command": "admin", "email": "a@b.c"},
        {"a": 1},
    ],
)
def test_what_is_no_command_changes_nothing(stage, broken):
    with pytest.raises(InvalidRequest):
        app.handler(broken, None)
    with db.reading() as tx:
        assert db.value(tx, "SELECT count(*) FROM accounts.users") == 0
