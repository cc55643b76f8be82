"""Record who calls what: every function and job has its own access key, and the file $ENGINE_CALLS gets one
line per request.

The engine enforces no policies. A test with such a file can compare each caller's requests with its policy in
the template.
"""

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

Json = dict[str, Any]

# Not secret: the engine belongs to the developer and knows every key.
SECRET = "test"  # noqa: S105
# Longer bodies are data; a policy does not depend on them.
BODY_LIMIT_BYTES = 8 * 1024
CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/[^/]*/[^/]*/([^/]+)/aws4_request")

_lock = threading.Lock()


def access_key(name: str) -> str:
    """Return the key of a function or job definition, in the form of AWS's temporary credentials."""
    return "ASIA" + base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()[:16]


def session_token(name: str) -> str:
    return hashlib.sha256(f"session of {name}".encode()).hexdigest()


class Callers:
    """All keys in use. The list outlives the engine, since presigned URLs contain the keys."""

    def __init__(self, path: Path, register: Callable[[str, str], None]) -> None:
        """Load the list. `register` makes a key, with its owner's name, known to MiniStack."""
        self.path, self._register = path, register
        self._known: dict[str, Json] = json.loads(path.read_text()) if path.exists() else {}
        for key, caller in self._known.items():
            register(key, caller["name"])

    def credentials(self, kind: str, name: str) -> dict[str, str]:
        """Return the environment variables with which a function or a job calls as itself."""
        key = access_key(name)
        with _lock:
            if key not in self._known:
                self._register(key, name)
                self._known[key] = {"kind": kind, "name": name}
                self._save()
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": session_token(name),
        }

    def _save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self._known, indent=1))
        partial.replace(self.path)


def recorded(application: Any, path: Path) -> Any:
    """Wrap the ASGI application so that every request is recorded in `path`."""

    async def record(scope: Json, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        body, status = bytearray(), 0

        async def receive_and_keep() -> Json:
            message = await receive()
            if len(body) <= BODY_LIMIT_BYTES:
                body.extend(message.get("body", b""))
            return message

        async def send_and_keep(message: Json) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await application(scope, receive_and_keep, send_and_keep)
        _write(path, _line(scope, bytes(body), status))

    return record


def _line(scope: Json, body: bytes, status: int) -> Json:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope["query_string"].decode("latin-1")
    key, service = _caller(headers.get("authorization", ""), query)
    shown = len(body) <= BODY_LIMIT_BYTES and re.search(
        "json|x-www-form-urlencoded", headers.get("content-type", "")
    )
    return {
        "at": time.time(),
        "access_key": key,
        "service": service,
        "method": scope["method"],
        "path": scope.get("raw_path", scope["path"].encode()).decode("latin-1"),
        "query": query,
        "target": headers.get("x-amz-target"),
        "body": body.decode("utf-8", "replace") if shown else None,
        "status": status,
    }


def _caller(authorization: str, query: str) -> tuple[str | None, str | None]:
    credential = authorization
    if "X-Amz-Credential" in query:
        credential = "Credential=" + parse_qs(query)["X-Amz-Credential"][0]
    found = CREDENTIAL.search(credential)
    return (found[1], found[2]) if found else (None, None)


def _write(path: Path, line: Json) -> None:
    with _lock, path.open("a") as file:
        file.write(json.dumps(line) + "\n")
