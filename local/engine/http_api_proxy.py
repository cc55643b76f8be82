"""Convert between HTTP and functions as an HTTP API does: payload format 2.0, AWS's limits, AWS's own error
bodies.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import asyncio
import base64
import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from ministack.core.concurrency import run_reentrant
from ministack.services import apigateway, lambda_svc

from .expected import expect

Json = dict[str, Any]
Answer = tuple[int, Json, bytes]

PROXY = (
    "integration",
    "api_id",
    "stage",
    "path",
    "method",
    "headers",
    "body",
    "query_params",
    "route_key",
    "path_params",
)
expect(apigateway, "_invoke_lambda_proxy", *PROXY)
expect(
    apigateway,
    "_handle_execute_in_scope",
    "api_id",
    "stage",
    "path",
    "method",
    "headers",
    "body",
    "query_params",
)
expect(apigateway, "_cors_preflight_response", "cors_cfg", "origin")
expect(apigateway, "_cors_response_headers", "cors_cfg", "origin")
expect(apigateway, "_match_route", "api_id", "method", "path")
expect(apigateway, "_v2_request_body_is_text", "content_type")
expect(apigateway, "_extract_lambda_ref_from_integration_uri")
expect(lambda_svc, "_get_func_record_for_ref_in_scope", "function_ref", "account_id", "region")
expect(lambda_svc, "_execution_record_for_config")
expect(lambda_svc, "_execute_function_with_config_scope", "func", "event")

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
BODY_LIMIT_BYTES = 10 * 1024 * 1024
TIMEOUT_SECONDS = 30.0


def _message(status: int, text: str) -> Answer:
    return (
        status,
        {"Content-Type": "application/json"},
        json.dumps({"message": text}, separators=(",", ":")).encode(),
    )


async def invoke(
    integration: Json,
    api_id: str,
    stage: str,
    path: str,
    method: str,
    headers: Json,
    body: bytes,
    query_params: Json | None,
    route_key: str = "$default",
    path_params: Json | None = None,
    **scope: Any,
) -> Answer:
    """Invoke the integration's function within API Gateway's limits. Returns its response."""
    if len(body or b"") > BODY_LIMIT_BYTES:
        return _message(413, "Request Entity Too Large")
    reference = apigateway._extract_lambda_ref_from_integration_uri(integration.get("integrationUri", ""))
    function, config, _ = lambda_svc._get_func_record_for_ref_in_scope(
        reference, account_id=scope.get("owner_account_id"), region=scope.get("owner_region")
    )
    if not function or not config:
        return _message(500, "Internal Server Error")
    event = request_event(
        api_id,
        stage,
        path,
        method,
        headers,
        body,
        scope.get("raw_query_string"),
        query_params,
        route_key,
        path_params,
    )
    record = lambda_svc._execution_record_for_config(function, config)
    call = run_reentrant(
        lambda_svc._execute_function_with_config_scope, record, event, thread_name="http-api-invoke"
    )
    timeout = min(TIMEOUT_SECONDS, integration.get("timeoutInMillis", 30_000) / 1000)
    try:
        # Shielded: as in AWS, the function goes on when the caller stops waiting.
        result = await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(call)), timeout)
    except TimeoutError:
        return _message(503, "Service Unavailable")
    return answer(result)


def request_event(
    api_id: str,
    stage: str,
    path: str,
    method: str,
    headers: Json,
    body: bytes,
    raw_query: str | None,
    query: Json | None,
    route_key: str,
    path_params: Json | None,
) -> Json:
    now = datetime.now(UTC)
    headers = {name.lower(): value for name, value in headers.items()}
    cookies = headers.pop("cookie", None)
    host = headers.get("host", "")
    source = headers.get("x-forwarded-for", "127.0.0.1")
    headers = {
        "content-length": str(len(body or b"")),
        **headers,
        "x-amzn-trace-id": headers.get("x-amzn-trace-id")
        or f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}",
        "x-forwarded-for": source,
        "x-forwarded-port": headers.get("x-forwarded-port") or host.rpartition(":")[2],
        "x-forwarded-proto": headers.get("x-forwarded-proto", "http"),
    }
    # Only the default stage is served from the root; another stage's name is part of the path.
    full_path = path if stage == "$default" else f"/{stage}{path}"
    event: Json = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": full_path,
        "rawQueryString": raw_query if raw_query is not None else apigateway._raw_query_string(query, None),
        **(
            {"cookies": [cookie.strip() for cookie in cookies.split(";") if cookie.strip()]}
            if cookies
            else {}
        ),
        "headers": headers,
        **(
            {"queryStringParameters": {name: ",".join(values) for name, values in query.items()}}
            if query
            else {}
        ),
        "requestContext": {
            "accountId": apigateway.get_account_id(),
            "apiId": api_id,
            "domainName": host.partition(":")[0],
            "domainPrefix": host.partition(":")[0].partition(".")[0],
            "http": {
                "method": method,
                "path": full_path,
                "protocol": "HTTP/1.1",
                # The last entry is what the gateway saw; earlier ones are what the caller claims.
                "sourceIp": source.rpartition(",")[2].strip(),
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": base64.b64encode(uuid.uuid4().bytes[:11]).decode(),
            "routeKey": route_key,
            "stage": stage,
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        **({"pathParameters": path_params} if path_params else {}),
        "isBase64Encoded": False,
    }
    if body:
        text = apigateway._v2_request_body_is_text(headers.get("content-type"))
        event["body"] = body.decode("utf-8", "replace") if text else base64.b64encode(body).decode()
        event["isBase64Encoded"] = not text
    return event


def answer(result: Json) -> Answer:
    """Convert a function's result to a response. An invalid result is a 500 without details, as in AWS."""
    if result.get("throttle"):
        return _message(503, "Service Unavailable")
    if result.get("error"):
        too_large = (result.get("body") or {}).get("errorType") == "RequestEntityTooLargeException"
        return (
            _message(413, "Request Entity Too Large") if too_large else _message(500, "Internal Server Error")
        )
    payload = result.get("body")
    if not isinstance(payload, dict) or "statusCode" not in payload:
        # Format 2.0: a result without statusCode is itself the body.
        text = payload if isinstance(payload, str) else json.dumps(payload)
        return 200, {"Content-Type": "application/json"}, text.encode()
    try:
        return int(payload["statusCode"]), _response_headers(payload), _response_body(payload)
    except (TypeError, ValueError, AttributeError):
        return _message(500, "Internal Server Error")


def _response_headers(payload: Json) -> Json:
    headers: Json = {
        name.lower(): _header_value(value) for name, value in (payload.get("headers") or {}).items()
    }
    headers.setdefault("content-type", "text/plain; charset=utf-8")
    if cookies := payload.get("cookies"):
        own = headers.pop("set-cookie", None)
        headers["set-cookie"] = [*cookies, *([own] if own else [])]
    return headers


def _header_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _response_body(payload: Json) -> bytes:
    body = payload.get("body")
    if body is None:
        return b""
    if payload.get("isBase64Encoded"):
        return base64.b64decode(body)
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def with_joined_headers(application: Any) -> Any:
    """Wrap the application: join repeated headers with a comma and no space, as API Gateway does (MiniStack
    adds a space).
    """

    async def joining(scope: Json, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/_aws/execute-api/"):
            joined: dict[bytes, bytes] = {}
            for name, value in scope["headers"]:
                separator = b"; " if name == b"cookie" else b","
                joined[name] = joined[name] + separator + value if name in joined else value
            scope = {**scope, "headers": list(joined.items())}
        await application(scope, receive, send)

    return joining


def _preflight(cors: Json, origin: str) -> Answer:
    """Answer a preflight as AWS does. An origin that is not allowed gets no CORS headers, which stops the
    browser.
    """
    headers = apigateway._cors_response_headers(cors, origin)
    if headers:
        for setting, header in (("allowMethods", "Methods"), ("allowHeaders", "Headers")):
            if cors.get(setting):
                headers[f"Access-Control-Allow-{header}"] = ",".join(cors[setting])
        if cors.get("maxAge") is not None:
            headers["Access-Control-Max-Age"] = str(cors["maxAge"])
    return 204, headers, b""


def install() -> None:
    execute = apigateway._handle_execute_in_scope

    async def execute_with_options(
        api_id: str,
        stage: str,
        path: str,
        method: str,
        headers: Json,
        body: bytes,
        query: Json,
        account: str,
        region: str,
        raw_query: str | None = None,
    ) -> Answer:
        # MiniStack answers every OPTIONS itself; without a CORS configuration it must reach the function like
        # any request.
        if method == "OPTIONS" and not apigateway._apis.get(api_id, {}).get("corsConfiguration"):
            if route := apigateway._match_route(api_id, method, "/" + path.lstrip("/")):
                integration = apigateway._integrations[api_id][route["target"].rpartition("/")[2]]
                return await invoke(
                    integration,
                    api_id,
                    stage,
                    path,
                    method,
                    headers,
                    body,
                    query,
                    route["routeKey"],
                    raw_query_string=raw_query,
                )
            return _message(404, "Not Found")
        return await execute(api_id, stage, path, method, headers, body, query, account, region, raw_query)

    apigateway._handle_execute_in_scope = execute_with_options
    apigateway._cors_preflight_response = _preflight
    apigateway._invoke_lambda_proxy = invoke
