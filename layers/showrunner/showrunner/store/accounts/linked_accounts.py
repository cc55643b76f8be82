"""Accounts at providers as a person sees them: the own ones to log in with, and those of the organisation."""

from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult

# An account to log in with has no id of its own.
_ACCOUNTS = """(
    SELECT md5(i.provider || '/' || i.subject)::uuid AS id, i.provider, i.subject, '{}'::text[] AS scopes,
           i.user_id AS connected_by, i.linked_at AS connected_at
      FROM accounts.identities i WHERE i.user_id = :user_id::uuid
     UNION ALL
    SELECT c.id, c.provider, c.subject, c.scopes, c.connected_by, c.connected_at
      FROM accounts.connections c WHERE c.organisation_id = :organisation_id::uuid
) a"""
_LIST = List(
    "connections",
    _ACCOUNTS,
    "true",
    """
    json_build_object('id', a.id, 'provider', a.provider, 'scopes', a.scopes,
                      'channel_id', nullif(split_part(a.subject, '/', 2), ''), 'connected_by', a.connected_by,
                      'connected_at', a.connected_at)
    """,
    {
        "connected_at": Column("a.connected_at", "timestamptz"),
        "provider": Column("a.provider", "text"),
        "id": Column("a.id", "uuid"),
    },
    "-connected_at",
)


def list_(tx: db.Transaction, user_id: str | None, organisation_id: str, page: PageRequest) -> PageResult:
    """Return a page of the user's accounts to log in with and of the organisation's connected accounts."""
    return pages.select(tx, _LIST, page, {"user_id": user_id, "organisation_id": organisation_id})


def find(tx: db.Transaction, user_id: str | None, organisation_id: str, id_: str) -> dict[str, Any] | None:
    """Return provider and account (the subject without its channel) of one of them, None if there is none."""
    return db.one(
        tx,
        f"SELECT a.provider, split_part(a.subject, '/', 1) AS account FROM {_ACCOUNTS} WHERE a.id = :id",
        user_id=user_id,
        organisation_id=organisation_id,
        id=id_,
    )


def remove_login(tx: db.Transaction, user_id: str, provider: str) -> None:
    """Remove the user's account to log in with at this provider."""
    db.run(
        tx,
        "DELETE FROM accounts.identities WHERE user_id = :user_id AND provider = :provider",
        user_id=user_id,
        provider=provider,
    )


def remove_connection(tx: db.Transaction, organisation_id: str, id_: str) -> None:
    """Remove a connected account of the organisation."""
    db.run(
        tx,
        "DELETE FROM accounts.connections WHERE organisation_id = :organisation_id AND id = :id",
        organisation_id=organisation_id,
        id=id_,
    )
