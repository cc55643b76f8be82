"""Failed logins. Five lock an account for 15 minutes, whether it exists or not.

An attempt is counted before the password is compared and forgiven if it was right: ten thousand logins at
once cost five password hashes. Places that the account's owner has logged in from have five attempts of their
own, so that a stranger can't lock out the owner.
"""

import hashlib

from showrunner.database import db
from showrunner.errors import LimitExceeded

MOST = 5
LOCK_SECONDS = 900


def take(tx: db.Transaction, account: str, place: str | None = None) -> str:
    """Count an attempt and return the key for `forgive`. Raises LimitExceeded if the account is locked.

    `place` is set if the owner has logged in from there before.
    """
    # One key for all known places: an account has ten attempts in 15 minutes at most.
    key = digest(f"{account}\n{'known' if place else 'anywhere'}")
    left = db.one(
        tx,
        """
        INSERT INTO access.login_attempts AS a (key) VALUES (:key)
        ON CONFLICT (key) DO UPDATE SET
            attempts = CASE WHEN a.last_at < clock_timestamp() - make_interval(secs => :seconds) THEN 1
                            ELSE least(a.attempts + 1, :most + 1) END,
            last_at = CASE WHEN a.last_at < clock_timestamp() - make_interval(secs => :seconds)
                             OR a.attempts < :most THEN clock_timestamp()
                           ELSE a.last_at END
        RETURNING attempts,
                  ceil(extract(epoch FROM last_at - clock_timestamp()) + :seconds)::integer AS seconds
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
    """Reset the count after a successful login."""
    db.run(tx, "DELETE FROM access.login_attempts WHERE key = :key", key=key)


def digest(text: str) -> str:
    """Return the SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
