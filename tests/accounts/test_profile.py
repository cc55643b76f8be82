"""A person's profile, export and erasure."""

import json

import pytest

from showrunner.database import db
from tests.accounts.calls import OTHER, PASSWORD, fields, log_in, renew
from tests.conftest import Client


def test_the_profile_can_change_and_a_new_password_needs_the_old_one(me, pair, email):
    response = me("PUT", "/api/v1/users/me", {"full_name": "Ada L.", "username": "ada.l"})
    assert (response.body["user"]["full_name"], response.body["user"]["username"]) == ("Ada L.", "ada.l")
    assert fields(me("PUT", "/api/v1/users/me", {"password": OTHER})) == ["current_password"]
    assert fields(me("PUT", "/api/v1/users/me", {"password": OTHER, "current_password": "wrong"})) == [
        "password"
    ]

    assert me("PUT", "/api/v1/users/me", {"password": OTHER, "current_password": PASSWORD}).status == 200

    assert renew(pair["refresh_token"]).status == 401
    assert log_in(email, OTHER).status == 200


def test_an_export_has_all_data_of_the_person_and_no_secret(me, email):
    me("POST", "/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["videos:read"]})

    response = me("GET", "/api/v1/users/me/export")

    assert response.body["profile"]["email"] == email
    assert [each["name"] for each in response.body["api_keys"]] == ["Feed"]
    assert {"register", "login", "add"} <= {each["action"] for each in response.body["audit"]}
    assert "$2b$" not in json.dumps(response.body)
    assert "password" not in response.body["profile"]


def test_an_erased_person_remains_only_as_an_id(tx, me, pair, email):
    assert fields(me("DELETE", "/api/v1/users/me", {"password": OTHER})) == ["password"]

    response = me("DELETE", "/api/v1/users/me", {"password": PASSWORD})

    assert response.status == 200
    assert response.body["receipt"]["organisations_left_empty"] == [pair["user"]["organisation_id"]]
    for table in (
        "accounts.users",
        "accounts.members",
        "access.mail_tokens",
        "access.refresh_families",
        "access.known_places",
        "audit.events",
    ):
        text = str(db.rows(tx, f"SELECT * FROM {table}"))
        assert email not in text
        assert "Ada Test" not in text
    assert log_in(email).status == 401
    assert me("GET", "/api/v1/users/me").status == 401
    assert renew(pair["refresh_token"]).status == 401
    assert db.value(tx, "SELECT count(*) FROM audit.events WHERE subject = :id", id=pair["user"]["id"]) > 0


def test_the_placeholder_address_of_an_erased_person_cannot_be_registered(tx, me, pair, user):
    address = f"erased-{user['user_id']}@erased.invalid"
    response = Client(address="203.0.113.9")(
        "POST", "/api/v1/auth/register", {"email": address, "password": PASSWORD, "full_name": "Eve"}
    )
    assert fields(response) == ["email"]
    db.run(tx, "INSERT INTO accounts.users (email, full_name) VALUES (:email, 'Eve')", email=address)

    assert me("DELETE", "/api/v1/users/me", {"password": PASSWORD}).status == 200


def test_an_erasure_removes_names_and_stored_answers_and_lists_what_stays(tx, me):
    path = f"/api/v1/organisations/{me.organisation_id}"
    others = db.value(tx, "SELECT count(*) FROM access.idempotency")
    me("PUT", path, {"name": "Ada Test's own"})
    me("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}, idempotency_key="once")
    me("POST", f"{path}/members", {"email": "guest@example.com"})

    response = me("DELETE", "/api/v1/users/me", {"password": PASSWORD})

    for table in ("accounts.organisations", "access.idempotency", "access.mail_tokens", "audit.events"):
        rows = str(db.rows(tx, f"SELECT * FROM {table}"))
        assert "Ada Test" not in rows
        assert "guest@example.com" not in rows
    assert db.value(tx, "SELECT count(*) FROM access.idempotency") == others
    assert "/24" in response.body["receipt"]["kept"]


@pytest.mark.parametrize(
    ("address", "kept"), [("198.51.100.77", "198.51.100.0/24"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48")]
)
def test_the_audit_log_stores_the_callers_network_not_the_address(tx, user, email, address, kept):
    log_in(email, address=address)

    assert (
        db.value(
            tx,
            "SELECT address::text FROM audit.events WHERE action = 'login' AND subject = :id",
            id=user["user_id"],
        )
        == kept
    )
