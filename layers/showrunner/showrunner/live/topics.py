"""Subscribe connections to topics, and find the connections of a topic."""

import re

from showrunner.access import roles
from showrunner.aws import dynamodb
from showrunner.errors import Conflict, Forbidden, InvalidRequest
from showrunner.live import connections
from showrunner.live.connections import Connection

# A page of videos. The topic "videos" has all of them.
MOST_TOPICS = 100
_VIDEO = re.compile(r"video:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
# Topic -> permission that it needs. `feed` is what YouTube's channels publish, for the whole stage, so it
# needs the permission that makes the Ingestion API's keys.
READS = {"videos": "videos:read", "reports": "cms:read", "syncs": "cms:read", "feed": "ingestion:read"}


def check(connection: Connection, topic: str) -> None:
    """Raise InvalidRequest for an unknown topic, and Forbidden for one that the client may not read."""
    kind = "videos" if _VIDEO.fullmatch(topic) else topic
    if kind not in READS:
        raise InvalidRequest(f"{topic[:100]!r} is no topic: there are video:<id>, {', '.join(READS)}.")
    if not roles.allows(connection.permissions, READS[kind]):
        raise Forbidden(f"The topic {topic} needs the permission {READS[kind]}.")


def subscribe(connection: Connection, topics: frozenset[str]) -> Connection:
    """Subscribe to all the topics or to none. Returns the connection as it is afterwards.

    Raises InvalidRequest, Forbidden, or Conflict for too many topics.
    """
    for topic in sorted(topics):
        check(connection, topic)
    new = topics - connection.topics
    if new:
        if len(connection.topics | new) > MOST_TOPICS:
            raise Conflict(f"A connection has at most {MOST_TOPICS} topics.")
        dynamodb.extend(connections.item_key(connection.id), "connection", "topics", new, MOST_TOPICS)
        for topic in new:
            dynamodb.put(
                connections.topic_key(connection.organisation_id, topic),
                connection.id,
                {},
                connection.ends_at,
            )
    return connection._replace(topics=connection.topics | new)


def unsubscribe(connection: Connection, topics: frozenset[str]) -> Connection:
    """Unsubscribe from the topics. Topics without a subscription are ignored."""
    old = topics & connection.topics
    if old:
        dynamodb.reduce(connections.item_key(connection.id), "connection", "topics", old)
        for topic in old:
            dynamodb.remove(connections.topic_key(connection.organisation_id, topic), connection.id)
    return connection._replace(topics=connection.topics - old)


def subscribers(organisation_id: str, topics: list[str]) -> list[str]:
    """Return the ids of the connections that have one of these topics, each once."""
    return sorted(
        {
            connection_id
            for topic in topics
            for connection_id, _ in dynamodb.list_(connections.topic_key(organisation_id, topic))
        }
    )
