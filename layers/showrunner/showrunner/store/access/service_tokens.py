"""Service tokens: access tokens of programs, valid for longer than a login."""

from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult
from showrunner.errors import NotFound
from showrunner.store.access import refresh_tokens

_ITEM = """
    json_build_object('id', k.id, 'name', k.name, 'scopes', k.scopes, 'created_by', k.created_by,
                      'created_at', k.created_at, 'expires_at', k.expires_at, 'revoked_at', k.revoked_at)
"""
_LIST = List(
    "service_tokens",
    "access.service_tokens k",
    "k.organisation_id = :organisation_id",
    _ITEM,
    {
        "created_at": Column("k.created_at", "timestamptz"),
        "name": Column("k.name", "text"),
        "id": Column("k.id", "uuid"),
    },
    "-created_at",
)


def add(tx: db.Transaction, organisation_id: str, token: dict[str, Any]) -> str:
    """Add a token and return it as JSON text.

    `token`: id (the JWT's jti), created_by, name, scopes, expires_at (epoch seconds).
    """
    text = db.value(
        tx,
        f"""
        INSERT INTO access.service_tokens AS k (id, organisation_id, created_by, name, scopes, expires_at)
        VALUES (:id, :organisation_id, :created_by, :name, :scopes, to_timestamp(:expires_at::bigint))
        RETURNING {_ITEM}::text
        """,
        organisation_id=organisation_id,
        **token,
    )
    return str(text)


def list_(tx: db.Transaction, organisation_id: str, page: PageRequest) -> PageResult:
    """Return a page of an organisation's service tokens."""
    return pages.select(tx, _LIST, page, {"organisation_id": organisation_id})


def revoke_made_by(tx: db.Transaction, user_id: str) -> None:
    """Revoke every service token and API key that a user has created, in all organisations."""
    db.run(
        tx,
        """
        WITH revoked AS (
            UPDATE access.service_tokens SET revoked_at = coalesce(revoked_at, now())
             WHERE created_by = :user_id RETURNING id, expires_at
        )
        INSERT INTO access.denied_tokens (token_id, expires_at)
        SELECT id::text, expires_at + interval '1 minute' FROM revoked ON CONFLICT DO NOTHING
        """,
        user_id=user_id,
    )
    db.run(tx, "DELETE FROM access.api_keys WHERE created_by = :user_id", user_id=user_id)


def revoke(tx: db.Transaction, organisation_id: str, token_id: str) -> str:
    """Revoke a token, effective from the next request, and return its name. Raises NotFound."""
    row = db.one(
        tx,
        """
        UPDATE access.service_tokens SET revoked_at = coalesce(revoked_at, now())
         WHERE id = :id AND organisation_id = :organisation_id
        RETURNING name, extract(epoch FROM expires_at)::bigint AS expires_at
        """,
        id=token_id,
        organisation_id=organisation_id,
    )
    if row is None:
        raise NotFound("There is no such service token.")
    refresh_tokens.deny_token(tx, token_id, row["expires_at"])
    return str(row["name"])
