"""Keys of programs, by the SHA-256 of the key: they are random enough that nobody guesses them back."""

from typing import Any

from showrunner import db


def find(tx: db.Transaction, key_sha256: str, scope: str) -> dict[str, Any] | None:
    """{id, organisation_id} of a key that is valid now and carries the scope."""
    return db.one(
        tx,
        """
        SELECT id, organisation_id FROM access.api_keys
         WHERE key_sha256 = :key_sha256 AND :scope = ANY(scopes) AND (expires_at IS NULL OR expires_at > now())
        """,
        key_sha256=key_sha256,
        scope=scope,
    )
