"""Members of organisations and their roles."""

from typing import Any

from showrunner.database import db
from showrunner.errors import Conflict, NotFound


def add(tx: db.Transaction, organisation_id: str, user_id: str, role: str, *, owner: bool = False) -> None:
    db.run(
        tx,
        """
        INSERT INTO accounts.members (organisation_id, user_id, role, is_owner, joined_at)
        VALUES (:organisation_id, :user_id, :role, :owner, clock_timestamp())
        """,
        organisation_id=organisation_id,
        user_id=user_id,
        role=role,
        owner=owner,
    )


def get(tx: db.Transaction, user_id: str, organisation_id: str | None = None) -> dict[str, Any]:
    """organisation_id, role, is_owner, content_owner, platform_admin, email, full_name: in that organisation, or in the one joined first."""
    row = db.one(
        tx,
        """
        SELECT m.organisation_id::text, m.role, m.is_owner, o.content_owner, u.platform_admin, u.id::text AS user_id, u.email, u.full_name
          FROM accounts.members m JOIN accounts.organisations o ON o.id = m.organisation_id JOIN accounts.users u ON u.id = m.user_id
         WHERE m.user_id = :user_id AND u.erased_at IS NULL AND (:organisation_id::uuid IS NULL OR m.organisation_id = :organisation_id::uuid)
         ORDER BY m.joined_at, m.organisation_id LIMIT 1
        """,
        user_id=user_id,
        organisation_id=organisation_id,
    )
    if row is None:
        raise NotFound("There is no such member.")
    return row


def list_(tx: db.Transaction, organisation_id: str) -> list[dict[str, Any]]:
    """Members and open invitations; there are few of either."""
    return db.rows(
        tx,
        """
        SELECT u.id::text AS user_id, u.email, u.full_name, m.role, m.is_owner, 'member' AS status, m.joined_at AS since
          FROM accounts.members m JOIN accounts.users u ON u.id = m.user_id WHERE m.organisation_id = :id
        UNION ALL
        SELECT NULL, t.email, NULL, t.role, false, 'invited', t.created_at FROM access.mail_tokens t
         WHERE t.organisation_id = :id AND t.kind = 'invite' AND t.expires_at > now()
         ORDER BY status DESC, since LIMIT 1000
        """,
        id=organisation_id,
    )


def is_member(tx: db.Transaction, organisation_id: str, email: str) -> bool:
    return bool(
        db.value(
            tx,
            "SELECT EXISTS (SELECT FROM accounts.members m JOIN accounts.users u ON u.id = m.user_id WHERE m.organisation_id = :id AND u.email = :email)",
            id=organisation_id,
            email=email,
        )
    )


def remove_invitation(tx: db.Transaction, organisation_id: str, email: str) -> None:
    if not db.run(tx, "DELETE FROM access.mail_tokens WHERE kind = 'invite' AND organisation_id = :id AND email = :email", id=organisation_id, email=email):
        raise NotFound("There is no such invitation.")


def remove(tx: db.Transaction, organisation_id: str, user_id: str) -> str | None:
    """The name for an organisation of their own where they are in no other. Raises Conflict for the owner: an organisation that nobody may steer is lost."""
    row = db.one(
        tx,
        "SELECT is_owner FROM accounts.members WHERE organisation_id = :organisation_id AND user_id = :user_id FOR UPDATE",
        organisation_id=organisation_id,
        user_id=user_id,
    )
    if row is None:
        raise NotFound("There is no such member.")
    if row["is_owner"]:
        raise Conflict("The organisation's owner can't be removed.")
    db.run(tx, "DELETE FROM accounts.members WHERE organisation_id = :organisation_id AND user_id = :user_id", organisation_id=organisation_id, user_id=user_id)
    db.run(
        tx,
        "UPDATE access.refresh_families SET revoked_at = now() WHERE user_id = :user_id AND organisation_id = :organisation_id AND revoked_at IS NULL",
        organisation_id=organisation_id,
        user_id=user_id,
    )
    db.run(
        tx,
        "DELETE FROM access.mail_tokens t USING accounts.users u "
        "WHERE t.kind = 'invite' AND t.organisation_id = :organisation_id AND u.id = :user_id AND t.email = u.email",
        organisation_id=organisation_id,
        user_id=user_id,
    )
    name: str | None = db.value(
        tx,
        "SELECT coalesce(company, full_name) FROM accounts.users u WHERE id = :user_id AND NOT EXISTS (SELECT FROM accounts.members m WHERE m.user_id = u.id)",
        user_id=user_id,
    )
    return name


def find_organisation(tx: db.Transaction, user_id: str) -> str | None:
    """Id of the organisation that the user joined first."""
    sql = "SELECT organisation_id::text FROM accounts.members WHERE user_id = :id ORDER BY joined_at, organisation_id LIMIT 1"
    found: str | None = db.value(tx, sql, id=user_id)
    return found
