"""Store the Live API's connections in the state table.

The items of the Live API:

    live#ticket#<sha256>               a ticket; it can be used once, within half a minute
    live#connection#<id>               caller, permissions, end and topics of a connection
    live#user#<account>    <id>        a user's connections
    live#topic#<scope>#<topic>  <id>   a topic's subscribers; the scope is their organisation
    live#last#<scope>#<subject>        the last event sent about a subject, to drop repeats and late ones

A connection's items expire with the access token that its ticket was made with, and at the latest when AWS
ends connections.
"""

import time
from typing import Any, NamedTuple

from showrunner.aws import dynamodb

# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html:
# no connection lives longer.
CONNECTION_SECONDS = 7200
# Tabs of one person. One more closes the oldest: AWS doesn't report every closed connection, and closed ones
# must not lock anybody out.
MOST_CONNECTIONS = 10
UNTENANTED = "feed"
# One a second. A dashboard changes its topics when it shows another page, and pings every nine minutes.
MESSAGES_A_MINUTE = 60


class Connection(NamedTuple):
    """A client's connection. `account` and `family` are those of tokens.Identity.

    For a token without a family, `family` is the token's id. `topics` are the names that the client sent.
    """

    id: str
    account: str
    family: str
    organisation_id: str
    permissions: frozenset[str]
    ends_at: int
    topics: frozenset[str]


def add(connection: Connection) -> list[str]:
    """Store a connection. If there are too many, forget the user's oldest and return their ids."""
    names = ("account", "family", "organisation_id", "permissions", "ends_at")
    values: dict[str, dynamodb.Value | None] = {name: getattr(connection, name) for name in names}
    dynamodb.put(item_key(connection.id), "connection", values, connection.ends_at)
    dynamodb.put(
        _user(connection.account),
        connection.id,
        {"at_ms": int(time.time() * 1000), "family": connection.family},
        connection.ends_at,
    )
    opened = sorted(dynamodb.list_(_user(connection.account)), key=lambda item: int(item[1]["at_ms"]))
    oldest = [connection_id for connection_id, _ in opened[:-MOST_CONNECTIONS]]
    for each in oldest:
        forget(each, connection.account)
    return oldest


def find(connection_id: str) -> Connection | None:
    """Return the connection, None if it or its user's token has ended."""
    return read(connection_id, dynamodb.find(item_key(connection_id), "connection"))


def is_over_rate(connection_id: str, now: float | None = None) -> bool:
    """Count a message of a connection. Returns whether there were too many in this minute."""
    at = int(time.time() if now is None else now)
    return dynamodb.count(item_key(connection_id), f"minute#{at // 60}", at + 120) > MESSAGES_A_MINUTE


def read(connection_id: str, found: dict[str, Any] | None) -> Connection | None:
    return None if found is None else Connection(connection_id, **{"topics": frozenset(), **found})


def forget(connection_id: str, account: str | None = None) -> None:
    """Delete the connection's items, so that it gets no more messages.

    account: needed if the connection's own item may be gone already.
    """
    connection = read(connection_id, dynamodb.take(item_key(connection_id), "connection"))
    for minute, _ in dynamodb.list_(item_key(connection_id)):
        dynamodb.remove(item_key(connection_id), minute)
    if connection is not None:
        account = connection.account
        for topic in connection.topics:
            dynamodb.remove(topic_key(connection.organisation_id, topic), connection_id)
    if account is not None:
        dynamodb.remove(_user(account), connection_id)


def end(account: str, *, family: str | None = None, but: str | None = None) -> None:
    """Stop sending to a user's connections. Their next message closes them.

    family: only those of this login. but: all except those of this login.
    """
    for connection_id, values in dynamodb.list_(_user(account)):
        if (family is None or values["family"] == family) and (but is None or values["family"] != but):
            forget(connection_id, account)


def item_key(connection_id: str) -> str:
    return f"live#connection#{connection_id}"


def _user(account: str) -> str:
    return f"live#user#{account}"


def topic_key(organisation_id: str, topic: str) -> str:
    return f"live#topic#{'' if topic == UNTENANTED else organisation_id}#{topic}"
