"""Let SES write emails to $SHOWRUNNER_HOME/outbox, one .eml file each, and keep a suppression list.

MiniStack has no suppression list. As in SES, an email to an address on it is accepted and not delivered. The
list is empty again after a restart of the engine.
"""

import itertools
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ministack.services import ses, ses_v2

from .expected import expect
from .settings import Settings

for module in (ses, ses_v2):
    expect(module, "_smtp_relay", "source", "to_addrs", "message_str")
handle_request = expect(ses_v2, "handle_request", "method", "path", "headers", "body", "query_params")
expect(ses_v2, "_first_query_value", "query_params", "key", "default")
expect(ses_v2, "_json_err", "code", "message", "status")

REASONS = ("BOUNCE", "COMPLAINT")
ADDRESSES = "/v2/email/suppression/addresses"

_counter = itertools.count(1)
# Address in lower case -> its entry as the API returns it.
_suppressed: dict[str, dict[str, Any]] = {}


def install(settings: Settings) -> None:
    def put(source: str, to_addrs: list[str], message_str: str | bytes) -> None:
        if not all(address.lower() in _suppressed for address in to_addrs):
            deliver(settings.outbox, message_str)

    # MiniStack calls this to pass the message to a mail server, if one is configured.
    ses._smtp_relay = put
    ses_v2._smtp_relay = put
    ses_v2.handle_request = handle


async def handle(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
    """Answer the operations of the suppression list, and leave all others to MiniStack."""
    if path.rstrip("/") == ADDRESSES and method == "GET":
        return _list(query_params)
    if path.rstrip("/") == ADDRESSES and method == "PUT":
        return _add(json.loads(body or b"{}"))
    if path.startswith(f"{ADDRESSES}/") and method in ("GET", "DELETE"):
        return _one(method, unquote(path.removeprefix(f"{ADDRESSES}/")).lower())
    return await handle_request(method, path, headers, body, query_params)


def _list(query: Any) -> Any:
    size = int(ses_v2._first_query_value(query, "PageSize", "1000"))
    token = ses_v2._first_query_value(query, "NextToken", "")
    if token and token not in _suppressed:
        return ses_v2._json_err("InvalidNextTokenException", "The specified token is invalid.")
    rest = [entry for address, entry in sorted(_suppressed.items()) if address > token]
    answer: dict[str, Any] = {"SuppressedDestinationSummaries": rest[:size]}
    if len(rest) > size:
        answer["NextToken"] = rest[size - 1]["EmailAddress"]
    return ses_v2.json_response(answer)


def _add(request: dict[str, Any]) -> Any:
    address, reason = str(request.get("EmailAddress", "")).lower(), request.get("Reason")
    if "@" not in address or reason not in REASONS:
        return ses_v2._json_err(
            "BadRequestException", "An address and a reason (BOUNCE, COMPLAINT) are needed"
        )
    _suppressed[address] = {"EmailAddress": address, "Reason": reason, "LastUpdateTime": time.time()}
    return ses_v2.json_response({})


def _one(method: str, address: str) -> Any:
    if address not in _suppressed:
        message = f"Email address {address} does not exist on your suppression list."
        return ses_v2._json_err("NotFoundException", message, 404)
    entry = _suppressed[address]
    if method == "GET":
        return ses_v2.json_response({"SuppressedDestination": entry})
    del _suppressed[address]
    return ses_v2.json_response({})


def deliver(outbox: Path, message: str | bytes) -> Path:
    """Write one message. File names sort by time."""
    outbox.mkdir(parents=True, exist_ok=True)
    path = outbox / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{next(_counter):06}.eml"
    path.write_bytes(message if isinstance(message, bytes) else message.encode())
    return path
