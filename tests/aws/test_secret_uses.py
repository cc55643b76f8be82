"""aws/secret_uses.py: who read which version of a secret, and who was refused, in the state table of moto."""

import json
import socket
import threading
import time
import uuid

import pytest

from showrunner.aws import dynamodb, secret_uses, ssm
from showrunner.errors import CredentialRejected
from showrunner.telemetry import entrypoint

LAMBDA = "showrunner-dev-FeedHubFunction-9aBcDeFgHiJk"


@pytest.fixture
def name(aws, monkeypatch):
    """Return the name of a secret of this test's own, with two versions."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", LAMBDA)
    settled()
    secret_uses._recorded.clear()
    ssm.forget()
    found = f"uses/{uuid.uuid4().hex}"
    ssm.write(found, "the-first-value")
    ssm.write(found, "the-second-value")
    yield found
    settled()
    ssm.remove(found)
    ssm.forget()
    for use in uses(found):
        dynamodb.remove(secret_uses.KEY, f"{found}#{use.reader}")


def settled():
    """Wait for the threads that record."""
    for thread in threading.enumerate():
        if thread.name == secret_uses.KEY:
            thread.join(10)


def uses(name):
    settled()
    return [use for use in secret_uses.list_() if use.secret == name]


def read(name):
    ssm.forget()
    value = ssm.secret(name)
    settled()
    return value


def lines(capsys, message):
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [line for line in found if line["message"] == message]


def test_a_read_is_recorded_with_reader_version_and_time(name):
    assert read(name) == "the-second-value"

    second = ssm.stored()[name].version
    (use,) = uses(name)
    assert (use.reader, use.version, list(use.read), use.refused) == ("feed_hub", second, [second], {})
    assert abs(use.read[second] - time.time()) < 5

    ssm.write(name, "the-third-value")
    read(name)
    (use,) = uses(name)
    assert (sorted(use.read), use.version) == ([second, second + 1], second + 1)


def test_a_version_is_recorded_once_an_hour_however_many_environments_read_it(name, monkeypatch):
    writes = []
    call = secret_uses.rpc.call

    def counted(service, action, payload):
        answer = call(service, action, payload)  # raises if the condition doesn't hold
        if action == "UpdateItem":
            writes.append(payload)
        return answer

    monkeypatch.setattr(secret_uses.rpc, "call", counted)
    for _ in range(3):
        read(name)
    assert len(writes) == 1
    for _ in range(3):
        secret_uses._recorded.clear()  # another environment
        read(name)
    assert len(writes) == 1

    (use,) = uses(name)
    monkeypatch.setattr(time, "time", lambda: use.read[use.version] + secret_uses.INTERVAL_SECONDS)
    secret_uses._recorded.clear()
    read(name)
    assert len(writes) == 2


def test_a_new_reader_is_told_once_and_not_for_each_version(name, monkeypatch, capsys):
    read(name)
    ssm.write(name, "the-third-value")
    read(name)
    (line,) = lines(capsys, "a secret has a new reader")
    assert (line["parameter"], line["function"]) == (name, "feed_hub")

    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "showrunner-dev-ScriptFunction-1")
    secret_uses._recorded.clear()
    read(name)
    (line,) = lines(capsys, "a secret has a new reader")
    assert line["function"] == "script"


def test_a_reader_does_not_fail_with_the_state_table_and_records_later(name, monkeypatch, capsys):
    table = dynamodb.table()
    monkeypatch.setenv("STATE_TABLE", "a-table-that-is-gone")
    assert read(name) == "the-second-value"
    (line,) = lines(capsys, "a use of a secret was not recorded")
    assert (line["parameter"], line["function"]) == (name, "feed_hub")

    monkeypatch.setenv("STATE_TABLE", table)
    read(name)
    assert [use.reader for use in uses(name)] == ["feed_hub"]


def test_a_reader_does_not_wait_for_a_state_table_that_does_not_answer(name, monkeypatch):
    """The record goes to a server that accepts the connection and stays silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address, send = f"http://127.0.0.1:{silent.getsockname()[1]}", secret_uses.rpc._send

        def routed(service, action, body):
            if service == "dynamodb":
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(secret_uses.rpc, "_endpoint", lambda _: (address, address[7:], False))
                    patch.setattr(secret_uses.rpc, "TIMEOUT_S", 0.5)
                    return send(service, action, body)
            return send(service, action, body)

        with monkeypatch.context() as patch:
            patch.setattr(secret_uses.rpc, "_send", routed)
            ssm.forget()
            begun = time.monotonic()
            assert ssm.secret(name) == "the-second-value"
            assert time.monotonic() - begun < 0.4
            settled()


def test_a_refused_reader_reads_again_and_is_recorded_if_the_version_was_replaced(name, monkeypatch):
    used = []

    @entrypoint
    def handler(event, context):
        used.append(ssm.secret(name))
        raise CredentialRejected("no")

    with pytest.raises(CredentialRejected):
        handler({}, None)
    assert uses(name)[0].refused == {}, "the version that was refused is still the current one"

    second = ssm.stored()[name].version
    ssm.write(name, "the-third-value")
    ssm._secrets[name] = (time.monotonic(), "the-second-value")  # a cache that has the version before
    with pytest.raises(CredentialRejected):
        handler({}, None)
    (use,) = uses(name)
    assert list(use.refused) == [second]
    assert abs(use.refused[second] - time.time()) < 5
    assert ssm.secret(name) == "the-third-value"
    assert used == ["the-second-value"] * 2


def test_a_read_is_counted_by_name_and_function(name, capsys):
    read(name)
    (line,) = lines(capsys, "secret read")
    assert {key: line[key] for key in ("parameter", "function", "version")} == {
        "parameter": name,
        "function": "feed_hub",
        "version": ssm.stored()[name].version,
    }


@pytest.mark.parametrize(
    ("given", "reader"),
    [
        ("showrunner-dev-ScriptFunction-AbC123", "script"),
        ("showrunner-data-prod-MigrateFunction-x", "migrate"),
        ("showrunner-dev-KeyAuditFunction-x", "key_audit"),
        ("somebody-elses-reader", "somebody-elses-reader"),
    ],
)
def test_a_reader_is_called_like_its_folder(given, reader, monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", given)
    assert secret_uses.this_reader() == reader
