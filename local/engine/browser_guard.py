"""Keep web pages away from the engine: MiniStack lets every origin call it, and it holds the developer's real
API keys.

A page may reach: the stack's APIs (they have their own CORS settings), objects by a presigned URL as far as
the bucket's CORS configuration allows, and what the engine itself served. Programs send no Origin header and
are not affected.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from ministack.services import s3

from .expected import expect

Json = dict[str, Any]

expect(s3, "_buckets")
# MiniStack uses a bucket's CORS configuration only where it checks signatures, which it cannot for the
# functions' keys.
expect(s3, "cors_preflight", "bucket_name", "key", "headers")
expect(s3, "cors_response_headers", "bucket_name", "method", "headers")

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
SIGNED = (b"X-Amz-Signature=", b"Signature=")
REFUSAL = b'{"message":"The local engine does not answer web pages of other origins"}'


def guarded(application: Any) -> Any:
    async def guard(scope: Json, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not may_pass(scope):
            await send(
                {
                    "type": "http.response.start",
                    "status": 403,
                    "headers": [(b"content-type", b"application/json")],
                }
            )
            await send({"type": "http.response.body", "body": REFUSAL})
            return
        place = _object(scope) if scope["type"] == "http" else None
        if place is None:
            await application(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await _answer(send, *s3.cors_preflight(*place, _headers(scope)))
        else:
            await application(
                scope,
                receive,
                _as_the_bucket_allows(
                    send, s3.cors_response_headers(place[0], scope["method"], _headers(scope))
                ),
            )

    return guard


def _headers(scope: Json) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def _answer(send: Any, status: int, headers: dict[str, str], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": body})


def _as_the_bucket_allows(send: Any, allowed: dict[str, str]) -> Any:
    """Replace MiniStack's CORS headers, which allow every page, by the bucket's."""

    async def instead(message: Json) -> None:
        if message["type"] == "http.response.start":
            own = [
                (name, value)
                for name, value in message["headers"]
                if not name.lower().startswith(b"access-control-")
            ]
            message = {**message, "headers": [*own, *_encoded(allowed)]}
        await send(message)

    return instead


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def may_pass(scope: Json) -> bool:
    if scope["path"].startswith("/_aws/execute-api/"):
        return True
    headers = _headers(scope)
    host, origin = headers.get("host", ""), headers.get("origin")
    # A page can use another name for 127.0.0.1 to make its origin look like ours (DNS rebinding).
    if not _is_loopback(host):
        return False
    return origin is None or _preflight(scope) or _signed_object(scope) or urlsplit(origin).netloc == host


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name in LOOPBACK or name.endswith(".localhost")


def _signed_object(scope: Json) -> bool:
    """Return True for a presigned URL of an object. A signature in the query alone would open every other
    service too.
    """
    return _object(scope) is not None and any(mark in scope["query_string"] for mark in SIGNED)


def _object(scope: Json) -> tuple[str, str] | None:
    """Return bucket and key of a path."""
    bucket, _, key = unquote(scope["path"]).lstrip("/").partition("/")
    return (bucket, key) if key and any(known[-1] == bucket for known in list(s3._buckets._data)) else None


def _preflight(scope: Json) -> bool:
    """Answer every preflight, since it does nothing; the request that follows is checked."""
    return scope["method"] == "OPTIONS"
