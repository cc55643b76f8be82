"""Live API (WebSocket), events of the bus and the render's progress -> messages to subscribed clients.

Uses no database: a ticket carries what its client may read, and connections are in the state table.
"""

from collections.abc import Callable
from typing import Any

from showrunner.live import commands, connections, delivery, sending, tickets, topics, updates
from showrunner.telemetry import entrypoint


def connect(event: dict[str, Any]) -> dict[str, Any]:
    """$connect: a ticket opens one connection. The status is what AWS answers to the client's handshake."""
    ticket = (event.get("queryStringParameters") or {}).get("ticket") or ""
    connection = tickets.redeem(ticket, event["requestContext"]["connectionId"])
    if connection is None:
        return {"statusCode": 401}
    for oldest in connections.add(connection):
        sending.close(oldest)
    return {"statusCode": 200}


def disconnect(event: dict[str, Any]) -> dict[str, Any]:
    connections.forget(event["requestContext"]["connectionId"])
    return {"statusCode": 200}


def receive(event: dict[str, Any]) -> dict[str, Any]:
    """Answer a client's message. A message that is wrong gets an answer too."""
    connection_id = event["requestContext"]["connectionId"]
    connection = connections.find(connection_id)
    if connection is None:
        sending.send(
            [connection_id],
            [
                commands.fault(
                    "INVALID_TOKEN",
                    "The session of this connection has ended: get a new ticket and connect again.",
                )
            ],
        )
        sending.close(connection_id)
        return {"statusCode": 200}
    if connections.is_over_rate(connection_id):
        limit = (
            f"More than {connections.MESSAGES_A_MINUTE} messages in a minute: wait one, then connect again."
        )
        sending.send([connection_id], [commands.fault("RATE_LIMIT_EXCEEDED", limit)])
        connections.forget(connection_id)
        sending.close(connection_id)
        return {"statusCode": 200}
    sending.send([connection_id], [commands.answer(connection, event)])
    return {"statusCode": 200}


def spread(event: dict[str, Any]) -> int:
    """Send an event to its subscribers, unless it or a later one was sent already. Returns to how many."""
    update = updates.read(event)
    listeners = topics.subscribers(update.delivery.organisation_id, update.topics)
    if not listeners or not sending.send(
        listeners, update.messages(), lambda: delivery.claim(update.delivery)
    ):
        return 0
    delivery.record(update.delivery)
    return len(listeners)


ROUTES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "CONNECT": connect,
    "DISCONNECT": disconnect,
    "MESSAGE": receive,
}


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "requestContext" in event:
        return ROUTES[event["requestContext"]["eventType"]](event)
    return {"sent": spread(event)}
