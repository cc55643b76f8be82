"""Keeps web pages away from the engine: MiniStack lets every origin call it, and it holds the developer's real API keys.

A page may reach the APIs of the stack (they have CORS settings of their own), objects by a URL that was signed for it, and what the
engine itself served. Programs send no Origin header and are not concerned.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from ministack.services import s3

from .expected import expect

Json = dict[str, Any]

expect(s3, "_buckets")

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
SIGNED = (b"X-Amz-Signature=", b"Signature=")
REFUSAL = b'{"message":"The local engine does not answer web pages of other origins"}'


def guarded(application: Any) -> Any:
    async def guard(scope: Json, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not may_pass(scope):
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"application/json")]})
            await send({"type": "http.response.body", "body": REFUSAL})
            return
        await application(scope, receive, send)

    return guard


def may_pass(scope: Json) -> bool:
    if scope["path"].startswith("/_aws/execute-api/"):
        return True
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host, origin = headers.get(b"host", ""), headers.get(b"origin")
    # Another name for 127.0.0.1 is how a page makes its own origin look like ours (DNS rebinding).
    if not _is_loopback(host):
        return False
    return origin is None or _preflight(scope) or _signed_object(scope) or urlsplit(origin).netloc == host


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name in LOOPBACK or name.endswith(".localhost")


def _signed_object(scope: Json) -> bool:
    """A signed URL, and one of an object: a mark in the query alone would open every other service too."""
    bucket, _, key = unquote(scope["path"]).lstrip("/").partition("/")
    is_object = bool(key) and any(known[-1] == bucket for known in list(s3._buckets._data))
    return is_object and any(mark in scope["query_string"] for mark in SIGNED)


def _preflight(scope: Json) -> bool:
    """Answered for all, since it does nothing; the request that follows it is the one that counts."""
    return scope["method"] == "OPTIONS"
