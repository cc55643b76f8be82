"""GET /admin/keys and the three routes that start a rotation."""

import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from showrunner.access import passwords, sessions
from showrunner.admin import keys as admin_keys
from showrunner.aws import dynamodb, sdk, secret_uses, ssm
from showrunner.database import db
from showrunner.errors import Conflict
from showrunner.keys import executions, state
from showrunner.keys.inventory import BY_NAME, SECRETS
from showrunner.store.accounts import members, users
from showrunner.store.audit import audit_log
from tests.conftest import Client, add_organisation, forget_uses, in_threads

ROTATE = "/api/v1/admin/keys/openai/api_key/rotate"


@pytest.fixture(autouse=True)
def machine(tx, aws, monkeypatch):
    client = sdk.client("stepfunctions")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    made = client.create_state_machine(
        name=f"rotation-{uuid.uuid4()}",
        roleArn="arn:aws:iam::123456789012:role/machine",
        definition=definition,
    )
    monkeypatch.setenv("ROTATION_MACHINE_ARN", made["stateMachineArn"])
    forget_uses()
    before = ssm.current("openai/api_key")
    ssm.write("openai/api_key", "sk-current-1234")
    yield made["stateMachineArn"]
    for name in ("candidates/openai/api_key", "previous/openai/api_key"):
        ssm.remove(name)
    ssm.write("openai/api_key", before) if before else ssm.remove("openai/api_key")
    for name in ("openai/api_key", "auth/signing_key"):
        dynamodb.remove(f"key#{name}", "rotation")


@pytest.fixture
def client(tx, signing_key):
    """Return a function that makes a client of a new user, who is a platform admin if asked."""

    def make(*, admin):
        user_id = users.add(
            tx, f"{uuid.uuid4()}@example.com", passwords.digest("Correct-horse-7"), "Ada", None, None
        )
        organisation_id = add_organisation(tx)
        members.add(tx, organisation_id, user_id, "user")
        sql = "UPDATE accounts.users SET platform_admin = :admin, verified_at = now() WHERE id = :id"
        db.run(tx, sql, admin=admin, id=user_id)
        return Client(sessions.begin(tx, members.get(tx, user_id))["access_token"], organisation_id)

    return make


@pytest.fixture
def admin(client):
    return client(admin=True)


@pytest.fixture
def user(client):
    return client(admin=False)


def test_the_secrets_are_listed_without_a_value(admin):
    response = admin("GET", "/api/v1/admin/keys")

    assert response.status == 200
    keys = {each["name"]: each for each in response.body["keys"]}
    assert set(keys) == {secret.name for secret in SECRETS}
    assert keys["openai/api_key"] | {"version": 1} == {
        "name": "openai/api_key",
        "title": "OpenAI",
        "rotation": "assisted",
        "readers": ["keys", "script", "visuals"],
        "required": True,
        "configured": True,
        "source": "https://platform.openai.com/api-keys",
        "version": 1,
        "written_at": keys["openai/api_key"]["written_at"],
        "age_days": 0,
        "max_age_days": 365,
        "next_rotation_at": keys["openai/api_key"]["next_rotation_at"],
        "overdue": False,
        "has_previous": False,
        "previous_ends_at": None,
        "previous_used_by": [],
        "last_read_at": None,
        "last_read_by": None,
        "reads": [],
        "newest_rotation": None,
    }
    assert "sk-current" not in json.dumps(response.body)


def test_who_read_a_key_and_when_and_its_next_rotation_are_listed(admin):
    ssm.write("openai/api_key", "sk-newer-1234")
    ssm.write("previous/openai/api_key", "sk-current-1234")
    version, now = ssm.stored()["openai/api_key"].version, int(time.time())
    for reader, values in (
        ("script", {f"read_{version - 1}": now - 60, f"refused_{version - 1}": now - 30}),
        ("voice", {f"read_{version - 1}": now - 90, f"read_{version}": now}),
        ("visuals", {f"read_{version - 1}": now - 86_400}),
    ):
        dynamodb.put(secret_uses.KEY, f"openai/api_key#{reader}", values)

    keys = {each["name"]: each for each in admin("GET", "/api/v1/admin/keys").body["keys"]}

    shown = keys["openai/api_key"]
    assert (shown["last_read_by"], shown["last_read_at"]) == ("voice", moment(now))
    assert shown["reads"] == [
        {
            "reader": "script",
            "version": version - 1,
            "read_at": moment(now - 60),
            "refused_at": moment(now - 30),
        },
        {"reader": "visuals", "version": version - 1, "read_at": moment(now - 86_400), "refused_at": None},
        {"reader": "voice", "version": version, "read_at": moment(now), "refused_at": None},
    ]
    assert shown["previous_used_by"] == ["script"], "visuals has read nothing for a day: it keeps no version"
    written = datetime.fromisoformat(shown["written_at"])
    assert datetime.fromisoformat(shown["next_rotation_at"]) - written == timedelta(days=365)
    assert datetime.fromisoformat(shown["previous_ends_at"]) - written < timedelta(days=1, minutes=1)
    for reader in ("script", "voice", "visuals"):
        dynamodb.remove(secret_uses.KEY, f"openai/api_key#{reader}")


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_kinds_of_which_there_are_many_are_counted_by_age(admin, tx):
    many = {each["kind"]: each for each in admin("GET", "/api/v1/admin/keys").body["many"]}

    assert list(many) == [
        "ingestion_keys",
        "hub_secrets",
        "google_refresh_tokens",
        "tiktok_refresh_tokens",
        "instagram_tokens",
        "organisation_google_clients",
    ]
    assert many["hub_secrets"] | {"count": 0, "oldest_at": None, "overdue": 0} == {
        "kind": "hub_secrets",
        "title": "Secrets that the hub signs notifications with",
        "rotation": "automatic",
        "overlap_hours": 0.25,
        "max_age_days": 90,
        "count": 0,
        "oldest_at": None,
        "overdue": 0,
    }
    assert many["google_refresh_tokens"]["max_age_days"] is None
    assert many["google_refresh_tokens"]["rotation"] == "manual", "only its owner's consent makes a new one"
    assert many["tiktok_refresh_tokens"]["rotation"] == "automatic", "each renewal gives a new one"


def test_connected_accounts_of_artists_are_counted_by_platform(admin, tx):
    def counted():
        return {each["kind"]: each for each in admin("GET", "/api/v1/admin/keys").body["many"]}

    before = counted()
    organisation = add_organisation(tx)
    for number, (platform, state_, connected) in enumerate(
        (
            ("tiktok", "found", "now() - interval '3 days'"),
            ("tiktok", "disconnected", "now() - interval '9 days'"),
            ("tiktok", "found", "NULL"),
            ("instagram", "new", "now()"),
        )
    ):
        sql = "INSERT INTO metrics.artists (organisation_id, name) VALUES (:o, :name) RETURNING id"
        artist = db.value(tx, sql, o=organisation, name=f"Artist {number}")
        db.run(
            tx,
            f"""INSERT INTO metrics.accounts
                       (organisation_id, artist_id, platform, account_id, state, connected_at)
                VALUES (:o, :a, :platform, :account, :state, {connected})""",
            o=organisation,
            a=artist,
            platform=platform,
            account=f"account-{number}",
            state=state_,
        )
    after = counted()

    added = {kind: after[kind]["count"] - before[kind]["count"] for kind in after}
    assert added == {
        "ingestion_keys": 0,
        "hub_secrets": 0,
        "google_refresh_tokens": 0,
        "tiktok_refresh_tokens": 1,
        "instagram_tokens": 1,
        "organisation_google_clients": 0,
    }
    age = datetime.now(UTC) - datetime.fromisoformat(after["tiktok_refresh_tokens"]["oldest_at"])
    assert age >= timedelta(days=3)


def test_clients_of_organisations_are_counted_with_those_that_are_too_old(admin, tx, monkeypatch):
    name = f"organisations/{uuid.uuid4()}/google/client_secret"
    others = admin_keys._many(ssm.stored())[-1]["count"]
    ssm.write(name, "GOCSPX-of-an-organisation")
    try:
        for years, overdue in ((0, 0), (2, 1)):
            now = time.time()
            monkeypatch.setattr(admin_keys.time, "time", lambda: now + years * 366 * 86_400)  # noqa: B023
            shown = admin_keys._many(ssm.stored())[-1]
            assert (shown["kind"], shown["count"]) == ("organisation_google_clients", others + 1)
            assert shown["overdue"] == (others + 1) * overdue
            monkeypatch.undo()
    finally:
        ssm.remove(name)


# ------------------------------------------------------------------------------------------------ Failures


def failing(error):
    def fail(*_, **__):
        raise error

    return fail


def test_a_rotation_that_could_not_be_started_can_be_asked_for_again_at_once(admin, tx, monkeypatch):
    for patched, name in ((ssm.rpc, "call"), (admin_keys.audit, "record")):
        with monkeypatch.context() as patch:
            real = getattr(patched, name)

            def refused(*given, real=real, **named):
                if given[:2] == ("ssm", "PutParameter") or "key_rotate_requested" in given:
                    raise RuntimeError("no")
                return real(*given, **named)

            patch.setattr(patched, name, refused)
            assert admin("POST", ROTATE, {"value": "sk-first-1234"}).status == 500
        found = state.find("openai/api_key")
        assert (found["progress"], found["error"]) == ("failed", executions.NOT_STARTED)
    with monkeypatch.context() as patch:
        patch.setenv("ROTATION_MACHINE_ARN", "arn:aws:states:us-east-1:123456789012:stateMachine:gone")
        assert admin("POST", ROTATE, {"value": "sk-second-1234"}).status >= 500
    assert state.find("openai/api_key")["progress"] == "failed"
    assert ssm.current("openai/api_key") == "sk-current-1234"
    assert admin("POST", ROTATE, {"value": "sk-third-1234"}).status == 202


def test_after_a_lost_answer_the_rotation_may_run_so_nobody_starts_another(admin, monkeypatch):
    client = sdk.client("stepfunctions")
    monkeypatch.setattr(client, "start_execution", failing(TimeoutError("no answer")))
    monkeypatch.setattr(executions.sdk, "client", lambda service: client)

    assert admin("POST", ROTATE, {"value": "sk-first-1234"}).status == 500
    assert state.find("openai/api_key")["progress"] == "running"
    assert admin("POST", ROTATE, {"value": "sk-second-1234"}).body["error"]["code"] == "ROTATION_RUNNING"


def test_the_readers_that_a_revocation_made_fail_are_listed(admin):
    state.begin(BY_NAME["openai/api_key"], "revoke")
    state.settle("openai/api_key", "done", refused="script, voice")
    keys = {each["name"]: each for each in admin("GET", "/api/v1/admin/keys").body["keys"]}
    assert keys["openai/api_key"]["newest_rotation"]["refused_readers"] == ["script", "voice"]


def test_a_new_key_is_stored_where_nothing_reads_it_and_a_rotation_starts(admin, tx, machine):
    response = admin("POST", ROTATE, {"value": "sk-new-56789"})

    assert response.status == 202
    assert ssm.current("openai/api_key") == "sk-current-1234"
    assert ssm.current(state.candidate("openai/api_key")) == "sk-new-56789"
    (execution,) = sdk.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert execution["name"] == response.body["rotation_id"]
    described = sdk.client("stepfunctions").describe_execution(executionArn=execution["executionArn"])
    assert "sk-new" not in described["input"]
    rows = [row for row in audit_rows(tx) if row["action"] == "key_rotate_requested"]
    assert [row["thing_id"] for row in rows] == ["openai/api_key"]
    assert "sk-new" not in json.dumps(rows)

    assert admin("POST", ROTATE, {"value": "sk-other-56789"}).body["error"]["code"] == "ROTATION_RUNNING"
    (shown,) = [
        each for each in admin("GET", "/api/v1/admin/keys").body["keys"] if each["name"] == "openai/api_key"
    ]
    assert shown["newest_rotation"]["progress"] == "running"


def audit_rows(tx):
    from showrunner.database.pages import PageRequest

    return json.loads(audit_log.list_(tx, {}, PageRequest(20, None, None, None)).rows)


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        (ROTATE, {}, 400, "needs the new key"),
        (ROTATE, {"value": "sk-a-key\nwith a break"}, 400, "paste it again"),
        (ROTATE, {"value": "x" * 4097}, 400, "4096"),
        (ROTATE, {"value": "sk-with-an-é-in-it"}, 400, "paste it again"),
        (ROTATE, {"value": "short"}, 400, "8"),
        (ROTATE, {"value": ["sk-a-list-of-one"]}, 400, "value"),
        ("/api/v1/admin/keys/candidates/openai/rotate", {"value": "12345678"}, 404, "no such secret"),
        ("/api/v1/admin/keys/..%2Fprod/api_key/rotate", {"value": "12345678"}, 404, ""),
        ("/api/v1/admin/keys/auth/signing_key/rotate", {"value": "12345678"}, 400, "makes its own"),
        ("/api/v1/admin/keys/database/owner_password/rotate", {}, 409, "KeysOverdue.md"),
        ("/api/v1/admin/keys/appsync/api_key/rotate", {}, 409, "AppSyncApiId"),
        ("/api/v1/admin/keys/openai/other/rotate", {}, 404, "no such secret"),
        ("/api/v1/admin/keys/openai/api_key/rollback", None, 409, "no version before"),
        ("/api/v1/admin/keys/openai/api_key/revoke", None, 409, "no version before"),
    ],
)
def test_what_cannot_be_rotated_is_refused_with_the_reason(admin, path, body, status, words):
    response = admin("POST", path, body)
    assert (response.status, words in json.dumps(response.body)) == (status, True), response.body


def test_an_appsync_key_waits_until_no_cache_holds_the_one_that_a_rotation_would_delete(admin, monkeypatch):
    monkeypatch.setenv("APPSYNC_API_ID", "an-api")
    path, before = "/api/v1/admin/keys/appsync/api_key/rotate", state.previous("appsync/api_key")
    ssm.write(before, "da2-before-1234")
    try:
        response = admin("POST", path, {})
        assert (response.status, response.body["error"]["code"]) == (409, "ROTATED_JUST_NOW")
    finally:
        ssm.remove(before)
    assert admin("POST", path, {}).status == 202
    dynamodb.remove("key#appsync/api_key", "rotation")


@pytest.mark.parametrize("kind", ["rollback", "revoke"])
def test_the_version_before_is_returned_to_or_ended(admin, machine, kind):
    ssm.write(state.previous("openai/api_key"), "sk-before-1234")
    response = admin("POST", f"/api/v1/admin/keys/openai/api_key/{kind}")
    assert (response.status, response.body["kind"]) == (202, kind)
    (execution,) = sdk.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    described = sdk.client("stepfunctions").describe_execution(executionArn=execution["executionArn"])
    assert json.loads(described["input"])["step"] == ("create" if kind == "rollback" else "revoke")


def test_only_platform_admins_see_and_replace_keys(user):
    assert user("GET", "/api/v1/admin/keys").status == 403
    assert user("POST", ROTATE, {"value": "sk-new-56789"}).status == 403
    assert Client()("GET", "/api/v1/admin/keys").status == 401


@pytest.mark.parametrize("running", ["rotate", "rollback", "revoke"])
@pytest.mark.parametrize("asked", ["rotate", "rollback", "revoke"])
def test_nothing_else_begins_while_a_key_is_being_replaced(admin, running, asked):
    ssm.write(state.previous("openai/api_key"), "sk-before-1234")
    state.begin(BY_NAME["openai/api_key"], running)
    body = {"value": "sk-other-56789"} if asked == "rotate" else None
    response = admin("POST", f"/api/v1/admin/keys/openai/api_key/{asked}", body)

    assert (response.status, response.body["error"]["code"]) == (409, "ROTATION_RUNNING")
    assert ssm.current(state.candidate("openai/api_key")) is None


def test_of_two_rotations_that_are_asked_for_at_once_one_begins(aws):
    secret = BY_NAME["openai/api_key"]
    found = in_threads(8, lambda number: state.begin(secret, "rotate"))

    assert sum(isinstance(each, str) for each in found) == 1
    assert sum(isinstance(each, Conflict) for each in found) == 7
