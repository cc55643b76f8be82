"""YouTube on loopback: channels' feeds, the reads of the Data API v3 that showrunner makes, with quotas and failures, and a WebSub hub.

    python -m local.platforms     PLATFORMS_PORT (8103); what it knows is put there by POST /_state

POST /subscribe is the hub: it verifies at once, as Google's does within seconds. POST /publish?channel_id=… delivers that channel's newest entry, signed.

Errors have Google's body. Sources: the reference pages of videos.list, channels.list and playlistItems.list, and the error reference.
"""

import hmac
import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import URLError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen
from xml.sax.saxutils import escape

from local.platforms import google

UNITS_A_DAY = 10_000


@dataclass
class World:
    """`channels`: id -> {title, handle, user}; `videos`: id -> {channel_id, title, published_at, updated_at, duration, tags…}."""

    key: str = "local"
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    videos: dict[str, dict[str, Any]] = field(default_factory=dict)
    failing: dict[str, int] = field(default_factory=dict)
    spent: int = 0
    quota: int = UNITS_A_DAY
    calls: Counter[str] = field(default_factory=Counter)
    # (topic, callback) -> secret
    subscribers: dict[tuple[str, str], str] = field(default_factory=dict)
    sign_ins: google.Accounts = field(default_factory=google.Accounts)

    def uploads(self, channel_id: str) -> list[tuple[str, dict[str, Any]]]:
        found = [each for each in self.videos.items() if each[1]["channel_id"] == channel_id]
        return sorted(found, key=lambda each: each[1]["published_at"], reverse=True)


class Refused(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": status, "message": message, "errors": [{"message": message, "domain": "youtube", "reason": reason}]}}


def feed(world: World, query: dict[str, str]) -> str:
    """The last 15 videos, as https://www.youtube.com/feeds/videos.xml?channel_id=… serves them."""
    channel_id = query.get("channel_id", "")
    if channel_id not in world.channels:
        raise Refused(404, "notFound", "Not Found")
    title = escape(world.channels[channel_id]["title"])
    entries = "".join(
        f"<entry><id>yt:video:{key}</id><yt:videoId>{key}</yt:videoId><yt:channelId>{channel_id}</yt:channelId><title>{escape(video['title'])}</title>"
        f'<link rel="alternate" href="https://www.youtube.com/watch?v={key}"/><author><name>{title}</name>'
        f"<uri>https://www.youtube.com/channel/{channel_id}</uri></author><published>{video['published_at']}</published>"
        f"<updated>{video.get('updated_at', video['published_at'])}</updated><media:group><media:title>{escape(video['title'])}</media:title>"
        f'<media:community><media:statistics views="{video.get("views", 0)}"/></media:community></media:group></entry>'
        for key, video in world.uploads(channel_id)[:15]
    )
    names = 'xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns:media="http://search.yahoo.com/mrss/" xmlns="http://www.w3.org/2005/Atom"'
    return f'<?xml version="1.0" encoding="UTF-8"?><feed {names}><yt:channelId>{channel_id[2:]}</yt:channelId><title>{title}</title>{entries}</feed>'


def channels(world: World, query: dict[str, str]) -> dict[str, Any]:
    matches: dict[str, Callable[[str, dict[str, Any]], bool]] = {
        "id": lambda key, _: key in query.get("id", "").split(","),
        "forHandle": lambda _, each: each.get("handle", "").lower() == query.get("forHandle", "").removeprefix("@").lower(),
        "forUsername": lambda _, each: each.get("user") == query.get("forUsername"),
    }
    selectors = [name for name in matches if name in query]
    if len(selectors) != 1:
        raise Refused(400, "missingRequiredParameter", "No filter selected.")
    found = [key for key, each in world.channels.items() if matches[selectors[0]](key, each)]
    items = [{"kind": "youtube#channel", "id": key, "snippet": {"title": world.channels[key]["title"]}} for key in found]
    # Without a match `items` is missing, not empty.
    return {"kind": "youtube#channelListResponse", "pageInfo": {"totalResults": len(items)}} | ({"items": items} if items else {})


def videos(world: World, query: dict[str, str]) -> dict[str, Any]:
    ids = query.get("id", "").split(",")
    if len(ids) > 50:
        raise Refused(400, "invalidFilters", "At most 50 ids.")
    items = [_video(world, key) for key in ids if key in world.videos]
    return {"kind": "youtube#videoListResponse", "items": items}


def _video(world: World, key: str) -> dict[str, Any]:
    video = world.videos[key]
    snippet = {
        "publishedAt": video["published_at"],
        "channelId": video["channel_id"],
        "channelTitle": world.channels[video["channel_id"]]["title"],
        "title": video["title"],
        "thumbnails": {"default": {"url": f"https://i.ytimg.com/vi/{key}/default.jpg", "width": 120, "height": 90}},
        "tags": video.get("tags", []),
        "categoryId": video.get("category_id", "22"),
    }
    statistics = {"viewCount": str(video.get("views", 0)), "likeCount": "0", "commentCount": "0"}
    return {"kind": "youtube#video", "id": key, "snippet": snippet, "contentDetails": {"duration": video.get("duration", "PT1M")}, "statistics": statistics}


def playlist_items(world: World, query: dict[str, str]) -> dict[str, Any]:
    channel_id = "UC" + query.get("playlistId", "")[2:]
    if channel_id not in world.channels:
        raise Refused(404, "playlistNotFound", "The playlist cannot be found.")
    found = world.uploads(channel_id)[: int(query.get("maxResults", "5"))]
    return {
        "kind": "youtube#playlistItemListResponse",
        "items": [
            {
                "snippet": {"title": video["title"], "channelTitle": world.channels[channel_id]["title"], "publishedAt": video["published_at"]},
                "contentDetails": {"videoId": key, "videoPublishedAt": video["published_at"]},
            }
            for key, video in found
        ],
    }


def verify(world: World, form: dict[str, str]) -> None:
    """https://www.w3.org/TR/websub/#hub-verifies-intent"""
    mode, topic, callback = form["hub.mode"], form["hub.topic"], form["hub.callback"]
    lease = min(int(form.get("hub.lease_seconds", "432000")), 864_000)
    query = urlencode({"hub.mode": mode, "hub.topic": topic, "hub.challenge": os.urandom(8).hex(), "hub.lease_seconds": lease})
    challenge = parse_qs(query)["hub.challenge"][0]
    try:
        with urlopen(f"{callback}{'&' if '?' in callback else '?'}{query}", timeout=10) as told:
            agreed = told.read().decode() == challenge
    except (URLError, OSError):
        return
    if agreed and mode == "subscribe":
        world.subscribers[topic, callback] = form.get("hub.secret", "")
    elif agreed:
        world.subscribers.pop((topic, callback), None)


def publish(world: World, channel_id: str) -> None:
    body = feed(world, {"channel_id": channel_id}).encode()
    for (topic, callback), secret in list(world.subscribers.items()):
        if topic.endswith(channel_id):
            signed = {"X-Hub-Signature": f"sha1={hmac.new(secret.encode(), body, 'sha1').hexdigest()}"} if secret else {}
            urlopen(Request(callback, body, {"Content-Type": "application/atom+xml", **signed}), timeout=10).close()


API = {"/youtube/v3/channels": channels, "/youtube/v3/videos": videos, "/youtube/v3/playlistItems": playlist_items}
FEEDS = ("/feeds/videos.xml", "/xml/feeds/videos.xml")


def answer(world: World, path: str, query: dict[str, str], headers: Any) -> tuple[str, str]:
    """(content type, body). Raises Refused."""
    world.calls[path] += 1
    if world.failing.get(path, 0) > 0:
        world.failing[path] -= 1
        raise Refused(503, "backendError", "Backend Error")
    if path in FEEDS:
        return "text/xml; charset=UTF-8", feed(world, query)
    if path not in API:
        raise Refused(404, "notFound", "Not Found")
    world.spent += 1
    if headers.get("x-goog-api-key", query.get("key")) != world.key:
        raise Refused(400, "badRequest", "API key not valid. Please pass a valid API key.")
    if world.spent > world.quota:
        raise Refused(403, "quotaExceeded", "The request cannot be completed because you have exceeded your quota.")
    return "application/json; charset=UTF-8", json.dumps(API[path](world, query))


def learn(world: World, known: dict[str, Any]) -> None:
    for name in ("channels", "videos", "failing"):
        getattr(world, name).update(known.get(name, {}))
    world.sign_ins.people.update(known.get("people", {}))


class Handler(BaseHTTPRequestHandler):
    world: World

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if self._signs_in(parts.path, parts.query, post=False):
            return
        query = {name: ",".join(values) for name, values in parse_qs(parts.query).items()}
        try:
            kind, body = ("text/plain", "ok") if parts.path == "/health" else answer(self.world, parts.path, query, self.headers)
            status = 200
        except Refused as error:
            status, kind, body = error.status, "application/json", json.dumps(error.body)
        self._send(status, kind, body.encode())

    def do_POST(self) -> None:
        raw, parts = self.rfile.read(int(self.headers.get("content-length") or 0)), urlsplit(self.path)
        if self._signs_in(parts.path, raw.decode(), post=True):
            return
        if parts.path == "/subscribe":
            form = {name: values[0] for name, values in parse_qs(raw.decode()).items()}
            self._send(202, "text/plain", b"")
            threading.Thread(target=verify, args=(self.world, form), daemon=True).start()
            return
        if parts.path == "/publish":
            publish(self.world, parse_qs(parts.query)["channel_id"][0])
            self._send(204, "text/plain", b"")
            return
        known = json.loads(raw)
        learn(self.world, known)
        self._send(200, "application/json", b"{}")

    def _signs_in(self, path: str, text: str, *, post: bool) -> bool:
        if not google.serves(path, post=post):
            return False
        told = google.answer(self.world.sign_ins, f"http://{self.headers['host']}", path, text, post)
        self._send(told.status, told.kind, told.body.encode(), **told.headers)
        return True

    def _send(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Access logs of a simulator are nobody's."""


def server(world: World, port: int) -> ThreadingHTTPServer:
    return ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (Handler,), {"world": world}))


def main() -> int:
    port = int(os.environ.get("PLATFORMS_PORT") or 8103)
    try:
        serving = server(World(), port)
    except OSError:
        print(f"Port {port} is in use: set PLATFORMS_PORT to another.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=serving.shutdown).start())
    serving.serve_forever()
    return 0
