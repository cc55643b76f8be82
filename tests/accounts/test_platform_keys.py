"""API keys on the Platform API: which routes each scope opens, and when a key was used."""

import pytest

from showrunner.access import roles
from showrunner.database import db
from tests.accounts.calls import error, make_admin
from tests.conftest import Client

READS = {
    "channels:read": "/api/v1/channels",
    "videos:read": "/api/v1/videos",
    "videos:all": "/api/v1/videos",
}


def new_key(me, *scopes, **more):
    response = me("POST", "/api/v1/auth/api-keys", {"name": "Program", "scopes": list(scopes), **more})
    assert response.status == 201, response
    return response.body["key"]


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
@pytest.mark.parametrize(("scope", "path"), READS.items())
def test_a_key_opens_the_routes_of_its_scopes_and_no_others(me, scope, path, header):
    key = new_key(me, scope)
    given = {"authorization": f"Bearer {key}"} if header == "authorization" else {"x_api_key": key}

    assert Client()("GET", path, **given).status == 200
    for other in {*READS.values(), "/api/v1/users/me", "/api/v1/auth/api-keys", "/api/v1/admin/users"} - {
        path
    }:
        assert error(Client()("GET", other, **given)) == (403, "INSUFFICIENT_PERMISSIONS"), other


@pytest.mark.parametrize("scope", roles.SCOPES)
def test_every_scope_grants_exactly_itself(tx, me, email, scope):
    from showrunner.web import guard

    assert guard.authenticate({"x-api-key": new_key(make_admin(tx, email), scope)}).permissions == {scope}


def test_using_a_key_records_when(me):
    key = new_key(me, "videos:read")
    assert me("GET", "/api/v1/auth/api-keys").body["api_keys"][0]["last_used_at"] is None

    Client()("GET", "/api/v1/videos", x_api_key=key)

    assert me("GET", "/api/v1/auth/api-keys").body["api_keys"][0]["last_used_at"] is not None


def test_an_expired_removed_or_invented_key_is_refused(tx, me):
    key = new_key(me, "videos:read")
    use = lambda given: error(Client()("GET", "/api/v1/videos", x_api_key=given))
    assert use("sr_" + "a" * 43) == (401, "INVALID_TOKEN")
    assert use("not a key") == (401, "INVALID_TOKEN")
    db.run(tx, "UPDATE access.api_keys SET expires_at = now() - interval '1 second'")

    assert use(key) == (401, "INVALID_TOKEN")

    key_id = me("GET", "/api/v1/auth/api-keys").body["api_keys"][0]["id"]
    db.run(tx, "UPDATE access.api_keys SET expires_at = NULL")
    me("DELETE", f"/api/v1/auth/api-keys/{key_id}")
    assert use(key) == (401, "INVALID_TOKEN")


def test_admin_scopes_of_a_key_end_with_its_creators_rights(tx, me, email):
    key = new_key(make_admin(tx, email), "internal:all")
    assert Client()("GET", "/api/v1/admin/metrics", x_api_key=key).status == 200

    db.run(tx, "UPDATE accounts.users SET platform_admin = false WHERE email = :email", email=email)

    assert Client()("GET", "/api/v1/admin/metrics", x_api_key=key).status == 403


def test_a_key_belongs_to_its_organisation(tx, me, pair):
    key = new_key(me, "channels:read", "channels:write")

    channel = Client()(
        "POST", "/api/v1/channels", {"name": "Made by a program", "niche": "The sea"}, x_api_key=key
    )

    assert channel.status == 201
    assert me("GET", f"/api/v1/channels/{channel.body['channel']['id']}").status == 200
