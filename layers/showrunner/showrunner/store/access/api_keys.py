"""API keys of programs, by the SHA-256 of the key: they are random, so that nobody can guess them back."""

from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, PageRequest, PageResult
from showrunner.errors import NotFound


def use(tx: db.Transaction, key_sha256: str, scope: str | None = None) -> dict[str, Any] | None:
    """Return id, organisation_id, scopes and creator (a user's id, or None) of the valid key with this hash, and record its
    use at most once a minute. None if there is none, it has expired, or it lacks `scope`.

    A key with the scope `ingestion` opens the whole stage: that scope is valid while its creator is a
    platform admin.
    """
    return db.one(
        tx,
        """
        WITH found AS (
            SELECT k.id, k.organisation_id::text, k.last_used_at, u.id::text AS creator,
                   CASE WHEN u.id IS NOT NULL AND NOT u.platform_admin THEN array_remove(k.scopes, 'ingestion') ELSE k.scopes END AS scopes
              FROM access.api_keys k
              LEFT JOIN accounts.users u ON u.id = CASE WHEN k.created_by ~ '^[0-9a-f-]{36}$' THEN k.created_by::uuid END
             WHERE k.key_sha256 = :key_sha256 AND (k.expires_at IS NULL OR k.expires_at > now())
        ), used AS (
            UPDATE access.api_keys k SET last_used_at = now() FROM found f
             WHERE k.id = f.id AND (f.last_used_at IS NULL OR f.last_used_at < now() - interval '1 minute')
               AND (:scope::text IS NULL OR :scope::text = ANY(f.scopes))
        )
        SELECT id::text, organisation_id, scopes, creator FROM found WHERE :scope::text IS NULL OR :scope::text = ANY(scopes)
        """,
        key_sha256=key_sha256,
        scope=scope,
    )


_ITEM = """
    json_build_object('id', k.id, 'name', k.name, 'prefix', k.prefix, 'scopes', k.scopes, 'created_by', k.created_by, 'created_at', k.created_at,
                      'expires_at', k.expires_at, 'last_used_at', k.last_used_at)
"""
_COLUMNS = {
    "created_at": Column("k.created_at", "timestamptz"),
    "name": Column("k.name", "text"),
    "id": Column("k.id", "uuid"),
}


def add(tx: db.Transaction, organisation_id: str, key: dict[str, Any]) -> str:
    """`key`: created_by, name, prefix, key_sha256, scopes, expires_at. The row as JSON text."""
    text = db.value(
        tx,
        f"""
        INSERT INTO access.api_keys AS k (organisation_id, created_by, name, prefix, key_sha256, scopes, expires_at)
        VALUES (:organisation_id, :created_by, :name, :prefix, :key_sha256, :scopes, :expires_at::timestamptz) RETURNING {_ITEM}::text
        """,
        organisation_id=organisation_id,
        **key,
    )
    return str(text)


def list_(tx: db.Transaction, organisation_id: str, wanted: PageRequest) -> PageResult:
    filters = {"organisation_id": ("true", organisation_id)}
    return pages.select(
        tx,
        "access.api_keys k WHERE k.organisation_id = :organisation_id",
        _ITEM,
        _COLUMNS,
        "-created_at",
        wanted,
        filters,
    )


def remove(tx: db.Transaction, organisation_id: str, key_id: str) -> None:
    if not db.run(
        tx,
        "DELETE FROM access.api_keys WHERE id = :id AND organisation_id = :organisation_id",
        id=key_id,
        organisation_id=organisation_id,
    ):
        raise NotFound("There is no such API key.")


def has_ingestion_key(tx: db.Transaction, organisation_id: str) -> bool:
    """Whether the organisation has a key to the Ingestion API that hasn't expired."""
    sql = "SELECT 1 FROM access.api_keys WHERE organisation_id = :id AND 'ingestion' = ANY(scopes) AND (expires_at IS NULL OR expires_at > now()) LIMIT 1"
    return bool(db.rows(tx, sql, id=organisation_id))
