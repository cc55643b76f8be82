"""Issue and redeem one-use tickets for WebSocket connections."""

import hashlib
import re
import secrets
import time
from typing import TYPE_CHECKING

from showrunner.aws import dynamodb
from showrunner.live import connections

if TYPE_CHECKING:
    from showrunner.access import tokens

TICKET_SECONDS = 30
_TICKET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def issue(identity: "tokens.Identity") -> str:
    """Return a new ticket for one connection as this caller. Only its hash is stored."""
    now = time.time()
    ticket = secrets.token_urlsafe(32)
    values: dict[str, dynamodb.Value | None] = {
        "account": identity.account,
        "family": identity.family or identity.token_id,
        "organisation_id": identity.organisation_id,
        "permissions": identity.permissions,
        "ends_at": int(min(identity.expires_at, now + connections.CONNECTION_SECONDS)),
    }
    dynamodb.put(_ticket(ticket), "ticket", values, now + TICKET_SECONDS)
    return ticket


def redeem(ticket: str, connection_id: str, now: float | None = None) -> connections.Connection | None:
    """Return the connection that a ticket opens, None if it is wrong, used or expired. Works once."""
    at = time.time() if now is None else now
    found = dynamodb.take(_ticket(ticket), "ticket", at) if _TICKET.fullmatch(ticket) else None
    if found is None or found["ends_at"] <= at:
        return None
    return connections.read(connection_id, found)


def _ticket(ticket: str) -> str:
    return f"live#ticket#{hashlib.sha256(ticket.encode()).hexdigest()}"
