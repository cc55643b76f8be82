"""Organisations: invitations, members and their removal."""

import hashlib
import uuid

import pyotp

from showrunner.store.access import email_tokens
from tests.accounts.calls import (
    ANYONE,
    OTHER,
    PASSWORD,
    alive,
    emails_to,
    error,
    log_in,
    mailed,
    renew,
    token_in,
)
from tests.conftest import Client, add_organisation


def test_a_person_is_invited_registers_and_is_removed(aws, me, pair):
    organisation_id = pair["user"]["organisation_id"]
    guest = f"{uuid.uuid4().hex[:12]}@example.com"
    path = f"/api/v1/organisations/{organisation_id}/members"
    assert me("POST", path, {"email": guest, "role": "viewer"}).status == 202
    assert [each["status"] for each in me("GET", path).body["members"]] == ["member", "invited"]
    token = token_in(mailed(aws, guest))

    response = ANYONE(
        "POST",
        "/api/v1/auth/register",
        {"email": guest, "password": PASSWORD, "full_name": "Guest", "invitation": token},
    )

    assert (response.status, response.body["verification_required"]) == (201, False)
    viewer = Client(log_in(guest).body["access_token"])
    assert viewer("GET", path).status == 200
    assert viewer("GET", "/api/v1/videos").status == 200
    assert viewer("POST", "/api/v1/channels", {"name": "Mine", "niche": "Insects"}).status == 403
    assert viewer("POST", path, {"email": "more@example.com"}).status == 403
    refresh = log_in(guest).body["refresh_token"]
    assert me("DELETE", f"{path}/{response.body['user_id']}").status == 204
    assert renew(refresh).status == 401
    assert error(viewer("GET", "/api/v1/videos")) == (401, "INVALID_TOKEN"), (
        "at once, not when the token expires"
    )
    assert me("DELETE", f"{path}/{pair['user']['id']}").status == 409


def test_a_removed_member_gets_their_own_organisation(me, members, guest):
    email, user_id = guest

    assert me("DELETE", f"{members}/{user_id}").status == 204

    response = log_in(email)
    assert (response.status, response.body["user"]["organisation_id"] != me.organisation_id) == (200, True)
    own = Client(response.body["access_token"])(
        "GET", f"/api/v1/organisations/{response.body['user']['organisation_id']}/members"
    ).body["members"]
    assert [(each["email"], each["is_owner"]) for each in own] == [(email, True)]


def test_a_member_cannot_be_invited_and_removal_ends_open_invitations(aws, tx, me, members, guest):
    email, user_id = guest
    assert error(me("POST", members, {"email": email})) == (409, "CONFLICT")
    token = "A" * 43
    email_tokens.add(
        tx,
        hashlib.sha256(token.encode()).hexdigest(),
        "invite",
        email,
        60,
        organisation_id=me.organisation_id,
        role="user",
    )

    me("DELETE", f"{members}/{user_id}")

    assert error(ANYONE("POST", "/api/v1/auth/verify", {"token": token})) == (400, "VALIDATION_ERROR")


def test_an_invitation_can_be_withdrawn(aws, me, members):
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    me("POST", members, {"email": email})

    assert me("DELETE", members, {"email": email}).status == 204

    assert [each["status"] for each in me("GET", members).body["members"]] == ["member"]
    body = {
        "email": email,
        "password": PASSWORD,
        "full_name": "Guest",
        "invitation": token_in(mailed(aws, email)),
    }
    assert error(ANYONE("POST", "/api/v1/auth/register", body)) == (400, "VALIDATION_ERROR")
    assert me("DELETE", members, {"email": email}).status == 404


def test_a_person_with_an_account_accepts_an_invitation(aws, tx, me, pair, email):
    other = f"{uuid.uuid4().hex[:12]}@example.com"
    ANYONE("POST", "/api/v1/auth/register", {"email": other, "password": PASSWORD, "full_name": "Other"})
    ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, other))})
    organisation_id = pair["user"]["organisation_id"]
    me("POST", f"/api/v1/organisations/{organisation_id}/members", {"email": other})

    assert ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, other))}).status == 200

    assert log_in(other).body["user"]["organisation_id"] != organisation_id
    assert log_in(other, organisation_id=organisation_id).body["user"]["organisation_id"] == organisation_id


def test_an_impostor_loses_access_when_the_owner_accepts_an_invitation(aws, me, pair):
    victim = f"{uuid.uuid4().hex[:12]}@example.com"
    ANYONE("POST", "/api/v1/auth/register", {"email": victim, "password": PASSWORD, "full_name": "Impostor"})
    refresh = log_in(victim).body["refresh_token"]
    organisation_id = pair["user"]["organisation_id"]
    me("POST", f"/api/v1/organisations/{organisation_id}/members", {"email": victim})

    assert ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(mailed(aws, victim))}).status == 200

    assert log_in(victim, organisation_id=organisation_id).status == 401
    assert renew(refresh).status == 401
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": victim})
    ANYONE("POST", "/api/v1/auth/password/reset", {"token": token_in(mailed(aws, victim)), "password": OTHER})
    assert log_in(victim, OTHER, organisation_id=organisation_id).status == 200


def test_a_reset_of_an_unconfirmed_account_removes_its_second_factor(aws, unconfirmed, email):
    impostor = Client(log_in(email).body["access_token"])
    secret = impostor("POST", "/api/v1/auth/mfa", {"password": PASSWORD}).body["secret"]
    impostor("POST", "/api/v1/auth/mfa/confirm", {"code": pyotp.TOTP(secret).now()})
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": email})

    ANYONE("POST", "/api/v1/auth/password/reset", {"token": token_in(mailed(aws, email)), "password": OTHER})

    assert log_in(email, OTHER).status == 200
    assert alive(impostor) == 401


def test_an_organisations_name_is_never_a_link_in_an_email(aws, me, pair):
    guest, organisation_id = f"{uuid.uuid4().hex[:12]}@example.com", pair["user"]["organisation_id"]
    me("PUT", f"/api/v1/organisations/{organisation_id}", {"name": "https://evil.example/"})

    me("POST", f"/api/v1/organisations/{organisation_id}/members", {"email": guest})

    assert 'href="https://evil' not in str(mailed(aws, guest))


def test_another_organisation_is_404(me, tx):
    path = f"/api/v1/organisations/{add_organisation(tx, 'Others')}"

    responses = [
        me("GET", path),
        me("PUT", path, {"name": "Mine"}),
        me("GET", f"{path}/members"),
        me("POST", f"{path}/members", {"email": "a@example.com"}),
    ]

    assert {each.status for each in responses} == {404}


def test_an_invitation_repeated_with_its_key_is_sent_once(aws, me, members):
    email = f"{uuid.uuid4().hex[:12]}@example.com"

    answers = [me("POST", members, {"email": email}, idempotency_key="invite-1") for _ in range(2)]

    assert [each.status for each in answers] == [202, 202]
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert len(emails_to(email)) == 1
    assert error(me("POST", members, {"email": f"x{email}"}, idempotency_key="invite-1"))[0] == 409
