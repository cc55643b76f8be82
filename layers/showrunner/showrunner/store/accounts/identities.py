"""Logins through providers: which provider account belongs to which user."""

from showrunner.database import db
from showrunner.errors import Conflict

db.CONSTRAINTS["identities_pkey"] = (Conflict, "This account of the provider is linked already.")
db.CONSTRAINTS["identities_of_user_key"] = (
    Conflict,
    "The account is linked with another account of the provider: log in with that one, or with the password.",
)


def find_user(tx: db.Transaction, provider: str, subject: str) -> str | None:
    """Return the id of the user that this account of the provider is linked with, or None."""
    found = db.value(
        tx,
        "SELECT user_id::text FROM accounts.identities WHERE provider = :provider AND subject = :subject",
        provider=provider,
        subject=subject,
    )
    return None if found is None else str(found)


def add(tx: db.Transaction, provider: str, subject: str, user_id: str) -> bool:
    """Link an account of a provider with a user. False if they were linked already.

    Raises Conflict if either is linked with another.
    """
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
