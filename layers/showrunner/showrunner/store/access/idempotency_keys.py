"""Store the response of a request under its Idempotency-Key. The record commits with the effect."""

from typing import NamedTuple

from showrunner.database import db
from showrunner.errors import Conflict


class Stored(NamedTuple):
    status: int
    body: str


def claim(tx: db.Transaction, organisation_id: str, route: str, key: str, body_sha256: str) -> Stored | None:
    """None: the work is ours to do in this transaction. Otherwise the first caller's answer.

    Whoever comes while the first is still at work waits on the primary key until that transaction ends.
    Raises Conflict for another body.
    """
    mine = db.run(
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
    if mine:
        return None
    row = db.one(
        tx,
        "SELECT body_sha256, status, answer::text FROM access.idempotency WHERE organisation_id = :organisation_id AND route = :route AND key = :key",
        organisation_id=organisation_id,
        route=route,
        key=key,
    )
    if row is None or row["body_sha256"] != body_sha256:
        raise Conflict("This Idempotency-Key was used with another body: take a new key for a new request.")
    return Stored(row["status"], row["answer"])


def save(tx: db.Transaction, organisation_id: str, route: str, key: str, status: int, body: str) -> None:
    """The answer that repeats will get."""
    db.run(
        tx,
        "UPDATE access.idempotency SET status = :status, answer = :answer WHERE organisation_id = :organisation_id AND route = :route AND key = :key",
        organisation_id=organisation_id,
        route=route,
        key=key,
        status=status,
        answer=body,
    )
