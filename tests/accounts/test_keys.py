"""API keys and service tokens."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from showrunner.database import db
from showrunner.store.access import api_keys
from tests.accounts.calls import PASSWORD, error, make_admin
from tests.conftest import Client
from tests.keys import killing


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


# ------------------------------------------------------------------------------------------------ Rotation


def rotated(client, key_id, **more):
    return client("POST", f"/api/v1/auth/api-keys/{key_id}/rotate", **more)


def test_a_replaced_key_and_its_successor_are_valid_for_a_day(tx, me, email):
    admin = make_admin(tx, email)
    body = {"name": "Feed", "scopes": ["ingestion", "videos:read"]}
    first = admin("POST", "/api/v1/auth/api-keys", body).body
    second = rotated(admin, first["api_key"]["id"])

    assert second.status == 201
    assert second.body["key"] != first["key"]
    new, old = admin("GET", "/api/v1/auth/api-keys").body["api_keys"]
    if new["id"] == first["api_key"]["id"]:
        new, old = old, new
    assert (new["name"], new["scopes"], new["expires_at"]) == ("Feed", body["scopes"], None)
    assert (new["replaces"], new["replaced_at"]) == (old["id"], None)
    day = datetime.fromisoformat(old["expires_at"]) - datetime.fromisoformat(old["replaced_at"])
    assert day == timedelta(hours=24)
    assert [opens_ingestion(tx, each["key"]) for each in (first, second.body)] == [True, True]
    db.run(tx, "UPDATE access.api_keys SET expires_at = now() WHERE id = :id", id=old["id"])
    assert [opens_ingestion(tx, each["key"]) for each in (first, second.body)] == [False, True]


def test_a_replaced_key_keeps_an_earlier_end_and_its_successor_gets_the_same_lifetime(tx, me):
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    body = {"name": "Feed", "scopes": ["videos:read"], "expires_at": soon}
    first = me("POST", "/api/v1/auth/api-keys", body).body["api_key"]
    sql = "UPDATE access.api_keys SET created_at = now() - interval '28 days' WHERE id = :id"
    db.run(tx, sql, id=first["id"])

    new = rotated(me, first["id"]).body["api_key"]

    found = {each["id"]: each for each in me("GET", "/api/v1/auth/api-keys").body["api_keys"]}
    assert found[first["id"]]["expires_at"][:19] == first["expires_at"][:19]
    life = datetime.fromisoformat(new["expires_at"]) - datetime.fromisoformat(new["created_at"])
    assert timedelta(days=28) < life < timedelta(days=29)


def test_a_key_is_replaced_once_and_only_by_who_may_grant_its_scopes(tx, me, email):
    key = me("POST", "/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["videos:read"]}).body["api_key"]
    assert rotated(me, key["id"]).status == 201
    assert error(rotated(me, key["id"])) == (409, "CONFLICT")
    assert rotated(me, "0b9d6a52-3c1f-4f0e-8d55-6f1e2a7c9b10").status == 404

    sql = "UPDATE access.api_keys SET scopes = '{ingestion}' WHERE replaces = :id RETURNING id::text AS id"
    successor = db.one(tx, sql, id=key["id"])["id"]
    assert rotated(me, successor).status == 403
    assert rotated(make_admin(tx, email), successor).status == 201


def test_a_rotation_killed_at_any_call_can_be_repeated_and_makes_one_key(tx, me):
    body, places = {"name": "Feed", "scopes": ["videos:read"]}, 0
    with killing.killer() as killer:
        for place in range(1, 60):
            for moment in ("before", "after"):
                first = me("POST", "/api/v1/auth/api-keys", body).body
                killer.arm(place, moment)
                try:
                    rotated(me, first["api_key"]["id"], idempotency_key=f"place-{place}-{moment}")
                except killing.Killed:
                    places += 1
                killer.arm(0, moment)
                robot = Client(first["key"])
                assert robot("GET", "/api/v1/videos").status == 200, "the old one stays valid"
                again = rotated(me, first["api_key"]["id"], idempotency_key=f"place-{place}-{moment}")
                assert again.status == 201
                assert Client(again.body["key"])("GET", "/api/v1/videos").status == 200
                sql = "SELECT count(*) FROM access.api_keys WHERE replaces = :id"
                assert db.value(tx, sql, id=first["api_key"]["id"]) == 1
                sql = "SELECT count(*) FROM audit.events WHERE action = 'rotate' AND thing_id = :id"
                assert db.value(tx, sql, id=first["api_key"]["id"]) == 1
            if places < 2 * place:
                break
    assert places >= 6


def test_old_keys_of_the_ingestion_api_and_those_that_end_soon_are_counted(tx, me, email):
    admin, body = make_admin(tx, email), {"name": "Feed", "scopes": ["ingestion"]}
    before = api_keys.ingestion_ages(tx, 365, 7)
    for change in (
        "created_at = now() - interval '366 days'",
        "expires_at = now() + interval '6 days', last_used_at = now() - interval '6 days'",
        "expires_at = now() + interval '6 days', last_used_at = now() - interval '8 days'",
        "expires_at = now() - interval '1 day', created_at = now() - interval '2 years'",
    ):
        key = admin("POST", "/api/v1/auth/api-keys", body).body["api_key"]
        db.run(tx, f"UPDATE access.api_keys SET {change} WHERE id = :id", id=key["id"])
    found = api_keys.ingestion_ages(tx, 365, 7)
    counts = {name: found[name] - before[name] for name in ("count", "overdue", "ending")}
    assert counts == {"count": 3, "overdue": 1, "ending": 1}
