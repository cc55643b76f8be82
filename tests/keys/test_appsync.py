"""AppSync's API keys against moto, and a GraphQL endpoint on loopback that knows the keys that moto has."""

import json
import time

import pytest
from werkzeug import Response

from functions.keys import app
from showrunner.aws import dynamodb, sdk, ssm
from showrunner.errors import Conflict, CredentialRejected, PlatformUnavailable
from showrunner.keys import appsync, state
from showrunner.keys.inventory import APPSYNC, BY_NAME
from tests.keys import killing

SECRET = BY_NAME[APPSYNC]


@pytest.fixture
def api(aws, httpserver, monkeypatch):
    """Make an API with a key that somebody else made; return a function that lists the API's keys by id."""
    client = sdk.client("appsync")
    api_id = client.create_graphql_api(name="label", authenticationType="API_KEY")["graphqlApi"]["apiId"]
    foreign = client.create_api_key(apiId=api_id, description="of the dashboard")["apiKey"]["id"]

    def listed():
        found = sdk.client("appsync").list_api_keys(apiId=api_id)["apiKeys"]
        return {each["id"]: each for each in found if each["id"] != foreign}

    def answer(request):
        known = request.headers.get("x-api-key") in listed()
        return Response(json.dumps({"data": {"__typename": "Query"}}), status=200 if known else 401)

    httpserver.expect_request("/graphql", method="POST").respond_with_handler(answer)
    monkeypatch.setenv("APPSYNC_API_ID", api_id)
    monkeypatch.setenv("APPSYNC_URL", httpserver.url_for("/graphql"))
    yield listed
    assert foreign in {each["id"] for each in client.list_api_keys(apiId=api_id)["apiKeys"]}
    for name in (APPSYNC, state.candidate(APPSYNC), state.previous(APPSYNC)):
        ssm.remove(name)
    dynamodb.remove(state.primary_key(APPSYNC), "rotation")
    client.delete_graphql_api(apiId=api_id)


def test_the_first_key_is_made_and_the_next_one_leaves_the_first_valid(api):
    assert killing.rotate(APPSYNC) == ("done", 0)
    first = ssm.current(APPSYNC)
    assert 364 < (api()[first]["expires"] - time.time()) / 86_400 <= 365
    assert killing.rotate(APPSYNC) == ("done", 0)

    second = ssm.current(APPSYNC)
    assert set(api()) == {first, second}
    assert ssm.current(state.previous(APPSYNC)) == first
    assert killing.rotate(APPSYNC, "rollback") == ("done", 0)
    assert (ssm.current(APPSYNC), set(api())) == (first, {first, second})
    assert killing.rotate(APPSYNC, "revoke") == ("done", 0)
    assert set(api()) == {first}


@pytest.mark.parametrize("moment", killing.MOMENTS)
def test_a_killed_rotation_leaves_a_valid_key_and_none_too_many(api, moment):
    killing.rotate(APPSYNC)
    places = 0
    with killing.killer() as killer:
        for place in range(1, 40, 3):  # `make bench-keys` tries each
            before = ssm.current(APPSYNC)
            outcome, killed = killing.rotate(
                APPSYNC,
                arm=lambda place=place: killer.arm(place, moment),
                between=lambda: valid(api, killer),
            )
            killer.arm(0, moment)
            if not killed:
                break
            places += 1
            assert outcome == "done"
            assert ssm.current(APPSYNC) != before
            assert set(api()) == state.in_use(APPSYNC), "no key is left that no version names"
    assert places >= 5


def valid(api, killer):
    with killer.paused():
        assert ssm.current(APPSYNC) in api()


def test_a_rotation_that_never_came_back_leaves_no_key_after_the_next(api):
    killing.rotate(APPSYNC)
    appsync.create("a-rotation-that-was-lost")
    assert len(api()) == 2
    killing.rotate(APPSYNC)
    assert set(api()) == state.in_use(APPSYNC)


def test_a_failed_rotation_deletes_the_key_that_it_made(api, httpserver):
    killing.rotate(APPSYNC)
    first = ssm.current(APPSYNC)
    httpserver.clear_all_handlers()
    httpserver.expect_request("/graphql").respond_with_data("", 401)
    event = {"name": APPSYNC, "kind": "rotate", "rotation_id": state.begin(SECRET, "rotate")}
    app.handler({**event, "step": "create"}, None)
    with pytest.raises(CredentialRejected, match="the old one stays in use"):
        app.handler({**event, "step": "test"}, None)
    assert app.handler({**event, "step": "undo", "error": "CredentialRejected"}, None) == {
        "do": "record",
        "outcome": "failed",
    }
    assert (ssm.current(APPSYNC), set(api())) == (first, {first})

    httpserver.clear_all_handlers()
    httpserver.expect_request("/graphql").respond_with_data("", 503)
    with pytest.raises(PlatformUnavailable):
        appsync.test(first)
    with pytest.raises(CredentialRejected, match="does not know"):
        appsync.test("da2-unknown")


def test_the_nightly_check_makes_the_first_key_and_renews_it_a_month_before_its_end(
    api, monkeypatch, machine, event
):
    assert app.handler(event("keys.scheduled"), None)["started"] == [APPSYNC]
    state.settle(APPSYNC, "done")
    killing.rotate(APPSYNC)
    assert app.handler(event("keys.scheduled"), None)["started"] == []

    now = time.time()
    monkeypatch.setattr(appsync.time, "time", lambda: now + 336 * 86_400)
    assert APPSYNC in app.handler(event("keys.scheduled"), None)["started"]


@pytest.fixture
def machine(aws, monkeypatch):
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    made = sdk.client("stepfunctions").create_state_machine(
        name=f"rotation-{time.time_ns()}",
        roleArn="arn:aws:iam::123456789012:role/machine",
        definition=definition,
    )
    monkeypatch.setenv("ROTATION_MACHINE_ARN", made["stateMachineArn"])


def test_the_key_before_is_ended_at_appsync_when_its_overlap_is_over(api, monkeypatch, machine, event):
    killing.rotate(APPSYNC)
    killing.rotate(APPSYNC)
    assert app.handler(event("keys.scheduled"), None)["ended"] == []
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 25 * 3600)
    assert APPSYNC in app.handler(event("keys.scheduled"), None)["ended"]
    assert state.find(APPSYNC)["kind"] == "revoke"


def test_a_stage_without_an_api_skips_it_and_says_so(aws, event):
    assert app.handler(event("keys.scheduled"), None)["skipped"] == [APPSYNC]
    with pytest.raises(Conflict, match="AppSyncApiId"):
        appsync.create("any")
