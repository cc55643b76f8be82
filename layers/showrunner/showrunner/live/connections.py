"""Tickets, connections and subscriptions of the Live API, in the state table: a route makes tickets, the WebSocket's function does the rest.

    live#ticket#<sha256>               once, for half a minute
    live#connection#<id>               who it is, what they may read, until when, and the topics
    live#user#<account>    <id>        a user's connections
    live#topic#<scope>#<topic>  <id>   who gets what is told of a topic; the scope is the subscriber's organisation, so no other's events come here
    live#last#<scope>#<subject>        the latest that was told of something: repeats, and what comes too late, are dropped

Everything of a connection ends with the access token that its ticket was made with, and when AWS ends
connections anyway.
"""

import time
from typing import Any, NamedTuple

from showrunner.aws import dynamodb

# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html:
# no connection lives longer.
CONNECTION_SECONDS = 7200
# Tabs of one person; with one more the oldest is closed, since AWS doesn't promise to tell of every end, and
# the dead must not lock anybody out.
MOST_CONNECTIONS = 10
UNTENANTED = "feed"
# One a second: a dashboard that shows another page changes its topics, and pings every nine minutes.
MESSAGES_A_MINUTE = 60


class Connection(NamedTuple):
    """`account` as tokens.Identity has it, `family` too (the login, or the token where there is none); `topics` as the client named them."""

    id: str
    account: str
    family: str
    organisation_id: str
    permissions: frozenset[str]
    ends_at: int
    topics: frozenset[str]


# ------------------------------------------------------------------------------------------------ Connections


def add(connection: Connection) -> list[str]:
    """Remembers a connection.

    The ids of the same user's that are too many now, the oldest; they are forgotten.
    """
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
    """None for one that has ended, or whose user's token has."""
    return read(connection_id, dynamodb.find(item_key(connection_id), "connection"))


def is_over_rate(connection_id: str, now: float | None = None) -> bool:
    """Counts a message of a connection; whether there were too many in this minute."""
    at = int(time.time() if now is None else now)
    return dynamodb.count(item_key(connection_id), f"minute#{at // 60}", at + 120) > MESSAGES_A_MINUTE


def read(connection_id: str, found: dict[str, Any] | None) -> Connection | None:
    return None if found is None else Connection(connection_id, **{"topics": frozenset(), **found})


def forget(connection_id: str, account: str | None = None) -> None:
    """Nothing goes to this connection any more.

    `account` helps where the connection's own item may be gone already.
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
    """From now on nothing is told to a user's connections: all, those of one login, or all but those of one.

    What they say next closes them.
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
