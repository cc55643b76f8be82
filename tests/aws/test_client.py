"""The signed client of AWS's APIs: retries and errors."""

import pytest
from pytest_httpserver import HTTPServer

from showrunner import signed
from showrunner.errors import ServiceUnavailable


def test_a_call_that_fails_is_made_again_and_a_refusal_is_told(httpserver: HTTPServer, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", httpserver.url_for("").rstrip("/"))
    httpserver.expect_ordered_request("/").respond_with_data("", status=500)
    httpserver.expect_ordered_request("/").respond_with_json({"ok": 1})
    assert signed.call("sqs", "SendMessage", {}) == {"ok": 1}
    httpserver.expect_ordered_request("/").respond_with_json({"__type": "com.amazonaws#NoSuchThing", "message": "words"}, status=400)
    with pytest.raises(signed.Refused) as refused:
        signed.call("sqs", "SendMessage", {})
    assert refused.value.code == "NoSuchThing"


def test_a_service_that_is_not_there_is_unavailable(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceUnavailable):
        signed.call("sqs", "SendMessage", {})
