"""Logins and connections through providers: what was begun, who is who, and which accounts an organisation may act on."""

from typing import Any

from showrunner import db
from showrunner.errors import Conflict

db.CONSTRAINTS["identities_pkey"] = (Conflict, "This account of the provider is linked already.")
db.CONSTRAINTS["identities_of_user_key"] = (Conflict, "The account is linked with another account of the provider: log in with that one, or with the password.")


def add_state(tx: db.Transaction, state_sha256: str, browser_sha256: str, provider: str, redirect_uri: str, seconds: int) -> None:
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


def take_state(tx: db.Transaction, state_sha256: str, browser_sha256: str, provider: str) -> dict[str, Any] | None:
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


def remove_state(tx: db.Transaction, state_sha256: str) -> None:
    db.run(tx, "DELETE FROM access.oauth_states WHERE state_sha256 = :state", state=state_sha256)


def find_user(tx: db.Transaction, provider: str, subject: str) -> str | None:
    """The id of the user that this account of the provider is linked with."""
    found = db.value(tx, "SELECT user_id::text FROM accounts.identities WHERE provider = :provider AND subject = :subject", provider=provider, subject=subject)
    return None if found is None else str(found)


def add_identity(tx: db.Transaction, provider: str, subject: str, user_id: str) -> bool:
    """True when it is new. Raises Conflict when either is linked with another."""
    if find_user(tx, provider, subject) == user_id:
        return False
    db.run(
        tx,
        "INSERT INTO accounts.identities (provider, subject, user_id) VALUES (:provider, :subject, :user_id)",
        provider=provider,
        subject=subject,
        user_id=user_id,
    )
    return True


def save_connection(tx: db.Transaction, connection: dict[str, Any]) -> dict[str, Any]:
    """`connection`: id, organisation_id, provider, subject, user_id (who connects), scopes. Gives id, provider, scopes, connected_at."""
    row = db.one(
        tx,
        """
        INSERT INTO accounts.connections (id, organisation_id, provider, subject, connected_by, scopes)
        VALUES (:id, :organisation_id, :provider, :subject, :user_id, :scopes)
        ON CONFLICT (id) DO UPDATE SET connected_by = excluded.connected_by, scopes = excluded.scopes, connected_at = now()
        RETURNING id::text, provider, scopes, connected_at
        """,
        **connection,
    )
    if row is None:
        raise AssertionError("an insert gives its row")
    return row


def list_connections(tx: db.Transaction, user_id: str) -> list[dict[str, Any]]:
    """id, organisation_id of those that the person has connected."""
    return db.rows(tx, "SELECT id::text, organisation_id::text FROM accounts.connections WHERE connected_by = :user_id", user_id=user_id)
