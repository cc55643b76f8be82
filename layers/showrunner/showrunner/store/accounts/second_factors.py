"""Second factors (TOTP) and recovery codes of users."""

from typing import Any

from showrunner.database import db
from showrunner.errors import NotFound


def get(tx: db.Transaction, user_id: str) -> dict[str, Any]:
    """Return mfa_secret (sealed), mfa_confirmed_at, mfa_step and email; lock the row. Raises NotFound."""
    row = db.one(
        tx,
        """
        SELECT mfa_secret, mfa_confirmed_at, mfa_step, email FROM accounts.users
         WHERE id = :id AND erased_at IS NULL FOR UPDATE
        """,
        id=user_id,
    )
    if row is None:
        raise NotFound("There is no such user.")
    return row


def save(tx: db.Transaction, user_id: str, secret: str | None, *, confirmed: bool, codes: list[str]) -> None:
    """Save the secret, or remove it (None), and replace the hashes of the recovery codes."""
    db.run(
        tx,
        """
        UPDATE accounts.users
           SET mfa_secret = :secret, mfa_confirmed_at = CASE WHEN :confirmed::boolean THEN now() END,
               updated_at = now()
         WHERE id = :id
        """,
        id=user_id,
        secret=secret,
        confirmed=confirmed,
    )
    db.run(tx, "DELETE FROM access.recovery_codes WHERE user_id = :id", id=user_id)
    db.run(
        tx,
        """
        INSERT INTO access.recovery_codes (user_id, code_sha256)
        SELECT :id::uuid, c FROM unnest(:codes::text[]) c
        """,
        id=user_id,
        codes=codes,
    )


def spend_step(tx: db.Transaction, user_id: str, step: int) -> bool:
    """Use up a time step of TOTP. False if a code of this or a later step was used before."""
    return bool(
        db.run(
            tx,
            "UPDATE accounts.users SET mfa_step = :step WHERE id = :id AND mfa_step < :step",
            id=user_id,
            step=step,
        )
    )


def spend_recovery_code(tx: db.Transaction, user_id: str, code_sha256: str) -> bool:
    """Use up a recovery code. False if there is no such code."""
    return bool(
        db.run(
            tx,
            "DELETE FROM access.recovery_codes WHERE user_id = :id AND code_sha256 = :code",
            id=user_id,
            code=code_sha256,
        )
    )
