"""Idempotency-Key: a repeat gets the first answer back.

The record commits with the effect, so there is never one without the other.
"""

import base64
import hashlib
import json
import os


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
    return json.dumps(
        base64.b64encode(nonce + AESGCM(_lock(key)).encrypt(nonce, answer.encode(), None)).decode()
    )


def opened(text: str, key: str) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    raw = base64.b64decode(json.loads(text))
    return AESGCM(_lock(key)).decrypt(raw[:12], raw[12:], None).decode()


def _lock(key: str) -> bytes:
    return hashlib.sha256(b"idempotent answer\0" + key.encode()).digest()
