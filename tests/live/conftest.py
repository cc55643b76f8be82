"""Fixtures of the Live API's tests:

API Gateway's connections as a server on loopback, and a logged-in person.
"""

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from showrunner.aws import rpc
from tests.conftest import Client
from tests.live.clients import Clients, items


@pytest.fixture
def clients(httpserver: HTTPServer, aws: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.setenv("LIVE_URL", httpserver.url_for("").rstrip("/").replace("http", "ws", 1))
    for item in items():
        rpc.call(
            "dynamodb",
            "DeleteItem",
            {"TableName": os.environ["STATE_TABLE"], "Key": {name: item[name] for name in ("pk", "sk")}},
        )
    return Clients(httpserver)


@pytest.fixture
def person(client, clients):
    """Register a person. Returns a function that logs in and returns a client."""
    email, password = f"{uuid.uuid4().hex}@example.com", "Correct-Horse-7-Battery"
    anybody = Client()
    anybody("POST", "/api/v1/auth/register", {"email": email, "password": password, "full_name": "Ada"})

    def login() -> Client:
        response = anybody("POST", "/api/v1/auth/login", {"email": email, "password": password}).body
        return Client(response["access_token"], response["user"]["organisation_id"])

    return login
