"""Idempotency-Key: a repeat gets the first answer back.

The record commits with the effect, so there is never one without the other.
"""

import base64
import hashlib
import json
import os


def digest(path: str, body: bytes) -> str:
    """Return the digest that two calls share if they are the same: of the path with its ids, and the body."""
    return hashlib.sha256(path.encode() + b"\0" + body).hexdigest()


def hidden(key: str) -> str:
    """Return the name of the row for a key that also encrypts the stored response."""
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def sealed(answer: str, key: str) -> str:
    """Return a response encrypted with the caller's Idempotency-Key, which is not stored, as JSON text.

    For responses that are shown once, for example a new API key.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(12)
    return json.dumps(
        base64.b64encode(nonce + AESGCM(_lock(key)).encrypt(nonce, answer.encode(), None)).decode()
    )


def opened(text: str, key: str) -> str:
    """Return the response that `sealed` encrypted with this key."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    raw = base64.b64decode(json.loads(text))
    return AESGCM(_lock(key)).decrypt(raw[:12], raw[12:], None).decode()


def _lock(key: str) -> bytes:
    return hashlib.sha256(b"idempotent answer\0" + key.encode()).digest()
