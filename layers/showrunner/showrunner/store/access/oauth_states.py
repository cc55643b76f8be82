"""OAuth logins and connections that were started and not finished yet."""

from typing import Any

from showrunner.database import db


def add(
    tx: db.Transaction, state_sha256: str, browser_sha256: str, provider: str, redirect_uri: str, seconds: int
) -> None:
    """Add an authorization that was started; it is valid for `seconds`."""
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
    """Return redirect_uri, user_id and subject of a started authorization and mark it as taken.

    None if it was taken before or has expired. user_id and subject are None until the provider has identified
    the user. After that it can be taken again, for the second factor.
    """
    return db.one(
        tx,
        """
        UPDATE access.oauth_states SET taken_at = coalesce(taken_at, now())
         WHERE state_sha256 = :state AND browser_sha256 = :browser AND provider = :provider
           AND expires_at > now() AND (taken_at IS NULL OR user_id IS NOT NULL)
        RETURNING redirect_uri, user_id::text, subject
        """,
        state=state_sha256,
        browser=browser_sha256,
        provider=provider,
    )


def save_proven(tx: db.Transaction, state_sha256: str, user_id: str, subject: str) -> None:
    """Record whom the provider has identified. The state can be taken again now, with a second factor."""
    db.run(
        tx,
        "UPDATE access.oauth_states SET user_id = :user_id, subject = :subject WHERE state_sha256 = :state",
        state=state_sha256,
        user_id=user_id,
        subject=subject,
    )


def remove(tx: db.Transaction, state_sha256: str) -> bool:
    """Remove a started authorization. Returns False if another transaction has removed it."""
    return bool(db.run(tx, "DELETE FROM access.oauth_states WHERE state_sha256 = :state", state=state_sha256))
