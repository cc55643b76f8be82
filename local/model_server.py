"""Shared by the language and the voice server: request counts, one log line per request, clear errors at
start.
"""

import logging
import os
import socket
import sys
import time
import uuid
from collections import Counter

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("local")
FREE = frozenset({"/health", "/stats"})  # Called by launchers and tests: neither counted nor logged


class Counted:
    """Count requests by endpoint, log one line for each (without its text), and add x-request-id to each
    response.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.by_endpoint: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in FREE:
            return await self._app(scope, receive, send)
        started, status, request_id = time.perf_counter(), 500, uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                elapsed_ms = round((time.perf_counter() - started) * 1000)
                message["headers"] += [
                    (b"x-request-id", request_id.encode()),
                    (b"request-id", request_id.encode()),
                    (b"openai-processing-ms", b"%d" % elapsed_ms),
                ]
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        finally:
            route = getattr(scope.get("route"), "path", scope["path"])
            self.by_endpoint[f"{scope['method']} {route}"] += 1
            log.info(
                "%s %s %s %d ms %s",
                scope["method"],
                scope["path"],
                status,
                (time.perf_counter() - started) * 1000,
                request_id,
            )

    async def stats(self, _: Request) -> JSONResponse:
        return JSONResponse({"requests": self.by_endpoint.total(), "by_endpoint": dict(self.by_endpoint)})


def port_from(variable: str, default: int) -> int:
    try:
        port = int(os.environ.get(variable) or default)
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        print(
            f"{variable} must be a port number from 1 to 65535, not {os.environ[variable]!r}", file=sys.stderr
        )
        raise SystemExit(2)
    return port


def listen(port: int, variable: str) -> socket.socket:
    """Return the bound socket. Bound before the model is loaded, so that a second start fails at once."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        # Connections to a bound socket that does not listen are refused: callers wait for the health check,
        # not for a loading model.
        return listener
    except OSError:
        print(
            f"port {port} is in use: end the process that holds it, or choose another port with "
            f"{variable}=<port>",
            file=sys.stderr,
        )
        raise SystemExit(2) from None


def serve(app: ASGIApp, listener: socket.socket) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    # One second for open requests: the launcher expects the process to end within two.
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, lifespan="off"
    )
    uvicorn.Server(config).run(sockets=[listener])
