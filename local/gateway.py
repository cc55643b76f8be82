"""Give the APIs of the deployed stack stable addresses; the engine makes new API ids with every stack.

    python -m local.gateway     Platform on PLATFORM_PORT, Ingestion on INGESTION_PORT, Live (WebSocket) on
                                LIVE_PORT, all on 127.0.0.1

Every path belongs to the API behind it, except /_gateway/health, which answers as soon as the gateway
listens. Environment: the three ports, ENGINE_PORT, STAGE (stack showrunner-<stage>, outputs PlatformApiId,
IngestionApiId, LiveApiId).
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

import aiohttp
import boto3
import botocore.exceptions
from aiohttp import web
from botocore.config import Config
from multidict import CIMultiDict
from yarl import URL

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
BODY_LIMIT_BYTES = 10 * 1024 * 1024
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html#apigateway-execution-service-websocket-limits-table
MESSAGE_LIMIT_BYTES = 128 * 1024
# An API answers within 30 s; the rest is for a busy engine.
ANSWER_SECONDS = 45
# While nothing is deployed, do not ask the engine for each request.
LOOK_UP_AGAIN_SECONDS = 1.0
CHUNK_BYTES = 64 * 1024

# https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1: headers of one connection, not of the message.
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
# The engine's responses for an unknown API, and for a route that an API does not have.
UNKNOWN_API = {"message": "Not Found"}


class NotDeployed(Exception):
    """The stack, or the API in it, does not exist. The message says what to do."""


class TooLarge(Exception):
    pass


@dataclass(frozen=True)
class Target:
    """The address at which the engine serves an API."""

    api_id: str
    stage: str

    def path(self, raw_path: str) -> str:
        """Return the path at the engine. Only the default stage has no prefix."""
        stage = "" if self.stage == "$default" else f"/{self.stage}"
        return f"/_aws/execute-api/{self.api_id}{stage}{raw_path}"


@dataclass
class Api:
    """One API of the stack, by the name of its output. The target is looked up on first use and kept while it
    answers.
    """

    output: str
    stack: str
    engine: URL
    target: Target | None = None
    looked_up_at: float = -1e9
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self, instead_of: Target | None = None) -> Target:
        """Return the current target.

        Pass a target that no longer works as `instead_of` to look it up again.
        """
        async with self.lock:
            if self.target is None or self.target == instead_of:
                if instead_of and time.monotonic() - self.looked_up_at < LOOK_UP_AGAIN_SECONDS:
                    return instead_of
                self.target = await asyncio.to_thread(self._look_up)
                self.looked_up_at = time.monotonic()
            return self.target

    def _look_up(self) -> Target:
        try:
            stacks = self._client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
            outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
            if self.output not in outputs:
                raise NotDeployed(f"stack {self.stack} has no output {self.output}: deploy it with `make up`")
            stages = self._client("apigatewayv2").get_stages(ApiId=outputs[self.output])["Items"]
        except botocore.exceptions.ClientError as error:
            raise NotDeployed(f"stack {self.stack} is not deployed: run `make up`") from error
        except botocore.exceptions.BotoCoreError as error:
            raise NotDeployed(f"the engine on {self.engine} doesn't answer: run `make up`") from error
        return Target(outputs[self.output], stages[0]["StageName"] if stages else "$default")

    def _client(self, service: Literal["cloudformation", "apigatewayv2"]) -> Any:
        patience = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
        # A session of its own: boto3's default session is not thread-safe.
        session = boto3.Session(
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the engine takes any
            region_name="us-east-1",
        )
        return session.client(service, endpoint_url=str(self.engine), config=patience)


class Gateway:
    """The server of one port."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.session: aiohttp.ClientSession | None = None

    def application(self) -> web.Application:
        # Our own limit: aiohttp's applies only to bodies that it reads itself.
        application = web.Application(client_max_size=0)
        application.router.add_get("/_gateway/health", self.health)
        application.router.add_route("*", "/{path:.*}", self.serve)
        application.cleanup_ctx.append(self._with_session)
        application.on_response_prepare.append(_without_server_name)
        return application

    def _open_session(self) -> aiohttp.ClientSession:
        if self.session is None:
            raise RuntimeError("the gateway has not started")
        return self.session

    async def _with_session(self, _: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=None, connect=2, sock_read=ANSWER_SECONDS)
        # Pass bodies on unchanged, compressed or not; cookies belong to the caller.
        self.session = aiohttp.ClientSession(
            timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        yield
        await self.session.close()

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "api": self.api.output})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        try:
            if request.headers.get("upgrade", "").lower() == "websocket":
                return await self._connect(request)
            return await self._forward(request, await read_body(request))
        except TooLarge:
            return web.json_response(
                {"message": "Request Entity Too Large"}, status=413, headers={"Connection": "close"}
            )
        except NotDeployed as problem:
            return unavailable(str(problem))
        except aiohttp.ClientConnectionError:
            self.api.target = None
            return unavailable(f"the engine on {self.api.engine} doesn't answer: run `make up`")
        except TimeoutError:
            return unavailable(
                f"the engine on {self.api.engine} took longer than {ANSWER_SECONDS} s; its log is in the "
                "folder `logs`"
            )

    async def _forward(self, request: web.Request, body: bytes) -> web.StreamResponse:
        target = await self.api.find()
        async with self._send(target, request, body) as answer:
            if not await _api_is_unknown(answer):
                return await _pass_on(request, answer)
        new_target = await self.api.find(instead_of=target)
        async with self._send(new_target, request, body) as answer:
            return await _pass_on(request, answer)

    def _send(
        self, target: Target, request: web.Request, body: bytes
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._open_session().request(
            request.method,
            self._address(target, request),
            headers=forwarded_headers(request),
            data=body or None,
            allow_redirects=False,
            skip_auto_headers=("user-agent", "accept-encoding", "accept", "content-type"),
        )

    def _address(self, target: Target, request: web.Request) -> URL:
        # The raw path: decoding and encoding it again would change its escapes.
        return URL(f"{self.api.engine}{target.path(request.raw_path)}", encoded=True)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        """Proxy a WebSocket. Connect to the API first: if its $connect refuses, the client gets that status
        and no connection.
        """
        target = await self.api.find()
        protocols = [
            name.strip()
            for name in request.headers.get("sec-websocket-protocol", "").split(",")
            if name.strip()
        ]
        headers = CIMultiDict(
            (name, value)
            for name, value in forwarded_headers(request).items()
            if not name.lower().startswith("sec-websocket")
        )
        try:
            upstream = await self._open_session().ws_connect(
                self._address(target, request),
                headers=headers,
                protocols=protocols,
                max_msg_size=MESSAGE_LIMIT_BYTES,
            )
        except aiohttp.WSServerHandshakeError as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                self.api.target = None
            return web.json_response({"message": HTTPStatus(refusal.status).phrase}, status=refusal.status)
        downstream = web.WebSocketResponse(
            protocols=[upstream.protocol] if upstream.protocol else (), max_msg_size=MESSAGE_LIMIT_BYTES
        )
        await downstream.prepare(request)
        await _join(downstream, upstream)
        return downstream


async def _api_is_unknown(answer: aiohttp.ClientResponse) -> bool:
    # A longer body is the API's own. The response keeps what was read here, so it can still be passed on.
    if answer.status != HTTPStatus.NOT_FOUND or (answer.content_length or 0) > 2 * len(str(UNKNOWN_API)):
        return False
    with contextlib.suppress(ValueError):
        return bool(json.loads(await answer.read()) == UNKNOWN_API)
    return False


async def _pass_on(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = CIMultiDict(
        (name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP
    )
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    await response.prepare(request)
    if answer._body is not None:  # noqa: SLF001 (read already, to see whether the API exists)
        await response.write(answer._body)  # noqa: SLF001
    async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
        await response.write(chunk)
    await response.write_eof()
    return response


async def _join(downstream: web.WebSocketResponse, upstream: aiohttp.ClientWebSocketResponse) -> None:
    """Copy messages in both directions until either side closes."""
    pumps = [
        asyncio.create_task(_pump(downstream, upstream)),
        asyncio.create_task(_pump(upstream, downstream)),
    ]
    _, running = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    code = upstream.close_code or downstream.close_code or aiohttp.WSCloseCode.OK
    for side in (downstream, upstream):
        with contextlib.suppress(ConnectionError):
            await side.close(code=code)
    for pump in running:
        pump.cancel()


async def _pump(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    sink: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    async for message in source:
        if message.type == aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type == aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)


async def read_body(request: web.Request) -> bytes:
    """Read the whole body, since a function gets the whole body. Raises TooLarge as early as possible."""
    if (request.content_length or 0) > BODY_LIMIT_BYTES:
        raise TooLarge
    body = bytearray()
    async for chunk in request.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            raise TooLarge
    return bytes(body)


def forwarded_headers(request: web.Request) -> CIMultiDict[str]:
    headers = CIMultiDict(
        (name, value)
        for name, value in request.headers.items()
        if name.lower() not in {*HOP_BY_HOP, "content-length", "expect"}
    )
    came_by = [*headers.getall("x-forwarded-for", []), request.remote or "127.0.0.1"]
    headers["X-Forwarded-For"] = ", ".join(came_by)
    headers.setdefault("X-Forwarded-Proto", "http")
    headers.setdefault("X-Forwarded-Port", request.host.rpartition(":")[2])
    return headers


def unavailable(remedy: str) -> web.Response:
    return web.json_response({"message": "Service Unavailable", "remedy": remedy}, status=503)


async def _without_server_name(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)


async def main() -> int:
    engine = URL(f"http://127.0.0.1:{os.environ.get('ENGINE_PORT', '4566')}")
    stack = f"showrunner-{os.environ.get('STAGE', 'local')}"
    ports = {
        "PlatformApiId": ("PLATFORM_PORT", "8000"),
        "IngestionApiId": ("INGESTION_PORT", "8080"),
        "LiveApiId": ("LIVE_PORT", "8001"),
    }
    runners = []
    try:
        for output, (variable, default) in ports.items():
            port = int(os.environ.get(variable, default))
            # Open requests get half a second at the end; the whole gateway must end within two.
            runner = web.AppRunner(
                Gateway(Api(output, stack, engine)).application(),
                access_log=None,
                shutdown_timeout=0.5,
                auto_decompress=False,
            )
            runners.append(runner)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", port).start()
            except OSError as failure:
                reason = os.strerror(failure.errno or 0)
                print(
                    f"gateway: port {port} on 127.0.0.1 cannot be used ({reason}); stop what listens there "
                    f"or set {variable}",
                    file=sys.stderr,
                )
                return 2
        await _until_stopped()
    finally:
        await asyncio.gather(*(runner.cleanup() for runner in runners))
    return 0


async def _until_stopped() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
