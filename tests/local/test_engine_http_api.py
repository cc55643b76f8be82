"""HTTP APIs on the engine: which route answers, what its function gets, what the caller gets, the limits."""

import http.client
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.local.conftest import TEMPLATES, Engine


class Api:
    def __init__(self, engine: Engine, api_id: str) -> None:
        self.port, self.base = engine.port, f"/_aws/execute-api/{api_id}"

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, self.base + path, body, headers or {})
        response = connection.getresponse()
        answer = response.status, response.headers, response.read()
        connection.close()
        return answer

    def event(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        status, _, answer = self.ask(method, path, body, headers)
        assert status == 200, answer
        return json.loads(answer)


@pytest.fixture(scope="module")
def api(engine: Engine, outputs: dict[str, str]) -> Api:
    return Api(engine, outputs["PlatformApiId"])


@pytest.mark.parametrize(("method", "path", "route", "parameters"), [
    ("GET", "/health", "GET /health", None),
    ("DELETE", "/api/v1/items", "ANY /api/v1/items", None),
    ("GET", "/api/v1/items/1/parts/2", "ANY /api/v1/items/{proxy+}", {"proxy": "1/parts/2"}),
    ("POST", "/health", "$default", None),
    ("GET", "/nothing/of/the/kind", "$default", None),
    ("GET", "/", "$default", None),
])  # fmt: skip
def test_the_most_specific_route_answers(
    api: Api, method: str, path: str, route: str, parameters: Any
) -> None:
    event = api.event(method, path)

    assert (event["routeKey"], event["rawPath"], event.get("pathParameters")) == (route, path, parameters)
    assert event["requestContext"]["routeKey"] == route


def test_an_event_has_the_shape_of_payload_format_2(api: Api) -> None:
    headers = {
        "X-Twice": "1",
        "Cookie": "a=1; b=2",
        "Content-Type": "application/json",
        "User-Agent": "probe",
    }
    event = api.event("POST", "/api/v1/items/%C3%A4?b=2&a=1&a=3&empty=", '{"ä": 1}'.encode(), headers)

    assert event["version"] == "2.0"
    assert event["rawQueryString"] == "b=2&a=1&a=3&empty="
    assert event["queryStringParameters"] == {"b": "2", "a": "1,3", "empty": ""}
    assert event["pathParameters"] == {"proxy": "ä"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]
    assert all(name == name.lower() for name in event["headers"])
    assert (event["body"], event["isBase64Encoded"]) == ('{"ä": 1}', False)
    context = event["requestContext"]
    assert context["http"] == {
        "method": "POST",
        "path": event["rawPath"],
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "probe",
    }
    assert (context["accountId"], context["stage"]) == ("000000000000", "$default")
    assert context["requestId"]
    assert abs(context["timeEpoch"] - time.time() * 1000) < 5000
    assert time.strptime(context["time"], "%d/%b/%Y:%H:%M:%S +0000")


def test_what_a_request_does_not_have_is_absent_from_its_event(api: Api) -> None:
    assert not {"body", "cookies", "queryStringParameters", "pathParameters"} & set(
        api.event("GET", "/health")
    )


def test_a_header_sent_twice_is_joined(api: Api) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", api.port)
    connection.putrequest("GET", api.base + "/health")
    connection.putheader("X-Twice", "1")
    connection.putheader("X-Twice", "2")
    connection.endheaders()
    joined = json.loads(connection.getresponse().read())["headers"]["x-twice"]
    connection.close()
    assert joined == "1,2"


def test_a_body_that_is_not_text_is_base64(api: Api) -> None:
    event = api.event("POST", "/any", b"\x00\xff", {"Content-Type": "application/octet-stream"})

    assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)


@pytest.mark.parametrize(("path", "status", "content_type", "body"), [
    ("/cookies", 201, "text/plain; charset=utf-8", b"made"),
    ("/binary", 200, "image/png", b"\x89PNG\r\n\x1a\n"),
    ("/plain", 200, "application/json", b'{"inferred": true}'),
    ("/raise", 500, "application/json", b'{"message":"Internal Server Error"}'),
])  # fmt: skip
def test_an_answer_is_what_the_function_made_of_it(
    api: Api, path: str, status: int, content_type: str, body: bytes
) -> None:
    found = api.ask("GET", path)

    assert (found[0], found[1]["content-type"], found[2]) == (status, content_type, body)
    if path == "/cookies":
        assert found[1].get_all("set-cookie") == ["a=1; Path=/", "b=2"]
    assert found[1]["apigw-requestid"]


def test_a_preflight_is_answered_by_the_api_for_its_origins_only(api: Api) -> None:
    asked = {"Access-Control-Request-Method": "GET"}
    status, headers, body = api.ask(
        "OPTIONS", "/api/v1/items", headers={"Origin": "http://localhost:5173", **asked}
    )
    assert (status, body) == (204, b"")
    assert headers["access-control-allow-origin"] == "http://localhost:5173"
    assert (headers["access-control-allow-methods"], headers["access-control-max-age"]) == ("GET,POST", "600")

    status, headers, _ = api.ask(
        "OPTIONS", "/api/v1/items", headers={"Origin": "http://evil.example", **asked}
    )
    assert (status, headers["access-control-allow-origin"]) == (204, None)


def test_answers_carry_cors_headers_for_allowed_origins_only(api: Api) -> None:
    assert (
        api.ask("GET", "/health", headers={"Origin": "http://localhost:5173"})[1][
            "access-control-allow-origin"
        ]
        == "http://localhost:5173"
    )
    assert (
        api.ask("GET", "/health", headers={"Origin": "http://evil.example"})[1]["access-control-allow-origin"]
        is None
    )
    assert api.ask("GET", "/health")[1]["access-control-allow-origin"] is None


def test_without_a_cors_configuration_options_is_a_request_like_any_other(
    engine: Engine, outputs: dict[str, str]
) -> None:
    plain = Api(engine, outputs["IngestionApiId"])

    assert plain.event("OPTIONS", "/some/path")["requestContext"]["http"]["method"] == "OPTIONS"
    assert (
        plain.ask("GET", "/some/path", headers={"Origin": "http://any.example"})[1][
            "access-control-allow-origin"
        ]
        is None
    )
    assert plain.ask("GET", "/")[0] == 404


def test_a_body_above_ten_megabytes_is_refused(api: Api) -> None:
    status, _, body = api.ask("POST", "/any", b"x" * (10 * 1024 * 1024 + 1), {"Content-Type": "text/plain"})

    assert (status, json.loads(body)) == (413, {"message": "Request Entity Too Large"})


def test_a_body_that_does_not_fit_into_a_function_s_event_is_refused_too(api: Api) -> None:
    assert api.ask("POST", "/any", b"x" * 7_000_000, {"Content-Type": "text/plain"})[0] == 413


@pytest.mark.slow
def test_after_thirty_seconds_the_caller_is_told_service_unavailable(api: Api) -> None:
    started = time.monotonic()
    status, _, body = api.ask("GET", "/slow")

    assert (status, json.loads(body)) == (503, {"message": "Service Unavailable"})
    assert 29 < time.monotonic() - started < 33


def test_an_update_changes_routes_and_keeps_the_address(engine: Engine, tmp_path: Path) -> None:
    template = (TEMPLATES / "apis.yaml").read_text()
    before = engine.deploy("changing", TEMPLATES / "apis.yaml")
    changed = tmp_path / "changed.yaml"
    changed.write_text(template.replace("/hooks/youtube", "/hooks/spotify"))
    after = engine.deploy("changing", changed)

    assert after == before
    api = Api(engine, after["IngestionApiId"])
    assert api.ask("GET", "/hooks/youtube")[0] == 404
    assert api.event("GET", "/hooks/spotify")["routeKey"] == "GET /hooks/spotify"


def test_an_authorizer_is_refused_instead_of_left_out(engine: Engine, tmp_path: Path) -> None:
    template = (TEMPLATES / "apis.yaml").read_text()
    guarded = tmp_path / "guarded.yaml"
    authorizer = (
        "{IdentitySource: $request.header.Authorization, "
        "JwtConfiguration: {issuer: 'https://a', audience: [b]}}"
    )
    jwt = f"{{Auth: {{DefaultAuthorizer: Own, Authorizers: {{Own: {authorizer}}}}}}}"
    guarded.write_text(
        template.replace(
            "Platform: {Type: AWS::Serverless::HttpApi}",
            f"Platform: {{Type: AWS::Serverless::HttpApi, Properties: {jwt}}}",
        )
    )

    with pytest.raises(pytest.fail.Exception, match="authorizer"):
        engine.deploy("guarded", guarded)
