"""Users' own files.

The row is added first, then the user uploads to S3, and the asset is ready when its type, size and hash have
been checked.
"""

from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult
from showrunner.errors import NotFound

_ITEM = """
    json_build_object('id', a.id, 'kind', a.kind, 'content_type', a.content_type, 'bytes', a.bytes,
                      'sha256', a.sha256, 'licence', a.licence, 'name', a.name, 'tags', a.tags,
                      'status', a.status, 'created_at', a.created_at)
"""
_LIST = List(
    "assets",
    "studio.assets a",
    "a.organisation_id = :organisation_id AND a.status <> 'removed'",
    _ITEM,
    {
        "created_at": Column("a.created_at", "timestamptz"),
        "name": Column("lower(coalesce(a.name, ''))", "text"),
        "bytes": Column("a.bytes", "bigint"),
        "id": Column("a.id", "uuid"),
    },
    "-created_at",
    {
        "kind": "a.kind = :kind",
        "tag": "lower(:tag) = ANY(a.tags)",
        "name": "position(lower(:name) IN lower(a.name)) > 0",
    },
)


def add(
    tx: db.Transaction,
    organisation_id: str,
    kind: str,
    content_type: str,
    size_bytes: int,
    sha256: str,
    licence: str | None,
    name: str | None,
    tags: list[str],
) -> dict[str, Any]:
    """Add a pending asset and return its id, object_key and item (JSON text). Tags become lower case."""
    row = db.one(
        tx,
        f"""
        WITH new AS (SELECT gen_random_uuid() AS id)
        INSERT INTO studio.assets AS a
               (id, organisation_id, kind, content_type, bytes, sha256, object_key, licence, name, tags)
        SELECT id, :organisation_id::uuid, :kind, :content_type, :size_bytes::bigint, :sha256,
               'organisations/' || :organisation_id::uuid || '/assets/' || id, :licence, :name, :tags::text[]
          FROM new
        RETURNING a.id::text, a.object_key, {_ITEM}::text AS item
        """,
        organisation_id=organisation_id,
        kind=kind,
        content_type=content_type,
        size_bytes=size_bytes,
        sha256=sha256,
        licence=licence,
        name=name,
        tags=list(dict.fromkeys(tag.lower() for tag in tags)),
    )
    if row is None:
        raise AssertionError("an INSERT returns its row")
    return row


def list_(
    tx: db.Transaction, organisation_id: str, filters: dict[str, str | None], page: PageRequest
) -> PageResult:
    """Return a page of the organisation's assets. Filters: kind, tag, and name (a part of it)."""
    return pages.select(tx, _LIST, page, {"organisation_id": organisation_id, **filters})


def usage(tx: db.Transaction, organisation_id: str) -> tuple[int, int]:
    """Return the number of the organisation's assets and their bytes, pending ones included."""
    row = db.one(
        tx,
        """
        SELECT count(*) AS number, coalesce(sum(bytes), 0)::bigint AS bytes FROM studio.assets
         WHERE organisation_id = :id AND status IN ('pending', 'ready')
        """,
        id=organisation_id,
    )
    return (row["number"], row["bytes"]) if row else (0, 0)


def lock(tx: db.Transaction, organisation_id: str) -> None:
    """Let one transaction at a time add assets of the organisation, so that two can't exceed a limit."""
    db.value(
        tx,
        "SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))::text",
        name=f"assets of {organisation_id}",
    )


def get(tx: db.Transaction, organisation_id: str, asset_id: str) -> dict[str, Any]:
    """Return the fields of an asset, its object_key among them. Raises NotFound."""
    row = db.one(
        tx,
        """
        SELECT id::text, kind, content_type, bytes, sha256, object_key, licence, name, tags, status,
               created_at
          FROM studio.assets WHERE id = :id AND organisation_id = :organisation_id AND status <> 'removed'
        """,
        id=asset_id,
        organisation_id=organisation_id,
    )
    if row is None:
        raise NotFound("There is no such asset.")
    return row


def list_ready(tx: db.Transaction, organisation_id: str, asset_ids: list[str]) -> list[dict[str, Any]]:
    """Return id, kind, object_key, sha256, licence, name and tags of those of the assets that are ready."""
    return db.rows(
        tx,
        """
        SELECT id, kind, object_key, sha256, licence, name, tags FROM studio.assets
         WHERE organisation_id = :organisation_id AND status = 'ready' AND id = ANY(:asset_ids::uuid[])
        """,
        organisation_id=organisation_id,
        asset_ids=asset_ids,
    )


def find_thumbnail(tx: db.Transaction, organisation_id: str, sha256: str) -> str | None:
    """Return the id of a thumbnail that is ready and has these bytes, None if there is none."""
    found = db.value(
        tx,
        """
        SELECT id::text FROM studio.assets
         WHERE organisation_id = :organisation_id AND status = 'ready' AND kind = 'thumbnail'
           AND sha256 = :sha256
         ORDER BY created_at LIMIT 1
        """,
        organisation_id=organisation_id,
        sha256=sha256,
    )
    return None if found is None else str(found)


def list_pending(tx: db.Transaction, organisation_id: str, asset_ids: list[str]) -> list[dict[str, Any]]:
    """Return id and bytes of those of the assets that are pending."""
    return db.rows(
        tx,
        """
        SELECT id::text, bytes FROM studio.assets
         WHERE organisation_id = :organisation_id AND status = 'pending' AND id = ANY(:asset_ids::uuid[])
        """,
        organisation_id=organisation_id,
        asset_ids=asset_ids,
    )


def save_status(tx: db.Transaction, organisation_id: str, asset_id: str, status: str) -> None:
    """Save what the check of a pending asset has found."""
    db.run(
        tx,
        """
        UPDATE studio.assets SET status = :status
         WHERE id = :id AND organisation_id = :organisation_id AND status = 'pending'
        """,
        id=asset_id,
        organisation_id=organisation_id,
        status=status,
    )


def remove(tx: db.Transaction, organisation_id: str, asset_id: str) -> str:
    """Mark an asset as removed and return its object's key, for the caller to delete. Raises NotFound.

    The row stays for a day: the upload address may still be valid, and an object that is uploaded again must
    be found.
    """
    key = db.value(
        tx,
        """
        UPDATE studio.assets SET status = 'removed', created_at = now()
         WHERE id = :id AND organisation_id = :organisation_id AND status <> 'removed' RETURNING object_key
        """,
        id=asset_id,
        organisation_id=organisation_id,
    )
    if key is None:
        raise NotFound("There is no such asset.")
    db.run(
        tx, "UPDATE studio.videos SET thumbnail_asset_id = NULL WHERE thumbnail_asset_id = :id", id=asset_id
    )
    return str(key)
