"""Users, organisations and who belongs where."""

from typing import Any

from showrunner import db
from showrunner.errors import Conflict, NotFound
from showrunner.store import pages, sessions
from showrunner.store.pages import Column, Found, Wanted

db.CONSTRAINTS["users_email_key"] = (Conflict, "This e-mail address has an account already: log in, or reset the password.")
db.CONSTRAINTS["users_username_key"] = (Conflict, "This username is taken.")
db.CONSTRAINTS["members_pkey"] = (Conflict, "This person is a member already.")

_PROFILE = """
    json_build_object('id', u.id, 'email', u.email, 'username', u.username, 'full_name', u.full_name, 'company', u.company,
                      'verified', u.verified_at IS NOT NULL, 'mfa', u.mfa_confirmed_at IS NOT NULL,
                      'created_at', u.created_at, 'last_login_at', u.last_login_at)
"""
# What an admin sees of somebody.
_USER = """
    json_build_object('id', u.id, 'email', u.email, 'username', u.username, 'full_name', u.full_name, 'company', u.company,
                      'verified', u.verified_at IS NOT NULL, 'mfa', u.mfa_confirmed_at IS NOT NULL, 'platform_admin', u.platform_admin,
                      'created_at', u.created_at, 'last_login_at', u.last_login_at)
"""
_COLUMNS = {"created_at": Column("u.created_at", "timestamptz"), "email": Column("u.email", "text"), "id": Column("u.id", "uuid")}


def add_organisation(tx: db.Transaction, name: str) -> str:
    return str(db.value(tx, "INSERT INTO accounts.organisations (name) VALUES (:name) RETURNING id", name=name))


def add_user(tx: db.Transaction, email: str, password_hash: str | None, full_name: str, company: str | None, username: str | None) -> str:
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


def add_member(tx: db.Transaction, organisation_id: str, user_id: str, role: str, *, owner: bool = False) -> None:
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


def find_login(tx: db.Transaction, email: str, places: list[str]) -> dict[str, Any] | None:
    """What a login needs: id, password_hash, mfa_secret (None unless confirmed), mfa_step, platform_admin, and whether one of the places is `known`."""
    return db.one(tx, f"{_LOGIN} WHERE u.email = :email AND u.erased_at IS NULL", email=email, places=places)


def get_login(tx: db.Transaction, user_id: str, places: list[str]) -> dict[str, Any]:
    """The same, of somebody whom another than the password has named."""
    row = db.one(tx, f"{_LOGIN} WHERE u.id = :user_id AND u.erased_at IS NULL", user_id=user_id, places=places)
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


def find_user(tx: db.Transaction, email: str) -> dict[str, Any] | None:
    return db.one(tx, "SELECT id::text, email, full_name, verified_at FROM accounts.users WHERE email = :email AND erased_at IS NULL", email=email)


def get_profile(tx: db.Transaction, user_id: str) -> str:
    """The profile as JSON text."""
    return _found(db.value(tx, f"SELECT {_PROFILE}::text FROM accounts.users u WHERE u.id = :id AND u.erased_at IS NULL", id=user_id))


def _found(text: str | None) -> str:
    if text is None:
        raise NotFound("There is no such user.")
    return text


def save_profile(tx: db.Transaction, user_id: str, changes: dict[str, Any]) -> str:
    """Sets full_name, company, username where they are given. The profile as JSON text."""
    return _found(
        db.value(
            tx,
            f"""
            UPDATE accounts.users u
               SET full_name = coalesce(:full_name, full_name), company = CASE WHEN :has_company::boolean THEN :company ELSE company END,
                   username = CASE WHEN :has_username::boolean THEN :username ELSE username END, updated_at = now()
             WHERE u.id = :id AND u.erased_at IS NULL RETURNING {_PROFILE}::text
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
    """A new password ends every session, every letter that could set another, and forgets every known place. None: nobody logs in before a reset by letter."""
    db.run(tx, "DELETE FROM access.mail_tokens WHERE kind = 'reset' AND user_id = :id", id=user_id)
    db.run(tx, "UPDATE accounts.users SET password_hash = :hash, updated_at = now() WHERE id = :id", id=user_id, hash=password_hash)
    db.run(tx, "UPDATE access.refresh_families SET revoked_at = now() WHERE user_id = :id AND revoked_at IS NULL", id=user_id)
    db.run(tx, "DELETE FROM access.known_places WHERE user_id = :id", id=user_id)


def save_verified(tx: db.Transaction, user_id: str) -> None:
    db.run(tx, "UPDATE accounts.users SET verified_at = coalesce(verified_at, now()), updated_at = now() WHERE id = :id", id=user_id)


def save_platform_admin(tx: db.Transaction, user_id: str) -> bool:
    """Make the user a platform admin. False if they were one already."""
    return bool(db.run(tx, "UPDATE accounts.users SET platform_admin = true, updated_at = now() WHERE id = :id AND NOT platform_admin", id=user_id))


def find_organisation_of(tx: db.Transaction, user_id: str) -> str | None:
    """Id of the organisation that the user joined first."""
    sql = "SELECT organisation_id::text FROM accounts.members WHERE user_id = :id ORDER BY joined_at, organisation_id LIMIT 1"
    found: str | None = db.value(tx, sql, id=user_id)
    return found


def get_membership(tx: db.Transaction, user_id: str, organisation_id: str | None = None) -> dict[str, Any]:
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


def get_organisation(tx: db.Transaction, organisation_id: str) -> dict[str, Any]:
    row = db.one(
        tx,
        """
        SELECT o.id::text, o.name, o.content_owner, o.created_at, (SELECT count(*) FROM accounts.members m WHERE m.organisation_id = o.id) AS members,
               (SELECT coalesce(json_agg(v.provider_id ORDER BY v.provider_id), '[]') FROM accounts.voices v WHERE v.organisation_id = o.id) AS voices
          FROM accounts.organisations o WHERE o.id = :id
        """,
        id=organisation_id,
    )
    if row is None:
        raise NotFound("There is no such organisation.")
    return row


def save_organisation(tx: db.Transaction, organisation_id: str, name: str) -> None:
    db.run(tx, "UPDATE accounts.organisations SET name = :name WHERE id = :id", id=organisation_id, name=name)


def save_content_owner(tx: db.Transaction, organisation_id: str, *, content_owner: bool) -> None:
    if not db.run(tx, "UPDATE accounts.organisations SET content_owner = :mark WHERE id = :id", id=organisation_id, mark=content_owner):
        raise NotFound("There is no such organisation.")


def list_members(tx: db.Transaction, organisation_id: str) -> list[dict[str, Any]]:
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


def remove_member(tx: db.Transaction, organisation_id: str, user_id: str) -> str | None:
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


def add_mail_token(tx: db.Transaction, token_sha256: str, kind: str, email: str, minutes: int, **about: str | None) -> None:
    """`about`: user_id, organisation_id, role. A new one of the kind replaces the last for the same address; not so those that reset a password, or whoever
    asks for one would take the owner's letter away."""
    db.run(
        tx,
        "DELETE FROM access.mail_tokens "
        "WHERE kind = :kind AND kind <> 'reset' AND email = :email AND organisation_id IS NOT DISTINCT FROM :organisation_id::uuid",
        kind=kind,
        email=email,
        organisation_id=about.get("organisation_id"),
    )
    db.run(
        tx,
        """
        INSERT INTO access.mail_tokens (token_sha256, kind, email, user_id, organisation_id, role, expires_at)
        VALUES (:token_sha256, :kind, :email, :user_id, :organisation_id, :role, now() + make_interval(mins => :minutes))
        """,
        token_sha256=token_sha256,
        kind=kind,
        email=email,
        user_id=about.get("user_id"),
        organisation_id=about.get("organisation_id"),
        role=about.get("role"),
        minutes=minutes,
    )


def find_mail_token(tx: db.Transaction, token_sha256: str, kind: str) -> str | None:
    """The address that it was sent to; the token stays."""
    email = db.value(
        tx,
        "SELECT email FROM access.mail_tokens WHERE token_sha256 = :token_sha256 AND kind = :kind AND expires_at > now()",
        token_sha256=token_sha256,
        kind=kind,
    )
    return None if email is None else str(email)


def take_mail_token(tx: db.Transaction, token_sha256: str, kinds: list[str]) -> dict[str, Any] | None:
    """kind, email, user_id, organisation_id, role; the token is gone with it."""
    return db.one(
        tx,
        """
        DELETE FROM access.mail_tokens WHERE token_sha256 = :token_sha256 AND kind = ANY(:kinds) AND expires_at > now()
        RETURNING kind, email, user_id::text, organisation_id::text, role
        """,
        token_sha256=token_sha256,
        kinds=kinds,
    )


def list_users(tx: db.Transaction, email: str | None, wanted: Wanted) -> Found:
    """Every user there is, for platform admins; `email` is a part of the address."""
    pattern = f"%{email.lower()}%" if email else None
    return pages.select(tx, "accounts.users u WHERE u.erased_at IS NULL", _USER, _COLUMNS, "-created_at", wanted, {"email": ("u.email LIKE :email", pattern)})


def get_mfa(tx: db.Transaction, user_id: str) -> dict[str, Any]:
    """mfa_secret (sealed), mfa_confirmed_at, mfa_step, email; the row is held until the transaction ends."""
    row = db.one(tx, "SELECT mfa_secret, mfa_confirmed_at, mfa_step, email FROM accounts.users WHERE id = :id AND erased_at IS NULL FOR UPDATE", id=user_id)
    if row is None:
        raise NotFound("There is no such user.")
    return row


def save_mfa(tx: db.Transaction, user_id: str, secret: str | None, *, confirmed: bool, codes: list[str]) -> None:
    """Sets or (None) removes the secret, and replaces the recovery codes, given as hashes."""
    db.run(
        tx,
        "UPDATE accounts.users SET mfa_secret = :secret, mfa_confirmed_at = CASE WHEN :confirmed::boolean THEN now() END, updated_at = now() WHERE id = :id",
        id=user_id,
        secret=secret,
        confirmed=confirmed,
    )
    db.run(tx, "DELETE FROM access.recovery_codes WHERE user_id = :id", id=user_id)
    db.run(tx, "INSERT INTO access.recovery_codes (user_id, code_sha256) SELECT :id::uuid, c FROM unnest(:codes::text[]) c", id=user_id, codes=codes)


def spend_mfa_step(tx: db.Transaction, user_id: str, step: int) -> bool:
    """False when a code of this time step or a later one was taken before."""
    return bool(db.run(tx, "UPDATE accounts.users SET mfa_step = :step WHERE id = :id AND mfa_step < :step", id=user_id, step=step))


def spend_recovery_code(tx: db.Transaction, user_id: str, code_sha256: str) -> bool:
    return bool(db.run(tx, "DELETE FROM access.recovery_codes WHERE user_id = :id AND code_sha256 = :code", id=user_id, code=code_sha256))


def export(tx: db.Transaction, user_id: str) -> str:
    """Everything held about a person, as JSON text; secrets and hashes are left out."""
    return _found(
        db.value(
            tx,
            f"""
            SELECT json_build_object(
                'profile', {_PROFILE},
                'memberships', (SELECT coalesce(json_agg(json_build_object('organisation_id', m.organisation_id, 'organisation', o.name, 'role', m.role,
                                    'is_owner', m.is_owner, 'joined_at', m.joined_at) ORDER BY m.joined_at), '[]')
                                  FROM accounts.members m JOIN accounts.organisations o ON o.id = m.organisation_id WHERE m.user_id = u.id),
                'sessions', (SELECT coalesce(json_agg(json_build_object('started_at', f.created_at, 'revoked_at', f.revoked_at) ORDER BY f.created_at), '[]')
                               FROM access.refresh_families f WHERE f.user_id = u.id),
                'known_places', (SELECT count(*) FROM access.known_places p WHERE p.user_id = u.id),
                'identities', (SELECT coalesce(json_agg(json_build_object('provider', i.provider, 'subject', i.subject, 'linked_at', i.linked_at)), '[]')
                                 FROM accounts.identities i WHERE i.user_id = u.id),
                'connections', (SELECT coalesce(json_agg(json_build_object('provider', n.provider, 'subject', n.subject, 'scopes', n.scopes,
                                    'connected_at', n.connected_at)), '[]')
                                  FROM accounts.connections n WHERE n.connected_by = u.id),
                'api_keys', (SELECT coalesce(json_agg(json_build_object('name', k.name, 'prefix', k.prefix, 'created_at', k.created_at)), '[]')
                               FROM access.api_keys k WHERE k.created_by = u.id::text),
                'audit', (SELECT coalesce(json_agg(json_build_object('at', e.at, 'action', e.action, 'thing', e.thing, 'thing_id', e.thing_id,
                                    'address', CASE WHEN coalesce(e.actor, e.subject) = u.id::text THEN e.address END) ORDER BY e.id), '[]')
                            FROM audit.events e WHERE e.subject = u.id::text OR e.actor = u.id::text OR (e.thing = 'user' AND e.thing_id = u.id::text)))::text
              FROM accounts.users u WHERE u.id = :id AND u.erased_at IS NULL
            """,
            id=user_id,
        )
    )


def erase(tx: db.Transaction, user_id: str) -> list[str]:
    """Takes the person out of the row and ends all that the row could do; gives the organisations that nobody is left in, which lose their names.

    The row itself stays, since audit rows name its id, which says nothing about anybody any more."""
    alone = db.rows(
        tx,
        """
        SELECT m.organisation_id::text AS id FROM accounts.members m
         WHERE m.user_id = :id AND NOT EXISTS (SELECT 1 FROM accounts.members o WHERE o.organisation_id = m.organisation_id AND o.user_id <> m.user_id)
        """,
        id=user_id,
    )
    db.run(tx, "DELETE FROM access.mail_tokens WHERE user_id = :id OR email = (SELECT email FROM accounts.users WHERE id = :id)", id=user_id)
    db.run(
        tx,
        """
        UPDATE accounts.users
           SET email = 'erased-' || gen_random_uuid() || '@erased.invalid', username = NULL, full_name = 'Erased', company = NULL,
               password_hash = NULL, mfa_secret = NULL, mfa_confirmed_at = NULL,
               platform_admin = false, last_login_at = NULL, verified_at = NULL, erased_at = now(), updated_at = now()
         WHERE id = :id
        """,
        id=user_id,
    )
    db.run(tx, "DELETE FROM access.refresh_families WHERE user_id = :id", id=user_id)
    db.run(tx, "DELETE FROM access.known_places WHERE user_id = :id", id=user_id)
    db.run(tx, "DELETE FROM access.recovery_codes WHERE user_id = :id", id=user_id)
    db.run(tx, "DELETE FROM access.oauth_states WHERE user_id = :id", id=user_id)
    db.run(tx, "DELETE FROM accounts.identities WHERE user_id = :id", id=user_id)
    db.run(tx, "DELETE FROM accounts.connections WHERE connected_by = :id", id=user_id)
    db.run(tx, "DELETE FROM accounts.members WHERE user_id = :id", id=user_id)
    sessions.revoke_made_by(tx, user_id)
    empty = [row["id"] for row in alone]
    db.run(tx, "UPDATE accounts.organisations SET name = 'Erased' WHERE id = ANY(:empty::uuid[])", empty=empty)
    db.run(tx, "DELETE FROM access.mail_tokens WHERE organisation_id = ANY(:empty::uuid[])", empty=empty)
    db.run(tx, "DELETE FROM access.idempotency WHERE organisation_id = ANY(:empty::uuid[])", empty=empty)
    return empty
