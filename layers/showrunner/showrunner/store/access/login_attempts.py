"""Wrong logins: five lock an account for 15 minutes, whether it exists or not, before any hash is computed.

An attempt is taken before the password is looked at and given back when it was right, so that ten thousand at
once cost five hashes. Places that the account's owner has logged in from have five attempts of their own: a
stranger can lock out strangers only.
"""

import hashlib

from showrunner.database import db
from showrunner.errors import LimitExceeded

MOST = 5
LOCK_SECONDS = 900


def take(tx: db.Transaction, account: str, place: str | None = None) -> str:
    """Counts an attempt and gives the key to forgive it by.

    `place` is one that the owner is known from. Raises LimitExceeded when there is none left.
    """
    # One key for all known places: an owner has ten attempts in 15 minutes at most, wherever they come from.
    key = digest(f"{account}\n{'known' if place else 'anywhere'}")
    left = db.one(
        tx,
        """
        INSERT INTO access.login_attempts AS a (key) VALUES (:key)
        ON CONFLICT (key) DO UPDATE SET
            attempts = CASE WHEN a.last_at < clock_timestamp() - make_interval(secs => :seconds) THEN 1 ELSE least(a.attempts + 1, :most + 1) END,
            last_at = CASE WHEN a.last_at < clock_timestamp() - make_interval(secs => :seconds) OR a.attempts < :most THEN clock_timestamp() ELSE a.last_at END
        RETURNING attempts, ceil(extract(epoch FROM last_at - clock_timestamp()) + :seconds)::integer AS seconds
        """,
        key=key,
        seconds=LOCK_SECONDS,
        most=MOST,
    )
    if left is not None and left["attempts"] > MOST:
        seconds = max(1, left["seconds"])
        minutes = -(-seconds // 60)
        message = (
            f"Too many wrong logins: the account is locked for {minutes} more minute{'s' * (minutes > 1)}."
        )
        raise LimitExceeded(message, retry_after=seconds, code="ACCOUNT_LOCKED", limit=MOST)
    return key


def forgive(tx: db.Transaction, key: str) -> None:
    """After a right login the count begins anew."""
    db.run(tx, "DELETE FROM access.login_attempts WHERE key = :key", key=key)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
