"""API keys and service tokens."""

import hashlib
import json

import pytest

from showrunner.database import db
from showrunner.store.access import api_keys
from tests.accounts.calls import PASSWORD, error, make_admin
from tests.conftest import Client


def test_an_api_key_is_shown_once_and_stored_hashed(tx, me):
    response = me("POST", "/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["videos:read"]})

    assert response.status == 201
    key = response.body["key"]
    assert key.startswith(response.body["api_key"]["prefix"])
    listed = me("GET", "/api/v1/auth/api-keys")
    assert key not in json.dumps(listed.body)
    assert [each["name"] for each in listed.body["api_keys"]] == ["Feed"]
    assert key not in str(db.rows(tx, "SELECT * FROM access.api_keys"))
    path = f"/api/v1/auth/api-keys/{response.body['api_key']['id']}"
    assert (me("DELETE", path).status, me("DELETE", path).status) == (204, 404)


def test_a_repeated_request_returns_the_same_key_and_the_database_holds_no_plain_text(tx, me):
    body = {"name": "Feed", "scopes": ["videos:read"]}
    first, again = (
        me("POST", "/api/v1/auth/api-keys", body, idempotency_key="3d2f6f0a-keep") for _ in range(2)
    )

    assert first.body == again.body
    assert len(me("GET", "/api/v1/auth/api-keys").body["api_keys"]) == 1
    rows = str(db.rows(tx, "SELECT * FROM access.idempotency"))
    assert first.body["key"] not in rows
    assert "3d2f6f0a-keep" not in rows
    assert (
        me("POST", "/api/v1/auth/api-keys", {**body, "name": "Other"}, idempotency_key="3d2f6f0a-keep").status
        == 409
    )


def test_a_service_token_works_until_it_is_revoked(me):
    response = me(
        "POST",
        "/api/v1/auth/service-tokens",
        {"name": "robot", "scopes": ["videos:read"], "expires_in_days": 30},
    )
    robot = Client(response.body["token"])

    assert robot("GET", "/api/v1/videos").status == 200
    assert robot("GET", "/api/v1/channels").status == 403
    assert robot("GET", "/api/v1/users/me").status == 403
    assert me("DELETE", f"/api/v1/auth/service-tokens/{response.body['service_token']['id']}").status == 204
    assert error(robot("GET", "/api/v1/videos")) == (401, "INVALID_TOKEN")
    assert me("GET", "/api/v1/auth/service-tokens").body["service_tokens"][0]["revoked_at"]


def test_keys_an_admin_created_lose_admin_scopes_when_the_admin_does(tx, me, email):
    admin = make_admin(tx, email)
    robot = Client(
        admin(
            "POST",
            "/api/v1/auth/service-tokens",
            {"name": "robot", "scopes": ["internal:all", "videos:read"]},
        ).body["token"]
    )
    key = admin("POST", "/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["ingestion"]}).body["key"]
    asked = [robot("GET", "/api/v1/admin/metrics").status != 403, opens_ingestion(tx, key)]
    assert asked == [True, True]

    db.run(tx, "UPDATE accounts.users SET platform_admin = false WHERE email = :email", email=email)

    assert error(robot("GET", "/api/v1/admin/metrics")) == (403, "INSUFFICIENT_PERMISSIONS")
    assert robot("GET", "/api/v1/videos").status == 200, "scopes that any owner may grant remain"
    assert not opens_ingestion(tx, key)


def opens_ingestion(tx, key):
    return api_keys.use(tx, hashlib.sha256(key.encode()).hexdigest(), "ingestion") is not None


@pytest.mark.parametrize("scope", ["internal:all", "cms:all", "artists:all"])
def test_nobody_grants_a_scope_they_do_not_have(me, scope):
    response = me("POST", "/api/v1/auth/service-tokens", {"name": "robot", "scopes": [scope]})

    assert response.status == (201 if scope == "artists:all" else 403)


def test_only_platform_admins_create_keys_of_the_ingestion_api(tx, me, email):
    body = {"name": "Feed", "scopes": ["ingestion"]}

    assert me("POST", "/api/v1/auth/api-keys", body).status == 403
    assert make_admin(tx, email)("POST", "/api/v1/auth/api-keys", body).status == 201


def test_keys_and_service_tokens_of_an_erased_person_are_revoked(tx, me):
    response = me("POST", "/api/v1/auth/service-tokens", {"name": "robot", "scopes": ["videos:read"]}).body
    robot = Client(response["token"])
    key = me("POST", "/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["videos:read"]}).body["api_key"][
        "id"
    ]
    assert robot("GET", "/api/v1/videos").status == 200

    assert me("DELETE", "/api/v1/users/me", {"password": PASSWORD}).status == 200

    assert error(robot("GET", "/api/v1/videos")) == (401, "INVALID_TOKEN")
    known = db.one(
        tx,
        "SELECT revoked_at, EXISTS (SELECT FROM access.denied_tokens WHERE token_id = id::text) AS denied "
        "FROM access.service_tokens WHERE id = :id",
        id=response["service_token"]["id"],
    )
    assert known["revoked_at"]
    assert known["denied"]
    assert db.value(tx, "SELECT count(*) FROM access.api_keys WHERE id = :id", id=key) == 0
