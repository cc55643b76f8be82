"""Registration: confirming the email address, password rules and limits."""

import uuid

import pytest

from showrunner.access import passwords
from tests.accounts.calls import ANYONE, PASSWORD, error, fields, log_in, mailed, token_in
from tests.conftest import Client


def test_a_person_registers_confirms_the_address_and_logs_in(aws, email):
    response = ANYONE(
        "POST",
        "/api/v1/auth/register",
        {"email": email.upper(), "password": PASSWORD, "full_name": "Ada", "company": "Bees Ltd"},
    )

    assert (response.status, response.body["email"], response.body["verification_required"]) == (
        201,
        email,
        True,
    )
    token = token_in(mailed(aws, email))
    assert ANYONE("POST", "/api/v1/auth/verify", {"token": token}).status == 200
    assert error(ANYONE("POST", "/api/v1/auth/verify", {"token": token})) == (400, "VALIDATION_ERROR")
    pair = log_in(email).body
    profile = Client(pair["access_token"])("GET", "/api/v1/users/me").body["user"]
    assert (profile["verified"], profile["company"], profile["full_name"]) == (True, "Bees Ltd", "Ada")


def test_an_unconfirmed_person_cannot_order_upload_or_invite(aws, unconfirmed, email):
    pair = log_in(email).body
    somebody = Client(pair["access_token"])
    channel_id = somebody("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"][
        "id"
    ]
    video = f"/api/v1/videos/{uuid.uuid4()}"
    asset = {"kind": "image", "content_type": "image/png", "bytes": 1, "sha256": "0" * 64}
    calls = [
        ("/api/v1/videos/generate", {"channel_id": channel_id, "topic": "Bees"}),
        ("/api/v1/videos/generate/batch", {"videos": [{"channel_id": channel_id, "topic": "Bees"}]}),
        (f"{video}/retry", None),
        ("/api/v1/assets", asset),
        (f"/api/v1/organisations/{pair['user']['organisation_id']}/members", {"email": "guest@example.com"}),
        ("/api/v1/auth/api-keys", {"name": "Feed", "scopes": ["videos:read"]}),
        ("/api/v1/auth/service-tokens", {"name": "robot", "scopes": ["videos:read"]}),
    ]

    responses = [somebody("POST", path, body) for path, body in calls]

    assert {error(each) for each in responses} == {(403, "EMAIL_NOT_VERIFIED")}
    assert "Confirm your email address" in responses[0].body["error"]["message"]
    message = mailed(aws, email)
    ANYONE("POST", "/api/v1/auth/verify", {"token": token_in(message)})
    assert [somebody("POST", path, body).status for path, body in calls] == [
        202,
        202,
        404,
        201,
        202,
        201,
        201,
    ], "with the same token"


def test_a_registered_address_cannot_be_registered_again(user, email):
    response = ANYONE(
        "POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Eve"}
    )

    assert error(response) == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("Short-1a", "at least 12"),
        ("no-upper-case-7-here", "an upper-case letter"),
        ("NO-LOWER-CASE-7-HERE", "a lower-case letter"),
        ("No-Digit-In-This-One", "a digit"),
        ("NoSymbolInThis7One", "a symbol"),
        ("Aa1-" + "é" * 35, "74 bytes"),
        ("Password12345!", "too easy"),
        ("P@ssw0rdP@ssw0rd1", "too easy"),
        ("Qwertyuiop123!", "too easy"),
        ("Ada.test2026!!", "too easy"),
    ],
)
def test_the_error_of_a_weak_password_says_what_is_missing(email, password, words):
    response = ANYONE(
        "POST", "/api/v1/auth/register", {"email": email, "password": password, "full_name": "Ada.Test"}
    )

    assert (response.status, fields(response)) == (400, ["password"])
    assert words in response.body["error"]["message"]


def test_the_list_of_common_passwords_is_complete():
    assert len(passwords.common()) > 10_000
    assert {"password", "123456", "qwertyuiop"} <= passwords.common()


def test_every_byte_of_a_72_byte_password_counts(email):
    password = "Aa1-" + "é" * 34
    assert len(password.encode()) == 72
    assert (
        ANYONE(
            "POST", "/api/v1/auth/register", {"email": email, "password": password, "full_name": "Ada"}
        ).status
        == 201
    )
    assert log_in(email, password[:-1] + "e").status == 401
    assert log_in(email, password).status == 200


def test_one_network_address_may_register_five_times_an_hour(tx, signing_key):
    client = Client(address="198.51.100.7")
    statuses = [
        client(
            "POST",
            "/api/v1/auth/register",
            {"email": f"r{n}@example.org", "password": PASSWORD, "full_name": "Ada"},
        ).status
        for n in range(6)
    ]

    assert statuses == [201] * 5 + [429]


def test_a_registration_that_is_not_valid_does_not_count(tx, signing_key, email):
    client = Client(address="198.51.100.8")
    bodies = [
        {"email": email, "password": "short", "full_name": "Ada"},
        {"email": "nobody", "password": PASSWORD, "full_name": "Ada"},
        {"email": email},
    ]
    refused = [client("POST", "/api/v1/auth/register", body).status for body in bodies * 3]

    assert refused == [400] * 9
    good = {"email": email, "password": PASSWORD, "full_name": "Ada"}
    assert client("POST", "/api/v1/auth/register", good).status == 201


def test_the_lock_of_an_account_says_how_long_it_lasts(tx, user, email):
    responses = [log_in(email, "Wrong-horse-7-battery") for _ in range(6)]

    assert "locked for 15 more minutes" in responses[-1].body["error"]["message"]
    assert int(responses[-1].headers["retry-after"]) in range(890, 901)
