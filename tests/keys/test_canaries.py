"""Secrets pushed through calls of every kind appear in no log line, trace, answer, history or audit row.

A trace has what Lambda and Step Functions write by themselves: times, names of functions and states, and of a
failed call the error's type, text and stack. Nothing of ours adds to it (the last test).
"""

import base64
import json
import re
import traceback
import uuid
from pathlib import Path
from urllib.parse import quote

import pytest

from functions.key_audit import app as key_audit
from functions.keys import app as keys
from functions.live import app as live
from functions.script import app as script
from showrunner.access import tokens
from showrunner.access.digests import sha256
from showrunner.aws import dynamodb, sdk, ssm
from showrunner.database import db
from showrunner.errors import ShowrunnerError
from showrunner.keys import executions, state
from showrunner.keys.inventory import BY_NAME, JWKS, SIGNING_KEY
from tests import documents
from tests.conftest import Client, put_secrets
from tests.feed.conftest import ingestion_aws, world
from tests.keys import killing

__all__ = ["ingestion_aws", "world"]  # fixtures

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


def assert_nowhere(values, texts):
    """`texts`: what was written, by place."""
    for where, text in texts.items():
        for value in values:
            for form in forms(value):
                assert form not in text, where


def outside(error):
    """Return what leaves a function that fails: the answer of Lambda, which its log and the history of an
    execution have too, and what its runtime adds to the trace (awslambdaric's make_xray_fault)."""
    frames = traceback.extract_tb(error.__traceback__)
    kind, text = type(error).__name__, str(error)
    answer = {"errorType": kind, "errorMessage": text, "stackTrace": traceback.format_list(frames)}
    stack = [{"label": each.name, "path": each.filename, "line": each.lineno} for each in frames]
    trace = {
        "working_directory": "/var/task",
        "exceptions": [{"message": text, "type": kind, "stack": stack}],
    }
    return json.dumps([answer, trace, repr(error), traceback.format_exception(error)])


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
            raised.append(outside(error))
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
    assert_nowhere((canary, secret, *(value for _, value in rotations)), everything)
    for form in forms(canary):
        assert not any(form in answer for answer in answers)


def test_a_key_of_the_ingestion_api_appears_nowhere(
    tx, world, served_documents, organisation_id, canary, capfd
):
    """Every operation with a key that is valid, with the stage's secret in place of one, and in all parts."""
    key, secret = f"sr_{uuid.uuid4().hex}{uuid.uuid4().hex}", f"unknown-{uuid.uuid4().hex}"
    sql = """INSERT INTO access.api_keys (organisation_id, created_by, name, prefix, key_sha256, scopes)
             VALUES (:o, 'test', 'canary', 'sr_', :digest, '{ingestion}')"""
    db.run(tx, sql, o=organisation_id, digest=sha256(key))
    body = {"secret": secret, "callback_url": f"https://u:{canary}@x.example/?token={secret}", "x": canary}
    answers = []
    for path, operations in documents.ingestion()["paths"].items():
        if path.startswith("/webhook"):
            continue
        filled = re.sub(r"\{\w+\}", "1", path)
        for method in operations:
            for headers in (
                {"x_api_key": key},
                {"authorization": f"Bearer {key}", "cookie": f"session={secret}"},
                {"x_api_key": canary},
                {"authorization": f"Bearer {secret}"},
            ):
                # With a query that it doesn't know, an operation answers 400.
                query = None if headers == {"x_api_key": key} else {"token": secret, "api_key": canary}
                sent = None if method in ("get", "delete") else body
                answers.append(world.api(method.upper(), filled, sent, query, key=None, **headers))
    for token in (secret, quote(canary, safe="")):
        for signature in (f"sha1={secret}", f"sha256={canary}"):
            notification = json.dumps(body).encode()
            answers.append(
                world.webhook("POST", f"/webhook/{token}", notification, x_hub_signature=signature)
            )
        verified = {
            "hub.mode": "subscribe",
            "hub.verify_token": secret,
            "hub.topic": f"https://x/?key={canary}",
        }
        answers.append(world.webhook("GET", f"/webhook/{token}", query=verified))
    refused = [each for each in answers if isinstance(each, tuple) and each[0] == 401]
    assert len(answers) >= 60
    assert 25 <= len(refused) < len(answers), "half of the calls got in"
    assert sum(each[0] == 200 for each in answers if isinstance(each, tuple)) >= 5
    audit = json.dumps(db.rows(tx, "SELECT to_jsonb(e) AS row FROM audit.events e"), default=str)
    written = capfd.readouterr()

    texts = {"log": written.out + written.err, "audit": audit, "answers": json.dumps(answers, default=str)}
    assert texts["log"].count('"message":"request"') >= 50
    assert_nowhere((key, secret, canary), texts)


def test_a_ticket_of_the_live_api_appears_nowhere(aws, event, canary, capfd):
    asked = event("live.connect")
    asked["headers"] |= {"Cookie": f"session={canary}", "Authorization": f"Bearer {canary}"}
    ticket = uuid.uuid4().hex + uuid.uuid4().hex
    asked["queryStringParameters"] = {"ticket": ticket}

    assert live.handler(asked, None) == {"statusCode": 401}
    written = capfd.readouterr()
    assert_nowhere((ticket, canary), {"log": written.out + written.err})


def test_a_step_that_fails_with_a_secret_in_its_error_tells_nobody(canary, monkeypatch, capfd):
    """Its error becomes the history of its execution and its trace."""

    def failing(*_):
        try:
            raise KeyError(f"https://api.example/v1?key={quote(canary)}")
        except KeyError as error:
            error.add_note(f"Authorization: Bearer {canary}")
            raise RuntimeError({"apiKey": canary, "body": base64.b64encode(canary.encode())}) from error

    monkeypatch.setattr(script.s3, "get_json", failing)
    ssm.forget()
    assert ssm.secret(KEY.name) == canary
    with pytest.raises(Exception, match=re.escape("***")) as raised:
        script.handler({"folder": "organisations/1/videos/2", "video_id": "1", "attempt": 1}, None)
    written = capfd.readouterr()

    assert_nowhere((canary,), {"log": written.out + written.err, "outside": outside(raised.value)})


def test_what_a_rotation_makes_appears_nowhere(tx, canary, signing_key, httpserver, monkeypatch, capfd):
    """Rotate, roll back and revoke; the inputs and results of the steps are the execution's history."""
    httpserver.expect_request("/v1/models").respond_with_json({})
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    uploaded, history, made = f"sk-canary/{uuid.uuid4().hex}+y", [], {canary}
    ssm.write(state.candidate(KEY.name), uploaded)
    dynamodb.remove(state.primary_key(SIGNING_KEY), "rotation")  # of another test
    for name in (KEY.name, SIGNING_KEY):
        for kind in ("rotate", "rollback", "revoke"):
            rotation_id = state.begin(BY_NAME[name], kind)
            answer = {"do": "work", "step": executions.FIRST[kind]}
            while answer["do"] != "record":
                history.append([name, kind, answer])
                answer = killing.invoke(name, kind, answer, rotation_id)
            for version in (name, state.previous(name)):
                made.add(ssm.current(version) or canary)
            who = {"name": name, "kind": kind, "rotation_id": rotation_id, "subject": "user:1"}
            history.append(key_audit.handler({**who, "outcome": answer["outcome"]}, None))
            history.append(executed(rotation_id, monkeypatch, name, kind))
    assert uploaded in made
    assert len(made) == 4, "the first and the uploaded key of OpenAI, and two signing keys"
    private = {json.loads(each)["d"] for each in made if each.startswith("{")}
    audit = json.dumps(db.rows(tx, "SELECT to_jsonb(e) AS row FROM audit.events e"), default=str)
    written = capfd.readouterr()

    texts = {"log": written.out + written.err, "history": json.dumps(history), "audit": audit}
    texts["state"] = json.dumps([state.find(name) for name in (KEY.name, SIGNING_KEY)])
    assert_nowhere({canary, uploaded, *private}, texts)
    put_secrets({SIGNING_KEY: json.dumps(signing_key), JWKS: json.dumps(tokens.jwk_set(signing_key))})
    for each in ("rotation", "retired"):
        dynamodb.remove(state.primary_key(SIGNING_KEY), each)


def test_nothing_of_ours_writes_into_a_trace():
    """A library for traces records calls, with their addresses and statements: none is here."""
    places = (ROOT / "layers").rglob("*.txt"), (ROOT / "functions").rglob("*.txt")
    required = "".join(path.read_text() for paths in places for path in paths if "require" in path.name)
    code = [*(ROOT / "layers/showrunner").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
    found = re.compile(r"aws_xray_sdk|opentelemetry|\bTracer\b|put_annotation|PutTraceSegments")

    assert "powertools" in required
    assert not re.search("xray|opentelemetry", required)
    assert [path for path in code if found.search(path.read_text())] == []


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
        found.append((outside(raised.value), value))
        dynamodb.remove(state.primary_key(name), "rotation")
    ssm.remove("spotify/client_id")
    return found


def executed(rotation_id, monkeypatch, name=KEY.name, kind="rotate"):
    """Start the rotation's execution as the product does, and return its input and history."""
    client = sdk.client("stepfunctions")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    made = client.create_state_machine(
        name=f"rotation-{uuid.uuid4()}",
        roleArn="arn:aws:iam::123456789012:role/machine",
        definition=definition,
    )
    monkeypatch.setenv("ROTATION_MACHINE_ARN", made["stateMachineArn"])
    executions.start(name, kind, rotation_id, "user:1", None)
    (found,) = client.list_executions(stateMachineArn=made["stateMachineArn"])["executions"]
    arn = found["executionArn"]
    told = [
        client.describe_execution(executionArn=arn),
        client.get_execution_history(executionArn=arn),
    ]
    return json.dumps(told, default=str)
