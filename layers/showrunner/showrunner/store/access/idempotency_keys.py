"""Responses of requests by their Idempotency-Key. A response commits together with the request's effect."""

from typing import NamedTuple

from showrunner.database import db
from showrunner.errors import Conflict


class Stored(NamedTuple):
    """The response of the first request."""

    status: int
    body: str


def claim(tx: db.Transaction, organisation_id: str, route: str, key: str, body_sha256: str) -> Stored | None:
    """Claim a key. Returns None if the caller must do the work now, else the stored response.

    A second request waits on the primary key until the first one's transaction ends. Raises Conflict if the
    key was used with another body.
    """
    is_claimed = db.run(
        tx,
        """
        INSERT INTO access.idempotency (organisation_id, route, key, body_sha256, status, answer)
        VALUES (:organisation_id, :route, :key, :body_sha256, 0, '{}') ON CONFLICT DO NOTHING
        """,
        organisation_id=organisation_id,
        route=route,
        key=key,
        body_sha256=body_sha256,
    )
    if is_claimed:
        return None
    row = db.one(
        tx,
        """
        SELECT body_sha256, status, answer::text FROM access.idempotency
         WHERE organisation_id = :organisation_id AND route = :route AND key = :key
        """,
        organisation_id=organisation_id,
        route=route,
        key=key,
    )
    if row is None or row["body_sha256"] != body_sha256:
        raise Conflict("This Idempotency-Key was used with another body: take a new key for a new request.")
    return Stored(row["status"], row["answer"])


def save(tx: db.Transaction, organisation_id: str, route: str, key: str, status: int, body: str) -> None:
    """Store the response for repeated requests."""
    db.run(
        tx,
        """
        UPDATE access.idempotency SET status = :status, answer = :answer
         WHERE organisation_id = :organisation_id AND route = :route AND key = :key
        """,
        organisation_id=organisation_id,
        route=route,
        key=key,
        status=status,
        answer=body,
    )
