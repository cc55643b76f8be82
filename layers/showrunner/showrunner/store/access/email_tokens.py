"""One-use tokens that are sent by email: verification, password reset, invitation."""

from typing import Any

from showrunner.database import db


def add(
    tx: db.Transaction, token_sha256: str, kind: str, email: str, minutes: int, **about: str | None
) -> None:
    """`about`: user_id, organisation_id, role.

    A new one of the kind replaces the last for the same address; not so those that reset a password, or
    whoever
    asks for one would take the owner's letter away."""
    db.run(
        tx,
        "DELETE FROM access.mail_tokens "
        "WHERE kind = :kind AND kind <> 'reset' AND email = :email AND organisation_id IS NOT DISTINCT FROM :organisation_id::uuid",
        kind=kind,
        email=email,
        organisation_id=about.get("organisation_id"),
    )
    db.run(
        tx,
        """
        INSERT INTO access.mail_tokens (token_sha256, kind, email, user_id, organisation_id, role, expires_at)
        VALUES (:token_sha256, :kind, :email, :user_id, :organisation_id, :role, now() + make_interval(mins => :minutes))
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
    """The address that it was sent to; the token stays."""
    email = db.value(
        tx,
        "SELECT email FROM access.mail_tokens WHERE token_sha256 = :token_sha256 AND kind = :kind AND expires_at > now()",
        token_sha256=token_sha256,
        kind=kind,
    )
    return None if email is None else str(email)


def take(tx: db.Transaction, token_sha256: str, kinds: list[str]) -> dict[str, Any] | None:
    """kind, email, user_id, organisation_id, role; the token is gone with it."""
    return db.one(
        tx,
        """
        DELETE FROM access.mail_tokens WHERE token_sha256 = :token_sha256 AND kind = ANY(:kinds) AND expires_at > now()
        RETURNING kind, email, user_id::text, organisation_id::text, role
        """,
        token_sha256=token_sha256,
        kinds=kinds,
    )
