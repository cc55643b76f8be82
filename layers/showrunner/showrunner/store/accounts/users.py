"""Users: their profile, login and password."""

from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, PageRequest, PageResult
from showrunner.errors import Conflict, NotFound

db.CONSTRAINTS["users_email_key"] = (
    Conflict,
    "This e-mail address has an account already: log in, or reset the password.",
)
db.CONSTRAINTS["users_username_key"] = (Conflict, "This username is taken.")
db.CONSTRAINTS["members_pkey"] = (Conflict, "This person is a member already.")
PROFILE = """
    json_build_object('id', u.id, 'email', u.email, 'username', u.username, 'full_name', u.full_name, 'company', u.company,
                      'verified', u.verified_at IS NOT NULL, 'mfa', u.mfa_confirmed_at IS NOT NULL,
                      'created_at', u.created_at, 'last_login_at', u.last_login_at)
"""
# What an admin sees of somebody.
_USER = """
    json_build_object('id', u.id, 'email', u.email, 'username', u.username, 'full_name', u.full_name, 'company', u.company,
                      'verified', u.verified_at IS NOT NULL, 'mfa', u.mfa_confirmed_at IS NOT NULL, 'platform_admin', u.platform_admin,
                      'suspended_at', u.suspended_at, 'suspended_reason', u.suspended_reason,
                      'created_at', u.created_at, 'last_login_at', u.last_login_at)
"""
_COLUMNS = {
    "created_at": Column("u.created_at", "timestamptz"),
    "email": Column("u.email", "text"),
    "id": Column("u.id", "uuid"),
}


def add(
    tx: db.Transaction,
    email: str,
    password_hash: str | None,
    full_name: str,
    company: str | None,
    username: str | None,
) -> str:
    """The new user's id. Raises Conflict when the address or the username is taken."""
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
    """What a login needs: id, password_hash, mfa_secret (None unless confirmed), mfa_step, platform_admin, and whether one of the places is `known`."""
    return db.one(tx, f"{_LOGIN} WHERE u.email = :email AND u.erased_at IS NULL", email=email, places=places)


def get_login(tx: db.Transaction, user_id: str, places: list[str]) -> dict[str, Any]:
    """The same, of somebody whom another than the password has named."""
    row = db.one(
        tx, f"{_LOGIN} WHERE u.id = :user_id AND u.erased_at IS NULL", user_id=user_id, places=places
    )
    if row is None:
        raise NotFound("There is no such user.")
    return row


_LOGIN = """
        SELECT u.id::text, u.email, u.full_name, u.password_hash, u.platform_admin, u.mfa_step,
               CASE WHEN u.mfa_confirmed_at IS NOT NULL THEN u.mfa_secret END AS mfa_secret,
               EXISTS (SELECT 1 FROM access.known_places p WHERE p.user_id = u.id AND p.place_sha256 = ANY(:places)
                       AND p.seen_at > now() - interval '180 days') AS known
          FROM accounts.users u
"""


def find(tx: db.Transaction, email: str) -> dict[str, Any] | None:
    return db.one(
        tx,
        "SELECT id::text, email, full_name, verified_at FROM accounts.users WHERE email = :email AND erased_at IS NULL",
        email=email,
    )


def get_profile(tx: db.Transaction, user_id: str) -> str:
    """The profile as JSON text."""
    return found(
        db.value(
            tx,
            f"SELECT {PROFILE}::text FROM accounts.users u WHERE u.id = :id AND u.erased_at IS NULL",
            id=user_id,
        )
    )


def found(text: str | None) -> str:
    if text is None:
        raise NotFound("There is no such user.")
    return text


def save_profile(tx: db.Transaction, user_id: str, changes: dict[str, Any]) -> str:
    """Sets full_name, company, username where they are given. The profile as JSON text."""
    return found(
        db.value(
            tx,
            f"""
            UPDATE accounts.users u
               SET full_name = coalesce(:full_name, full_name), company = CASE WHEN :has_company::boolean THEN :company ELSE company END,
                   username = CASE WHEN :has_username::boolean THEN :username ELSE username END, updated_at = now()
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
    """Whether password and second factor are still those of `user`, as find_login gave it; from now until the transaction ends nobody changes them."""
    return bool(
        db.rows(
            tx,
            """
            SELECT 1 FROM accounts.users u
             WHERE u.id = :id AND u.erased_at IS NULL AND u.password_hash IS NOT DISTINCT FROM :password_hash
               AND CASE WHEN u.mfa_confirmed_at IS NOT NULL THEN u.mfa_secret END IS NOT DISTINCT FROM :mfa_secret
               FOR UPDATE
            """,
            id=user["id"],
            password_hash=user["password_hash"],
            mfa_secret=user["mfa_secret"],
        )
    )


def save_login(tx: db.Transaction, user_id: str, places: list[str], password_hash: str | None) -> None:
    """A right login: when, from where, and the hash at today's cost where it was another."""
    db.run(
        tx,
        "UPDATE accounts.users SET last_login_at = now(), password_hash = coalesce(:password_hash, password_hash) WHERE id = :id",
        id=user_id,
        password_hash=password_hash,
    )
    db.run(
        tx,
        "INSERT INTO access.known_places (user_id, place_sha256) SELECT :id::uuid, p FROM unnest(:places::text[]) p "
        "ON CONFLICT (user_id, place_sha256) DO UPDATE SET seen_at = now()",
        id=user_id,
        places=places,
    )


def save_password(tx: db.Transaction, user_id: str, password_hash: str | None) -> None:
    """A new password ends every session, every letter that could set another, and forgets every known place.

    None: nobody logs in before a reset by letter.
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
    db.run(
        tx,
        "UPDATE accounts.users SET verified_at = coalesce(verified_at, now()), updated_at = now() WHERE id = :id",
        id=user_id,
    )


def list_(tx: db.Transaction, email: str | None, wanted: PageRequest) -> PageResult:
    """Every user there is, for platform admins; `email` is a part of the address."""
    pattern = f"%{email.lower()}%" if email else None
    return pages.select(
        tx,
        "accounts.users u WHERE u.erased_at IS NULL",
        _USER,
        _COLUMNS,
        "-created_at",
        wanted,
        {"email": ("u.email LIKE :email", pattern)},
    )


def save_platform_admin(tx: db.Transaction, user_id: str) -> bool:
    """Make the user a platform admin. False if they were one already."""
    return bool(
        db.run(
            tx,
            "UPDATE accounts.users SET platform_admin = true, updated_at = now() WHERE id = :id AND NOT platform_admin",
            id=user_id,
        )
    )


def remove_platform_admin(tx: db.Transaction, user_id: str) -> bool:
    """Make the user an ordinary one again.

    False if they weren't an admin. Raises Conflict for the last admin.
    """
    admins = db.rows(
        tx,
        "SELECT id::text FROM accounts.users WHERE platform_admin AND erased_at IS NULL ORDER BY id FOR UPDATE",
    )
    if [row["id"] for row in admins] == [user_id]:
        raise Conflict("This is the last platform admin: promote another one first.")
    return bool(
        db.run(
            tx,
            "UPDATE accounts.users SET platform_admin = false, updated_at = now() WHERE id = :id AND platform_admin",
            id=user_id,
        )
    )


def save_suspension(tx: db.Transaction, user_id: str, reason: str | None) -> None:
    """Suspend a user for a reason, or (None) restore them."""
    sql = """
        UPDATE accounts.users SET suspended_at = CASE WHEN :reason::text IS NOT NULL THEN coalesce(suspended_at, now()) END,
               suspended_reason = :reason, updated_at = now()
         WHERE id = :id AND erased_at IS NULL
    """
    if not db.run(tx, sql, id=user_id, reason=reason):
        raise NotFound("There is no such user.")


def get(tx: db.Transaction, user_id: str) -> dict[str, Any]:
    """Return {"user":

    JSON text as admins see it, platform_admin, verified}. The row is locked. Raises NotFound.
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
