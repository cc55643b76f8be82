"""One loopback server for all foreign platforms:

YouTube's feeds, Data, Analytics and Content ID APIs, a WebSub hub, Google's sign-in, Pexels, Spotify, TikTok,
Instagram, Airtable.

    python -m local.platforms     PLATFORMS_PORT (8103)

GET / shows YouTube's channels and their videos, GET /mailbox the emails that the stack sent. POST /_state
adds what it knows (World.learn), POST /_faults what goes wrong (library). POST /publish?channel_id=… delivers
a channel's feed to its subscribers.
"""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from local.outcomes import UnknownOutcome
from local.platforms import (
    airtable,
    catalogue,
    commons,
    content_id,
    feeds,
    google,
    hub,
    instagram,
    mailbox,
    nasa,
    owner,
    pages,
    pexels,
    pixabay,
    reporting,
    spotify,
    tiktok,
    uploads,
    youtube,
    youtube_analytics,
)
from local.platforms.http import Reply, Request
from local.platforms.world import ChannelsOfAccounts, World

__all__ = ["World", "answer", "main", "server"]

NOT_FOUND = Reply(404, b"<!doctype html><title>Error 404 (Not Found)</title>", "text/html; charset=UTF-8")


def answer(world: World, request: Request) -> Reply:
    """Return the reply of the platform that the path belongs to."""
    found = (
        google.answer(world.sign_ins, request)
        or pexels.answer(world.photographs, request)
        or pixabay.answer(world.pixabay_library, request)
        or commons.answer(world.commons_library, request)
        or nasa.answer(world.nasa_library, request)
        or spotify.answer(world.spotify_app, request)
        or tiktok.answer(world.tiktok_app, request)
        or instagram.answer(world.instagram_app, request)
        or airtable.answer(world.airtable_app, request)
        or youtube_analytics.answer(world, request)
        or mailbox.answer(world.outbox, request)
    )
    if found is not None:
        return found
    if request.path == "/health":
        return Reply(200, b"ok", "text/plain")
    shown = (
        content_id.answer(world, request)
        or reporting.answer(world, request)
        or owner.answer(world, request)
        or pages.answer(world, request)
    )
    if shown is not None:
        return shown
    if request.method == "POST":
        return _post(world, request)
    world.calls[request.path] += 1
    if world.failing.get(request.path, 0) > 0:
        world.failing[request.path] -= 1
        error = youtube.ERRORS["backend_error"]
        return Reply.json(error.body, error.status)
    if request.path in feeds.PATHS:
        return feeds.answer(world, request.query)
    return youtube.answer(world, request) if request.path.startswith(youtube.PREFIX) else NOT_FOUND


def _post(world: World, request: Request) -> Reply:
    match request.path:
        case "/subscribe":
            return hub.subscribe(world, request)
        case "/publish":
            hub.publish(world, request.query["channel_id"])
            return Reply(204)
        case "/_state":
            try:
                world.learn(json.loads(request.body))
            except (ValueError, UnknownOutcome) as error:
                return Reply.json({"error": str(error)}, 400)
            return Reply.json({})
        case "/_faults":
            try:
                world.library.add_faults(json.loads(request.body))
            except ValueError as error:
                return Reply.json({"error": str(error)}, 400)
            return Reply.json({})
        case _:
            return NOT_FOUND


class Handler(BaseHTTPRequestHandler):
    """Passes requests to `answer`."""

    world: World

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        streamed = parts.path in uploads.PATHS
        body = b"" if streamed else self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        base = f"http://{self.headers['host']}"
        request = Request(self.command, base, parts.path, parts.query, headers, body)
        try:
            reply = (
                uploads.answer(self.world, request, uploads.Body(self.rfile, length))
                if streamed
                else answer(self.world, request)
            )
        except owner.HangUp:
            self.close_connection = True
            return
        if streamed:
            self.close_connection = True  # bytes of a refused body may be left
        length_known = {"content-length": str(len(reply.body))} if reply.parts is None else {}
        self.send_response(reply.status)
        for name, value in {"content-type": reply.kind, **length_known, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = self.close_connection or reply.parts is not None
        for part in [reply.body] if reply.parts is None else reply.parts:
            self.wfile.write(part)
            self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Write no access log."""


def server(world: World, port: int) -> ThreadingHTTPServer:
    """Return the server, not yet serving."""
    return ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (Handler,), {"world": world}))


def main() -> int:
    port = int(os.environ.get("PLATFORMS_PORT") or 8103)
    try:
        home = Path(os.environ.get("SHOWRUNNER_HOME", ".local"))
        world = World(outbox=home / "outbox")
        drawn = catalogue.Drawn(home / "footage", os.environ.get("FOOTAGE_PYTHON") or sys.executable)
        videos = catalogue.videos()
        world.photographs.videos, world.photographs.clip = videos, drawn.stream
        world.photographs.preview = lambda video: drawn.preview(video, videos)
        world.commons_library.music, world.commons_library.sound = catalogue.MUSIC, drawn.music
        world.owned = ChannelsOfAccounts(world.channels)
        serving = server(world, port)
    except OSError:
        print(f"Port {port} is in use: set PLATFORMS_PORT to another.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=serving.shutdown).start())
    serving.serve_forever()
    return 0
