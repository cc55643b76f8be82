"""Clients of the Live API: connections at API Gateway's side, and what they were sent."""

import json
import os
import re
import time
import uuid
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from functions.live import app
from showrunner.access import roles, tokens
from showrunner.aws import rpc
from showrunner.live import tickets
from tests.conftest import Client

VIDEO = "5f0a3c5e-8f0e-4a6b-9c43-0d7a1c9e5b21"


class Clients:
    """API Gateway's connections: the messages that each received, and which are gone, broken or slow."""

    def __init__(self, server: HTTPServer) -> None:
        self.messages: dict[str, list[Any]] = {}
        self.closed: list[str] = []
        self.gone: set[str] = set()
        self.broken: set[str] = set()
        self.slow: set[str] = set()
        server.expect_request(re.compile("/@connections/.*")).respond_with_handler(self._manage)

    def _manage(self, request: Request) -> Response:
        connection_id = request.path.removeprefix("/@connections/")
        if connection_id in self.gone:
            return Response("{}", status=410, headers={"x-amzn-ErrorType": "GoneException"})
        if connection_id in self.broken:
            return Response(
                '{"message": "Forbidden"}', status=403, headers={"x-amzn-ErrorType": "ForbiddenException"}
            )
        if connection_id in self.slow:
            time.sleep(0.3)  # long compared with the milliseconds of the others
        if request.method == "DELETE":
            self.closed.append(connection_id)
            self.gone.add(connection_id)
            return Response(status=204)
        self.messages.setdefault(connection_id, []).append(json.loads(request.data))
        return Response(status=200)

    def take(self, connection_id: str) -> list[Any]:
        """Return the messages that this connection received since the last call."""
        return self.messages.pop(connection_id, [])


def items() -> list[dict[str, Any]]:
    """Return all items of the Live API in the state table."""
    found = rpc.call("dynamodb", "Scan", {"TableName": os.environ["STATE_TABLE"]})["Items"]
    return [item for item in found if item["pk"]["S"].startswith("live#")]


def caller(
    organisation_id: str, *permissions: str, subject: str | None = None, seconds: int = 3600
) -> tokens.Identity:
    granted = frozenset(permissions) or roles.ROLES["user"]
    return tokens.Identity(
        subject or str(uuid.uuid4()),
        organisation_id,
        granted,
        str(uuid.uuid4()),
        int(time.time()) + seconds,
        "user",
    )


def websocket(
    kind: str, connection_id: str, body: str | None = None, ticket: str | None = None
) -> dict[str, Any]:
    """Return a WebSocket event of API Gateway."""
    event: dict[str, Any] = {
        "requestContext": {"eventType": kind, "connectionId": connection_id, "routeKey": "$default"},
        "isBase64Encoded": False,
    }
    query = {"queryStringParameters": {"ticket": ticket}} if ticket is not None else {}
    return event | query | ({"body": body} if body is not None else {})


def handshake(ticket: str | None, connection_id: str | None = None) -> int:
    return int(
        app.handler(websocket("CONNECT", connection_id or uuid.uuid4().hex, ticket=ticket), None)[
            "statusCode"
        ]
    )


def connected(identity: tokens.Identity) -> str:
    """Open a connection with a new ticket. Returns its id."""
    connection_id = uuid.uuid4().hex[:15] + "="
    assert handshake(tickets.issue(identity), connection_id) == 200
    return connection_id


def say(clients: Clients, connection_id: str, message: Any) -> dict[str, Any]:
    """Send a message. Returns its answer, of which there is exactly one."""
    text = message if isinstance(message, str) else json.dumps(message)
    assert app.handler(websocket("MESSAGE", connection_id, text), None) == {"statusCode": 200}
    (answer,) = clients.take(connection_id)
    return answer  # type: ignore[no-any-return]


def subscribed(clients: Clients, identity: tokens.Identity, *topics: str) -> str:
    connection_id = connected(identity)
    assert (
        say(clients, connection_id, {"action": "subscribe", "topics": list(topics)})["type"]
        == "connection_status"
    )
    return connection_id


def progress(
    organisation_id: str,
    percent: int = 15,
    at: str = "2026-11-22T08:00:05.123456+00:00",
    kind: str = "video.progress",
) -> dict[str, Any]:
    detail = {
        "event_id": f"{VIDEO}:1:{kind}:{percent}",
        "video_id": VIDEO,
        "organisation_id": organisation_id,
        "channel_id": str(uuid.UUID(int=1)),
        "title": "Cables",
        "status": "processing",
    }
    detail |= {"progress": percent, "current_step": "voice", "attempt": 1, "message": "Spoken.", "at": at}
    return {
        "id": str(uuid.uuid4()),
        "source": "showrunner",
        "detail-type": kind,
        "time": "2026-11-22T08:00:06Z",
        "detail": detail,
    }


def organisation() -> str:
    return str(uuid.uuid4())


def watching(clients: Clients, who: Client) -> str:
    connection_id = uuid.uuid4().hex
    assert handshake(who("POST", "/api/v1/live/tickets").body["ticket"], connection_id) == 200
    assert say(clients, connection_id, {"action": "subscribe", "topics": ["videos"]})["topics"] == ["videos"]
    return connection_id
