"""Keys of programs, by the SHA-256 of the key: they are random enough that nobody guesses them back."""

from typing import Any

from showrunner import db


def find(tx: db.Transaction, key_sha256: str, scope: str) -> dict[str, Any] | None:
    """{id, organisation_id} of a key that is valid now and carries the scope. One to the whole stage counts while the person who made it is an admin."""
    return db.one(
        tx,
        """
        SELECT id, organisation_id FROM access.api_keys k
         WHERE key_sha256 = :key_sha256 AND :scope = ANY(scopes) AND (expires_at IS NULL OR expires_at > now())
           AND (:scope <> 'ingestion' OR NOT EXISTS (
                SELECT FROM accounts.users u WHERE u.id = CASE WHEN k.created_by ~ '^[0-9a-f-]{36}$' THEN k.created_by::uuid END AND NOT u.platform_admin))
        """,
        key_sha256=key_sha256,
        scope=scope,
    )


def has_ingestion_key(tx: db.Transaction, organisation_id: str) -> bool:
    """Whether the organisation has a key to the Ingestion API that hasn't expired."""
    sql = "SELECT 1 FROM access.api_keys WHERE organisation_id = :id AND 'ingestion' = ANY(scopes) AND (expires_at IS NULL OR expires_at > now()) LIMIT 1"
    return bool(db.rows(tx, sql, id=organisation_id))
