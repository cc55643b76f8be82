"""Users: profile, login, password, suspension, and who is a platform admin."""

from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult
from showrunner.errors import Conflict, NotFound

db.CONSTRAINTS["users_email_key"] = (
    Conflict,
    "This e-mail address has an account already: log in, or reset the password.",
)
db.CONSTRAINTS["users_username_key"] = (Conflict, "This username is taken.")
db.CONSTRAINTS["members_pkey"] = (Conflict, "This person is a member already.")
PROFILE = """
    json_build_object('id', u.id, 'email', u.email, 'username', u.username, 'full_name', u.full_name,
                      'company', u.company, 'verified', u.verified_at IS NOT NULL,
                      'mfa', u.mfa_confirmed_at IS NOT NULL, 'created_at', u.created_at,
                      'last_login_at', u.last_login_at)
"""
# A user as platform admins see it.
_USER = """
    json_build_object('id', u.id, 'email', u.email, 'username', u.username, 'full_name', u.full_name,
                      'company', u.company, 'verified', u.verified_at IS NOT NULL,
                      'mfa', u.mfa_confirmed_at IS NOT NULL, 'platform_admin', u.platform_admin,
                      'suspended_at', u.suspended_at, 'suspended_reason', u.suspended_reason,
                      'created_at', u.created_at, 'last_login_at', u.last_login_at)
"""
_LOGIN = """
    SELECT u.id::text, u.email, u.full_name, u.password_hash, u.platform_admin, u.mfa_step,
           CASE WHEN u.mfa_confirmed_at IS NOT NULL THEN u.mfa_secret END AS mfa_secret,
           EXISTS (SELECT FROM access.known_places p
                    WHERE p.user_id = u.id AND p.place_sha256 = ANY(:places)
                      AND p.seen_at > now() - interval '180 days') AS known
      FROM accounts.users u
"""
_LIST = List(
    "users",
    "accounts.users u",
    "u.erased_at IS NULL",
    _USER,
    {
        "created_at": Column("u.created_at", "timestamptz"),
        "email": Column("u.email", "text"),
        "id": Column("u.id", "uuid"),
    },
    "-created_at",
    {"email": "u.email LIKE :email"},
)


def add(
    tx: db.Transaction,
    email: str,
    password_hash: str | None,
    full_name: str,
    company: str | None,
    username: str | None,
) -> str:
    """Add a user and return the id. Raises Conflict if the address or the username is taken."""
    return str(
        db.value(
            tx,
            """
            INSERT INTO accounts.users (email, password_hash, full_name, company, username)
            VALUES (:email, :password_hash, :full_name, :company, :username) RETURNING id
            """,
            email=email,
            password_hash=password_hash,
            full_name=full_name,
            company=company,
            username=username,
        )
    )


def find_login(tx: db.Transaction, email: str, places: list[str]) -> dict[str, Any] | None:
    """Return what a login needs, None if there is no such user.

    Columns: id, email, full_name, password_hash, platform_admin, mfa_step, mfa_secret (None unless
    confirmed), and `known`: whether the user has logged in from one of the places before.
    """
    return db.one(tx, f"{_LOGIN} WHERE u.email = :email AND u.erased_at IS NULL", email=email, places=places)


def get_login(tx: db.Transaction, user_id: str, places: list[str]) -> dict[str, Any]:
    """Return the same as `find_login`, for a user whom a provider has identified. Raises NotFound."""
    row = db.one(
        tx, f"{_LOGIN} WHERE u.id = :user_id AND u.erased_at IS NULL", user_id=user_id, places=places
    )
    if row is None:
        raise NotFound("There is no such user.")
    return row


def find(tx: db.Transaction, email: str) -> dict[str, Any] | None:
    """Return id, email, full_name and verified_at of the user with this address."""
    return db.one(
        tx,
        """
        SELECT id::text, email, full_name, verified_at FROM accounts.users
         WHERE email = :email AND erased_at IS NULL
        """,
        email=email,
    )


def get_profile(tx: db.Transaction, user_id: str) -> str:
    """Return the profile as JSON text. Raises NotFound."""
    return found(
        db.value(
            tx,
            f"SELECT {PROFILE}::text FROM accounts.users u WHERE u.id = :id AND u.erased_at IS NULL",
            id=user_id,
        )
    )


def found(text: str | None) -> str:
    """Return the text. Raises NotFound if it is None."""
    if text is None:
        raise NotFound("There is no such user.")
    return text


def save_profile(tx: db.Transaction, user_id: str, changes: dict[str, Any]) -> str:
    """Save full_name, company and username, those that are given. Returns the profile as JSON text."""
    return found(
        db.value(
            tx,
            f"""
            UPDATE accounts.users u
               SET full_name = coalesce(:full_name, full_name),
                   company = CASE WHEN :has_company::boolean THEN :company ELSE company END,
                   username = CASE WHEN :has_username::boolean THEN :username ELSE username END,
                   updated_at = now()
             WHERE u.id = :id AND u.erased_at IS NULL RETURNING {PROFILE}::text
            """,
            id=user_id,
            full_name=changes.get("full_name"),
            has_company="company" in changes,
            company=changes.get("company"),
            has_username="username" in changes,
            username=changes.get("username"),
        )
    )


def hold_login(tx: db.Transaction, user: dict[str, Any]) -> bool:
    """Lock a user and tell whether password and second factor are still those that find_login returned."""
    return bool(
        db.rows(
            tx,
            """
            SELECT 1 FROM accounts.users u
             WHERE u.id = :id AND u.erased_at IS NULL
               AND u.password_hash IS NOT DISTINCT FROM :password_hash
               AND CASE WHEN u.mfa_confirmed_at IS NOT NULL THEN u.mfa_secret END
                   IS NOT DISTINCT FROM :mfa_secret
               FOR UPDATE
            """,
            id=user["id"],
            password_hash=user["password_hash"],
            mfa_secret=user["mfa_secret"],
        )
    )


def save_login(tx: db.Transaction, user_id: str, places: list[str], password_hash: str | None) -> None:
    """Record a successful login and its places, and save the hash if the password was hashed anew."""
    db.run(
        tx,
        """
        UPDATE accounts.users
           SET last_login_at = now(), password_hash = coalesce(:password_hash, password_hash)
         WHERE id = :id
        """,
        id=user_id,
        password_hash=password_hash,
    )
    db.run(
        tx,
        """
        INSERT INTO access.known_places (user_id, place_sha256)
        SELECT :id::uuid, p FROM unnest(:places::text[]) p
        ON CONFLICT (user_id, place_sha256) DO UPDATE SET seen_at = now()
        """,
        id=user_id,
        places=places,
    )


def save_password(tx: db.Transaction, user_id: str, password_hash: str | None) -> None:
    """Save a new password, and end every session, reset token and known place of the user.

    With None nobody can log in before the password is reset by email.
    """
    db.run(tx, "DELETE FROM access.mail_tokens WHERE kind = 'reset' AND user_id = :id", id=user_id)
    db.run(
        tx,
        "UPDATE accounts.users SET password_hash = :hash, updated_at = now() WHERE id = :id",
        id=user_id,
        hash=password_hash,
    )
    db.run(
        tx,
        "UPDATE access.refresh_families SET revoked_at = now() WHERE user_id = :id AND revoked_at IS NULL",
        id=user_id,
    )
    db.run(tx, "DELETE FROM access.known_places WHERE user_id = :id", id=user_id)


def save_verified(tx: db.Transaction, user_id: str) -> None:
    """Record that the user has confirmed the address."""
    db.run(
        tx,
        """
        UPDATE accounts.users SET verified_at = coalesce(verified_at, now()), updated_at = now()
         WHERE id = :id
        """,
        id=user_id,
    )


def list_(tx: db.Transaction, email: str | None, page: PageRequest) -> PageResult:
    """Return a page of all users, for platform admins. `email` is a part of the address."""
    return pages.select(tx, _LIST, page, {"email": f"%{email.lower()}%" if email else None})


def save_platform_admin(tx: db.Transaction, user_id: str) -> bool:
    """Make the user a platform admin. False if they were one already."""
    return bool(
        db.run(
            tx,
            """
            UPDATE accounts.users SET platform_admin = true, updated_at = now()
             WHERE id = :id AND NOT platform_admin
            """,
            id=user_id,
        )
    )


def remove_platform_admin(tx: db.Transaction, user_id: str) -> bool:
    """Take the rights of a platform admin away. False if the user had none.

    Raises Conflict for the last admin.
    """
    sql = """
        SELECT id::text FROM accounts.users WHERE platform_admin AND erased_at IS NULL ORDER BY id FOR UPDATE
    """
    admins = db.rows(tx, sql)
    if [row["id"] for row in admins] == [user_id]:
        raise Conflict("This is the last platform admin: promote another one first.")
    return bool(
        db.run(
            tx,
            """
            UPDATE accounts.users SET platform_admin = false, updated_at = now()
             WHERE id = :id AND platform_admin
            """,
            id=user_id,
        )
    )


def save_suspension(tx: db.Transaction, user_id: str, reason: str | None) -> None:
    """Suspend a user for a reason, or (None) restore them."""
    sql = """
        UPDATE accounts.users
           SET suspended_at = CASE WHEN :reason::text IS NOT NULL THEN coalesce(suspended_at, now()) END,
               suspended_reason = :reason, updated_at = now()
         WHERE id = :id AND erased_at IS NULL
    """
    if not db.run(tx, sql, id=user_id, reason=reason):
        raise NotFound("There is no such user.")


def get(tx: db.Transaction, user_id: str) -> dict[str, Any]:
    """Return a user as JSON text (`user`, as admins see it), platform_admin and verified; lock the row.

    Raises NotFound.
    """
    row = db.one(
        tx,
        f"""
        SELECT ({_USER})::text AS "user", u.platform_admin, u.verified_at IS NOT NULL AS verified
          FROM accounts.users u WHERE u.id = :id AND u.erased_at IS NULL FOR UPDATE
        """,
        id=user_id,
    )
    if row is None:
        raise NotFound("There is no such user.")
    return row
