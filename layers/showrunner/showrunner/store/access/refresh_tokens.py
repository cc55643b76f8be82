"""Refresh tokens, their families (one for each login), and denied access tokens."""

from typing import Any

from showrunner.database import db

REFRESH_DAYS = 7


def add_family(tx: db.Transaction, family_id: str, user_id: str, organisation_id: str) -> None:
    """Add the family of a new login."""
    db.run(
        tx,
        """
        INSERT INTO access.refresh_families (id, user_id, organisation_id)
        VALUES (:id, :user_id, :organisation_id)
        """,
        id=family_id,
        user_id=user_id,
        organisation_id=organisation_id,
    )


def add_refresh_token(tx: db.Transaction, family_id: str, token_sha256: str) -> None:
    """Add a token to a family."""
    db.run(
        tx,
        """
        INSERT INTO access.refresh_tokens (token_sha256, family_id, expires_at)
        VALUES (:token_sha256, :family_id, now() + make_interval(days => :days))
        """,
        family_id=family_id,
        token_sha256=token_sha256,
        days=REFRESH_DAYS,
    )


def find_refresh_token(tx: db.Transaction, token_sha256: str) -> dict[str, Any] | None:
    """Return family_id, user_id, organisation_id, revoked, expired and spent_seconds of a token.

    spent_seconds is the time since the token was used, None if it is unused. The family is locked.
    """
    return db.one(
        tx,
        """
        SELECT f.id::text AS family_id, f.user_id::text, f.organisation_id::text,
               f.revoked_at IS NOT NULL AS revoked, t.expires_at <= clock_timestamp() AS expired,
               extract(epoch FROM clock_timestamp() - t.spent_at)::double precision AS spent_seconds
          FROM access.refresh_tokens t JOIN access.refresh_families f ON f.id = t.family_id
         WHERE t.token_sha256 = :token_sha256 FOR UPDATE
        """,
        token_sha256=token_sha256,
    )


def spend_refresh_token(tx: db.Transaction, token_sha256: str) -> None:
    """Mark a token as used."""
    db.run(
        tx,
        """
        UPDATE access.refresh_tokens SET spent_at = clock_timestamp()
         WHERE token_sha256 = :token_sha256 AND spent_at IS NULL
        """,
        token_sha256=token_sha256,
    )


def revoke_family(tx: db.Transaction, family_id: str) -> None:
    """End a login."""
    db.run(
        tx,
        "UPDATE access.refresh_families SET revoked_at = coalesce(revoked_at, now()) WHERE id = :id",
        id=family_id,
    )


def revoke_other_families(tx: db.Transaction, user_id: str, family_id: str | None) -> None:
    """End every login of the user except this one."""
    db.run(
        tx,
        """
        UPDATE access.refresh_families SET revoked_at = now()
         WHERE user_id = :user_id AND id IS DISTINCT FROM :id::uuid AND revoked_at IS NULL
        """,
        user_id=user_id,
        id=family_id,
    )


def deny_token(tx: db.Transaction, token_id: str, expires_at: int) -> None:
    """Refuse an access token until it has expired, and for a minute more because clocks differ."""
    db.run(
        tx,
        """
        INSERT INTO access.denied_tokens (token_id, expires_at)
        VALUES (:id, to_timestamp(:expires_at::bigint + 60)) ON CONFLICT DO NOTHING
        """,
        id=token_id,
        expires_at=expires_at,
    )
