"""API keys of programs. Only the SHA-256 of a key is stored: keys are random, so nobody can guess them."""

from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult
from showrunner.errors import Conflict, NotFound

_ITEM = """
    json_build_object('id', k.id, 'name', k.name, 'prefix', k.prefix, 'scopes', k.scopes,
                      'created_by', k.created_by, 'created_at', k.created_at, 'expires_at', k.expires_at,
                      'last_used_at', k.last_used_at, 'replaces', k.replaces, 'replaced_at', k.replaced_at)
"""
_LIST = List(
    "api_keys",
    "access.api_keys k",
    "k.organisation_id = :organisation_id",
    _ITEM,
    {
        "created_at": Column("k.created_at", "timestamptz"),
        "name": Column("k.name", "text"),
        "id": Column("k.id", "uuid"),
    },
    "-created_at",
)


def use(tx: db.Transaction, key_sha256: str, scope: str | None = None) -> dict[str, Any] | None:
    """Return id, organisation_id, scopes and creator (a user's id or None) of a valid key; record its use.

    None if there is no such key, it has expired, or it lacks `scope`. The use is recorded at most once a
    minute. A key with the scope `ingestion` opens the whole stage: that scope is valid while the key's
    creator is a platform admin.
    """
    return db.one(
        tx,
        """
        WITH found AS (
            SELECT k.id, k.organisation_id::text, k.last_used_at, u.id::text AS creator,
                   CASE WHEN u.id IS NOT NULL AND NOT u.platform_admin
                        THEN array_remove(k.scopes, 'ingestion') ELSE k.scopes END AS scopes
              FROM access.api_keys k
              LEFT JOIN accounts.users u
                ON u.id = CASE WHEN k.created_by ~ '^[0-9a-f-]{36}$' THEN k.created_by::uuid END
             WHERE k.key_sha256 = :key_sha256 AND (k.expires_at IS NULL OR k.expires_at > now())
        ), used AS (
            UPDATE access.api_keys k SET last_used_at = now() FROM found f
             WHERE k.id = f.id AND (f.last_used_at IS NULL OR f.last_used_at < now() - interval '1 minute')
               AND (:scope::text IS NULL OR :scope::text = ANY(f.scopes))
        )
        SELECT id::text, organisation_id, scopes, creator FROM found
         WHERE :scope::text IS NULL OR :scope::text = ANY(scopes)
        """,
        key_sha256=key_sha256,
        scope=scope,
    )


def add(tx: db.Transaction, organisation_id: str, key: dict[str, Any]) -> str:
    """Add a key and return it as JSON text.

    `key`: created_by, name, prefix, key_sha256, scopes, expires_at.
    """
    text = db.value(
        tx,
        f"""
        INSERT INTO access.api_keys AS k
               (organisation_id, created_by, name, prefix, key_sha256, scopes, expires_at)
        VALUES (:organisation_id, :created_by, :name, :prefix, :key_sha256, :scopes, :expires_at::timestamptz)
        RETURNING {_ITEM}::text
        """,
        organisation_id=organisation_id,
        **key,
    )
    return str(text)


def list_(tx: db.Transaction, organisation_id: str, page: PageRequest) -> PageResult:
    """Return a page of an organisation's keys."""
    return pages.select(tx, _LIST, page, {"organisation_id": organisation_id})


def remove(tx: db.Transaction, organisation_id: str, key_id: str) -> None:
    """Delete a key. Raises NotFound."""
    if not db.run(
        tx,
        "DELETE FROM access.api_keys WHERE id = :id AND organisation_id = :organisation_id",
        id=key_id,
        organisation_id=organisation_id,
    ):
        raise NotFound("There is no such API key.")


def rotate(
    tx: db.Transaction, organisation_id: str, key_id: str, key: dict[str, Any], overlap_hours: float
) -> str:
    """Add a key in place of another, which stays valid for `overlap_hours` at most; return it as JSON text.

    It has the name, the scopes and the lifetime of the other one. `key`: created_by, prefix, key_sha256.
    Raises NotFound; Conflict if the key was replaced already or has expired.
    """
    text = db.value(
        tx,
        f"""
        WITH old AS (
            SELECT * FROM access.api_keys
             WHERE id = :id AND organisation_id = :organisation_id AND replaced_at IS NULL
               AND (expires_at IS NULL OR expires_at > now())
               FOR UPDATE
        ), replaced AS (
            UPDATE access.api_keys k
               SET replaced_at = now(),
                   expires_at = least(k.expires_at, now() + make_interval(secs => :overlap_seconds))
              FROM old WHERE k.id = old.id
        )
        INSERT INTO access.api_keys AS k
               (organisation_id, created_by, name, prefix, key_sha256, scopes, expires_at, replaces)
        SELECT organisation_id, :created_by, name, :prefix, :key_sha256, scopes,
               now() + (expires_at - created_at), id
          FROM old
        RETURNING {_ITEM}::text
        """,
        id=key_id,
        organisation_id=organisation_id,
        overlap_seconds=overlap_hours * 3600.0,
        **key,
    )
    if text is None:
        list_scopes(tx, organisation_id, key_id)
        raise Conflict("The key was replaced already, or has expired: GET /auth/api-keys lists the keys.")
    return str(text)


def list_scopes(tx: db.Transaction, organisation_id: str, key_id: str) -> list[str]:
    """Return the scopes of a key. Raises NotFound."""
    found = db.one(
        tx,
        "SELECT scopes FROM access.api_keys WHERE id = :id AND organisation_id = :organisation_id",
        id=key_id,
        organisation_id=organisation_id,
    )
    if found is None:
        raise NotFound("There is no such API key.")
    return list(found["scopes"])


def ingestion_ages(tx: db.Transaction, max_age_days: int, ending_days: int) -> dict[str, Any]:
    """Return count and oldest_at of the Ingestion API's valid keys, and how many are overdue and ending.

    `ending`: they end within `ending_days`, and were used in as many days. A replaced key counts nowhere.
    """
    found = db.one(
        tx,
        """
        SELECT count(*) AS count, min(created_at) AS oldest_at,
               count(*) FILTER (WHERE created_at < now() - make_interval(days => :max_age_days)) AS overdue,
               count(*) FILTER (WHERE expires_at < now() + make_interval(days => :ending_days)
                                  AND last_used_at > now() - make_interval(days => :ending_days)) AS ending
          FROM access.api_keys
         WHERE replaced_at IS NULL AND (expires_at IS NULL OR expires_at > now())
           AND 'ingestion' = ANY(scopes)
        """,
        max_age_days=max_age_days,
        ending_days=ending_days,
    )
    return found or {}


def has_ingestion_key(tx: db.Transaction, organisation_id: str) -> bool:
    """Tell whether the organisation has a valid key of the Ingestion API."""
    sql = """
        SELECT 1 FROM access.api_keys
         WHERE organisation_id = :id AND 'ingestion' = ANY(scopes)
           AND (expires_at IS NULL OR expires_at > now())
         LIMIT 1
    """
    return bool(db.rows(tx, sql, id=organisation_id))
