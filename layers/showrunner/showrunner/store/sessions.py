"""Refresh-token families, denied tokens, API keys and service tokens: what somebody may come back with."""

from typing import Any

from showrunner import db
from showrunner.errors import NotFound
from showrunner.store import pages
from showrunner.store.pages import Column, Found, Wanted

REFRESH_DAYS = 7


def add_family(tx: db.Transaction, family_id: str, user_id: str, organisation_id: str) -> None:
    db.run(
        tx,
        "INSERT INTO access.refresh_families (id, user_id, organisation_id) VALUES (:id, :user_id, :organisation_id)",
        id=family_id,
        user_id=user_id,
        organisation_id=organisation_id,
    )


def add_refresh_token(tx: db.Transaction, family_id: str, token_sha256: str) -> None:
    db.run(
        tx,
        "INSERT INTO access.refresh_tokens (token_sha256, family_id, expires_at) VALUES (:token_sha256, :family_id, now() + make_interval(days => :days))",
        family_id=family_id,
        token_sha256=token_sha256,
        days=REFRESH_DAYS,
    )


def find_refresh_token(tx: db.Transaction, token_sha256: str) -> dict[str, Any] | None:
    """family_id, user_id, organisation_id, revoked, expired, spent_seconds (None while it isn't spent). The family is held until the transaction ends."""
    return db.one(
        tx,
        """
        SELECT f.id::text AS family_id, f.user_id::text, f.organisation_id::text, f.revoked_at IS NOT NULL AS revoked,
               t.expires_at <= clock_timestamp() AS expired,
               extract(epoch FROM clock_timestamp() - t.spent_at)::double precision AS spent_seconds
          FROM access.refresh_tokens t JOIN access.refresh_families f ON f.id = t.family_id
         WHERE t.token_sha256 = :token_sha256 FOR UPDATE
        """,
        token_sha256=token_sha256,
    )


def spend_refresh_token(tx: db.Transaction, token_sha256: str) -> None:
    db.run(
        tx,
        "UPDATE access.refresh_tokens SET spent_at = clock_timestamp() WHERE token_sha256 = :token_sha256 AND spent_at IS NULL",
        token_sha256=token_sha256,
    )


def revoke_family(tx: db.Transaction, family_id: str) -> None:
    db.run(tx, "UPDATE access.refresh_families SET revoked_at = coalesce(revoked_at, now()) WHERE id = :id", id=family_id)


def revoke_other_families(tx: db.Transaction, user_id: str, family_id: str | None) -> None:
    """Every login of the user but this one is over."""
    db.run(
        tx,
        "UPDATE access.refresh_families SET revoked_at = now() WHERE user_id = :user_id AND id IS DISTINCT FROM :id::uuid AND revoked_at IS NULL",
        user_id=user_id,
        id=family_id,
    )


def deny_token(tx: db.Transaction, token_id: str, expires_at: int) -> None:
    """Until it would have expired by itself, and the minute by which clocks may differ."""
    db.run(
        tx,
        "INSERT INTO access.denied_tokens (token_id, expires_at) VALUES (:id, to_timestamp(:expires_at::bigint + 60)) ON CONFLICT DO NOTHING",
        id=token_id,
        expires_at=expires_at,
    )


_KEY = """
    json_build_object('id', k.id, 'name', k.name, 'prefix', k.prefix, 'scopes', k.scopes, 'created_by', k.created_by, 'created_at', k.created_at,
                      'expires_at', k.expires_at, 'last_used_at', k.last_used_at)
"""
_KEY_COLUMNS = {"created_at": Column("k.created_at", "timestamptz"), "name": Column("k.name", "text"), "id": Column("k.id", "uuid")}


def add_api_key(tx: db.Transaction, organisation_id: str, key: dict[str, Any]) -> str:
    """`key`: created_by, name, prefix, key_sha256, scopes, expires_at. The row as JSON text."""
    text = db.value(
        tx,
        f"""
        INSERT INTO access.api_keys AS k (organisation_id, created_by, name, prefix, key_sha256, scopes, expires_at)
        VALUES (:organisation_id, :created_by, :name, :prefix, :key_sha256, :scopes, :expires_at::timestamptz) RETURNING {_KEY}::text
        """,
        organisation_id=organisation_id,
        **key,
    )
    return str(text)


def list_api_keys(tx: db.Transaction, organisation_id: str, wanted: Wanted) -> Found:
    filters = {"organisation_id": ("true", organisation_id)}
    return pages.select(tx, "access.api_keys k WHERE k.organisation_id = :organisation_id", _KEY, _KEY_COLUMNS, "-created_at", wanted, filters)


def find_api_key(tx: db.Transaction, key_sha256: str) -> dict[str, Any] | None:
    """id, organisation_id, scopes of a key that hasn't expired; its use is recorded, at most once a minute."""
    return db.one(
        tx,
        """
        WITH found AS (SELECT id, organisation_id, scopes, last_used_at FROM access.api_keys
                        WHERE key_sha256 = :key_sha256 AND (expires_at IS NULL OR expires_at > now())),
             used AS (UPDATE access.api_keys k SET last_used_at = now() FROM found
                       WHERE k.id = found.id AND coalesce(found.last_used_at, '-infinity') < now() - interval '1 minute')
        SELECT id::text, organisation_id::text, scopes FROM found
        """,
        key_sha256=key_sha256,
    )


def remove_api_key(tx: db.Transaction, organisation_id: str, key_id: str) -> None:
    if not db.run(tx, "DELETE FROM access.api_keys WHERE id = :id AND organisation_id = :organisation_id", id=key_id, organisation_id=organisation_id):
        raise NotFound("There is no such API key.")


_SERVICE = """
    json_build_object('id', k.id, 'name', k.name, 'scopes', k.scopes, 'created_by', k.created_by, 'created_at', k.created_at, 'expires_at', k.expires_at,
                      'revoked_at', k.revoked_at)
"""


def add_service_token(tx: db.Transaction, organisation_id: str, token: dict[str, Any]) -> str:
    """`token`: id (the jti), created_by, name, scopes, expires_at (epoch seconds). The row as JSON text."""
    text = db.value(
        tx,
        f"""
        INSERT INTO access.service_tokens AS k (id, organisation_id, created_by, name, scopes, expires_at)
        VALUES (:id, :organisation_id, :created_by, :name, :scopes, to_timestamp(:expires_at::bigint)) RETURNING {_SERVICE}::text
        """,
        organisation_id=organisation_id,
        **token,
    )
    return str(text)


def list_service_tokens(tx: db.Transaction, organisation_id: str, wanted: Wanted) -> Found:
    filters = {"organisation_id": ("true", organisation_id)}
    return pages.select(tx, "access.service_tokens k WHERE k.organisation_id = :organisation_id", _SERVICE, _KEY_COLUMNS, "-created_at", wanted, filters)


def revoke_made_by(tx: db.Transaction, user_id: str) -> None:
    """Every service token and API key that somebody has made, in whatever organisation."""
    db.run(
        tx,
        """
        WITH made AS (UPDATE access.service_tokens SET revoked_at = coalesce(revoked_at, now()) WHERE created_by = :user_id RETURNING id, expires_at)
        INSERT INTO access.denied_tokens (token_id, expires_at) SELECT id::text, expires_at + interval '1 minute' FROM made ON CONFLICT DO NOTHING
        """,
        user_id=user_id,
    )
    db.run(tx, "DELETE FROM access.api_keys WHERE created_by = :user_id", user_id=user_id)


def revoke_service_token(tx: db.Transaction, organisation_id: str, token_id: str) -> str:
    """From the next request on the token is refused. The name of its service."""
    row = db.one(
        tx,
        """
        UPDATE access.service_tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id = :id AND organisation_id = :organisation_id
        RETURNING name, extract(epoch FROM expires_at)::bigint AS expires_at
        """,
        id=token_id,
        organisation_id=organisation_id,
    )
    if row is None:
        raise NotFound("There is no such service token.")
    deny_token(tx, token_id, row["expires_at"])
    return str(row["name"])
