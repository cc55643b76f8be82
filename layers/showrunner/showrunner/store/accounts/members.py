"""Members of organisations and their roles."""

from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult
from showrunner.errors import Conflict, Forbidden, NotFound


def add(tx: db.Transaction, organisation_id: str, user_id: str, role: str, *, owner: bool = False) -> None:
    """Add a member, as the owner if `owner`."""
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
    """Return the membership in that organisation, or in the one that the user joined first.

    Columns: organisation_id, role, is_owner (owner or admin of the organisation), content_owner,
    platform_admin, user_id, email, full_name, user_suspended, organisation_suspended. Raises NotFound.
    """
    row = db.one(
        tx,
        """
        SELECT m.organisation_id::text, m.role, m.is_owner OR m.is_admin AS is_owner, o.content_owner,
               u.platform_admin, u.id::text AS user_id, u.email, u.full_name,
               u.suspended_at IS NOT NULL AS user_suspended,
               o.suspended_at IS NOT NULL AS organisation_suspended
          FROM accounts.members m
          JOIN accounts.organisations o ON o.id = m.organisation_id
          JOIN accounts.users u ON u.id = m.user_id
         WHERE m.user_id = :user_id AND u.erased_at IS NULL AND o.deleted_at IS NULL
           AND (:organisation_id::uuid IS NULL OR m.organisation_id = :organisation_id::uuid)
         ORDER BY m.joined_at, m.organisation_id LIMIT 1
        """,
        user_id=user_id,
        organisation_id=organisation_id,
    )
    if row is None:
        raise NotFound("There is no such member.")
    return row


_MEMBERS_AND_INVITATIONS = """(
    SELECT u.id, u.email, u.full_name, CASE WHEN m.is_admin THEN 'admin' ELSE m.role END AS role, m.is_owner,
           'member' AS status, m.joined_at AS since
      FROM accounts.members m JOIN accounts.users u ON u.id = m.user_id
     WHERE m.organisation_id = :organisation_id::uuid
     UNION ALL
    SELECT md5(t.token_sha256)::uuid, t.email, NULL, t.role, false, 'invited', t.created_at
      FROM access.mail_tokens t
     WHERE t.organisation_id = :organisation_id::uuid AND t.kind = 'invite' AND t.expires_at > now()
) p"""
_LIST = List(
    "members",
    _MEMBERS_AND_INVITATIONS,
    "true",
    """
    json_build_object('user_id', CASE WHEN p.status = 'member' THEN p.id END, 'email', p.email,
                      'full_name', p.full_name, 'role', p.role, 'is_owner', p.is_owner, 'status', p.status,
                      'since', p.since)
    """,
    {
        "since": Column("p.since", "timestamptz"),
        "email": Column("p.email", "text"),
        "status": Column("p.status", "text"),
        "id": Column("p.id", "uuid"),
    },
    "-status,since",
)


def list_(tx: db.Transaction, organisation_id: str, page: PageRequest) -> PageResult:
    """Return a page of members and open invitations, by default members first, each kind by time."""
    return pages.select(tx, _LIST, page, {"organisation_id": organisation_id})


def save_role(tx: db.Transaction, organisation_id: str, email: str, role: str) -> str:
    """Set a member's role: admin (of the organisation), user or viewer. Returns the user's id.

    Raises NotFound, or Conflict for the owner.
    """
    row = db.one(
        tx,
        """
        SELECT m.user_id::text, m.is_owner FROM accounts.members m JOIN accounts.users u ON u.id = m.user_id
         WHERE m.organisation_id = :organisation_id AND u.email = :email FOR UPDATE OF m
        """,
        organisation_id=organisation_id,
        email=email,
    )
    if row is None:
        raise NotFound("There is no such member.")
    if row["is_owner"]:
        raise Conflict("The owner's role can't be changed: transfer the ownership first.")
    db.run(
        tx,
        """
        UPDATE accounts.members
           SET role = CASE WHEN :role::text = 'viewer' THEN 'viewer' ELSE 'user' END,
               is_admin = :role::text = 'admin'
         WHERE organisation_id = :organisation_id AND user_id = :user_id
        """,
        organisation_id=organisation_id,
        user_id=row["user_id"],
        role=role,
    )
    return str(row["user_id"])


def transfer(tx: db.Transaction, organisation_id: str, owner_id: str, email: str) -> str:
    """Make another member the owner; the owner until now becomes an admin. Returns the new owner's id.

    Raises Forbidden unless `owner_id` is the owner, NotFound if nobody with this address is a member,
    Conflict if the new owner hasn't confirmed their address or is suspended.
    """
    rows = db.rows(
        tx,
        """
        SELECT m.user_id::text, m.is_owner, u.email,
               u.verified_at IS NOT NULL AND u.suspended_at IS NULL AS able
          FROM accounts.members m JOIN accounts.users u ON u.id = m.user_id
         WHERE m.organisation_id = :organisation_id AND (u.email = :email OR m.user_id = :owner_id)
         ORDER BY m.user_id FOR UPDATE OF m
        """,
        organisation_id=organisation_id,
        owner_id=owner_id,
        email=email,
    )
    if not any(row["is_owner"] and row["user_id"] == owner_id for row in rows):
        raise Forbidden("Only the owner can transfer the ownership.")
    following = next((row for row in rows if row["email"] == email and row["user_id"] != owner_id), None)
    if following is None:
        raise NotFound("There is no such member.")
    if not following["able"]:
        raise Conflict(
            "This member can't own the organisation: the address isn't confirmed,"
            " or the account is suspended."
        )
    sql = """
        UPDATE accounts.members
           SET is_owner = user_id = :user_id, is_admin = user_id <> :user_id AND (is_admin OR is_owner),
               role = 'user'
         WHERE organisation_id = :organisation_id AND user_id IN (:user_id, :owner_id)
    """
    db.run(tx, sql, organisation_id=organisation_id, user_id=following["user_id"], owner_id=owner_id)
    return str(following["user_id"])


def list_owned(tx: db.Transaction, user_id: str) -> list[str]:
    """Return the ids of organisations with other members that the user owns. The rows are locked."""
    rows = db.rows(
        tx,
        """
        SELECT m.organisation_id::text AS id
          FROM accounts.members m JOIN accounts.organisations o ON o.id = m.organisation_id
         WHERE m.user_id = :id AND m.is_owner AND o.deleted_at IS NULL
           AND EXISTS (SELECT FROM accounts.members other
                        WHERE other.organisation_id = m.organisation_id AND other.user_id <> m.user_id)
         ORDER BY m.organisation_id FOR UPDATE OF m
        """,
        id=user_id,
    )
    return [row["id"] for row in rows]


def is_member(tx: db.Transaction, organisation_id: str, email: str) -> bool:
    """Tell whether the user with this address is a member."""
    return bool(
        db.value(
            tx,
            """
            SELECT EXISTS (SELECT FROM accounts.members m JOIN accounts.users u ON u.id = m.user_id
                            WHERE m.organisation_id = :id AND u.email = :email)
            """,
            id=organisation_id,
            email=email,
        )
    )


def is_owner(tx: db.Transaction, organisation_id: str, user_id: str) -> bool:
    """Tell whether the user owns the organisation."""
    sql = """
        SELECT is_owner FROM accounts.members WHERE organisation_id = :organisation_id AND user_id = :user_id
    """
    return bool(db.value(tx, sql, organisation_id=organisation_id, user_id=user_id))


def find_owner(tx: db.Transaction, organisation_id: str) -> str | None:
    """Return the address of the organisation's owner, None without one."""
    found = db.value(
        tx,
        """
        SELECT u.email FROM accounts.members m JOIN accounts.users u ON u.id = m.user_id
         WHERE m.organisation_id = :organisation_id AND m.is_owner AND u.erased_at IS NULL
         ORDER BY m.joined_at LIMIT 1
        """,
        organisation_id=organisation_id,
    )
    return None if found is None else str(found)


def remove_invitation(tx: db.Transaction, organisation_id: str, email: str) -> None:
    """Withdraw an invitation. Raises NotFound."""
    if not db.run(
        tx,
        "DELETE FROM access.mail_tokens WHERE kind = 'invite' AND organisation_id = :id AND email = :email",
        id=organisation_id,
        email=email,
    ):
        raise NotFound("There is no such invitation.")


def remove(tx: db.Transaction, organisation_id: str, user_id: str) -> str | None:
    """Remove a member and end their logins to the organisation.

    Returns None if they belong to another organisation; else a name for one of their own. Raises NotFound,
    or Conflict for the owner: an organisation needs one.
    """
    row = db.one(
        tx,
        """
        SELECT is_owner FROM accounts.members
         WHERE organisation_id = :organisation_id AND user_id = :user_id FOR UPDATE
        """,
        organisation_id=organisation_id,
        user_id=user_id,
    )
    if row is None:
        raise NotFound("There is no such member.")
    if row["is_owner"]:
        raise Conflict("The organisation's owner can't be removed.")
    db.run(
        tx,
        "DELETE FROM accounts.members WHERE organisation_id = :organisation_id AND user_id = :user_id",
        organisation_id=organisation_id,
        user_id=user_id,
    )
    db.run(
        tx,
        """
        UPDATE access.refresh_families SET revoked_at = now()
         WHERE user_id = :user_id AND organisation_id = :organisation_id AND revoked_at IS NULL
        """,
        organisation_id=organisation_id,
        user_id=user_id,
    )
    db.run(
        tx,
        """
        DELETE FROM access.mail_tokens t USING accounts.users u
         WHERE t.kind = 'invite' AND t.organisation_id = :organisation_id AND u.id = :user_id
           AND t.email = u.email
        """,
        organisation_id=organisation_id,
        user_id=user_id,
    )
    name: str | None = db.value(
        tx,
        """
        SELECT coalesce(company, full_name) FROM accounts.users u
         WHERE id = :user_id AND NOT EXISTS (SELECT FROM accounts.members m WHERE m.user_id = u.id)
        """,
        user_id=user_id,
    )
    return name


def find_organisation(tx: db.Transaction, user_id: str) -> str | None:
    """Return the id of the organisation that the user joined first, None if there is none."""
    sql = """
        SELECT organisation_id::text FROM accounts.members
         WHERE user_id = :id ORDER BY joined_at, organisation_id LIMIT 1
    """
    found: str | None = db.value(tx, sql, id=user_id)
    return found
