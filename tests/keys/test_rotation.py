"""Rotation of secrets against SSM and DynamoDB on moto, and against services on loopback."""

import base64
import json
import time

import pytest
from werkzeug import Response

from functions.keys import app
from showrunner.access import tokens
from showrunner.aws import dynamodb, rpc, sdk, secret_uses, ssm
from showrunner.errors import Conflict, CredentialRejected, InvalidRequest, PlatformUnavailable
from showrunner.keys import ages, overdue, readers, signing, state, trials
from showrunner.keys.inventory import APPSYNC, BY_NAME, DATABASE, JWKS, SECRETS, SIGNING_KEY
from tests.conftest import forget_uses
from tests.contract import template
from tests.contract.code import ROOT
from tests.keys import killing
from tests.keys.killing import Killed

KEY = BY_NAME["openai/api_key"]
SIGNING = BY_NAME[SIGNING_KEY]


@pytest.fixture(autouse=True)
def clean(aws):
    """Give each test the same two secrets and no rotation."""
    before = {name: ssm.current(name) for name in (KEY.name, SIGNING.name, JWKS)}
    first = tokens.new_key()
    ssm.write(SIGNING.name, json.dumps(first))
    ssm.write(JWKS, json.dumps(tokens.jwk_set(first)))
    ssm.write(KEY.name, "old-key")
    yield first
    for secret in (KEY, SIGNING):
        dynamodb.remove(f"key#{secret.name}", "rotation")
        dynamodb.remove(f"key#{secret.name}", "retired")
        for name in (state.candidate(secret.name), state.previous(secret.name)):
            ssm.remove(name)
    for name, value in before.items():
        ssm.write(name, value) if value else ssm.remove(name)
    ssm.forget()


@pytest.fixture
def openai(httpserver, monkeypatch):
    """Serve a list of models to whoever has the key `new-key`, from its `usable_after`th request on."""
    state = {"usable_after": 0, "asked": 0, "status": 401}

    def models(request):
        state["asked"] += 1
        known = request.headers.get("Authorization") in ("Bearer new-key", "Bearer old-key")
        return Response(status=200 if known and state["asked"] > state["usable_after"] else state["status"])

    httpserver.expect_request("/v1/models").respond_with_handler(models)
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    return state


def step(name, kind, step, **more):
    return app.handler({"name": name, "kind": kind, "step": step, **more}, None)


def rotate(name, kind="rotate"):
    """Run a rotation as the machine does, without its waits, and return its last answer."""
    answer = {"do": "work", "step": "create"}
    while answer["do"] != "record":
        answer = step(name, kind, answer["step"])
    return answer


def test_an_uploaded_key_is_tested_and_then_switched_to(openai):
    state.begin(KEY, "rotate")
    ssm.write(state.candidate(KEY.name), "new-key")

    assert rotate(KEY.name) == {"do": "record", "outcome": "done"}
    assert openai["asked"] == 1
    assert ssm.current(KEY.name) == "new-key"
    assert ssm.current(state.previous(KEY.name)) == "old-key"
    assert ssm.current(state.candidate(KEY.name)) is None
    assert state.find(KEY.name)["progress"] == "done"


def test_a_key_that_the_service_refuses_is_never_used(openai):
    state.begin(KEY, "rotate")
    ssm.write(state.candidate(KEY.name), "wrong-key")
    step(KEY.name, "rotate", "create")

    with pytest.raises(CredentialRejected, match="the old one stays in use"):
        step(KEY.name, "rotate", "test")
    assert step(KEY.name, "rotate", "undo", error="CredentialRejected")["outcome"] == "failed"
    assert ssm.current(KEY.name) == "old-key"
    assert ssm.current(state.candidate(KEY.name)) is None
    found = state.find(KEY.name)
    assert (found["progress"], found["error"]) == ("failed", "CredentialRejected")


def test_the_samples_of_the_steps_are_the_machines_events(event, openai):
    forget_uses()
    ssm.write(state.candidate(KEY.name), "new-key")
    assert app.handler(event("keys.create"), None) == {"do": "work", "step": "publish"}
    assert app.handler(event("keys.undo"), None) == {"do": "record", "outcome": "failed"}
    assert state.find(KEY.name)["error"] == "CredentialRejected"
    assert app.handler(event("keys.report"), None) == {"do": "record", "outcome": "done", "refused": ""}


def test_a_client_secret_of_google_is_tried_without_anybodys_permission(platforms):
    trials.try_key("google/client_secret", platforms.sign_ins.client_secret)
    with pytest.raises(CredentialRejected, match="refuses our client"):
        trials.try_key("google/client_secret", "another-secret")


@pytest.fixture
def services(httpserver, monkeypatch):
    """Answer like Spotify's token endpoint, Airtable and Stripe. The client's id is `app`.

    `new-key` is valid everywhere; Stripe knows `restricted-key` too, which may not see the balance.
    """
    pair = base64.b64encode(b"app:new-key").decode()

    def token(request):
        known = request.headers["Authorization"] == f"Basic {pair}"
        assert request.form["grant_type"] == "client_credentials"
        return Response(status=200 if known else 400)

    def bearer(request):
        key = request.headers["Authorization"].removeprefix("Bearer ")
        statuses = {"new-key": 200} | ({"restricted-key": 403} if request.path == "/v1/balance" else {})
        return Response(status=statuses.get(key, 401))

    httpserver.expect_request("/api/token", method="POST").respond_with_handler(token)
    for path in ("/v0/meta/whoami", "/v1/balance"):
        httpserver.expect_request(path, method="GET").respond_with_handler(bearer)
    for name in ("SPOTIFY_ACCOUNTS_URL", "AIRTABLE_BASE_URL", "STRIPE_BASE_URL"):
        monkeypatch.setenv(name, httpserver.url_for("/"))
    ssm.write("spotify/client_id", "app")
    yield
    ssm.remove("spotify/client_id")


@pytest.mark.parametrize("name", ["spotify/client_secret", "airtable/token", "stripe/api_key"])
def test_keys_of_spotify_airtable_and_stripe_are_tried_with_a_harmless_call(name, services, httpserver):
    trials.try_key(name, "new-key")
    with pytest.raises(CredentialRejected, match="the old one stays in use"):
        trials.try_key(name, "unknown-key")
    httpserver.clear_all_handlers()  # answers 500 from now on
    with pytest.raises(PlatformUnavailable, match="says nothing about the new key"):
        trials.try_key(name, "new-key")


def test_a_restricted_key_of_stripe_is_known_although_it_may_not_see_the_balance(services):
    trials.try_key("stripe/api_key", "restricted-key")


def test_a_service_in_trouble_says_nothing_about_the_key(openai):
    openai |= {"status": 500, "usable_after": 9}
    ssm.write(state.candidate(KEY.name), "new-key")
    with pytest.raises(PlatformUnavailable):
        step(KEY.name, "rotate", "test")


def test_a_key_that_is_usable_after_a_while_is_tried_again_for_some_minutes(openai):
    openai["usable_after"] = 2
    ssm.write(state.candidate(KEY.name), "new-key")
    for _ in range(2):
        with pytest.raises(CredentialRejected):
            step(KEY.name, "rotate", "test")
    assert step(KEY.name, "rotate", "test")["step"] == "finish"

    machine = json.loads((ROOT / "statemachines" / "rotation.asl.json").read_text())
    (retry,) = [
        each for each in machine["States"]["Work"]["Retry"] if "CredentialRejected" in each["ErrorEquals"]
    ]
    delays = [min(10 * 2**number, retry["MaxDelaySeconds"]) for number in range(retry["MaxAttempts"])]
    assert (retry["IntervalSeconds"], retry["BackoffRate"]) == (10, 2)
    assert 120 <= sum(delays) <= 600


def test_a_rollback_returns_to_the_version_before(openai):
    ssm.write(state.candidate(KEY.name), "new-key")
    rotate(KEY.name)

    assert rotate(KEY.name, "rollback")["outcome"] == "done"
    assert ssm.current(KEY.name) == "old-key"
    assert ssm.current(state.previous(KEY.name)) == "new-key"


def test_only_one_rotation_of_a_secret_runs_and_a_lost_one_ends_after_an_hour(monkeypatch):
    state.begin(KEY, "rotate")
    with pytest.raises(Conflict, match="being replaced already"):
        state.begin(KEY, "rollback")

    later = time.time() + state.ABANDONED_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert state.begin(KEY, "rotate")


def test_tokens_of_both_signing_keys_are_valid_during_and_after_a_rotation(clean):
    old = token(clean)
    assert step(SIGNING.name, "rotate", "create")["step"] == "publish"
    published = step(SIGNING.name, "rotate", "publish")

    assert published == {"do": "wait", "step": "test", "wait_seconds": signing.PUBLISHED_SECONDS}
    assert signing.PUBLISHED_SECONDS > ssm.SECRET_SECONDS
    new_key = json.loads(ssm.current(state.candidate(SIGNING.name)))
    ssm.forget()
    tokens._source.clear()
    assert tokens.verify(token(new_key)).subject == tokens.verify(old).subject == "service:test"

    step(SIGNING.name, "rotate", "test")
    step(SIGNING.name, "rotate", "finish")
    assert json.loads(ssm.current(SIGNING.name)) == new_key
    ssm.forget()
    tokens._source.clear()
    assert tokens.verify(token(new_key)).subject == tokens.verify(old).subject == "service:test"


def token(key):
    from showrunner import config

    claims = tokens.service_claims(
        "test", "0b9d6a52-3c1f-4f0e-8d55-6f1e2a7c9b10", [], config.setting("PLATFORM_URL")
    )
    return tokens.sign(claims, key)


def test_an_old_public_key_leaves_when_its_last_token_has_expired(clean):
    rotate(SIGNING.name)
    kids = published_kids()
    assert clean["kid"] in kids

    long_ago = int(time.time()) - SIGNING.overlap_hours * 3600 - 1
    dynamodb.put("key#auth/signing_key", "retired", {clean["kid"]: long_ago})
    rotate(SIGNING.name)
    assert clean["kid"] not in published_kids()
    assert len(published_kids()) == 2
    assert SIGNING.overlap_hours * 3600 > tokens.SERVICE_SECONDS


def published_kids():
    return {each["kid"] for each in json.loads(ssm.current(JWKS))["keys"]}


def test_a_revoked_signing_key_verifies_nothing(clean):
    rotate(SIGNING.name)
    assert killing.rotate(SIGNING.name, "revoke") == ("done", 0)
    assert published_kids() == {json.loads(ssm.current(SIGNING.name))["kid"]}
    assert ssm.current(state.previous(SIGNING.name)) is None


def test_public_keys_that_no_longer_fit_into_a_parameter_stop_a_rotation(clean):
    for _ in range(signing.MAX_PUBLIC_KEYS - 1):
        rotate(SIGNING.name)
    assert len(ssm.current(JWKS).encode()) < ssm.VALUE_BYTES
    step(SIGNING.name, "rotate", "create")
    with pytest.raises(Conflict, match="revoke the previous ones"):
        step(SIGNING.name, "rotate", "publish")


@pytest.mark.parametrize("name", [KEY.name, SIGNING.name])
def test_a_rotation_killed_at_any_write_leaves_a_valid_key_and_ends_after_a_repeat(
    name, openai, monkeypatch, clean
):
    """Kill it before and after each call of AWS that changes something, then repeat the step."""
    call, changes = rpc.call, ("PutParameter", "DeleteParameter", "PutItem")
    count = {"left": -1, "after": False}

    def failing(service, action, payload):
        if action in changes:
            count["left"] -= 1
            if count["left"] == 0 and not count["after"]:
                raise Killed
        answer = call(service, action, payload)
        if action in changes and count["left"] == 0:
            raise Killed
        return answer

    monkeypatch.setattr(rpc, "call", failing)
    tried = 0
    for place in range(1, 20):
        for after in (False, True):
            reset(name, clean)
            count |= {"left": place, "after": after}
            killed = rotate_with_repeats(name)
            count["left"] = -1
            assert is_valid(name, openai, clean)
            assert ssm.current(name) not in (None, "old-key", json.dumps(clean))
            assert ssm.current(state.candidate(name)) is None
            assert state.find(name)["progress"] == "done"
            tried += killed
    assert tried >= 8


def reset(name, first):
    ssm.remove(state.candidate(name))
    ssm.remove(state.previous(name))
    if name == KEY.name:
        ssm.write(name, "old-key")
        ssm.write(state.candidate(name), "new-key")
    else:
        ssm.write(name, json.dumps(first))
        ssm.write(JWKS, json.dumps(tokens.jwk_set(first)))


def rotate_with_repeats(name):
    """Rotate, repeating a step that was killed, as the machine's Retry does; return how many were killed."""
    answer, killed = {"do": "work", "step": "create"}, 0
    while answer["do"] != "record":
        try:
            answer = step(name, "rotate", answer["step"])
        except Killed:
            killed += 1
        assert ssm.current(name) is not None
    return killed


def is_valid(name, openai, first):
    if name == KEY.name:
        return ssm.current(name) in ("old-key", "new-key")
    return {first["kid"], json.loads(ssm.current(name))["kid"]} <= published_kids()


@pytest.mark.parametrize("lost", ["before the switch", "after the switch"])
def test_an_undo_knows_whether_the_new_key_is_in_use(openai, lost):
    ssm.write(state.candidate(KEY.name), "new-key")
    if lost == "after the switch":
        ssm.write(state.previous(KEY.name), "old-key")
        ssm.write(KEY.name, "new-key")
    answer = step(KEY.name, "rotate", "undo", error="States.Timeout")
    assert answer["outcome"] == ("done" if lost == "after the switch" else "failed")
    assert ssm.current(KEY.name) == ("new-key" if lost == "after the switch" else "old-key")
    assert ssm.current(state.candidate(KEY.name)) is None


def test_the_nightly_check_reports_old_keys_and_rotates_the_signing_key(monkeypatch, aws, event):
    from showrunner.aws import sdk

    client = sdk.client("stepfunctions")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    machine = client.create_state_machine(
        name="rotation", roleArn="arn:aws:iam::123456789012:role/machine", definition=definition
    )
    monkeypatch.setenv("ROTATION_MACHINE_ARN", machine["stateMachineArn"])
    now = time.time()
    done = app.handler(event("keys.scheduled"), None)
    assert done.pop("backup")["secrets"] >= 3
    assert done == {
        "started": [],
        "ended": [],
        "overdue": [],
        "ending": [],
        "skipped": ["appsync/api_key"],
    }

    monkeypatch.setattr(ages.time, "time", lambda: now + 91 * 86_400)
    assert app.handler({"source": "aws.scheduler"}, None)["started"] == [SIGNING.name]
    assert app.handler({"source": "aws.scheduler"}, None)["started"] == []
    (execution,) = client.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
    document = json.loads(client.describe_execution(executionArn=execution["executionArn"])["input"])
    assert (document["name"], document["step"], document["subject"]) == (
        SIGNING.name,
        "create",
        "service:keys",
    )

    monkeypatch.setattr(ages.time, "time", lambda: now + 366 * 86_400)
    assert KEY.name in app.handler({"source": "aws.scheduler"}, None)["overdue"]


def test_the_version_before_goes_when_its_overlap_is_over_but_not_during_a_rotation(monkeypatch, event):
    ssm.write(state.previous(KEY.name), "before-key")
    app.handler(event("keys.scheduled"), None)
    assert ssm.current(state.previous(KEY.name)) == "before-key"

    later = time.time() + KEY.overlap_hours * 3600 + 60
    monkeypatch.setattr(time, "time", lambda: later)
    state.begin(KEY, "rollback")
    app.handler(event("keys.scheduled"), None)
    assert ssm.current(state.previous(KEY.name)) == "before-key"
    state.settle(KEY.name, "done")
    app.handler(event("keys.scheduled"), None)
    assert ssm.current(state.previous(KEY.name)) is None


@pytest.mark.parametrize(
    "value", ["", "key\n", " key", "a\x00b", "ключ", "a key\nand another", "x" * 4097, "é" * 2049]
)
def test_a_value_that_no_key_has_is_refused_at_the_upload(value):
    with pytest.raises(InvalidRequest):
        ssm.check_value(value)


@pytest.mark.parametrize("value", ["", "x" * 4097, "é" * 2049])
def test_a_value_that_ssm_refuses_is_not_sent(value, aws):
    with pytest.raises(InvalidRequest, match="4096"):
        ssm.write("openai/api_key", value)


def test_a_key_that_was_put_there_with_a_line_break_can_be_replaced_and_returned_to(openai):
    ssm.write(KEY.name, "old-key\n")
    ssm.write(state.candidate(KEY.name), "new-key")
    assert rotate(KEY.name)["outcome"] == "done"
    assert ssm.current(state.previous(KEY.name)) == "old-key\n"


@pytest.mark.parametrize("name", ["a b", "ä", "a//b", "x" * 955, "/".join("a" * 14), "../b/"])
def test_a_name_that_ssm_refuses_is_refused(name):
    with pytest.raises(InvalidRequest):
        ssm.parameter(name) if name != "../b/" else ssm.parameter("..//b")


def test_the_longest_name_and_value_that_ssm_takes_are_accepted(aws):
    """The 1,011 characters include the ARN before the name."""
    longest = "arn:aws-us-gov:ssm:ap-southeast-1:111122223333:parameter"
    name = "x" * (1011 - len(longest) - len("/showrunner/test/"))
    assert len(longest + ssm.parameter(name)) == 1011
    with pytest.raises(InvalidRequest, match="letters, digits"):
        ssm.parameter(name + "x")
    assert ssm.parameter("/".join("a" * 13)).count("/") == 15
    ssm.write("openai/longest", "x" * 4096)
    assert len(ssm.current("openai/longest").encode()) == ssm.VALUE_BYTES == 4096
    ssm.remove("openai/longest")


def test_the_stored_secrets_are_listed_over_all_pages_without_a_value(aws):
    names = [f"many/{number}" for number in range(60)]
    for name in names:
        ssm.write(name, "value-of-it")
    try:
        found = ssm.stored()
        assert set(names) <= set(found)
        assert "value-of-it" not in repr(found)
        assert found[names[0]].version >= 1
        assert abs(found[names[0]].written_at - time.time()) < 60
    finally:
        for name in names:
            ssm.remove(name)


def test_the_inventory_names_each_secret_once():
    assert len({secret.name for secret in SECRETS}) == len(SECRETS)


# ------------------------------------------------------------------------------------------------ Readers


@pytest.fixture
def used():
    """Return a function that notes a use of the database's login, as a reader's environment does."""
    noted = []
    forget_uses()  # this process has noted its own

    def note(reader, version, seconds_ago=0, kind="read", name=DATABASE):
        sk = f"{name}#{reader}"
        noted.append(sk)
        before = dynamodb.find(secret_uses.KEY, sk) or {}
        dynamodb.put(secret_uses.KEY, sk, before | {f"{kind}_{version}": int(time.time()) - seconds_ago})

    yield note
    for sk in noted:
        dynamodb.remove(secret_uses.KEY, sk)


@pytest.fixture
def login(monkeypatch, machine):
    """Give the stage a login with a version before; return the current version's number."""
    first = ssm.current(DATABASE)
    for number in range(2):
        ssm.write(DATABASE, f"user-a password-a-{number}")
    ssm.write(state.previous(DATABASE), "user-b password-b-1")
    dynamodb.remove(state.primary_key(DATABASE), "rotation")
    yield ssm.stored()[DATABASE].version
    ssm.remove(state.previous(DATABASE))
    dynamodb.remove(state.primary_key(DATABASE), "rotation")
    ssm.write(DATABASE, first) if first else ssm.remove(DATABASE)


@pytest.fixture
def machine(aws, monkeypatch):
    client = sdk.client("stepfunctions")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    made = client.create_state_machine(
        name=f"rotation-{time.time_ns()}",
        roleArn="arn:aws:iam::123456789012:role/machine",
        definition=definition,
    )
    monkeypatch.setenv("ROTATION_MACHINE_ARN", made["stateMachineArn"])


def ended_after(monkeypatch, event, seconds):
    """Return whether the nightly check ends the login before, so many seconds after the switch."""
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + seconds)
        return DATABASE in app.handler(event("keys.scheduled"), None)["ended"]


def test_a_login_ends_when_its_readers_have_moved_and_not_before(login, used, monkeypatch, event):
    assert BY_NAME[DATABASE].end == "moved"
    used("script", login - 1)
    used("videos", login)
    held = readers.HELD_SECONDS
    assert not ended_after(monkeypatch, event, held - 10), "a cache may have it"
    assert not ended_after(monkeypatch, event, held + 10), "one reader has not moved"
    used("script", login)
    assert ended_after(monkeypatch, event, held + 10)


def test_a_reader_that_runs_no_more_keeps_no_version(login, used, monkeypatch, event):
    used("migrate", login - 1, seconds_ago=secret_uses.INTERVAL_SECONDS)
    assert ended_after(monkeypatch, event, readers.HELD_SECONDS + 10)


def test_a_login_ends_with_its_overlap_although_a_reader_has_not_moved(login, used, monkeypatch, event):
    used("script", login - 1, seconds_ago=-24 * 3600)  # still read an hour before the end
    assert not ended_after(monkeypatch, event, 24 * 3600 - 60)
    assert ended_after(monkeypatch, event, 24 * 3600 + 60)


def test_a_key_of_a_service_stays_for_a_rollback_although_its_readers_have_moved(used, monkeypatch, event):
    assert KEY.end == "overlap"
    ssm.write(state.previous(KEY.name), "before-key")
    used("script", ssm.stored()[KEY.name].version, name=KEY.name)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 23 * 3600)
    assert app.handler(event("keys.scheduled"), None)["ended"] == []
    assert ssm.current(state.previous(KEY.name)) == "before-key"


def test_no_overlap_is_shorter_than_a_version_can_be_held():
    longest = max(template.in_stage(each.properties.get("Timeout", 29), "prod") for each in functions())
    assert ssm.SECRET_SECONDS + longest + 60 <= readers.HELD_SECONDS
    assert all(secret.overlap_hours * 3600 >= readers.HELD_SECONDS for secret in SECRETS)


def functions():
    return [*template.functions().values(), *template.functions(template.load(template.DATA)).values()]


def test_a_revocation_reports_the_readers_that_were_refused_meanwhile(openai, used):
    ssm.write(state.candidate(KEY.name), "new-key")
    rotate(KEY.name)
    used("script", 1, seconds_ago=3600, kind="refused", name=KEY.name)

    rotation_id = state.begin(KEY, "revoke")
    answer = step(KEY.name, "revoke", "revoke", rotation_id=rotation_id)
    assert ssm.current(state.previous(KEY.name)) is None
    answer = step(KEY.name, "revoke", answer["step"], rotation_id=rotation_id)
    assert answer == {"do": "wait", "step": "report", "wait_seconds": signing.PUBLISHED_SECONDS}
    used("voice", 1, kind="refused", name=KEY.name)
    answer = step(KEY.name, "revoke", "report", rotation_id=rotation_id)

    assert answer == {"do": "record", "outcome": "done", "refused": "voice"}
    assert state.find(KEY.name)["refused"] == "voice"


def test_a_key_that_appsync_ends_soon_is_counted(monkeypatch, aws, event, machine):
    monkeypatch.setenv("APPSYNC_API_ID", "an-api")
    ssm.write(APPSYNC, "da2-ends-soon")
    for days, ending in ((6.9, [APPSYNC]), (7.1, [])):
        monkeypatch.setattr(overdue.appsync, "days_left", lambda key, days=days: days)
        assert overdue.check()["ending"] == ending
        dynamodb.remove(state.primary_key(APPSYNC), "rotation")
    ssm.remove(APPSYNC)


def test_a_rotation_that_fails_for_two_nights_counts_as_overdue(monkeypatch, event, machine):
    now = time.time()
    for days, counted in ((91, False), (93, True)):
        monkeypatch.setattr(time, "time", lambda days=days: now + days * 86_400)
        assert (SIGNING.name in overdue.check()["overdue"]) is counted
        state.settle(SIGNING.name, "failed")
