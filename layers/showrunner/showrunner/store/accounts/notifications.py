"""Which kinds of emails a person doesn't want. Emails that an account needs can't be muted."""

from showrunner.database import db


def list_muted(tx: db.Transaction, user_id: str) -> list[str]:
    """Return the kinds of emails that the user doesn't want."""
    found: list[str] | None = db.value(tx, "SELECT muted FROM accounts.users WHERE id = :id", id=user_id)
    return found or []


def save_muted(tx: db.Transaction, user_id: str, kinds: list[str]) -> None:
    """Replace the kinds of emails that the user doesn't want."""
    db.run(tx, "UPDATE accounts.users SET muted = :kinds WHERE id = :id", id=user_id, kinds=kinds)


def mute(tx: db.Transaction, unsubscribe_key: str, kind: str) -> str | None:
    """Stop emails of a kind to the user with this key. Returns the user's id, None if there is none."""
    found: str | None = db.value(
        tx,
        """
        UPDATE accounts.users SET muted = array_append(array_remove(muted, :kind), :kind)
         WHERE unsubscribe_key = :key AND erased_at IS NULL RETURNING id::text
        """,
        key=unsubscribe_key,
        kind=kind,
    )
    return found
