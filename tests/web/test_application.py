"""showrunner.web: what every answer has, whatever the route."""

import base64
import json
import logging
import re
import unicodedata
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showrunner import errors
from showrunner.access import limits, roles
from showrunner.aws import rpc
from showrunner.database import db
from showrunner.errors import InvalidRequest
from showrunner.web import answers, application, fields, log
from showrunner.web.body import parse
from tests.conftest import Client, payload, send

VIDEO = f"/api/v1/videos/{uuid.uuid4()}"


def error(response):
    return response.status, response.body["error"]["code"]


def test_errors_have_the_documented_shape(client):
    response = client("GET", VIDEO, x_request_id="my-request.1")

    assert response.status == 404
    assert set(response.body) == {"error"}
    assert set(response.body["error"]) == {"code", "message", "details", "request_id", "timestamp"}
    assert response.body["error"]["request_id"] == "my-request.1" == response.headers["x-request-id"]
    assert response.body["error"]["timestamp"].endswith("Z")


@pytest.mark.parametrize("given", ["", "with space", "x" * 129, "ümlaut"])
def test_an_invalid_request_id_is_replaced(client, given):
    response = client("GET", VIDEO, x_request_id=given)

    assert uuid.UUID(response.headers["x-request-id"])


def test_every_answer_has_security_headers(client):
    responses = [
        client("GET", "/api/v1/videos"),
        client("GET", VIDEO),
        client("GET", "/nowhere"),
        Client()("GET", VIDEO),
        Client()("GET", "/health"),
    ]

    for response in responses:
        assert response.headers.items() >= answers.SECURITY_HEADERS.items()
        assert "cache-control" in response.headers


def test_unknown_paths_and_methods_have_the_documented_shape(client):
    assert error(client("GET", "/nowhere")) == (404, "NOT_FOUND")
    assert error(client("GET", "/api/v1/videos/")) == (404, "NOT_FOUND")
    assert error(client("GET", "/api/v1/video")) == (404, "NOT_FOUND")
    assert error(client("GET", VIDEO + "/colour")) == (404, "NOT_FOUND")
    response = client("PATCH", VIDEO)
    assert error(response) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "DELETE, GET, PUT"
    assert client("DELETE", "/health").headers["allow"] == "GET"


def test_a_call_without_a_token_is_401_with_a_challenge(client):
    response = Client()("GET", VIDEO)

    assert error(response) == (401, "AUTH_REQUIRED")
    assert response.headers["www-authenticate"] == "Bearer"
    assert error(client("GET", VIDEO, authorization="Basic dXNlcjpwYXNz")) == (401, "AUTH_REQUIRED")
    assert error(client("GET", VIDEO, authorization="Bearer nonsense")) == (401, "INVALID_TOKEN")


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not:an:address", "not:an:address"),
        ("", ""),
    ],
)
def test_addresses_are_counted_by_network(address, counted):
    assert limits.place(address) == counted


def test_addresses_of_one_network_share_a_limit(tx, aws):
    body = {"email": "nobody@example.com", "password": "x", "mfa_code": "1"}
    statuses = [
        Client(address=f"2001:db8:7:7:{n:x}::{n:x}")("POST", "/api/v1/auth/login", body).status
        for n in range(11)
    ]

    assert statuses == [400] * 10 + [429]
    assert Client(address="2001:db8:7:8::1")("POST", "/api/v1/auth/login", body).status == 400


def test_a_scope_that_lacks_the_permission_is_refused(service, organisation_id):
    reader = service(organisation_id, "videos:read")

    assert reader("GET", "/api/v1/videos").status == 200
    assert error(reader("POST", "/api/v1/videos/generate", {})) == (403, "INSUFFICIENT_PERMISSIONS")
    assert error(reader("GET", "/api/v1/channels")) == (403, "INSUFFICIENT_PERMISSIONS")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[1,",
        "nul",
        '{"a": NaN}',
        '{"a": Infinity}',
        "\ufeff{}",
        '{"a": "\\ud800"}',
        "[" * 100_000,
        '{"a":' * 40 + "1" + "}" * 40,
        "1" * 5000,
    ],
    ids=lambda body: body[:12],
)
def test_a_body_that_is_not_valid_json_is_refused(client, body):
    response = client("POST", "/api/v1/channels", body)

    assert response.status == 400
    assert response.body["error"]["code"] in ("INVALID_FORMAT", "MISSING_FIELD", "VALIDATION_ERROR")


@pytest.mark.parametrize("body", ["[]", "7", '"text"', "null", "true"])
def test_a_body_that_is_not_an_object_is_refused(client, body):
    assert client("POST", "/api/v1/channels", body).status == 400


def test_a_body_over_the_routes_limit_is_refused(client):
    large = json.dumps({"name": "x" * fields.MEGABYTE})
    assert error(client("POST", "/api/v1/channels", large)) == (413, "PAYLOAD_TOO_LARGE")
    batch = json.dumps({"videos": [{"topic": "x" * (fields.MEGABYTE + 10)}]})
    assert client("POST", "/api/v1/videos/generate/batch", batch).status == 202
    assert client("POST", "/api/v1/videos/generate/batch", batch + " " * fields.MEGABYTE).status == 413


def test_a_base64_body_is_decoded_and_an_invalid_one_refused(client):
    event = client.event("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"})
    encoded = {**event, "body": base64.b64encode(event["body"].encode()).decode(), "isBase64Encoded": True}

    assert send(encoded)["statusCode"] == 201
    assert send({**encoded, "body": "*"})["statusCode"] == 400
    assert send({**encoded, "body": "ümlaut"})["statusCode"] == 400
    assert send({**encoded, "body": base64.b64encode(b"\xff\xfe").decode()})["statusCode"] == 400


def test_an_invalid_character_in_a_header_is_refused(client):
    assert error(client("GET", VIDEO, x_device_id="\ud800")) == (400, "INVALID_FORMAT")


def test_answers_are_not_cached_for_the_next_user(client):
    response = client("GET", "/api/v1/channels")

    assert response.headers["cache-control"] == "private, max-age=60"
    assert "authorization" in response.headers["vary"].split(", ")


def test_texts_are_normalised_to_nfc(client):
    response = client("POST", "/api/v1/channels", {"name": "Cafe\u0301", "niche": "Insects"})

    assert response.body["channel"]["name"] == unicodedata.normalize("NFC", "Cafe\u0301") == "Café"


def test_a_request_with_a_matching_etag_is_304_without_a_body(client):
    first = client("GET", "/api/v1/videos")

    assert client("GET", "/api/v1/videos", if_none_match=first.headers["etag"]).status == 304
    assert client("GET", "/api/v1/videos", if_none_match=f'W/{first.headers["etag"]}, "other"').body in (
        None,
        "",
    )
    assert client("GET", "/api/v1/videos", if_none_match='"other"').status == 200
    assert first.headers["cache-control"] == "private, max-age=0"


def test_rate_limits_are_in_every_answer_and_enforced(client, monkeypatch):
    response = client("GET", VIDEO)
    assert (response.headers["ratelimit-limit"], response.headers["ratelimit-remaining"]) == ("60", "59")
    assert 1 <= int(response.headers["ratelimit-reset"]) <= 60

    for _ in range(59):
        client("GET", VIDEO)
    response = client("GET", VIDEO)

    assert error(response) == (429, "RATE_LIMIT_EXCEEDED")
    assert response.headers["retry-after"] == response.headers["ratelimit-reset"]
    assert response.headers["ratelimit-remaining"] == "0"
    monkeypatch.setenv("RATE_LIMIT_FACTOR", "10")
    assert client("GET", VIDEO).status == 404


def test_callers_have_separate_limits(client, service, organisation_id):
    for _ in range(60):
        client("GET", VIDEO)

    other = service(organisation_id, "videos:read")
    assert client("GET", VIDEO).status == 429
    assert other("GET", VIDEO).status == 429, "the same service with another token"


def test_maintenance_refuses_every_route_except_health(client, tx):
    db.run(
        tx,
        "INSERT INTO access.maintenance (message, ends_at, started_by) "
        "VALUES ('Moving house.', now() + interval '9 minutes 30 seconds', 'test')",
    )

    response = client("GET", VIDEO)

    assert error(response) == (503, "MAINTENANCE_MODE")
    assert response.body["error"]["message"] == "Moving house."
    assert response.headers["retry-after"] == "600"
    assert Client()("GET", "/health").status == 200


def test_a_revoked_token_is_refused_at_the_next_call(client, tx):
    from showrunner.access import tokens

    identity = tokens.verify(client.token)
    db.run(
        tx, "INSERT INTO access.denied_tokens VALUES (:id, now() + interval '1 hour')", id=identity.token_id
    )

    assert error(client("GET", VIDEO)) == (401, "INVALID_TOKEN")


def test_only_listed_origins_may_call_from_a_browser(client, monkeypatch):
    monkeypatch.setenv("CORS_ORIGINS", "https://app.example.com,https://other.example.com")
    good, bad = "https://app.example.com", "https://evil.example.com"

    response = client("GET", VIDEO, origin=good)
    assert response.headers["access-control-allow-origin"] == good
    assert "access-control-allow-origin" not in client("GET", VIDEO, origin=bad).headers
    preflight = Client()("OPTIONS", VIDEO, origin=good, access_control_request_method="PUT")
    assert preflight.status == 204
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    assert Client()("OPTIONS", "/nowhere", origin=good).status == 404


def test_an_unexpected_error_is_a_500_without_its_cause(client, monkeypatch):
    app = application.Application("broken")

    @app.get("/broken", permission=roles.PUBLIC, unlimited=True)
    def broken(request):
        raise KeyError("secret detail")

    response = application.serve(app, payload("GET", "/broken", {}, None))

    assert response["statusCode"] == 500
    body = json.loads(response["body"])
    assert body["error"]["code"] == "INTERNAL_ERROR"
    assert "secret" not in response["body"]


def test_names_of_aws_errors_are_not_shown(client):
    app = application.Application("broken")

    @app.get("/broken", permission=roles.PUBLIC, unlimited=True)
    def broken(request):
        raise rpc.AwsError(
            "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/x is not authorized"
        )

    response = application.serve(app, payload("GET", "/broken", {}, None))

    assert (response["statusCode"], json.loads(response["body"])["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "arn:aws" not in response["body"]


def test_an_unreachable_database_is_a_503_with_retry_after(postgres, service, monkeypatch):
    db.close()
    monkeypatch.setenv("DATABASE_PORT", "1")

    response = service(str(uuid.uuid4()))("GET", VIDEO)

    assert error(response) == (503, "SERVICE_UNAVAILABLE")
    assert response.headers["retry-after"] == "15"


def test_a_request_logs_one_line_that_holds_its_metrics(client, capsys):
    client("GET", VIDEO, x_request_id="seen")

    (line,) = [json.loads(each) for each in capsys.readouterr().out.splitlines()]

    assert (line["request_id"], line["route"], line["status"], line["subject"]) == (
        "seen",
        "GET /api/v1/videos/{video_id}",
        404,
        "service:test",
    )
    named = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert named == {"Duration", "Answers4xx"}
    assert named <= set(line)
    assert (line["level"], "parts_ms" in line) == ("INFO", False)


def test_a_stage_may_have_metrics_of_each_route_and_status_class(client, capsys, monkeypatch):
    monkeypatch.setenv("ROUTE_METRICS", "true")
    client("GET", VIDEO)
    client("GET", "/api/v1/no-such-route")

    lines = [json.loads(each) for each in capsys.readouterr().out.splitlines()]

    assert [(line["route"], line["status_class"]) for line in lines] == [
        ("GET /api/v1/videos/{video_id}", "4xx"),
        ("none", "4xx"),
    ]
    for line in lines:
        assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [
            ["function"],
            ["route", "status_class"],
        ]


def test_a_slow_request_is_a_warning_with_the_time_of_each_part(client, capsys, monkeypatch):
    monkeypatch.setattr(log, "SLOW_MS", 0)
    client("GET", VIDEO)

    (line,) = [json.loads(each) for each in capsys.readouterr().out.splitlines()]

    assert line["level"] == "WARNING"
    assert list(line["parts_ms"]) == ["identify", "admit", "check", "rest"]
    assert sum(line["parts_ms"].values()) == pytest.approx(line["Duration"], abs=1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_any_body_is_read_as_normalised_text_or_refused(value):
    try:
        read = parse(json.dumps(value).encode())
    except InvalidRequest:
        return
    text = json.dumps(read, ensure_ascii=False)
    assert unicodedata.is_normalized("NFC", text)
    assert not any(ord(sign) < 32 and sign not in "\t\n\r" for sign in text)


@given(
    st.dictionaries(
        st.sampled_from(["rawPath", "headers", "body", "queryStringParameters"]),
        st.text() | st.none() | st.dictionaries(st.text(), st.text()),
    )
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_path_header_or_query_is_answered(postgres, monkeypatch, change):
    monkeypatch.setenv("RATE_LIMIT_FACTOR", "1000")  # hundreds of unknown paths from one address
    event = payload("GET", "/health", {}, None, "198.18.0.2")
    for name, value in change.items():
        if (name in ("rawPath", "body")) == isinstance(value, str):
            event[name] = value
    event["rawPath"] = str(event["rawPath"])

    response = send(event)

    assert response["statusCode"] in (200, 304, 400, 401, 404, 405, 413)


# ---------------------------------------------------------------- Rate limits of requests that fail


def limit_headers(response):
    return {
        name
        for name in ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
        if name in response.headers
    }


@pytest.mark.parametrize(
    ("token", "method", "path", "status"),
    [
        (None, "GET", "/api/v1/videos", 401),
        ("forged", "GET", "/api/v1/videos", 401),
        (None, "GET", "/api/v1/nothing", 404),
        (None, "PUT", "/api/v1/videos", 405),
    ],
)
def test_failed_requests_have_rate_limit_headers_and_slow_down(
    postgres, signing_key, tx, token, method, path, status
):
    from showrunner.access import limits
    from tests.conftest import Client

    prober = Client(token, address="203.0.113.200")

    responses = [prober(method, path) for _ in range(limits.FAILURES[0][1] + 1)]

    assert [each.status for each in responses] == [status] * limits.FAILURES[0][1] + [429]
    assert all(len(limit_headers(each)) == 3 for each in responses)
    assert responses[-1].headers["ratelimit-remaining"] == "0"
    assert Client(None, address="203.0.113.201")(method, path).status == status, "others are not slowed down"


def test_a_denied_permission_and_maintenance_have_rate_limit_headers(tx, service, organisation_id):
    from showrunner.store.access import maintenance

    denied = service(organisation_id, "channels:read")("GET", "/api/v1/videos")
    maintenance.save(tx, "Closed", 5, "test")
    closed = service(organisation_id, "videos:read")("GET", "/api/v1/videos")

    assert [(each.status, len(limit_headers(each))) for each in (denied, closed)] == [(403, 3), (503, 3)]


def test_a_refusal_describes_the_window_that_refused(tx, service, organisation_id):
    from tests.conftest import Client

    responses = [
        Client(address="203.0.113.202")("POST", "/api/v1/auth/refresh", {"refresh_token": "x"})
        for _ in range(61)
    ]

    assert responses[-1].status == 429
    assert (responses[-1].headers["ratelimit-limit"], responses[-1].headers["ratelimit-remaining"]) == (
        "60",
        "0",
    )


# ---------------------------------------------------------------- What callers are not told


@pytest.mark.parametrize(
    "error",
    [
        errors.ConfigurationMissing(
            "The secret /showrunner/dev/google/client_id is not in SSM: put it there."
        ),
        errors.StorageDenied(
            "The function may not use organisations/1/video.mp4: its policy lacks the action."
        ),
        errors.StorageMissing("There is no object organisations/1/video.mp4 in the media bucket."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_names_of_secrets_and_objects_are_in_the_log_and_not_in_the_response(error):
    app, records = application.Application("secrets"), []
    handler = logging.Handler()
    handler.emit = records.append
    logging.getLogger("showrunner").addHandler(handler)

    @app.get("/broken", permission=roles.PUBLIC, unlimited=True)
    def broken(request):
        raise error

    response = application.serve(app, payload("GET", "/broken", {}, None))
    logging.getLogger("showrunner").removeHandler(handler)

    told = json.loads(response["body"])["error"]
    assert (response["statusCode"], told["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert told["request_id"] in told["message"]
    assert not re.search(r"showrunner/|SSM|organisations/|bucket|policy", response["body"])
    assert [record.exc_info[1] for record in records] == [error]
