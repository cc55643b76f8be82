"""Read the messages of Live clients and do what they ask for."""

import json
from datetime import UTC, datetime
from typing import Any

from showrunner.errors import Conflict, Forbidden, InvalidRequest, ServiceUnavailable
from showrunner.live import topics
from showrunner.live.connections import Connection

# Room for every topic that a connection may have.
MAX_BYTES = 8192


def answer(connection: Connection, event: dict[str, Any]) -> dict[str, Any]:
    """Do what a client's message asks for.

    Returns the answer to send: the connection's status, or what is wrong.
    """
    try:
        return _status(_act(connection, _read(event)))
    except (InvalidRequest, Forbidden, Conflict, ServiceUnavailable) as error:
        return fault(error.code, error.message)


def fault(code: str, message: str) -> dict[str, Any]:
    return {"type": "error", "code": code, "message": message}


def _act(connection: Connection, message: Any) -> Connection:
    """Return the connection as it is afterwards.

    Raises InvalidRequest, Forbidden, Conflict or ServiceUnavailable.
    """
    match message:
        case {"action": "ping", **more} if not more:
            return connection
        case {"action": "subscribe", "topics": list(names), **more} if not more and _are_topics(names):
            return topics.subscribe(connection, frozenset(names))
        case {"action": "unsubscribe", "topics": list(names), **more} if not more and _are_topics(names):
            return topics.unsubscribe(connection, frozenset(names))
    raise InvalidRequest(
        'Send {"action": "subscribe", "topics": ["video:<id>"]}, '
        'the same with "unsubscribe", or {"action": "ping"}.'
    )


def _are_topics(values: list[Any]) -> bool:
    return 0 < len(values) <= topics.MOST_TOPICS and all(isinstance(each, str) for each in values)


def _read(event: dict[str, Any]) -> Any:
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        raise InvalidRequest("Messages are text, not binary.", code="INVALID_FORMAT")
    if len(body.encode(errors="replace")) > MAX_BYTES:
        raise InvalidRequest(f"The message has more than {MAX_BYTES} bytes.", code="PAYLOAD_TOO_LARGE")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The message isn't JSON that can be read.", code="INVALID_FORMAT") from error


def _status(connection: Connection) -> dict[str, Any]:
    ends_at = datetime.fromtimestamp(connection.ends_at, UTC).isoformat()
    return {
        "type": "connection_status",
        "status": "connected",
        "topics": sorted(connection.topics),
        "ends_at": ends_at,
    }
