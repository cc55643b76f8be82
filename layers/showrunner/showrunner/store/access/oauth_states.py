"""OAuth logins and connections that were begun and not yet finished."""

from typing import Any

from showrunner.database import db


def add(tx: db.Transaction, state_sha256: str, browser_sha256: str, provider: str, redirect_uri: str, seconds: int) -> None:
    db.run(
        tx,
        """
        INSERT INTO access.oauth_states (state_sha256, browser_sha256, provider, redirect_uri, expires_at)
        VALUES (:state, :browser, :provider, :redirect_uri, now() + make_interval(secs => :seconds))
        """,
        state=state_sha256,
        browser=browser_sha256,
        provider=provider,
        redirect_uri=redirect_uri,
        seconds=seconds,
    )


def take(tx: db.Transaction, state_sha256: str, browser_sha256: str, provider: str) -> dict[str, Any] | None:
    """redirect_uri, and user_id with subject where the provider has named the user and only a second factor is missing. Otherwise it is given out once."""
    return db.one(
        tx,
        """
        UPDATE access.oauth_states SET taken_at = coalesce(taken_at, now())
         WHERE state_sha256 = :state AND browser_sha256 = :browser AND provider = :provider AND expires_at > now()
           AND (taken_at IS NULL OR user_id IS NOT NULL)
        RETURNING redirect_uri, user_id::text, subject
        """,
        state=state_sha256,
        browser=browser_sha256,
        provider=provider,
    )


def save_proven(tx: db.Transaction, state_sha256: str, user_id: str, subject: str) -> None:
    """The provider has named the user: what still comes with this state is a second factor."""
    db.run(
        tx,
        "UPDATE access.oauth_states SET user_id = :user_id, subject = :subject WHERE state_sha256 = :state",
        state=state_sha256,
        user_id=user_id,
        subject=subject,
    )


def remove(tx: db.Transaction, state_sha256: str) -> None:
    db.run(tx, "DELETE FROM access.oauth_states WHERE state_sha256 = :state", state=state_sha256)
