"""Secrets pushed through calls of every kind appear in no log line, answer, history or audit row."""

import base64
import json
import re
import uuid
from pathlib import Path
from urllib.parse import quote

import pytest

from functions.key_audit import app as key_audit
from functions.keys import app as keys
from showrunner.aws import dynamodb, sdk, ssm
from showrunner.database import db
from showrunner.errors import ShowrunnerError
from showrunner.keys import executions, state
from showrunner.keys.inventory import BY_NAME
from tests.conftest import Client

KEY = BY_NAME["openai/api_key"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def canary(aws, monkeypatch):
    """A value that the stage knows as OpenAI's key."""
    value = f"sk-canary/{uuid.uuid4().hex}+x"
    before = ssm.current(KEY.name)
    ssm.write(KEY.name, value)
    yield value
    for name in (state.candidate(KEY.name), state.previous(KEY.name)):
        ssm.remove(name)
    dynamodb.remove(state.primary_key(KEY.name), "rotation")
    ssm.write(KEY.name, before) if before else ssm.remove(KEY.name)
    ssm.forget()


def forms(value):
    yield value
    yield quote(value, safe="")
    for offset in range(3):
        yield base64.b64encode(b"\0" * offset + value.encode()).decode()[4:-4]


def routes():
    """Return (method, path) of every route of the Platform API."""
    found = re.compile(r"@(?:routes|app)\.(get|post|put|patch|delete)\(\s*\"(/[^\"]+)\"")
    places = (*(ROOT / "layers/showrunner/showrunner").rglob("*.py"), *(ROOT / "functions").glob("*/app.py"))
    texts = [path.read_text() for path in places if path.parent.name != "feed"]  # another API
    return sorted({(method.upper(), path) for text in texts for method, path in found.findall(text)})


def test_a_canary_appears_nowhere(tx, client, canary, httpserver, monkeypatch, capfd):
    answers, calls = [], 0
    secret = f"unknown-{uuid.uuid4().hex}"
    cookie = {"cookie": f"session={secret}"}
    monkeypatch.setenv("RATE_LIMIT_FACTOR", "1000")
    for method, path in routes():
        filled = re.sub(r"\{\w+\}", str(uuid.uuid4()), path)
        body = {"apiKey": secret, "password": canary, "note": {"client_secret": secret, "x": canary}}
        for caller, headers in ((client, {}), (Client(canary), {}), (client, cookie)):
            answer = caller(method, f"{filled}?token={secret}&api_key={quote(canary)}", body, **headers)
            answers.append(json.dumps([answer.status, answer.body, answer.headers]))
            calls += 1
    assert calls >= 300

    httpserver.expect_request("/v1/models").respond_with_data(f"no such key {canary}", 401)
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    begun = state.begin(KEY, "rotate")
    ssm.write(state.candidate(KEY.name), canary + "-new")
    event = {"name": KEY.name, "kind": "rotate", "rotation_id": begun}
    raised = []
    for step in ("create", "publish", "test", "undo"):
        try:
            answers.append(json.dumps(keys.handler({**event, "step": step, "error": f"no {canary}"}, None)))
        except ShowrunnerError as error:
            raised.append(repr(error))
    key_audit.handler(
        {**event, "subject": "user:1", "outcome": "failed", "error": f"refused {canary} password={secret}"},
        None,
    )
    assert raised
    rotations = tried_everywhere(httpserver, monkeypatch, canary)
    raised += [error for error, _ in rotations]
    history = executed(begun, monkeypatch)
    audit = json.dumps(db.rows(tx, "SELECT to_jsonb(e) AS row FROM audit.events e"), default=str)
    written = capfd.readouterr()
    state_table = json.dumps(state.find(KEY.name))

    everything = {
        "log": written.out + written.err,
        "errors": "".join(raised),
        "history": history,
        "audit": audit,
        "state": state_table,
    }
    assert "secret read" in everything["log"]
    assert KEY.name in audit
    for where, text in everything.items():
        for value in (canary, secret, *(value for _, value in rotations)):
            for form in forms(value):
                assert form not in text, where
    for form in forms(canary):
        assert not any(form in answer for answer in answers)


def tried_everywhere(httpserver, monkeypatch, canary):
    """Refuse a key of each service with an answer that repeats it; return the errors with the keys."""
    httpserver.expect_request(re.compile(".*")).respond_with_data(f"no such key {canary}", 401)
    for name in ("SPOTIFY_ACCOUNTS_URL", "AIRTABLE_BASE_URL", "STRIPE_BASE_URL", "PEXELS_BASE_URL"):
        monkeypatch.setenv(name, httpserver.url_for("/"))
    ssm.write("spotify/client_id", "app")
    found = []
    for name in ("spotify/client_secret", "airtable/token", "stripe/api_key", "pexels/api_key"):
        value = f"unknown-{uuid.uuid4().hex}"
        begun = state.begin(BY_NAME[name], "rotate")
        ssm.write(state.candidate(name), value)
        event = {"name": name, "kind": "rotate", "rotation_id": begun}
        with pytest.raises(ShowrunnerError) as raised:
            keys.handler({**event, "step": "test"}, None)
        keys.handler({**event, "step": "undo", "error": repr(raised.value)}, None)
        key_audit.handler({**event, "subject": "user:1", "outcome": "failed", "error": f"no {value}"}, None)
        found.append((repr(raised.value), value))
        dynamodb.remove(state.primary_key(name), "rotation")
    ssm.remove("spotify/client_id")
    return found


def executed(rotation_id, monkeypatch):
    """Start the rotation's execution as the product does, and return its input and history."""
    client = sdk.client("stepfunctions")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    made = client.create_state_machine(
        name=f"rotation-{uuid.uuid4()}",
        roleArn="arn:aws:iam::123456789012:role/machine",
        definition=definition,
    )
    monkeypatch.setenv("ROTATION_MACHINE_ARN", made["stateMachineArn"])
    executions.start(KEY.name, "rotate", rotation_id, "user:1", None)
    (found,) = client.list_executions(stateMachineArn=made["stateMachineArn"])["executions"]
    arn = found["executionArn"]
    told = [
        client.describe_execution(executionArn=arn),
        client.get_execution_history(executionArn=arn),
    ]
    return json.dumps(told, default=str)
