"""Live API (WebSocket), the stage's bus and the render's progress -> connections in the state table, and messages to the clients that asked for them.

[no database]: what a client may read stands in its ticket, and a topic is the organisation's that the subscriber belongs to.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any, NamedTuple

from showrunner import config
from showrunner.aws import s3, sdk
from showrunner.errors import Conflict, Forbidden, InvalidRequest, ServiceUnavailable, StorageMissing
from showrunner.live import connections, delivery, tickets, topics
from showrunner.production import files, progress
from showrunner.telemetry import entrypoint, logger

# Room for every topic that a connection may have.
MOST_MESSAGE_BYTES = 8192
# As many connections as boto3 keeps open; a post takes some ten milliseconds.
POSTS_AT_ONCE = 10
# Whoever isn't reached by then waits for the next message; the others have theirs long since.
FAN_OUT_SECONDS = 10

# ------------------------------------------------------------------------------------------------ Connections


def connect(event: dict[str, Any]) -> dict[str, Any]:
    """$connect: a ticket opens one connection. What AWS gets here as status is what the client gets as answer to its handshake."""
    given = (event.get("queryStringParameters") or {}).get("ticket") or ""
    connection = tickets.redeem(given, event["requestContext"]["connectionId"])
    if connection is None:
        return {"statusCode": 401}
    for oldest in connections.add(connection):
        close(oldest)
    return {"statusCode": 200}


def disconnect(event: dict[str, Any]) -> dict[str, Any]:
    connections.forget(event["requestContext"]["connectionId"])
    return {"statusCode": 200}


def receive(event: dict[str, Any]) -> dict[str, Any]:
    """A client's message. Whatever is wrong with it, the client is told."""
    connection_id = event["requestContext"]["connectionId"]
    connection = connections.find(connection_id)
    if connection is None:
        tell([connection_id], [fault("INVALID_TOKEN", "The session of this connection has ended: get a new ticket and connect again.")])
        close(connection_id)
        return {"statusCode": 200}
    if connections.is_over_rate(connection_id):
        tell([connection_id], [fault("RATE_LIMIT_EXCEEDED", f"More than {connections.MESSAGES_A_MINUTE} messages in a minute: wait one, then connect again.")])
        connections.forget(connection_id)
        close(connection_id)
        return {"statusCode": 200}
    try:
        answer = status(act(connection, event))
    except (InvalidRequest, Forbidden, Conflict, ServiceUnavailable) as error:
        answer = fault(error.code, error.message)
    tell([connection_id], [answer])
    return {"statusCode": 200}


def act(connection: connections.Connection, event: dict[str, Any]) -> connections.Connection:
    """Does what the message asks for. Raises InvalidRequest, Forbidden, Conflict or ServiceUnavailable."""
    match read(event):
        case {"action": "ping", **more} if not more:
            return connection
        case {"action": "subscribe", "topics": list(names), **more} if not more and are_topics(names):
            return topics.subscribe(connection, frozenset(names))
        case {"action": "unsubscribe", "topics": list(names), **more} if not more and are_topics(names):
            return topics.unsubscribe(connection, frozenset(names))
    raise InvalidRequest('Send {"action": "subscribe", "topics": ["video:<id>"]}, the same with "unsubscribe", or {"action": "ping"}.')


def are_topics(values: list[Any]) -> bool:
    return 0 < len(values) <= topics.MOST_TOPICS and all(isinstance(each, str) for each in values)


def read(event: dict[str, Any]) -> Any:
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        raise InvalidRequest("Messages are text, not binary.", code="INVALID_FORMAT")
    if len(body.encode(errors="replace")) > MOST_MESSAGE_BYTES:
        raise InvalidRequest(f"The message has more than {MOST_MESSAGE_BYTES} bytes.", code="PAYLOAD_TOO_LARGE")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The message isn't JSON that can be read.", code="INVALID_FORMAT") from error


def status(connection: connections.Connection) -> dict[str, Any]:
    ends_at = datetime.fromtimestamp(connection.ends_at, UTC).isoformat()
    return {"type": "connection_status", "status": "connected", "topics": sorted(connection.topics), "ends_at": ends_at}


def fault(code: str, message: str) -> dict[str, Any]:
    return {"type": "error", "code": code, "message": message}


# ------------------------------------------------------------------------------------------------ What is told


class News(NamedTuple):
    """`messages` are made when somebody wants them."""

    telling: delivery.Delivery
    topics: list[str]
    messages: Callable[[], list[dict[str, Any]]]


def of_video(event: dict[str, Any]) -> News:
    """A video of an organisation got further, or to its end."""
    detail = event["detail"]
    row = {name: detail[name] for name in ("video_id", "title", "status")}
    step = {name: detail[name] for name in ("video_id", "status", "progress", "current_step", "attempt", "message")}
    messages = [{"type": "video_update", **row, "last_updated": detail["at"]}, {"type": "processing_update", **step, "timestamp": detail["at"]}]
    topic = f"video:{detail['video_id']}"
    telling = delivery.delivery(detail["organisation_id"], topic, detail["event_id"], detail["at"], final=detail["status"] != "processing")
    return News(telling, [topic, "videos"], lambda: messages)


def of_render(event: dict[str, Any]) -> News:
    """The render put its progress beside the video. Whose video it is stands in the object's key, which only a render can write."""
    key = event["detail"]["object"]["key"]
    found = files.parse_progress_key(key)
    if found is None:
        raise InvalidRequest(f"{key} is no progress of a render: the rule lets too much through.")
    organisation_id, video_id = found

    def messages() -> list[dict[str, Any]]:
        try:
            percent = progress.rendering(s3.get_json(key))
        except StorageMissing:
            return []  # the render has ended meanwhile, and says so by itself
        step = {"video_id": video_id, "status": "processing", "progress": percent, "current_step": "render", "message": "The video is being rendered."}
        return [{"type": "processing_update", **step, "timestamp": event["time"]}]

    topic = f"video:{video_id}"
    return News(delivery.delivery(organisation_id, topic, event["id"], event["time"]), [topic, "videos"], messages)


def of_feed(event: dict[str, Any]) -> News:
    """What a channel on YouTube published, renamed or took away: nobody's own, so of no organisation."""
    detail = event["detail"]
    message = {"type": "video_update", "video_id": detail["video_id"], "title": detail["title"], "status": detail["update_type"], "last_updated": event["time"]}
    return News(delivery.delivery("", f"feed:{detail['video_id']}", detail["event_id"], event["time"]), ["feed"], lambda: [message])


def of_report(event: dict[str, Any]) -> News:
    detail = event["detail"]
    message = {"type": "processing_update", **{name: detail[name] for name in ("report_id", "status", "progress", "message")}, "timestamp": detail["at"]}
    return News(delivery.delivery(detail["organisation_id"], f"report:{detail['report_id']}", detail["event_id"], detail["at"]), ["reports"], lambda: [message])


def of_sync(event: dict[str, Any]) -> News:
    detail = event["detail"]
    message = {"type": "sync_status_update", "video_id": detail["video_id"], "status": detail["status"], "timestamp": detail["at"]}
    return News(delivery.delivery(detail["organisation_id"], f"sync:{detail['video_id']}", detail["event_id"], detail["at"]), ["syncs"], lambda: [message])


# By the first word of the event's detail-type; the template's rule lets these through.
KINDS: dict[str, Callable[[dict[str, Any]], News]] = {
    "video": of_video,
    "feed": of_feed,
    "report": of_report,
    "sync": of_sync,
    "Object Created": of_render,
}


def spread(event: dict[str, Any]) -> int:
    """Tells everybody who wants to know, unless the same or something later was told already. How many."""
    news = KINDS[event["detail-type"].partition(".")[0]](event)
    listeners = topics.subscribers(news.telling.organisation_id, news.topics)
    if not listeners or not tell(listeners, news.messages(), lambda: delivery.claim(news.telling)):
        return 0
    delivery.record(news.telling)
    return len(listeners)


# ------------------------------------------------------------------------------------------------ The way to the clients


def tell(connection_ids: list[str], messages: list[dict[str, Any]], still: Callable[[], bool] = lambda: True) -> bool:
    """The messages in their order to each, if they are `still` wanted when all is ready: the less lies between, the less can overtake.

    Who is gone is forgotten; nobody waits for another. Raises ServiceUnavailable when nobody could be told."""
    management = sdk.client("apigatewaymanagementapi", endpoint())
    texts = [json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() for message in messages]

    def post(connection_id: str) -> None:
        try:
            for text in texts:
                management.post_to_connection(ConnectionId=connection_id, Data=text)
        except management.exceptions.GoneException:
            connections.forget(connection_id)

    if not still():
        return False
    pool = ThreadPoolExecutor(POSTS_AT_ONCE)
    posts = [pool.submit(post, each) for each in connection_ids]
    done, late = wait(posts, FAN_OUT_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    failures = [error for error in (each.exception() for each in done) if error]
    if failures or late:
        logger.warning("not everybody was told", extra={"of": len(posts), "failed": len(failures), "late": len(late), "reason": str(failures[:1])})
    if len(failures) + len(late) == len(posts):
        raise ServiceUnavailable("No client could be told: the event is delivered again.") from next(iter(failures), None)
    return True


def close(connection_id: str) -> None:
    management = sdk.client("apigatewaymanagementapi", endpoint())
    try:
        management.delete_connection(ConnectionId=connection_id)
    except management.exceptions.GoneException:
        logger.info("gone already")


def endpoint() -> str:
    """Where connections are managed: the address that clients connect to, by http."""
    return config.setting("LIVE_URL").replace("ws", "http", 1)


ROUTES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"CONNECT": connect, "DISCONNECT": disconnect, "MESSAGE": receive}


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "requestContext" in event:
        return ROUTES[event["requestContext"]["eventType"]](event)
    return {"told": spread(event)}
