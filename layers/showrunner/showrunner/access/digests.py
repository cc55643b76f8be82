"""Hash tokens: what the database stores in place of them."""

import hashlib


def sha256(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal.

    Only for random tokens; passwords need bcrypt (passwords.py).
    """
    return hashlib.sha256(text.encode()).hexdigest()
