"""Tickets, connections and subscriptions of the Live API, in the state table: a route makes tickets, the WebSocket's function does the rest.

    live#ticket#<sha256>               once, for half a minute
    live#connection#<id>               who it is, what they may read, until when, and the topics
    live#user#<account>    <id>        a user's connections
    live#topic#<scope>#<topic>  <id>   who gets what is told of a topic; the scope is the subscriber's organisation, so no other's events come here
    live#last#<scope>#<subject>        the latest that was told of something: repeats, and what comes too late, are dropped

Everything of a connection ends with the access token that its ticket was made with, and when AWS ends connections anyway.
"""

import hashlib
import re
import secrets
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from showrunner import state
from showrunner.access import roles
from showrunner.errors import Conflict, Forbidden, InvalidRequest

if TYPE_CHECKING:
    from showrunner.access import tokens

TICKET_SECONDS = 30
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html: no connection lives longer.
CONNECTION_SECONDS = 7200
# Tabs of one person; with one more the oldest is closed, since AWS doesn't promise to tell of every end, and the dead must not lock anybody out.
MOST_CONNECTIONS = 10
# A page of videos; who wants more asks for all of them by "videos".
MOST_TOPICS = 100
# One a second: a dashboard that shows another page changes its topics, and pings every nine minutes.
MESSAGES_A_MINUTE = 60
# Longer than any retry of an event.
REMEMBERED_SECONDS = 3600
# The database's clock tells when a video ended, S3's when its render last spoke. Between computers in the cloud less than a second lies; a person who
# retries a video that failed isn't faster either.
CLOCKS_US = 2_000_000

_TICKET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VIDEO = re.compile(r"video:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
# Topic -> what one must be allowed to read. `feed` is what YouTube's channels publish: the whole stage's, so only for who may give its keys away.
READS = {"videos": "videos:read", "reports": "cms:read", "syncs": "cms:read", "feed": "ingestion:read"}
UNTENANTED = "feed"


class Connection(NamedTuple):
    """`account` as tokens.Identity has it, `family` too (the login, or the token where there is none); `topics` as the client named them."""

    id: str
    account: str
    family: str
    organisation_id: str
    permissions: frozenset[str]
    ends_at: int
    topics: frozenset[str]


# ------------------------------------------------------------------------------------------------ Tickets


def issue(identity: "tokens.Identity") -> str:
    """A ticket for one connection as this caller. Only its hash is kept."""
    now = time.time()
    ticket = secrets.token_urlsafe(32)
    values: dict[str, state.Value | None] = {
        "account": identity.account,
        "family": identity.family or identity.token_id,
        "organisation_id": identity.organisation_id,
        "permissions": identity.permissions,
        "ends_at": int(min(identity.expires_at, now + CONNECTION_SECONDS)),
    }
    state.put(_ticket(ticket), "ticket", values, now + TICKET_SECONDS)
    return ticket


def redeem(ticket: str, connection_id: str, now: float | None = None) -> Connection | None:
    """The connection that a ticket opens, None for one that is wrong, spent or expired. Of several at once with the same ticket one gets it."""
    at = time.time() if now is None else now
    found = state.take(_ticket(ticket), "ticket", at) if _TICKET.fullmatch(ticket) else None
    if found is None or found["ends_at"] <= at:
        return None
    return _read(connection_id, found)


def _ticket(ticket: str) -> str:
    return f"live#ticket#{hashlib.sha256(ticket.encode()).hexdigest()}"


# ------------------------------------------------------------------------------------------------ Connections


def add(connection: Connection) -> list[str]:
    """Remembers a connection. The ids of the same user's that are too many now, the oldest; they are forgotten."""
    names = ("account", "family", "organisation_id", "permissions", "ends_at")
    values: dict[str, state.Value | None] = {name: getattr(connection, name) for name in names}
    state.put(_connection(connection.id), "connection", values, connection.ends_at)
    state.put(_user(connection.account), connection.id, {"at_ms": int(time.time() * 1000), "family": connection.family}, connection.ends_at)
    opened = sorted(state.list_(_user(connection.account)), key=lambda item: int(item[1]["at_ms"]))
    oldest = [connection_id for connection_id, _ in opened[:-MOST_CONNECTIONS]]
    for each in oldest:
        forget(each, connection.account)
    return oldest


def find(connection_id: str) -> Connection | None:
    """None for one that has ended, or whose user's token has."""
    return _read(connection_id, state.find(_connection(connection_id), "connection"))


def says_too_much(connection_id: str, now: float | None = None) -> bool:
    """Counts a message of a connection; whether there were too many in this minute."""
    at = int(time.time() if now is None else now)
    return state.count(_connection(connection_id), f"minute#{at // 60}", at + 120) > MESSAGES_A_MINUTE


def _read(connection_id: str, found: dict[str, Any] | None) -> Connection | None:
    return None if found is None else Connection(connection_id, **{"topics": frozenset(), **found})


def forget(connection_id: str, account: str | None = None) -> None:
    """Nothing goes to this connection any more. `account` helps where the connection's own item may be gone already."""
    connection = _read(connection_id, state.take(_connection(connection_id), "connection"))
    for minute, _ in state.list_(_connection(connection_id)):
        state.remove(_connection(connection_id), minute)
    if connection is not None:
        account = connection.account
        for topic in connection.topics:
            state.remove(_topic(connection.organisation_id, topic), connection_id)
    if account is not None:
        state.remove(_user(account), connection_id)


def end(account: str, *, family: str | None = None, but: str | None = None) -> None:
    """From now on nothing is told to a user's connections: all, those of one login, or all but those of one. What they say next closes them."""
    for connection_id, values in state.list_(_user(account)):
        if (family is None or values["family"] == family) and (but is None or values["family"] != but):
            forget(connection_id, account)


def _connection(connection_id: str) -> str:
    return f"live#connection#{connection_id}"


def _user(account: str) -> str:
    return f"live#user#{account}"


# ------------------------------------------------------------------------------------------------ Topics


def check(connection: Connection, topic: str) -> None:
    """Raises InvalidRequest for what is no topic and Forbidden for one that this user may not read."""
    kind = "videos" if _VIDEO.fullmatch(topic) else topic
    if kind not in READS:
        raise InvalidRequest(f"{topic[:100]!r} is no topic: there are video:<id>, {', '.join(READS)}.")
    if not roles.allows(connection.permissions, READS[kind]):
        raise Forbidden(f"The topic {topic} needs the permission {READS[kind]}.")


def subscribe(connection: Connection, topics: frozenset[str]) -> Connection:
    """Raises InvalidRequest or Forbidden for one of them (and subscribes to none), Conflict when they get too many."""
    for topic in sorted(topics):
        check(connection, topic)
    new = topics - connection.topics
    if new:
        if len(connection.topics | new) > MOST_TOPICS:
            raise Conflict(f"A connection has at most {MOST_TOPICS} topics.")
        state.extend(_connection(connection.id), "connection", "topics", new, MOST_TOPICS)
        for topic in new:
            state.put(_topic(connection.organisation_id, topic), connection.id, {}, connection.ends_at)
    return connection._replace(topics=connection.topics | new)


def unsubscribe(connection: Connection, topics: frozenset[str]) -> Connection:
    """A topic that it doesn't have is no error."""
    old = topics & connection.topics
    if old:
        state.reduce(_connection(connection.id), "connection", "topics", old)
        for topic in old:
            state.remove(_topic(connection.organisation_id, topic), connection.id)
    return connection._replace(topics=connection.topics - old)


def subscribers(organisation_id: str, topics: list[str]) -> list[str]:
    """Ids of the connections that have one of these topics, each once."""
    return sorted({connection_id for topic in topics for connection_id, _ in state.list_(_topic(organisation_id, topic))})


def _topic(organisation_id: str, topic: str) -> str:
    return f"live#topic#{'' if topic == UNTENANTED else organisation_id}#{topic}"


# ------------------------------------------------------------------------------------------------ What was told


class Telling(NamedTuple):
    """What is told: an event of a subject, and its place in the order of that subject's."""

    organisation_id: str
    subject: str
    event_id: str
    at_us: int


def telling(organisation_id: str, subject: str, event_id: str, at: str, *, final: bool = False) -> Telling:
    """`at` in ISO 8601, as events have it; a `final` event stands behind what seems to have come a little later."""
    return Telling(organisation_id, subject, event_id, int(datetime.fromisoformat(at).timestamp() * 1_000_000) + CLOCKS_US * final)


def claim(telling: Telling) -> bool:
    """Right before it is told: whether that is news. Events come more than once and out of their order: what is the last of its subject, or was before
    it, is none, unless the run that claimed it died before it had told."""
    news = "event_id <> :event_id AND at_us <= :at_us"
    untold = "event_id = :event_id AND told = :no"
    parameters: dict[str, state.Value] = {"event_id": telling.event_id, "at_us": telling.at_us, "no": False}
    return _keep(telling, f"attribute_not_exists(pk) OR ({news}) OR ({untold})", parameters, told=False)


def note(telling: Telling) -> None:
    """It was told."""
    _keep(telling, "event_id = :event_id", {"event_id": telling.event_id}, told=True)


def _keep(telling: Telling, condition: str, parameters: dict[str, state.Value], *, told: bool) -> bool:
    values: dict[str, state.Value] = {"event_id": telling.event_id, "at_us": telling.at_us, "told": told}
    return state.put_if(condition, parameters, f"live#last#{telling.organisation_id}#{telling.subject}", "event", values, time.time() + REMEMBERED_SECONDS)
