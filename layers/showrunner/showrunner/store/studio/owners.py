"""The rows that own objects of the media bucket."""

from typing import Any

from showrunner.database import db


def list_organisations(tx: db.Transaction, ids: list[str]) -> set[str]:
    """Return those of the ids that are organisations, without the ones that were purged."""
    sql = """
        SELECT id::text FROM accounts.organisations
         WHERE id = ANY(:ids::uuid[]) AND deleted_at IS DISTINCT FROM 'infinity'
    """
    return {row["id"] for row in db.rows(tx, sql, ids=ids)}


def list_videos(tx: db.Transaction, ids: list[str]) -> set[tuple[str, str]]:
    """Return (organisation_id, id) of those of the ids that are videos, removed ones too."""
    sql = """
        SELECT organisation_id::text, id::text FROM studio.videos WHERE id::text = ANY(:ids::text[])
    """
    return {(row["organisation_id"], row["id"]) for row in db.rows(tx, sql, ids=ids)}


def list_assets(tx: db.Transaction, keys: list[str]) -> set[str]:
    """Return those of the keys that are objects of assets, removed ones too."""
    sql = "SELECT object_key FROM studio.assets WHERE object_key = ANY(:keys::text[])"
    return {row["object_key"] for row in db.rows(tx, sql, keys=keys)}


def list_ready_assets(tx: db.Transaction, after: str, limit: int) -> list[dict[str, Any]]:
    """Return id and object_key of ready assets behind the id `after`, in the order of their ids."""
    sql = """
        SELECT id::text, object_key FROM studio.assets WHERE status = 'ready' AND id > :after::uuid
         ORDER BY id LIMIT :limit
    """
    return db.rows(tx, sql, after=after, limit=limit)


def list_finished_videos(tx: db.Transaction, after: str, limit: int) -> list[dict[str, Any]]:
    """Return id, organisation_id and outputs of finished videos behind the id `after`, ordered by id."""
    sql = """
        SELECT id::text, organisation_id::text, product->'outputs' AS outputs FROM studio.videos
         WHERE product ? 'outputs' AND id > :after::uuid
         ORDER BY id LIMIT :limit
    """
    return db.rows(tx, sql, after=after, limit=limit)
