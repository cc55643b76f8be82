"""Connecting a YouTube account: scopes, sealed tokens, and revocation when a person is erased."""

import uuid

import pytest

from showrunner.accounts import connections
from showrunner.aws import dynamodb
from showrunner.database import db
from showrunner.errors import CredentialRejected
from showrunner.platforms import google
from showrunner.store.accounts import google_projects, organisations
from tests.accounts.calls import ANYONE, PASSWORD, error, log_in, mailed, token_in
from tests.accounts.google.calls import (
    CHANNEL,
    CONNECT,
    CONNECT_START,
    OTHER_CHANNEL,
    agree,
    begin,
    connect,
    finish,
    google_login,
)
from tests.conftest import Client, put_secrets


def test_connecting_a_youtube_account_stores_its_token_encrypted(tx, world, me, email):
    begun = begin(CONNECT_START, me)
    assert begun.asked["scope"].split() == list(google.YOUTUBE)
    assert (begun.asked["access_type"], begun.asked["prompt"]) == ("offline", "consent select_account")

    response = finish(begun, agree(begun, "channel@example.com"), CONNECT, me)

    assert response.status == 200, response
    connection = response.body["connection"]
    assert connection["missing_scopes"] == []
    assert connection["scopes"] == sorted(google.YOUTUBE[1:])
    kept = dynamodb.find(f"connection#{connection['id']}", "tokens")
    token = connections.find(connection["id"], me.organisation_id)
    assert token in world.sign_ins.refresh_tokens
    assert token.encode() not in kept["refresh_token"]
    assert token not in str(db.rows(tx, "SELECT * FROM accounts.connections"))
    assert token not in str(response.body)


def test_an_organisation_with_its_own_project_connects_through_its_own_client(tx, me):
    google_projects.save(tx, me.organisation_id, 10_000, 100)
    path = f"organisations/{me.organisation_id}/google"
    put_secrets({f"{path}/client_id": "label", f"{path}/client_secret": "wrong"})
    begun = begin(CONNECT_START, me)
    assert begun.asked["client_id"] == "label"
    assert begin().asked["client_id"] == "local", "people log in through the stage's client"

    put_secrets({f"{path}/client_id": "local", f"{path}/client_secret": "local"})
    connected = connect(me, "channel@example.com").body["connection"]["id"]

    assert connections.uses_own_project(connected)
    kept = db.value(tx, "SELECT own_project FROM accounts.connections WHERE id = :id", id=connected)
    assert kept is True


def test_an_encrypted_token_cannot_be_decrypted_in_another_row(me):
    first, second = (connect(me, f"{name}@example.com").body["connection"]["id"] for name in ("one", "two"))
    item = dynamodb.find(f"connection#{first}", "tokens")
    dynamodb.put(f"connection#{second}", "tokens", item)

    with pytest.raises(CredentialRejected):
        connections.find(second, me.organisation_id)
    with pytest.raises(CredentialRejected):
        connections.find(first, str(uuid.uuid4()))


def test_connecting_the_same_account_twice_keeps_one_connection(tx, me):
    ids = [connect(me, "channel@example.com").body["connection"]["id"] for _ in range(2)]

    assert ids[0] == ids[1]
    assert db.value(tx, "SELECT count(*) FROM accounts.connections") == 1


def test_the_chosen_channel_of_an_account_is_connected_and_named(me):
    connection = connect(me, "channel@example.com", channel=OTHER_CHANNEL).body["connection"]

    assert (connection["channel_id"], connection["channel_title"]) == (OTHER_CHANNEL, "Heights")


def test_two_channels_of_one_account_are_two_connections(tx, me):
    ids = {
        connect(me, "channel@example.com", channel=channel).body["connection"]["id"]
        for channel in (CHANNEL, OTHER_CHANNEL)
    }

    assert len(ids) == 2
    assert db.value(tx, "SELECT count(*) FROM accounts.connections") == 2


def test_an_account_without_a_channel_is_not_connected(world, me):
    world.owned["nobody@example.com"] = ["none"]

    response = connect(me, "nobody@example.com")

    assert error(response)[0] == 400
    assert "no YouTube channel" in response.body["error"]["message"]


def test_a_channel_that_youtube_does_not_name_now_is_connected_without_its_name(world, me):
    world.outcomes.add("backend_error")

    assert connect(me, "channel@example.com").body["connection"]["channel_id"] is None


def test_erasing_one_of_two_people_with_the_same_google_account_keeps_the_others_connection(
    tx, world, me, member, email
):
    other = organisations.add(tx, "Other label")
    kept = connect(me, "channel@example.com").body["connection"]["id"]
    token = connections.find(kept, me.organisation_id)
    moved = {"id": kept, "other": other, "new": str(uuid.uuid4())}
    db.run(
        tx,
        """INSERT INTO accounts.connections (id, organisation_id, provider, subject, scopes)
           SELECT :new::uuid, :other::uuid, provider, subject, scopes
             FROM accounts.connections WHERE id = :id""",
        **moved,
    )
    me = Client(google_login(email).body["access_token"], me.organisation_id)

    assert me("DELETE", "/api/v1/users/me", {"password": PASSWORD}).status == 200

    assert token in world.sign_ins.refresh_tokens, (
        "revoking it would have ended the other organisation's connection, too"
    )
    assert dynamodb.find(f"connection#{kept}", "tokens") is None


def test_only_content_owners_are_asked_for_the_partner_scope(tx, me):
    assert google.PARTNER not in begin(CONNECT_START, me).asked["scope"]
    organisations.save_content_owner(tx, me.organisation_id, content_owner=True)

    assert google.PARTNER in begin(CONNECT_START, me).asked["scope"].split()

    begun = begin(CONNECT_START, me)
    returned = agree(begun, "partner@example.com")
    organisations.save_content_owner(tx, me.organisation_id, content_owner=False)
    connection = finish(begun, returned, CONNECT, me).body["connection"]
    assert google.PARTNER not in connection["scopes"], "the mark was taken back meanwhile"


def test_a_connection_with_more_scopes_than_requested_is_accepted_without_the_content_owners(me):
    """Google adds scopes that the account granted before (include_granted_scopes)."""
    begun = begin(CONNECT_START, me)
    widened = begun._replace(
        url=begun.url.replace("yt-analytics.readonly", f"yt-analytics.readonly+{google.PARTNER}")
    )

    response = finish(begun, agree(widened, "channel@example.com"), CONNECT, me)

    assert response.status == 200, response
    assert google.PARTNER not in response.body["connection"]["scopes"]
    assert response.body["connection"]["missing_scopes"] == []


def test_scopes_the_person_declined_are_reported(me):
    upload = google.YOUTUBE[1]

    assert connect(me, "channel@example.com", without=upload).body["connection"]["missing_scopes"] == [upload]
    assert connect(me, "channel@example.com", without=" ".join(google.YOUTUBE[1:])).status == 400


def test_a_connection_started_by_someone_else_is_refused(aws, me, email):
    """Session swapping: a victim's session must not connect the attacker's account, nor another member's."""
    other = f"other-{email}"
    Client(address="203.0.113.79")(
        "POST", "/api/v1/auth/register", {"email": other, "password": PASSWORD, "full_name": "Eve"}
    )
    ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, other))})
    eve = Client(log_in(other).body["access_token"])
    begun = begin(CONNECT_START, eve)
    returned = agree(begun, "eve@example.com")

    assert error(finish(begun, returned, CONNECT, me)) == (400, "VALIDATION_ERROR")
    assert error(finish(begun, returned, CONNECT, me, cookie="")) == (400, "VALIDATION_ERROR")
    assert finish(begun, returned, CONNECT, eve).status == 200


def test_an_unconfirmed_account_cannot_connect(email):
    """Otherwise an impostor's channel could receive the videos of the address's real owner."""
    Client(address="203.0.113.82")(
        "POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Impostor"}
    )
    impostor = Client(log_in(email).body["access_token"])

    assert error(impostor("GET", CONNECT_START)) == (403, "EMAIL_NOT_VERIFIED")
    assert error(impostor("POST", CONNECT, {"state": "A" * 43, "code": "x"})) == (403, "EMAIL_NOT_VERIFIED")


def test_services_and_viewers_cannot_connect(service, tx, me, member):
    assert service(me.organisation_id, "channels:write")("GET", CONNECT_START).status == 403
    assert ANYONE("GET", CONNECT_START).status == 401
    db.run(tx, "UPDATE accounts.members SET role = 'viewer' WHERE user_id = :id", id=member)
    assert me("GET", CONNECT_START).status == 403
    assert me("POST", CONNECT, {"state": "A" * 43, "code": "x"}).status == 403


def test_erasing_a_person_revokes_and_deletes_their_connections(tx, world, me, member, email):
    me = Client(google_login(email).body["access_token"], me.organisation_id)
    connection = connect(me, "channel@example.com").body["connection"]["id"]
    token = connections.find(connection, me.organisation_id)

    assert me("DELETE", "/api/v1/users/me", {"password": PASSWORD}).status == 200

    assert token not in world.sign_ins.refresh_tokens
    assert dynamodb.find(f"connection#{connection}", "tokens") is None
    assert db.value(tx, "SELECT count(*) FROM accounts.connections WHERE connected_by = :id", id=member) == 0
    assert db.value(tx, "SELECT count(*) FROM accounts.identities WHERE user_id = :id", id=member) == 0
    assert google_login(email).body["user"]["id"] != member, "whoever comes again is somebody new"


def test_erasure_succeeds_while_google_is_unreachable(monkeypatch, me):
    connection = connect(me, "channel@example.com").body["connection"]["id"]
    google._documents.clear()
    monkeypatch.setenv("GOOGLE_URL", "http://127.0.0.1:9")

    assert me("DELETE", "/api/v1/users/me", {"password": PASSWORD}).status == 200
    assert dynamodb.find(f"connection#{connection}", "tokens") is None
