"""The signed client of AWS's APIs: retries and errors."""

import pytest
from pytest_httpserver import HTTPServer

from showrunner.aws import rpc
from showrunner.errors import ServiceUnavailable


def test_a_failed_call_is_retried_and_a_refused_one_raises(httpserver: HTTPServer, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", httpserver.url_for("").rstrip("/"))
    httpserver.expect_ordered_request("/").respond_with_data("", status=500)
    httpserver.expect_ordered_request("/").respond_with_json({"ok": 1})
    assert rpc.call("sqs", "SendMessage", {}) == {"ok": 1}
    httpserver.expect_ordered_request("/").respond_with_json(
        {"__type": "com.amazonaws#NoSuchThing", "message": "words"}, status=400
    )
    with pytest.raises(rpc.AwsError) as refused:
        rpc.call("sqs", "SendMessage", {})
    assert refused.value.code == "NoSuchThing"


def test_an_unreachable_service_raises_service_unavailable(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceUnavailable):
        rpc.call("sqs", "SendMessage", {})
