"""Organisations: name, limits, suspension and removal."""

import json
from typing import Any

from showrunner.database import db
from showrunner.errors import NotFound


def add(tx: db.Transaction, name: str) -> str:
    """Add an organisation and return its id."""
    return str(
        db.value(tx, "INSERT INTO accounts.organisations (name) VALUES (:name) RETURNING id", name=name)
    )


def get(tx: db.Transaction, organisation_id: str) -> dict[str, Any]:
    """Return id, name, content_owner, content_owners (names), created_at, members (how many), voices (ids).

    Raises NotFound.
    """
    row = db.one(
        tx,
        """
        SELECT o.id::text, o.name, o.content_owner, o.created_at,
               ARRAY(SELECT w.name FROM rights.content_owners w
                      WHERE w.organisation_id = o.id ORDER BY lower(w.name)) AS content_owners,
               (SELECT count(*) FROM accounts.members m WHERE m.organisation_id = o.id) AS members,
               (SELECT coalesce(json_agg(v.provider_id ORDER BY v.provider_id), '[]')
                  FROM accounts.voices v WHERE v.organisation_id = o.id) AS voices
          FROM accounts.organisations o WHERE o.id = :id AND o.deleted_at IS NULL
        """,
        id=organisation_id,
    )
    if row is None:
        raise NotFound("There is no such organisation.")
    return row


def save(tx: db.Transaction, organisation_id: str, name: str) -> None:
    """Save the name."""
    db.run(tx, "UPDATE accounts.organisations SET name = :name WHERE id = :id", id=organisation_id, name=name)


def save_need_of_approval(tx: db.Transaction, organisation_id: str, *, required: bool) -> None:
    """Save whether a second person must approve changes of videos on YouTube."""
    db.run(
        tx,
        "UPDATE accounts.organisations SET changes_need_approval = :required WHERE id = :id",
        id=organisation_id,
        required=required,
    )


def save_content_owner(tx: db.Transaction, organisation_id: str, *, content_owner: bool) -> None:
    """Save whether the organisation is a content owner on YouTube. Raises NotFound."""
    if not db.run(
        tx,
        "UPDATE accounts.organisations SET content_owner = :mark WHERE id = :id",
        id=organisation_id,
        mark=content_owner,
    ):
        raise NotFound("There is no such organisation.")


def save_suspension(tx: db.Transaction, organisation_id: str, reason: str | None) -> None:
    """Suspend an organisation for a reason, or restore it (None), even if it was deleted in the last 30 days.

    Raises NotFound.
    """
    sql = """
        UPDATE accounts.organisations
           SET suspended_at = CASE WHEN :reason::text IS NOT NULL THEN coalesce(suspended_at, now()) END,
               suspended_reason = :reason,
               deleted_at = CASE WHEN :reason::text IS NOT NULL THEN deleted_at END
         WHERE id = :id
    """
    if not db.run(tx, sql, id=organisation_id, reason=reason):
        raise NotFound("There is no such organisation.")


def save_limits(tx: db.Transaction, organisation_id: str, limits: dict[str, int]) -> None:
    """Replace the limits that differ from the plan's. Raises NotFound."""
    sql = "UPDATE accounts.organisations SET limits = :limits WHERE id = :id"
    if not db.run(tx, sql, id=organisation_id, limits=json.dumps(limits)):
        raise NotFound("There is no such organisation.")


def get_limits(tx: db.Transaction, organisation_id: str) -> dict[str, int]:
    """Return the limits that a platform admin has set for the organisation instead of the plan's."""
    return dict(
        db.value(tx, "SELECT limits FROM accounts.organisations WHERE id = :id", id=organisation_id) or {}
    )


def ask_removal(tx: db.Transaction, organisation_id: str, token_sha256: str, minutes: int) -> None:
    """Save the hash of a confirmation token, in place of an earlier one."""
    db.run(
        tx,
        """
        INSERT INTO accounts.organisation_removals (organisation_id, token_sha256, expires_at)
        VALUES (:id, :token_sha256, now() + make_interval(mins => :minutes))
        ON CONFLICT (organisation_id) DO UPDATE
           SET token_sha256 = excluded.token_sha256, expires_at = excluded.expires_at
        """,
        id=organisation_id,
        token_sha256=token_sha256,
        minutes=minutes,
    )


def confirm_removal(tx: db.Transaction, organisation_id: str, token_sha256: str) -> bool:
    """Use up the confirmation token. False if it is wrong or has expired."""
    sql = """
        DELETE FROM accounts.organisation_removals
         WHERE organisation_id = :id AND token_sha256 = :token_sha256 AND expires_at > now()
    """
    return bool(db.run(tx, sql, id=organisation_id, token_sha256=token_sha256))


def remove(tx: db.Transaction, organisation_id: str) -> None:
    """Delete the organisation: logins, keys and tokens end now, its data are purged after 30 days."""
    db.run(
        tx,
        "UPDATE accounts.organisations SET deleted_at = now() WHERE id = :id AND deleted_at IS NULL",
        id=organisation_id,
    )
    db.run(tx, "DELETE FROM access.api_keys WHERE organisation_id = :id", id=organisation_id)
    db.run(tx, "DELETE FROM access.mail_tokens WHERE organisation_id = :id", id=organisation_id)
    db.run(
        tx,
        """
        UPDATE access.refresh_families SET revoked_at = now()
         WHERE organisation_id = :id AND revoked_at IS NULL
        """,
        id=organisation_id,
    )
