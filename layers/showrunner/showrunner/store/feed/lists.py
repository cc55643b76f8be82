"""The lists of the Ingestion API: pages by offset up to a bound, by cursor beyond it, with search by title.

Rows become JSON in PostgreSQL. A total is exact, at least, or an estimate, and says which.
"""

import json
from typing import Any, NamedTuple

from showrunner.database import db, pages, title_search
from showrunner.database.pages import Column, List, Query, Total
from showrunner.errors import NotFound


class ListRequest(NamedTuple):
    """The caller's parameters of a list of the Ingestion API."""

    limit: int
    offset: int
    cursor: str | None
    order_by: str
    order: str


def _time(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def _item(**fields: str) -> str:
    return f"json_build_object({', '.join(f"'{name}', {expression}" for name, expression in fields.items())})"


EVENTS = List(
    "webhook_events",
    "feed.events t",
    "true",
    _item(
        id="t.id",
        raw_xml="t.raw_xml",
        entries="t.entries",
        content_hash="encode(t.content_hash, 'hex')",
        received_at=_time("t.received_at"),
        processed="t.processed",
        processed_at=_time("t.processed_at"),
        processing_error="t.processing_error",
        video_id="t.video_id",
        channel_id="t.channel_id",
        created_at=_time("t.created_at"),
        origin="t.origin",
        subscription_id="t.subscription_id",
        repeat_of="""CASE WHEN t.repeat
            THEN (SELECT s.event_id FROM feed.seen s WHERE s.content_hash = t.content_hash) END""",
    ),
    {
        "received_at": Column("t.received_at", "timestamptz"),
        "id": Column("t.id", "bigint"),
        "created_at": Column("t.id", "bigint"),
        "processed_at": Column("coalesce(t.processed_at, 'infinity')", "timestamptz"),
    },
    "-received_at",
    {
        "processed": "t.processed = :processed",
        "video_id": "t.video_id = :video_id",
        "channel_id": "t.channel_id = :channel_id",
    },
    # PostgreSQL knows the sizes without reading the text.
    bytes="octet_length(t.raw_xml) + coalesce(pg_column_size(t.entries), 0)",
)
CHANNELS = List(
    "channels",
    "feed.channels t",
    "true",
    _item(
        channel_id="t.channel_id",
        title="t.title",
        channel_url="'https://www.youtube.com/channel/' || t.channel_id",
        first_seen_at=_time("t.first_seen_at"),
        last_updated_at=_time("t.last_updated_at"),
        created_at=_time("t.first_seen_at"),
        updated_at=_time("t.last_updated_at"),
    ),
    {
        "last_updated_at": Column("t.last_updated_at", "timestamptz"),
        "channel_id": Column("t.channel_id", "text"),
        "title": Column("t.title", "text"),
        "first_seen_at": Column("t.first_seen_at", "timestamptz"),
        "created_at": Column("t.first_seen_at", "timestamptz"),
        "updated_at": Column("t.last_updated_at", "timestamptz"),
    },
    "-last_updated_at",
    key="channel_id",
    title="t.title",
)
VIDEOS = List(
    "videos",
    "feed.videos t",
    "t.feed_updated_at IS NOT NULL",
    _item(
        video_id="t.video_id",
        channel_id="t.channel_id",
        title="t.title",
        video_url="'https://www.youtube.com/watch?v=' || t.video_id",
        published_at=_time("t.published_at"),
        first_seen_at=_time("t.first_seen_at"),
        last_updated_at=_time("t.last_updated_at"),
        created_at=_time("t.first_seen_at"),
        updated_at=_time("t.last_updated_at"),
        deleted_at=f"CASE WHEN t.deleted_at >= t.feed_updated_at THEN {_time('t.deleted_at')} END",
        enriched_at=_time("t.enriched_at"),
        details="t.details",
    ),
    {
        "published_at": Column("t.published_at", "timestamptz"),
        "video_id": Column("t.video_id", "text"),
        "title": Column("t.title", "text"),
        "first_seen_at": Column("t.first_seen_at", "timestamptz"),
        "last_updated_at": Column("t.last_updated_at", "timestamptz"),
        "created_at": Column("t.first_seen_at", "timestamptz"),
        "updated_at": Column("t.last_updated_at", "timestamptz"),
    },
    "-published_at",
    {
        "channel_id": "t.channel_id = :channel_id",
        "published_after": "t.published_at > :published_after::timestamptz",
        "published_before": "t.published_at < :published_before::timestamptz",
    },
    key="video_id",
    title="t.title",
)
UPDATES = List(
    "video_updates",
    "feed.updates t",
    "true",
    _item(
        id="t.id",
        webhook_event_id="t.webhook_event_id",
        video_id="t.video_id",
        channel_id="t.channel_id",
        title="t.title",
        published_at=_time("t.published_at"),
        feed_updated_at=_time("t.feed_updated_at"),
        update_type="t.update_type",
        created_at=_time("t.created_at"),
    ),
    {
        "created_at": Column("t.created_at", "timestamptz"),
        "id": Column("t.id", "bigint"),
        "feed_updated_at": Column("t.feed_updated_at", "timestamptz"),
        "published_at": Column("coalesce(t.published_at, 'infinity')", "timestamptz"),
    },
    "-created_at",
    {
        "video_id": "t.video_id = :video_id",
        "channel_id": "t.channel_id = :channel_id",
        "webhook_event_id": "t.webhook_event_id = :webhook_event_id",
        "update_type": "t.update_type = :update_type",
    },
)
SUBSCRIPTIONS = List(
    "subscriptions",
    "feed.subscriptions t",
    "true",
    _item(
        id="t.id",
        channel_id="t.channel_id",
        topic_url="t.topic_url",
        callback_url="t.callback_url",
        hub_url="t.hub_url",
        lease_seconds="t.lease_seconds",
        expires_at=_time("t.expires_at"),
        status="t.status",
        last_verified_at=_time("t.last_verified_at"),
        created_at=_time("t.created_at"),
        updated_at=_time("t.updated_at"),
        failure="t.failure",
        last_push_at=_time("t.last_push_at"),
    ),
    {"created_at": Column("t.created_at", "timestamptz"), "id": Column("t.id", "bigint")},
    "-created_at",
    {"channel_id": "t.channel_id = :channel_id", "status": "t.status = :status"},
)


def get(tx: db.Transaction, definition: List, key: str | int, name: str) -> str:
    """Return one row as JSON text. `name` says what it is in the error. Raises NotFound."""
    column = definition.columns[definition.key]
    text = db.value(
        tx,
        f"""
        SELECT {definition.item}::text FROM {definition.source}
         WHERE {definition.always} AND {column.expression} = :key::{column.type}
        """,
        key=key,
    )
    if text is None:
        quoted = f"'{key}'" if isinstance(key, str) else key
        raise NotFound(f"{name} with id {quoted} not found")
    return str(text)


def select(
    tx: db.Transaction,
    definition: List,
    request: ListRequest,
    filters: dict[str, Any],
    title: str | None = None,
) -> str:
    """Return a page as JSON text, in the form of the Ingestion API's document.

    With `title` it has the rows whose title contains that. Raises InvalidRequest.
    """
    if request.cursor is not None and request.offset:
        raise pages.invalid("cursor", "give either offset or cursor, not both")
    if request.offset + request.limit > pages.OFFSET_CAP:
        raise pages.invalid(
            "offset",
            f"offset and limit end at row {pages.OFFSET_CAP}: go on with `cursor`, which has no end",
        )
    sort = ("-" if request.order == "desc" else "") + request.order_by
    query = pages.prepare(definition, sort, request.cursor, filters)
    if title is None:
        rows = pages.fetch(tx, query, request.limit, request.offset)
        total = query.place.total if query.place else _total(tx, query)
        place = rows.place if rows.more else None
    else:
        rows, place, total = title_search.search(tx, query, title, request.limit, request.offset)
    tail = {
        "count": rows.number,
        "total": total.number,
        "limit": request.limit,
        "offset": request.offset,
        "total_relation": total.relation,
        "next_cursor": pages.cursor(query, place, total) if place else None,
    }
    return f'{{"{definition.name}":{rows.rows},{json.dumps(tail, separators=(",", ":"))[1:]}'


def _total(tx: db.Transaction, query: Query) -> Total:
    """Return the exact total up to the cap; beyond it an estimate if no filter applies."""
    total = pages.count(tx, query)
    if total.relation == "eq" or query.parameters:
        return total
    estimate = pages.estimate(tx, query)
    # A table that was never analysed has no estimate.
    return Total(estimate, "approx") if estimate > pages.TOTAL_CAP else total
