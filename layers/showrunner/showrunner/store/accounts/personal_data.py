"""Export and erase the personal data of a user."""

from showrunner.database import db
from showrunner.store.access import service_tokens
from showrunner.store.accounts import users


def export(tx: db.Transaction, user_id: str) -> str:
    """Return all data about a user as JSON text, without secrets and hashes. Raises NotFound."""
    return users.found(
        db.value(
            tx,
            f"""
            SELECT json_build_object(
                'profile', {users.PROFILE},
                'muted_emails', u.muted,
                'memberships', (
                    SELECT coalesce(json_agg(json_build_object(
                               'organisation_id', m.organisation_id, 'organisation', o.name, 'role', m.role,
                               'is_owner', m.is_owner, 'joined_at', m.joined_at) ORDER BY m.joined_at), '[]')
                      FROM accounts.members m JOIN accounts.organisations o ON o.id = m.organisation_id
                     WHERE m.user_id = u.id),
                'sessions', (
                    SELECT coalesce(json_agg(json_build_object(
                               'started_at', f.created_at, 'revoked_at', f.revoked_at)
                               ORDER BY f.created_at), '[]')
                      FROM access.refresh_families f WHERE f.user_id = u.id),
                'known_places', (SELECT count(*) FROM access.known_places p WHERE p.user_id = u.id),
                'identities', (
                    SELECT coalesce(json_agg(json_build_object(
                               'provider', i.provider, 'subject', i.subject, 'linked_at', i.linked_at)), '[]')
                      FROM accounts.identities i WHERE i.user_id = u.id),
                'connections', (
                    SELECT coalesce(json_agg(json_build_object(
                               'provider', n.provider, 'subject', n.subject, 'scopes', n.scopes,
                               'connected_at', n.connected_at)), '[]')
                      FROM accounts.connections n WHERE n.connected_by = u.id),
                'api_keys', (
                    SELECT coalesce(json_agg(json_build_object(
                               'name', k.name, 'prefix', k.prefix, 'created_at', k.created_at)), '[]')
                      FROM access.api_keys k WHERE k.created_by = u.id::text),
                'audit', (
                    SELECT coalesce(json_agg(json_build_object(
                               'at', e.at, 'action', e.action, 'thing', e.thing, 'thing_id', e.thing_id,
                               'address', CASE WHEN coalesce(e.actor, e.subject) = u.id::text
                                               THEN e.address END) ORDER BY e.id), '[]')
                      FROM audit.events e
                     WHERE e.subject = u.id::text OR e.actor = u.id::text
                        OR (e.thing = 'user' AND e.thing_id = u.id::text)))::text
              FROM accounts.users u WHERE u.id = :id AND u.erased_at IS NULL
            """,
            id=user_id,
        )
    )


def erase(tx: db.Transaction, user_id: str) -> list[str]:
    """Erase a user's personal data, logins, keys and memberships.

    Organisations without another member lose their names; returns their ids. The row stays, because the
    audit log has its id, which identifies nobody any more.
    """
    alone = db.rows(
        tx,
        """
        SELECT m.organisation_id::text AS id FROM accounts.members m
         WHERE m.user_id = :id
           AND NOT EXISTS (SELECT FROM accounts.members o
                            WHERE o.organisation_id = m.organisation_id AND o.user_id <> m.user_id)
        """,
        id=user_id,
    )
    db.run(
        tx,
        """
        DELETE FROM access.mail_tokens
         WHERE user_id = :id OR email = (SELECT email FROM accounts.users WHERE id = :id)
        """,
        id=user_id,
    )
    db.run(
        tx,
        """
        UPDATE accounts.users
           SET email = 'erased-' || gen_random_uuid() || '@erased.invalid', username = NULL,
               full_name = 'Erased', company = NULL, password_hash = NULL, mfa_secret = NULL,
               mfa_confirmed_at = NULL, platform_admin = false, last_login_at = NULL, verified_at = NULL,
               erased_at = now(), updated_at = now()
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
    service_tokens.revoke_made_by(tx, user_id)
    empty = [row["id"] for row in alone]
    db.run(
        tx, "UPDATE accounts.organisations SET name = 'Erased' WHERE id = ANY(:empty::uuid[])", empty=empty
    )
    db.run(tx, "DELETE FROM access.mail_tokens WHERE organisation_id = ANY(:empty::uuid[])", empty=empty)
    db.run(tx, "DELETE FROM access.idempotency WHERE organisation_id = ANY(:empty::uuid[])", empty=empty)
    return empty
