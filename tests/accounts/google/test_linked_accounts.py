"""accounts/linked_accounts.py: accounts at Google and YouTube are listed and disconnected."""

import uuid

from showrunner.accounts import connections
from showrunner.aws import dynamodb
from showrunner.database import db
from tests.accounts.calls import error
from tests.accounts.google.calls import CHANNEL, OTHER_CHANNEL, connect, google_login
from tests.conftest import Client, add_organisation, service_client

PATH = "/api/v1/auth/connections"


def listed(client):
    return client("GET", PATH).body["connections"]


def test_logins_and_connected_accounts_are_listed_without_their_tokens(me, email):
    me = Client(google_login(email).body["access_token"], me.organisation_id)
    connection = connect(me, "channel@example.com").body["connection"]
    token = connections.find(connection["id"], me.organisation_id)

    response = me("GET", PATH)

    # Both have the time of the test's one transaction, so their order is not determined.
    google, youtube = sorted(response.body["connections"], key=lambda each: each["provider"])
    assert (google["provider"], google["state"], google["channel_id"]) == ("google", "connected", None)
    assert (youtube["provider"], youtube["state"], youtube["channel_id"]) == ("youtube", "connected", CHANNEL)
    assert youtube["id"] == connection["id"]
    assert youtube["scopes"] == connection["scopes"]
    assert response.body["pagination"]["total"] == 2
    assert token not in str(response.body)


def test_a_connection_whose_owner_withdrew_the_permission_is_disconnected(me):
    connection_id = connect(me, "channel@example.com").body["connection"]["id"]
    connections.remove(connection_id)

    assert [each["state"] for each in listed(me)] == ["disconnected"]


def test_disconnecting_a_youtube_account_withdraws_our_permission_at_google(tx, world, me):
    connection_id = connect(me, "channel@example.com").body["connection"]["id"]
    token = connections.find(connection_id, me.organisation_id)

    assert me("DELETE", f"{PATH}/{connection_id.upper()}").status == 204

    assert token not in world.sign_ins.refresh_tokens
    assert dynamodb.find(f"connection#{connection_id}", "tokens") is None
    assert listed(me) == []
    assert me("DELETE", f"{PATH}/{connection_id}").status == 404
    assert db.value(tx, "SELECT count(*) FROM audit.events WHERE action = 'disconnect'") == 1


def test_our_permission_stays_while_another_channel_of_the_account_is_connected(world, me):
    first, _ = (
        connect(me, "channel@example.com", channel=channel).body["connection"]["id"]
        for channel in (CHANNEL, OTHER_CHANNEL)
    )
    token = connections.find(first, me.organisation_id)

    me("DELETE", f"{PATH}/{first}")

    assert token in world.sign_ins.refresh_tokens
    assert [each["channel_id"] for each in listed(me)] == [OTHER_CHANNEL]


def test_a_login_with_google_ends_only_for_somebody_with_a_password(tx, me, email):
    me = Client(google_login(email).body["access_token"], me.organisation_id)
    login = listed(me)[0]["id"]
    db.run(
        tx,
        "UPDATE accounts.users SET password_hash = NULL WHERE email = :email",
        email=email,
    )

    assert error(me("DELETE", f"{PATH}/{login}")) == (409, "CONFLICT")

    db.run(tx, "UPDATE accounts.users SET password_hash = 'x' WHERE email = :email", email=email)
    assert me("DELETE", f"{PATH}/{login}").status == 204
    assert listed(me) == []


def test_a_viewer_disconnects_no_account_of_the_organisation(tx, me):
    connection_id = connect(me, "channel@example.com").body["connection"]["id"]
    db.run(tx, "UPDATE accounts.members SET role = 'viewer', is_owner = false")

    assert [each["id"] for each in listed(me)] == [connection_id]
    assert error(me("DELETE", f"{PATH}/{connection_id}")) == (403, "INSUFFICIENT_PERMISSIONS")


def test_another_organisations_connections_are_neither_seen_nor_disconnected(tx, me, signing_key):
    connection_id = connect(me, "channel@example.com").body["connection"]["id"]
    other = add_organisation(tx, "Other")
    db.run(
        tx,
        "UPDATE accounts.connections SET organisation_id = :other WHERE id = :id",
        other=other,
        id=connection_id,
    )

    assert listed(me) == []
    assert me("DELETE", f"{PATH}/{connection_id}").status == 404
    assert me("DELETE", f"{PATH}/{uuid.uuid4()}").status == 404
    assert service_client(signing_key, other, "videos:read")("GET", PATH).status == 403
