"""Tokens that are sent by email and can be used once: verification, password reset, invitation."""

from typing import Any

from showrunner.database import db


def add(
    tx: db.Transaction, token_sha256: str, kind: str, email: str, minutes: int, **about: str | None
) -> None:
    """Add a token that is valid for `minutes`. `about`: user_id, organisation_id, role.

    It replaces the last token of the kind for the same address. Tokens that reset a password are not
    replaced: otherwise anybody could make the owner's token invalid by requesting another.
    """
    db.run(
        tx,
        """
        DELETE FROM access.mail_tokens
         WHERE kind = :kind AND kind <> 'reset' AND email = :email
           AND organisation_id IS NOT DISTINCT FROM :organisation_id::uuid
        """,
        kind=kind,
        email=email,
        organisation_id=about.get("organisation_id"),
    )
    db.run(
        tx,
        """
        INSERT INTO access.mail_tokens (token_sha256, kind, email, user_id, organisation_id, role, expires_at)
        VALUES (:token_sha256, :kind, :email, :user_id, :organisation_id, :role,
                now() + make_interval(mins => :minutes))
        """,
        token_sha256=token_sha256,
        kind=kind,
        email=email,
        user_id=about.get("user_id"),
        organisation_id=about.get("organisation_id"),
        role=about.get("role"),
        minutes=minutes,
    )


def find(tx: db.Transaction, token_sha256: str, kind: str) -> str | None:
    """Return the address that a valid token was sent to, without using the token."""
    email = db.value(
        tx,
        """
        SELECT email FROM access.mail_tokens
         WHERE token_sha256 = :token_sha256 AND kind = :kind AND expires_at > now()
        """,
        token_sha256=token_sha256,
        kind=kind,
    )
    return None if email is None else str(email)


def take(tx: db.Transaction, token_sha256: str, kinds: list[str]) -> dict[str, Any] | None:
    """Delete a valid token and return its kind, email, user_id, organisation_id and role."""
    return db.one(
        tx,
        """
        DELETE FROM access.mail_tokens
         WHERE token_sha256 = :token_sha256 AND kind = ANY(:kinds) AND expires_at > now()
        RETURNING kind, email, user_id::text, organisation_id::text, role
        """,
        token_sha256=token_sha256,
        kinds=kinds,
    )
