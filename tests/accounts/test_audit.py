"""web/audit.py: the audit log has what was refused, too, and nothing that opens an account."""

import pyotp
import pytest

from showrunner.database import db
from tests.accounts.calls import ANYONE, OTHER, PASSWORD, log_in, mailed, make_admin, token_in
from tests.conftest import Client


@pytest.fixture(autouse=True)
def before(tx, monkeypatch):
    """Remember the newest event: other tests commit theirs, and nothing can delete them."""
    newest = db.value(tx, "SELECT coalesce(max(id), 0) FROM audit.events")
    monkeypatch.setitem(NEWEST, "id", newest)


NEWEST = {"id": 0}


def events(tx, **wanted):
    rows = db.rows(tx, "SELECT * FROM audit.events WHERE id > :newest ORDER BY id", newest=NEWEST["id"])
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def outcomes(tx, action):
    return [(row["thing_id"], row["outcome"], row["reason"]) for row in events(tx, action=action)]


def test_logins_are_recorded_with_their_outcome(tx, user, email):
    log_in(email, OTHER)
    log_in("nobody@example.com")
    log_in(email)

    assert outcomes(tx, "login") == [
        (user["user_id"], "failed", "INVALID_CREDENTIALS"),
        ("unknown", "failed", "INVALID_CREDENTIALS"),
        (user["user_id"], "success", None),
    ]
    assert {row["subject"] for row in events(tx, action="login", outcome="failed")} == {"anybody"}


def test_a_locked_and_a_suspended_login_are_recorded(tx, user, email):
    db.run(tx, "UPDATE accounts.users SET suspended_at = now() WHERE email = :email", email=email)
    log_in(email)
    for _ in range(6):
        log_in(email, OTHER, address="203.0.113.9")

    reasons = [reason for _, _, reason in outcomes(tx, "login")]
    assert reasons == ["SUSPENDED", *["INVALID_CREDENTIALS"] * 4, *["ACCOUNT_LOCKED"] * 2]


def test_a_wrong_second_factor_is_recorded_and_a_missing_one_is_not(tx, me, factor, email):
    log_in(email)
    log_in(email, mfa_code="000000")

    assert [each for each in outcomes(tx, "login") if each[1] == "failed"] == [
        (events(tx, action="mfa_confirmed")[0]["thing_id"], "failed", "INVALID_CREDENTIALS")
    ]


def test_a_wrong_code_when_a_second_factor_is_added_is_recorded(tx, me):
    secret = me("POST", "/api/v1/auth/mfa", {"password": PASSWORD}).body["secret"]
    wrong = "000000" if pyotp.TOTP(secret).now() != "000000" else "111111"

    me("POST", "/api/v1/auth/mfa/confirm", {"code": wrong})

    assert [each[1:] for each in outcomes(tx, "mfa_confirmed")] == [("failed", "VALIDATION_ERROR")]


def test_a_wrong_password_before_a_change_is_recorded(tx, me):
    me("DELETE", "/api/v1/users/me", {"password": OTHER})

    assert [each[1:] for each in outcomes(tx, "confirm_password")] == [("failed", "VALIDATION_ERROR")]


def test_a_denied_permission_is_recorded_with_route_and_caller(tx, me, user):
    assert me("GET", "/api/v1/admin/users").status == 403

    (event,) = events(tx, outcome="denied")
    assert (event["action"], event["thing"], event["thing_id"]) == ("get", "route", "GET /api/v1/admin/users")
    assert (event["subject"], event["reason"]) == (user["user_id"], "INSUFFICIENT_PERMISSIONS")


def test_admins_reading_personal_data_is_recorded_and_outcomes_can_be_listed(tx, me, email):
    log_in(email, OTHER)
    admin = make_admin(tx, email)
    admin("GET", "/api/v1/admin/users?email=ada")

    listed = admin("GET", "/api/v1/admin/audit?outcome=failed").body["events"]

    assert (listed[0]["action"], listed[0]["reason"]) == ("login", "INVALID_CREDENTIALS")
    assert {each["outcome"] for each in listed} == {"failed"}
    reads = [(row["thing"], row["change"]) for row in events(tx, action="read")]
    assert reads == [("user", {"filtered": True}), ("audit", {"filters": ["outcome"]})]


def test_created_and_removed_keys_and_tokens_are_recorded(tx, me, user):
    made = {}
    for kind, route in (("api_key", "api-keys"), ("service_token", "service-tokens")):
        created = me("POST", f"/api/v1/auth/{route}", {"name": "robot", "scopes": ["videos:read"]})
        made[kind] = created.body[kind]["id"]
        assert me("DELETE", f"/api/v1/auth/{route}/{made[kind]}").status == 204

    found = [
        (row["action"], row["thing"], row["thing_id"], row["outcome"], row["subject"])
        for row in events(tx)
        if row["thing"] in made
    ]
    assert found == [
        ("add", "api_key", made["api_key"], "success", user["user_id"]),
        ("remove", "api_key", made["api_key"], "success", user["user_id"]),
        ("add", "service_token", made["service_token"], "success", user["user_id"]),
        ("revoke", "service_token", made["service_token"], "success", user["user_id"]),
    ]


def test_nothing_in_the_audit_log_can_be_used_to_log_in(aws, tx, me, email, members):
    key = me("POST", "/api/v1/auth/api-keys", {"name": "k", "scopes": ["videos:read"]}).body["key"]
    token = me("POST", "/api/v1/auth/service-tokens", {"name": "s", "scopes": ["videos:read"]}).body["token"]
    me("POST", members, {"email": "guest@example.com"})
    invitation = token_in(mailed(aws, "guest@example.com"))
    ANYONE("POST", "/api/v1/auth/password/forgot", {"email": email})
    reset = token_in(mailed(aws, email))
    secret = me("POST", "/api/v1/auth/mfa", {"password": PASSWORD}).body["secret"]
    code = pyotp.TOTP(secret).now()
    codes = me("POST", "/api/v1/auth/mfa/confirm", {"code": code}).body["recovery_codes"]
    pair = log_in(email, mfa_code=codes[0]).body
    log_in(email, OTHER)

    text = str(db.rows(tx, "SELECT * FROM audit.events"))

    secrets = [key, token, invitation, reset, secret, *codes, pair["refresh_token"], pair["access_token"]]
    assert [each for each in [*secrets, PASSWORD, OTHER, email] if each in text] == []
    assert Client(key)("GET", "/api/v1/videos").status == 200
    assert len(events(tx)) > 8


@pytest.mark.parametrize("month", ["-2", "0", "2"])
def test_events_are_in_the_partition_of_their_month(tx, month):
    row = db.one(
        tx,
        """
        INSERT INTO audit.events (subject, action, thing, thing_id, request_id, at)
        VALUES ('s', 'a', 't', 't', 'r', now() + make_interval(months => :month))
        RETURNING tableoid::regclass::text AS place, to_char(at, '"audit.events_"YYYY_MM') AS expected
        """,
        month=int(month),
    )

    assert row["place"] == ("audit.events_default" if month == "-2" else row["expected"])


def test_refused_refreshes_are_recorded_and_a_reused_token_by_its_own_reason(tx, user, email):
    stolen = log_in(email).body["refresh_token"]

    def refresh(token: str):
        return ANYONE("POST", "/api/v1/auth/refresh", {"refresh_token": token})

    following = refresh(stolen).body["refresh_token"]
    db.run(
        tx,
        "UPDATE access.refresh_tokens SET spent_at = spent_at - interval '1 minute'"
        " WHERE spent_at IS NOT NULL",
    )

    refused = [refresh(each) for each in (stolen, following, "0f9619ff-8b86-4d01-b42d-00cf4fc964ff")]

    assert {(each.status, each.body["error"]["code"]) for each in refused} == {(401, "INVALID_TOKEN")}
    assert len({each.body["error"]["message"] for each in refused}) == 1, "a thief learns nothing"
    assert outcomes(tx, "refresh") == [
        (user["user_id"], "failed", "TOKEN_REUSED"),
        (user["user_id"], "failed", "INVALID_TOKEN"),
        ("unknown", "failed", "INVALID_TOKEN"),
    ]
    assert {row["subject"] for row in events(tx, action="refresh")} == {"anybody"}
    assert not any(token in str(events(tx)) for token in (stolen, following))
