"""Artists and their accounts on the platforms. An organisation has a name once, whatever its capitals."""

import json
from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult
from showrunner.errors import Conflict, NotFound

db.CONSTRAINTS["artists_name"] = (Conflict, "Another of your artists has this name already.")
db.CONSTRAINTS["accounts_of_organisation"] = (
    Conflict,
    "This account belongs to another of your artists already.",
)

_ACCOUNTS = """
    jsonb_build_object('youtube', NULL, 'spotify', NULL, 'tiktok', NULL, 'instagram', NULL) || (
        SELECT coalesce(jsonb_object_agg(c.platform, c.account_id), '{}')
          FROM metrics.accounts c WHERE c.artist_id = a.id)
"""
_ITEM = f"""
    json_build_object('id', a.id, 'name', a.name, 'tier', a.tier, 'accounts', {_ACCOUNTS},
                      'created_at', a.created_at, 'updated_at', a.updated_at)
"""
_LIST = List(
    "artists",
    "metrics.artists a",
    "a.organisation_id = :organisation_id",
    _ITEM,
    {
        "created_at": Column("a.created_at", "timestamptz"),
        "name": Column("lower(a.name)", "text"),
        "id": Column("a.id", "uuid"),
    },
    "-created_at",
    {"tier": "a.tier = :tier"},
)


def list_(tx: db.Transaction, organisation_id: str, tier: str | None, page: PageRequest) -> PageResult:
    """Return a page of the organisation's artists. tier: "active" or "standard", None for all."""
    return pages.select(tx, _LIST, page, {"organisation_id": organisation_id, "tier": tier})


def count(tx: db.Transaction, organisation_id: str) -> int:
    """Return the number of the organisation's artists."""
    return int(
        db.value(tx, "SELECT count(*) FROM metrics.artists WHERE organisation_id = :id", id=organisation_id)
    )


def get(tx: db.Transaction, organisation_id: str, artist_id: str) -> str:
    """Return the artist as JSON text. Raises NotFound."""
    text: str | None = db.value(
        tx,
        f"""
        SELECT {_ITEM}::text FROM metrics.artists a
         WHERE a.organisation_id = :organisation_id AND a.id = :id
        """,
        organisation_id=organisation_id,
        id=artist_id,
    )
    if text is None:
        raise NotFound("There is no such artist.")
    return text


def find_by_name(tx: db.Transaction, organisation_id: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return {id, name, tier, accounts} by the given name, for names that exist in any case; lock them."""
    found = db.rows(
        tx,
        f"""
        SELECT g.name AS key, a.id::text, a.name, a.tier, {_ACCOUNTS} AS accounts
          FROM unnest(:names::text[]) AS g (name)
          JOIN metrics.artists a
            ON a.organisation_id = :organisation_id AND lower(a.name) = lower(g.name)
         ORDER BY a.id FOR UPDATE OF a
        """,
        organisation_id=organisation_id,
        names=names,
    )
    return {row.pop("key"): row for row in found}


def lowered(tx: db.Transaction, names: list[str]) -> dict[str, str]:
    """Return each name as the unique index compares it: some letters are lowered otherwise by Python."""
    found = db.rows(
        tx, "SELECT g.name, lower(g.name) AS low FROM unnest(:names::text[]) g (name)", names=names
    )
    return {row["name"]: row["low"] for row in found}


def find_owners(
    tx: db.Transaction, organisation_id: str, platform: str, account_ids: list[str]
) -> dict[str, str]:
    """Return account id -> name of the organisation's artist that has it, for those that one has."""
    found = db.rows(
        tx,
        """
        SELECT c.account_id, a.name FROM metrics.accounts c JOIN metrics.artists a ON a.id = c.artist_id
         WHERE c.organisation_id = :organisation_id AND c.platform = :platform
           AND c.account_id = ANY(:account_ids::text[])
        """,
        organisation_id=organisation_id,
        platform=platform,
        account_ids=account_ids,
    )
    return {row["account_id"]: row["name"] for row in found}


def add(tx: db.Transaction, organisation_id: str, artists: list[dict[str, str]]) -> dict[str, str]:
    """Add artists, {name, tier} each. Returns name -> id. Raises Conflict if a name exists."""
    found = db.rows(
        tx,
        """
        INSERT INTO metrics.artists (organisation_id, name, tier)
        SELECT :organisation_id, g.name, g.tier
          FROM json_to_recordset(:artists::json) AS g (name text, tier text)
        RETURNING name, id::text
        """,
        organisation_id=organisation_id,
        artists=json.dumps(artists),
    )
    return {row["name"]: row["id"] for row in found}


def save(tx: db.Transaction, organisation_id: str, artists: list[dict[str, Any]]) -> None:
    """Change artists, {id, name, tier} each; None leaves a field as it is."""
    db.run(
        tx,
        """
        UPDATE metrics.artists a
           SET name = coalesce(g.name, a.name), tier = coalesce(g.tier, a.tier), updated_at = now()
          FROM json_to_recordset(:artists::json) AS g (id uuid, name text, tier text)
         WHERE a.organisation_id = :organisation_id AND a.id = g.id
        """,
        organisation_id=organisation_id,
        artists=json.dumps(artists),
    )


def save_accounts(tx: db.Transaction, organisation_id: str, accounts: list[dict[str, Any]]) -> None:
    """Set accounts, {artist_id, platform, account_id} each; an account_id of None removes the account.

    The figures of an account that is replaced or removed are deleted: compared with those of another one they
    would make no sense.
    """
    given = json.dumps(accounts)
    db.run(
        tx,
        """
        WITH gone AS (
            DELETE FROM metrics.accounts c
             USING json_to_recordset(:accounts::json) AS g (artist_id uuid, platform text, account_id text)
             WHERE c.organisation_id = :organisation_id AND c.artist_id = g.artist_id
               AND c.platform = g.platform AND c.account_id IS DISTINCT FROM g.account_id
            RETURNING c.artist_id, c.platform)
        DELETE FROM metrics.points p
         USING gone WHERE p.artist_id = gone.artist_id AND p.platform = gone.platform
        """,
        organisation_id=organisation_id,
        accounts=given,
    )
    db.run(
        tx,
        """
        INSERT INTO metrics.accounts (artist_id, organisation_id, platform, account_id)
        SELECT g.artist_id, :organisation_id, g.platform, g.account_id
          FROM json_to_recordset(:accounts::json) AS g (artist_id uuid, platform text, account_id text)
         WHERE g.account_id IS NOT NULL
            ON CONFLICT (artist_id, platform) DO NOTHING
        """,
        organisation_id=organisation_id,
        accounts=given,
    )


def remove(tx: db.Transaction, organisation_id: str, artist_id: str) -> None:
    """Delete an artist with all figures. Raises NotFound."""
    sql = "DELETE FROM metrics.artists WHERE organisation_id = :organisation_id AND id = :id"
    if not db.run(tx, sql, organisation_id=organisation_id, id=artist_id):
        raise NotFound("There is no such artist.")
