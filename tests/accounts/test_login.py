"""Login with a password: locks, known places and devices, constant time, and the cost of hashes."""

import statistics
import time
import uuid
from collections import Counter

import pytest

from showrunner.access import passwords, tokens
from showrunner.database import db
from showrunner.store.accounts import second_factors, users
from tests.accounts.calls import ANYONE, OTHER, PASSWORD, error, log_in
from tests.conftest import Client, in_threads


def test_a_login_returns_tokens_and_the_profile(pair, email, user):
    identity = tokens.verify(pair["access_token"])

    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 3600)
    assert pair["user"]["email"] == email
    assert (identity.subject, identity.role, identity.is_admin) == (user["user_id"], "user", False)
    assert uuid.UUID(pair["refresh_token"])


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(user, email):
    wrong, unknown = log_in(email, OTHER), log_in("nobody@example.com", OTHER)

    assert error(wrong) == error(unknown) == (401, "INVALID_CREDENTIALS")
    assert wrong.body["error"]["message"] == unknown.body["error"]["message"]


def test_an_unknown_address_takes_as_long_as_a_wrong_password(tx, user, email, monkeypatch):
    """Compare the CPU time of whole calls, which a busy machine does not change.

    Both kinds alternate; the median ratio counts.
    """
    monkeypatch.setenv("BCRYPT_COST", "9")
    monkeypatch.setenv("RATE_LIMIT_FACTOR", "100000")
    db.run(
        tx,
        "UPDATE accounts.users SET password_hash = :hash WHERE email = :email",
        hash=passwords.digest(PASSWORD),
        email=email,
    )

    def seconds(address):
        db.run(tx, "DELETE FROM access.login_attempts")
        begun = time.thread_time()
        assert log_in(address, OTHER).status == 401
        return time.thread_time() - begun

    pairs = [(seconds(email), seconds(f"{uuid.uuid4().hex[:12]}@example.com")) for _ in range(31)]

    assert statistics.median(known / unknown for known, unknown in pairs[1:]) == pytest.approx(1, abs=0.05)
    assert pairs[0][1] < 1.5 * statistics.median(unknown for _, unknown in pairs), (
        "the first login of a new process takes no longer either"
    )


def test_no_password_matches_the_hash_for_unknown_addresses(monkeypatch):
    assert not any(passwords.matches(password, None) for password in (PASSWORD, "", "-", "x" * 100, "nul\0"))
    assert len(passwords._NOBODYS) == 53


def test_five_wrong_logins_lock_known_and_unknown_addresses(user, email):
    for address in (email, "nobody-at-all@example.com"):
        responses = [log_in(address, OTHER, address=f"203.0.113.{n}") for n in range(6)]
        assert [each.status for each in responses] == [401] * 5 + [429]
        assert responses[5].body["error"]["code"] == "ACCOUNT_LOCKED"
        assert 0 < int(responses[5].headers["retry-after"]) <= 900
    assert log_in(email, address="203.0.113.9").status == 429, (
        "the right password from an unknown network is locked too"
    )


def test_wrong_logins_from_elsewhere_do_not_lock_a_known_network(pair, email):
    for n in range(7):
        log_in(email, OTHER, address=f"203.0.113.{n}")

    assert log_in(email, address="203.0.113.200").status == 429
    assert log_in(email).status == 200, "from the network of the first login"


def test_a_known_device_is_not_locked_in_a_new_network(user, email):
    device = {"x_device_id": "d" * 32}
    assert log_in(email, headers=device).status == 200
    for n in range(6):
        log_in(email, OTHER, address=f"203.0.113.{n}")

    assert log_in(email, address="203.0.113.250", headers=device).status == 200


@pytest.mark.parametrize("attempts", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_wrong_logins_on_one_account_cost_ten_hashes(raised_limits, signing_key, aws, hashes, attempts):
    """Four attackers at a time, each attempt in its own transaction.

    They use unknown networks, the owner's network, the owner's device id and others, and upper case.
    """
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    Client(address="198.51.100.98")(
        "POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "full_name": "Ada"}
    )
    assert log_in(email, headers={"x_device_id": "d" * 32}).status == 200
    hashes.clear()

    def attack(worker):
        statuses = Counter()
        for n in range(worker, attempts, 4):
            address = ("192.0.2.1", f"203.0.113.{n % 250}", f"2001:db8:{n % (attempts // 2):x}::1")[n % 3]
            headers = {"x_device_id": "d" * 32 if n % 7 == 0 else f"{n:032d}"} if n % 2 else {}
            statuses[
                log_in(email if n % 5 else email.upper(), OTHER, address=address, headers=headers).status
            ] += 1
        return statuses

    statuses = sum(in_threads(4, attack), Counter())

    assert len(hashes) == 10, "five from the owner's networks and devices, five from all others"
    assert statuses == {401: 10, 429: attempts - 10}


def test_a_reset_with_an_invalid_token_computes_no_hash(tx, signing_key, hashes):
    assert ANYONE("POST", "/api/v1/auth/password/reset", {"token": "A" * 43, "password": OTHER}).status == 400
    assert hashes == []


def test_concurrent_wrong_logins_compute_five_hashes(postgres, signing_key, monkeypatch):
    hashes = []
    monkeypatch.setattr(passwords, "matches", lambda *_: hashes.append(1) and False)
    statuses = in_threads(12, lambda n: log_in("crowd@example.com", OTHER, address=f"203.0.113.{n}").status)

    assert sorted(statuses) == [401] * 5 + [429] * 7
    assert len(hashes) == 5


def test_a_lock_ends_after_15_minutes_and_a_right_login_clears_the_count(tx, user, email):
    for n in range(4):
        log_in(email, OTHER, address=f"203.0.113.{n}")
    assert log_in(email, address="203.0.113.9").status == 200
    for n in range(10, 15):
        assert log_in(email, OTHER, address=f"203.0.113.{n}").status == 401
    assert log_in(email, address="203.0.113.20").status == 429
    db.run(tx, "UPDATE access.login_attempts SET last_at = last_at - interval '901 seconds'")

    assert log_in(email, address="203.0.113.20").status == 200


def test_a_hash_of_another_cost_is_replaced_at_the_next_login(tx, user, email, monkeypatch):
    def cost():
        return db.value(
            tx,
            "SELECT split_part(password_hash, '$', 3) FROM accounts.users WHERE email = :email",
            email=email,
        )

    assert cost() == "04"
    monkeypatch.setenv("BCRYPT_COST", "5")
    assert log_in(email).status == 200
    assert cost() == "05"
    assert log_in(email).status == 200


def test_the_default_bcrypt_cost_is_12(monkeypatch):
    monkeypatch.delenv("BCRYPT_COST")
    assert passwords.digest("x").startswith("$2b$12$")


def test_a_login_during_a_password_reset_fails_and_keeps_the_new_password(tx, monkeypatch, user, email):
    was_right = passwords.matches

    def slowly(password, hashed):
        right = was_right(password, hashed)
        if hashed and password == PASSWORD:
            users.save_password(tx, user["user_id"], passwords.digest(OTHER))
        return right

    monkeypatch.setattr(passwords, "matches", slowly)
    monkeypatch.setattr(passwords, "is_outdated", lambda _: True)
    response = log_in(email)
    monkeypatch.setattr(passwords, "matches", was_right)

    assert error(response) == (401, "INVALID_CREDENTIALS")
    assert (log_in(email).status, log_in(email, OTHER).status) == (401, 200)


def test_a_login_during_second_factor_enrolment_fails(tx, monkeypatch, user, email):
    was_right = passwords.matches

    def slowly(password, hashed):
        second_factors.save(tx, user["user_id"], "sealed", confirmed=True, codes=[])
        return was_right(password, hashed)

    monkeypatch.setattr(passwords, "matches", slowly)

    assert error(log_in(email)) == (401, "INVALID_CREDENTIALS")
