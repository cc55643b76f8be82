"""An S3 of pytest-httpserver, which records requests and answers as the test says."""

import re

import pytest
from werkzeug import Request, Response

from showrunner.aws import sigv4


@pytest.fixture
def server(httpserver, monkeypatch):
    """Serve S3 on loopback. Returns (requests it received, responses to give in order)."""
    asked, answers = [], []

    def answer(request: Request) -> Response:
        asked.append((request.method, request.full_path, dict(request.headers), request.get_data()))
        return answers.pop(0) if answers else Response("found")

    httpserver.expect_request(re.compile("/.*")).respond_with_handler(answer)
    monkeypatch.setenv("AWS_ENDPOINT_URL", httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a/session+token=")
    sigv4.credentials.cache_clear()
    yield asked, answers
    monkeypatch.undo()
    sigv4.credentials.cache_clear()
