"""The functions' login to the database: two roles take turns, on a real server."""

import threading

import pytest
from pg8000.native import DatabaseError

from functions.migrate import app as migrate
from showrunner.aws import dynamodb, ssm
from showrunner.database import db, logins
from showrunner.errors import CredentialRejected, InvalidRequest
from showrunner.keys import state
from showrunner.keys.inventory import DATABASE
from showrunner.store import roles
from tests.conftest import put_secrets
from tests.keys import killing


@pytest.fixture
def first(postgres):
    """Return the login of a new stage, and bring it back afterwards."""
    yield postgres.secrets[DATABASE]
    for name in (state.candidate(DATABASE), state.previous(DATABASE)):
        ssm.remove(name)
    dynamodb.remove(state.primary_key(DATABASE), "rotation")
    put_secrets(postgres.secrets)
    migrate.handler({}, None)
    migrate.handler({"command": "end_logins", "outcome": "done"}, None)
    db.close()


def can_log_in(secret):
    try:
        db.connect(role=logins.read(secret)).close()
    except DatabaseError:
        return False
    return True


def test_the_roles_take_turns_and_the_login_before_stays_valid(first):
    own, second = logins.roles()
    assert killing.rotate(DATABASE) == ("done", 0)
    assert logins.read(ssm.current(DATABASE))[0] == second
    assert can_log_in(first)
    assert can_log_in(ssm.current(DATABASE))
    with db.transaction() as tx:
        assert db.value(tx, "SELECT count(*) >= 0 FROM studio.videos") is True

    assert killing.rotate(DATABASE, "rollback") == ("done", 0)
    assert ssm.current(DATABASE) == first
    assert can_log_in(first)
    assert killing.rotate(DATABASE, "revoke") == ("done", 0)
    assert not ssm.current(state.previous(DATABASE))
    with pytest.raises(DatabaseError, match=r"not permitted to log in|password authentication"):
        db.connect(role=(second, "any"))
    assert own == logins.read(ssm.current(DATABASE))[0]


def test_callers_with_a_cached_login_never_fail(first, monkeypatch):
    """They cache for the whole test, longer than any cache: each rotation but the last would end them."""
    failures, stop = [], threading.Event()
    monkeypatch.setattr(ssm, "SECRET_SECONDS", 3600)

    def call():
        while not stop.is_set():
            try:
                with db.transaction() as tx:
                    db.value(tx, "SELECT 1")
            except Exception as error:  # noqa: BLE001 - any failure counts
                failures.append(error)
            finally:
                db.close()

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    try:
        for kind in ("rotate", "rotate", "rollback", "rotate", "revoke"):
            assert killing.rotate(DATABASE, kind) == ("done", 0)
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    assert failures == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_rotation_leaves_a_valid_login_and_none_too_many(first, moment):
    places = 0
    with killing.killer() as killer:
        for place in range(1, 60, 3):  # `make bench-keys` tries each
            outcome, killed = killing.rotate(DATABASE, arm=lambda place=place: killer.arm(place, moment))
            killer.arm(0, moment)
            if not killed:
                break
            places += 1
            assert outcome == "done"
            assert can_log_in(ssm.current(DATABASE))
            assert ssm.current(state.candidate(DATABASE)) is None
    assert places >= 5


def test_a_failed_rotation_ends_the_login_that_it_admitted(first):
    ssm.write(state.candidate(DATABASE), logins.written(logins.roles()[1], "a-new-password"))
    assert migrate.handler({"command": "admit_login", "step": "finish"}, None) == {
        "do": "work",
        "step": "finish",
    }
    assert can_log_in(ssm.current(state.candidate(DATABASE)))
    answer = killing.invoke(DATABASE, "rotate", {"do": "work", "step": "undo"}, "")
    assert answer == {"do": "database", "command": "end_logins", "outcome": "failed"}
    assert killing.invoke(DATABASE, "rotate", answer, "") == {"do": "record", "outcome": "failed"}
    assert not can_log_in(logins.written(logins.roles()[1], "a-new-password"))
    assert can_log_in(first)


def test_only_the_functions_roles_can_be_admitted(first, monkeypatch):
    ssm.write(state.candidate(DATABASE), logins.written("showrunner", "a-new-password"))
    with pytest.raises(InvalidRequest, match="is not a role of the functions"):
        migrate.handler({"command": "admit_login", "step": "finish"}, None)
    ssm.write(state.candidate(DATABASE), logins.written(logins.roles()[1], "a-new-password"))
    monkeypatch.setattr(roles, "verifier", lambda password, salt: migrate.checksum(password))
    with pytest.raises(CredentialRejected, match="the old one stays in use"):
        migrate.handler({"command": "admit_login", "step": "finish"}, None)


def test_a_login_that_was_replaced_in_the_cache_is_read_once_more(first):
    ssm.secret(DATABASE)
    killing.rotate(DATABASE)
    killing.rotate(DATABASE, "revoke")
    ssm._secrets[DATABASE] = (ssm.time.monotonic(), first)
    db.close()
    with db.transaction() as tx:
        assert db.value(tx, "SELECT current_user = :role", role=logins.roles()[1]) is True
    db.close()


def test_the_samples_are_the_machines_events(first, event):
    ssm.write(state.candidate(DATABASE), logins.written(logins.roles()[1], "a-new-password"))
    assert migrate.handler(event("migrate.admit_login"), None)["do"] == "work"
    assert migrate.handler(event("migrate.end_logins"), None)["outcome"] == "failed"
