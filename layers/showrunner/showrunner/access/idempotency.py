"""Idempotency-Key: a repeat gets the first answer back. The record commits with the effect, so there is never one without the other."""

import base64
import hashlib
import json
import os
from typing import NamedTuple

from showrunner import db
from showrunner.errors import Conflict


class Stored(NamedTuple):
    status: int
    body: str


def claim(tx: db.Transaction, organisation_id: str, route: str, key: str, body_sha256: str) -> Stored | None:
    """None: the work is ours to do in this transaction. Otherwise the first caller's answer.

    Whoever comes while the first is still at work waits on the primary key until that transaction ends. Raises Conflict for another body.
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


def keep(tx: db.Transaction, organisation_id: str, route: str, key: str, status: int, body: str) -> None:
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


def digest(path: str, body: bytes) -> str:
    """What must be equal for two calls to be the same one: the path with its ids, and the body to the byte."""
    return hashlib.sha256(path.encode() + b"\0" + body).hexdigest()


def hidden(key: str) -> str:
    """How the row names a key that also locks its answer."""
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def sealed(answer: str, key: str) -> str:
    """An answer that is shown once (a new API key, say), readable only with the caller's own key, which we don't keep. As JSON text."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(12)
    return json.dumps(base64.b64encode(nonce + AESGCM(_lock(key)).encrypt(nonce, answer.encode(), None)).decode())


def opened(text: str, key: str) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    raw = base64.b64decode(json.loads(text))
    return AESGCM(_lock(key)).decrypt(raw[:12], raw[12:], None).decode()


def _lock(key: str) -> bytes:
    return hashlib.sha256(b"idempotent answer\0" + key.encode()).digest()
