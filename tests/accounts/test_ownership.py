"""Roles in an organisation, its owner, and its deletion."""

import pytest

from showrunner.database import db
from tests.accounts.calls import PASSWORD, alive, error, log_in, make_admin
from tests.conftest import Client


@pytest.fixture
def organisation(members):
    return members.removesuffix("/members")


@pytest.fixture
def guest_client(guest, pair):
    """The guest, logged in to the organisation that invited them."""
    return Client(log_in(guest[0], organisation_id=pair["user"]["organisation_id"]).body["access_token"])


def roles_of(me, members):
    return {each["email"]: (each["role"], each["is_owner"]) for each in me("GET", members).body["members"]}


def test_a_role_change_is_effective_from_the_next_request(me, members, guest, guest_client):
    assert guest_client("POST", members, {"email": "a@example.com"}).status == 403

    assert me("PUT", members, {"email": guest[0], "role": "admin"}).status == 200

    assert guest_client("POST", members, {"email": "a@example.com"}).status == 202
    assert me("PUT", members, {"email": guest[0], "role": "viewer"}).status == 200
    assert guest_client("POST", members, {"email": "b@example.com"}).status == 403


def test_the_owners_role_cannot_be_changed_or_taken_by_an_admin(me, members, guest, guest_client, email):
    me("PUT", members, {"email": guest[0], "role": "admin"})

    assert error(guest_client("PUT", members, {"email": email, "role": "viewer"})) == (409, "CONFLICT")
    assert (
        guest_client(
            "POST", f"{members.removesuffix('/members')}/transfer", {"email": guest[0], "password": PASSWORD}
        ).status
        == 403
    )
    assert guest_client("DELETE", members.removesuffix("/members")).status == 403


def test_ownership_is_transferred_with_the_password(me, members, organisation, guest, email, raised_limits):
    assert (
        me(
            "POST", f"{organisation}/transfer", {"email": guest[0], "password": "Wrong-horse-7-battery"}
        ).status
        == 400
    )
    assert (
        me("POST", f"{organisation}/transfer", {"email": "nobody@example.com", "password": PASSWORD}).status
        == 404
    )

    assert me("POST", f"{organisation}/transfer", {"email": guest[0], "password": PASSWORD}).status == 200

    assert roles_of(me, members) == {email: ("admin", False), guest[0]: ("user", True)}


def test_the_last_owner_of_an_organisation_with_members_cannot_be_erased(me, organisation, guest):
    assert error(me("DELETE", "/api/v1/users/me", {"password": PASSWORD})) == (409, "CONFLICT")
    assert alive(me) == 200

    me("POST", f"{organisation}/transfer", {"email": guest[0], "password": PASSWORD})

    assert me("DELETE", "/api/v1/users/me", {"password": PASSWORD}).status == 200


def test_an_owner_without_other_members_can_be_erased(me):
    assert me("DELETE", "/api/v1/users/me", {"password": PASSWORD}).status == 200


def test_deleting_an_organisation_needs_a_confirmation_and_closes_it_at_once(me, organisation, guest_client):
    robot = Client(
        me("POST", "/api/v1/auth/service-tokens", {"name": "robot", "scopes": ["videos:read"]}).body["token"]
    )
    first = me("DELETE", organisation)
    token = first.body["error"]["details"][0]["message"]
    assert first.status == 409
    assert me("DELETE", f"{organisation}?confirmation_token=wrong").status == 409
    assert robot("GET", "/api/v1/videos").status == 200

    assert me("DELETE", f"{organisation}?confirmation_token={token}").status == 204

    assert [each("GET", "/api/v1/videos").status for each in (me, guest_client, robot)] == [401, 401, 401]


def test_a_deleted_organisation_can_be_restored_and_is_purged_after_30_days(
    tx, me, organisation, email, pair
):
    from showrunner.store import retention
    from showrunner.store.accounts import google_projects

    organisation_id = pair["user"]["organisation_id"]
    channel = me("POST", "/api/v1/channels", {"name": "Tides", "niche": "The sea"}).body["channel"]["id"]
    token = me("DELETE", organisation).body["error"]["details"][0]["message"]
    me("DELETE", f"{organisation}?confirmation_token={token}")
    assert log_in(email).status == 404
    assert retention.list_deleted_organisations(tx, 10) == []
    admin = make_admin_elsewhere(tx)

    assert admin("POST", f"/api/v1/admin/organisations/{organisation_id}/restore").status == 200

    assert log_in(email).status == 200
    db.run(
        tx,
        "UPDATE accounts.organisations SET deleted_at = now() - interval '31 days' WHERE id = :id",
        id=organisation_id,
    )
    assert retention.list_deleted_organisations(tx, 10) == [organisation_id]
    google_projects.save(tx, organisation_id, 10_000, 100)
    retention.remove_organisation(tx, organisation_id)
    assert google_projects.list_(tx) == []
    assert not db.value(tx, "SELECT EXISTS (SELECT FROM studio.channels WHERE id = :id)", id=channel)
    assert retention.list_deleted_organisations(tx, 10) == [], "once"


def make_admin_elsewhere(tx):
    from tests.accounts.calls import ANYONE

    address = "admin-elsewhere@example.com"
    ANYONE("POST", "/api/v1/auth/register", {"email": address, "password": PASSWORD, "full_name": "Admin"})
    db.run(tx, "UPDATE accounts.users SET verified_at = now() WHERE email = :email", email=address)
    return make_admin(tx, address)


def test_members_are_listed_in_pages(me, members, guest):
    first = me("GET", f"{members}?limit=1").body
    second = me("GET", f"{members}?limit=1&cursor={first['pagination']['next_cursor']}").body

    assert [first["members"][0]["is_owner"], second["members"][0]["email"]] == [True, guest[0]]
    assert second["pagination"]["next_cursor"] is None
