"""Helpers of the feed's tests: Atom feeds, events of API Gateway and SQS, `World` that calls functions."""

import base64
import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from showrunner.aws import rpc
from showrunner.database import db

CHANNEL = "UC" + "a" * 22
OTHER = "UC" + "b" * 22
KEY = "sk_test_0123456789"
CALLBACK = "https://ingest.example.com/webhook"
TOPIC = f"https://www.youtube.com/xml/feeds/videos.xml?channel_id={CHANNEL}"


def atom(
    video: str = "vid00000001",
    title: str = "Title",
    channel: str = CHANNEL,
    updated: str = "2026-11-20T08:13:10.038244318+00:00",
    **more: str,
) -> bytes:
    """Return a notification as YouTube sends it."""
    published = more.get("published", "2026-11-20T08:12:50+00:00")
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns="http://www.w3.org/2005/Atom">
 <link rel="hub" href="https://pubsubhubbub.appspot.com"/>
 <link rel="self" href="https://www.youtube.com/xml/feeds/videos.xml?channel_id={channel}"/>
 <title>YouTube video feed</title><updated>2026-11-20T08:13:10.038244318+00:00</updated>
 <entry><id>yt:video:{video}</id><yt:videoId>{video}</yt:videoId><yt:channelId>{channel}</yt:channelId>
  <title>{title}</title><link rel="alternate" href="https://www.youtube.com/watch?v={video}"/>
  <author><name>{more.get("name", "Channel")}</name><uri>https://www.youtube.com/channel/{channel}</uri></author>
  <published>{published}</published><updated>{updated}</updated></entry></feed>""".encode()


def tombstone(
    video: str = "vid00000001", when: str = "2026-11-20T09:00:00.000000+00:00", channel: str = CHANNEL
) -> bytes:
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:at="http://purl.org/atompub/tombstones/1.0" xmlns="http://www.w3.org/2005/Atom">
 <at:deleted-entry ref="yt:video:{video}" when="{when}">
  <link href="https://www.youtube.com/watch?v={video}"/>
  <at:by><name>Channel</name><uri>https://www.youtube.com/channel/{channel}</uri></at:by>
 </at:deleted-entry></feed>""".encode()


def http(
    method: str, path: str, body: Any = None, query: dict[str, str] | None = None, **headers: str
) -> dict[str, Any]:
    """Return an HTTP API event."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
    event: dict[str, Any] = {
        "version": "2.0",
        "rawPath": path,
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "192.0.2.1"}},
        "isBase64Encoded": raw is not None,
    }
    if query:
        event["queryStringParameters"] = query
    if raw is not None:
        event["body"] = base64.b64encode(raw).decode()
    return event


def notification(
    body: bytes, delivery_id: str | None = None, channel: str = CHANNEL, subscription_id: int | None = None
) -> dict[str, Any]:
    """Return a message as the receiver queues it."""
    return {
        "kind": "notification",
        "delivery_id": delivery_id or str(uuid.uuid4()),
        "subscription_id": subscription_id,
        "channel_id": channel,
        "body": base64.b64encode(body).decode(),
        "at": datetime.now(UTC).isoformat(),
    }


def batch(messages: list[Any]) -> dict[str, Any]:
    """Return an SQS event with these messages. Strings are sent as they are."""
    return {
        "Records": [
            {"messageId": str(number), "body": each if isinstance(each, str) else json.dumps(each)}
            for number, each in enumerate(messages)
        ]
    }


class World:
    """The ingestion functions and their queues."""

    def __init__(self, queues: dict[str, str]) -> None:
        self.queues = queues

    def take(self, name: str) -> list[dict[str, Any]]:
        """Remove all messages from a queue and return them."""

        found: list[dict[str, Any]] = []
        while messages := rpc.call(
            "sqs", "ReceiveMessage", {"QueueUrl": self.queues[name], "MaxNumberOfMessages": 10}
        ).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                rpc.call(
                    "sqs",
                    "DeleteMessage",
                    {"QueueUrl": self.queues[name], "ReceiptHandle": message["ReceiptHandle"]},
                )
        return found

    def api(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, str] | None = None,
        key: str | None = KEY,
        **headers: str,
    ) -> tuple[int, Any]:
        """Call the Ingestion API. Returns (status, body)."""
        from functions.feed import app

        given = {"x_api_key": key, **headers} if key else headers
        answer = app.handler(http(method, path, body, query, **given), None)
        text = answer["body"]
        return answer["statusCode"], json.loads(text) if text and answer["headers"].get(
            "content-type"
        ) == "application/json" else text

    def webhook(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        query: dict[str, str] | None = None,
        **headers: str,
    ) -> dict[str, Any]:
        from functions.websub import app

        return app.handler(http(method, path, body, query, **headers), None)

    def notify(self, *messages: Any) -> dict[str, Any]:
        from functions.feed_intake import app

        return app.handler(batch(list(messages)), None)

    def drain(self) -> int:
        """Process all queued notifications. Returns how many there were."""
        messages = self.take("NOTIFICATIONS_QUEUE_URL")
        if messages:
            self.notify(*messages)
        return len(messages)


def events(tx):
    return db.rows(
        tx,
        """
        SELECT processed, processing_error, repeat, origin, video_id, channel_id
          FROM feed.events ORDER BY id
        """,
    )


def kinds(tx):
    return [row["update_type"] for row in db.rows(tx, "SELECT update_type FROM feed.updates ORDER BY id")]


def entries(*known):
    """Return a feed with an entry for each (video id, channel id)."""
    head, _, rest = atom().partition(b" <entry>")
    one = b"<entry>" + rest.partition(b"</feed>")[0]
    # Without what the reader ignores, so that a thousand entries fit into a notification.
    short = re.sub(rb"\s*<(link|author|id).*?(/>|</author>|</id>)", b"", one)
    return (
        head
        + b"".join(
            short.replace(b"vid00000001", video.encode()).replace(CHANNEL.encode(), channel.encode())
            for video, channel in known
        )
        + b"</feed>"
    )


def poll(delivery_id, **found):
    """Return the message of a poll that found one video."""
    video = {
        "video_id": "vid00000001",
        "title": "Title",
        "published_at": "2026-11-20T08:12:50Z",
        "at": "2026-11-20T08:12:50Z",
        **found,
    }
    return {
        "kind": "polled",
        "channel_id": CHANNEL,
        "delivery_id": delivery_id,
        "origin": "playlist",
        "at": datetime.now(UTC).isoformat(),
        "found": [video],
    }
