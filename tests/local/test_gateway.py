"""The gateway in front of a real engine: what reaches the API, what comes back, and what if there is none."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.local.conftest import ROOT, TEMPLATES, Engine, free_port, wait_until


class Gateway:
    def __init__(self, engine_port: int, stage: str) -> None:
        self.ports = {name: free_port() for name in ("PLATFORM_PORT", "INGESTION_PORT", "LIVE_PORT")}
        self.environment = {
            **os.environ,
            **{name: str(port) for name, port in self.ports.items()},
            "ENGINE_PORT": str(engine_port),
            "STAGE": stage,
        }
        self.process = self.start()
        wait_until(lambda: self.listening("LIVE_PORT"))

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "local.gateway"],
            cwd=ROOT,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def listening(self, name: str) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.ports[name]), 1):
            return True
        return False

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        port: str = "PLATFORM_PORT",
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=40)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def event(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the event that the function behind the Platform API was called with."""
        status, _, answer = self.ask(method, path, body, headers)
        assert status == 200, answer
        return json.loads(answer)

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(5)
        self.process.stderr.close()


@pytest.fixture(scope="module")
def gateway(engine: Engine) -> Iterator[Gateway]:
    engine.deploy("showrunner-gatewaytest", TEMPLATES / "apis.yaml")
    running = Gateway(engine.port, "gatewaytest")
    yield running
    running.end()


def test_a_request_reaches_the_api_with_its_method_path_query_headers_and_body(gateway: Gateway) -> None:
    event = gateway.event(
        "PUT",
        "/api/v1/items/a%2Fb?x=1&x=2&y=%20",
        b'{"a": 1}',
        {"Content-Type": "application/json", "X-Own": "yes", "Cookie": "s=1"},
    )

    assert event["routeKey"] == "$default"
    assert event["requestContext"]["http"]["method"] == "PUT"
    assert event["rawQueryString"] == "x=1&x=2&y=%20"
    assert event["queryStringParameters"] == {"x": "1,2", "y": " "}
    assert event["headers"]["x-own"] == "yes"
    assert event["cookies"] == ["s=1"]
    assert json.loads(event["body"]) == {"a": 1}
    assert event["headers"]["content-length"] == "8"


def test_the_caller_is_added_to_x_forwarded_for(gateway: Gateway) -> None:
    event = gateway.event("GET", "/any", headers={"X-Forwarded-For": "203.0.113.9"})

    assert event["headers"]["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert event["headers"]["x-forwarded-port"] == str(gateway.ports["PLATFORM_PORT"])
    assert event["headers"]["host"] == f"127.0.0.1:{gateway.ports['PLATFORM_PORT']}"


def test_the_health_of_the_api_is_not_that_of_the_gateway(gateway: Gateway) -> None:
    assert gateway.event("GET", "/health")["rawPath"] == "/health"
    for port in gateway.ports:
        status, _, body = gateway.ask("GET", "/_gateway/health", port=port)
        assert (status, json.loads(body)["status"]) == (200, "ok")


def test_status_headers_and_every_cookie_come_back(gateway: Gateway) -> None:
    status, headers, body = gateway.ask("GET", "/cookies")

    assert (status, body) == (201, b"made")
    assert headers.get_all("set-cookie") == ["a=1; Path=/", "b=2"]
    assert headers["x-one"] == "1"
    assert headers["server"] is None


def test_bytes_and_an_answer_to_head_pass_unchanged(gateway: Gateway) -> None:
    assert gateway.ask("GET", "/binary")[2] == b"\x89PNG\r\n\x1a\n"
    status, headers, body = gateway.ask("HEAD", "/binary")
    assert (status, body) == (200, b"")
    assert headers["content-type"] == "image/png"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_ten_megabytes_gets_the_answer_that_aws_gives(gateway: Gateway, chunked: bool) -> None:
    size = 10 * 1024 * 1024 + 1
    body = (b"x" * 65536 for _ in range(size // 65536 + 1)) if chunked else b"x" * size
    with contextlib.suppress(ConnectionError):  # It may be closed before all has been sent.
        status, _, answer = gateway.ask("POST", "/any", body)
        assert (status, json.loads(answer)) == (413, {"message": "Request Entity Too Large"})


def test_the_ingestion_api_is_another_one(gateway: Gateway) -> None:
    status, _, body = gateway.ask("GET", "/hooks/youtube", port="INGESTION_PORT")

    assert status == 200
    assert json.loads(body)["routeKey"] == "GET /hooks/youtube"


def test_a_route_that_the_api_does_not_have_is_a_404_of_the_api(gateway: Gateway) -> None:
    status, _, body = gateway.ask("GET", "/elsewhere", port="INGESTION_PORT")

    assert (status, body) == (404, b'{"message":"Not Found"}')


def test_a_websocket_is_joined_through_to_the_api(gateway: Gateway) -> None:
    async def talk() -> tuple[str, str, int]:
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(
                f"http://127.0.0.1:{gateway.ports['LIVE_PORT']}/?ticket=good"
            ) as live:
                await live.send_str("hello")
                answer = await live.receive_str(timeout=10)
                await live.send_str("fail")
                failure = await live.receive_str(timeout=10)
            try:
                await session.ws_connect(f"http://127.0.0.1:{gateway.ports['LIVE_PORT']}/?ticket=bad")
            except aiohttp.WSServerHandshakeError as refusal:
                return answer, failure, refusal.status
        return answer, failure, 101

    answer, failure, refused_with = asyncio.run(talk())

    assert json.loads(answer) == {"echo": "hello"}
    assert json.loads(failure)["message"] == "Internal server error"
    assert refused_with == 401


def test_the_new_api_is_found_after_the_stack_was_made_anew(engine: Engine, gateway: Gateway) -> None:
    assert gateway.ask("GET", "/any")[0] == 200
    formation = engine.client("cloudformation")
    formation.delete_stack(StackName="showrunner-gatewaytest")

    def gone() -> bool:
        try:
            return (
                formation.describe_stacks(StackName="showrunner-gatewaytest")["Stacks"][0]["StackStatus"]
                == "DELETE_COMPLETE"
            )
        except formation.exceptions.ClientError:
            return True

    wait_until(gone)
    time.sleep(1.1)  # The gateway looks up an API at most once a second.
    status, _, body = gateway.ask("GET", "/any")
    assert status == 503
    assert "make up" in json.loads(body)["remedy"]

    engine.deploy("showrunner-gatewaytest", TEMPLATES / "apis.yaml")
    time.sleep(1.1)
    assert gateway.ask("GET", "/any")[0] == 200


def test_without_an_engine_the_answer_says_what_to_do(tmp_path: Path) -> None:
    alone = Gateway(free_port(), "nothing")
    try:
        status, _, body = alone.ask("GET", "/any")
        assert status == 503
        assert "make up" in json.loads(body)["remedy"]
    finally:
        alone.end()


def test_a_port_in_use_is_said_in_one_line_with_exit_status_2(gateway: Gateway) -> None:
    second = gateway.start()
    _, complaint = second.communicate(timeout=10)

    assert second.returncode == 2
    assert "PLATFORM_PORT" in complaint
    assert len(complaint.splitlines()) == 1


def test_it_ends_within_two_seconds_of_sigterm_with_a_request_under_way(engine: Engine) -> None:
    running = Gateway(engine.port, "gatewaytest")
    connection = http.client.HTTPConnection("127.0.0.1", running.ports["PLATFORM_PORT"])
    connection.request("GET", "/slow")
    time.sleep(0.3)
    started = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(5) == 0
    assert time.monotonic() - started < 2
    running.process.stderr.close()
    connection.close()
    urllib.request.urlopen(f"{engine.url}/_ministack/health").close()
