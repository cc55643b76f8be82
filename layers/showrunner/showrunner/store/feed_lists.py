"""The lists of the feed: by offset to a bound, by cursor beyond, with totals that are exact where that is cheap and say so where they aren't.

Rows become JSON in PostgreSQL. Titles are searched in two steps, since with ORDER BY and LIMIT the planner walks millions of rows for a rare word instead of
asking the trigram index: first the newest rows as they are, then, if those don't fill the page, everything that the index finds.
"""

import base64
import binascii
import json
import re
from datetime import datetime
from typing import Any, NamedTuple

from showrunner import db
from showrunner.errors import InvalidRequest, NotFound

# Counting stops here: 5 ms, where an exact count of millions takes a quarter of a second.
TOTAL_CAP = 10_000
# Rows before an offset are read to be skipped; behind this a cursor is the way.
OFFSET_CAP = 10_000
# So many rows are looked through for a title in 20 to 40 ms.
NEWEST = 20_000

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)


class Sort(NamedTuple):
    """A column that is never NULL, and its type."""

    column: str
    type: str


class List(NamedTuple):
    """`source` is a table with its alias t, `always` what every row must meet; `key` ends each order."""

    plural: str
    table: str
    always: str
    item: str
    key: Sort
    sorts: dict[str, Sort]
    filters: dict[str, str]


class Wanted(NamedTuple):
    limit: int
    offset: int
    cursor: str | None
    order_by: str
    order: str


class _Place(NamedTuple):
    value: str
    key: str
    total: int
    relation: str


def _time(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def _item(**fields: str) -> str:
    return f"json_build_object({', '.join(f"'{name}', {expression}" for name, expression in fields.items())})"


EVENTS = List(
    "webhook_events",
    "feed.events",
    "true",
    _item(
        id="t.id", raw_xml="t.raw_xml", content_hash="encode(t.content_hash, 'hex')", received_at=_time("t.received_at"), processed="t.processed",
        processed_at=_time("t.processed_at"), processing_error="t.processing_error", video_id="t.video_id", channel_id="t.channel_id",
        created_at=_time("t.created_at"), origin="t.origin", subscription_id="t.subscription_id",
        repeat_of="CASE WHEN t.repeat THEN (SELECT s.event_id FROM feed.seen s WHERE s.content_hash = t.content_hash) END",
    ),
    Sort("t.id", "bigint"),
    {"received_at": Sort("t.received_at", "timestamptz"), "id": Sort("t.id", "bigint"), "created_at": Sort("t.id", "bigint")},
    {"processed": "t.processed = :processed", "video_id": "t.video_id = :video_id", "channel_id": "t.channel_id = :channel_id"},
)  # fmt: skip
CHANNELS = List(
    "channels",
    "feed.channels",
    "true",
    _item(
        channel_id="t.channel_id", title="t.title", channel_url="'https://www.youtube.com/channel/' || t.channel_id", first_seen_at=_time("t.first_seen_at"),
        last_updated_at=_time("t.last_updated_at"), created_at=_time("t.first_seen_at"), updated_at=_time("t.last_updated_at"),
    ),
    Sort("t.channel_id", "text"),
    {
        "last_updated_at": Sort("t.last_updated_at", "timestamptz"), "channel_id": Sort("t.channel_id", "text"), "title": Sort("t.title", "text"),
        "first_seen_at": Sort("t.first_seen_at", "timestamptz"), "created_at": Sort("t.first_seen_at", "timestamptz"),
        "updated_at": Sort("t.last_updated_at", "timestamptz"),
    },
    {},
)  # fmt: skip
VIDEOS = List(
    "videos",
    "feed.videos",
    "t.feed_updated_at IS NOT NULL",
    _item(
        video_id="t.video_id", channel_id="t.channel_id", title="t.title", video_url="'https://www.youtube.com/watch?v=' || t.video_id",
        published_at=_time("t.published_at"), first_seen_at=_time("t.first_seen_at"), last_updated_at=_time("t.last_updated_at"),
        created_at=_time("t.first_seen_at"), updated_at=_time("t.last_updated_at"),
        deleted_at=f"CASE WHEN t.deleted_at >= t.feed_updated_at THEN {_time('t.deleted_at')} END",
        enriched_at=_time("t.enriched_at"), details="t.details",
    ),
    Sort("t.video_id", "text"),
    {
        "published_at": Sort("t.published_at", "timestamptz"), "video_id": Sort("t.video_id", "text"), "title": Sort("t.title", "text"),
        "first_seen_at": Sort("t.first_seen_at", "timestamptz"), "last_updated_at": Sort("t.last_updated_at", "timestamptz"),
        "created_at": Sort("t.first_seen_at", "timestamptz"), "updated_at": Sort("t.last_updated_at", "timestamptz"),
    },
    {
        "channel_id": "t.channel_id = :channel_id", "published_after": "t.published_at > :published_after::timestamptz",
        "published_before": "t.published_at < :published_before::timestamptz",
    },
)  # fmt: skip
UPDATES = List(
    "video_updates",
    "feed.updates",
    "true",
    _item(
        id="t.id", webhook_event_id="t.webhook_event_id", video_id="t.video_id", channel_id="t.channel_id", title="t.title",
        published_at=_time("t.published_at"), feed_updated_at=_time("t.feed_updated_at"), update_type="t.update_type", created_at=_time("t.created_at"),
    ),
    Sort("t.id", "bigint"),
    {"created_at": Sort("t.created_at", "timestamptz"), "id": Sort("t.id", "bigint")},
    {
        "video_id": "t.video_id = :video_id", "channel_id": "t.channel_id = :channel_id", "webhook_event_id": "t.webhook_event_id = :webhook_event_id",
        "update_type": "t.update_type = :update_type",
    },
)  # fmt: skip
SUBSCRIPTIONS = List(
    "subscriptions",
    "feed.subscriptions",
    "true",
    _item(
        id="t.id", channel_id="t.channel_id", topic_url="t.topic_url", callback_url="t.callback_url", hub_url="t.hub_url", lease_seconds="t.lease_seconds",
        expires_at=_time("t.expires_at"), status="t.status", last_verified_at=_time("t.last_verified_at"), created_at=_time("t.created_at"),
        updated_at=_time("t.updated_at"), failure="t.failure", last_push_at=_time("t.last_push_at"),
    ),
    Sort("t.id", "bigint"),
    {"created_at": Sort("t.created_at", "timestamptz"), "id": Sort("t.id", "bigint")},
    {"channel_id": "t.channel_id = :channel_id", "status": "t.status = :status"},
)  # fmt: skip


def get(tx: db.Transaction, what: List, key: str | int, name: str) -> str:
    """One row as JSON text. Raises NotFound."""
    text = db.value(tx, f"SELECT {what.item}::text FROM {what.table} t WHERE {what.always} AND {what.key.column} = :key::{what.key.type}", key=key)
    if text is None:
        raise NotFound(f"{name} with id '{key}' not found" if isinstance(key, str) else f"{name} with id {key} not found")
    return str(text)


def select(tx: db.Transaction, what: List, wanted: Wanted, filters: dict[str, Any], title: str | None = None) -> str:
    """A page as the document has it, as JSON text. Raises InvalidRequest for a depth or a cursor that isn't served."""
    place = _read(what, wanted)
    given = {name: value for name, value in filters.items() if value is not None}
    where = what.always + "".join(f" AND {what.filters[name]}" for name in given)
    if wanted.offset + wanted.limit > OFFSET_CAP:
        raise _invalid("offset", f"offset and limit end at row {OFFSET_CAP}: go on with `cursor`, which has no end")
    if title is None:
        found = _page(tx, what, wanted, where, given, place)
        total, relation = (place.total, place.relation) if place else _total(tx, what, where, given)
    else:
        found, total, relation = _search(tx, what, wanted, where, {**given, "title": f"%{_escaped(title)}%"}, place)
    more = _write(what, wanted, _Place(found["value"], found["key"], total, relation)) if found["more"] else None
    tail = {"count": found["count"], "total": total, "limit": wanted.limit, "offset": wanted.offset, "total_relation": relation, "next_cursor": more}
    return f'{{"{what.plural}":{found["rows"]},{json.dumps(tail, separators=(",", ":"))[1:]}'


def _page(tx: db.Transaction, what: List, wanted: Wanted, where: str, given: dict[str, Any], place: _Place | None, source: str = "") -> dict[str, Any]:
    sort, down = what.sorts[wanted.order_by], "DESC" if wanted.order == "desc" else "ASC"
    sql = f"""
        SELECT '[' || coalesce(string_agg(item, ',' ORDER BY n) FILTER (WHERE n <= :limit), '') || ']' AS rows, count(*) > :limit AS more,
               least(count(*), :limit) AS count, max(value) FILTER (WHERE n = :limit) AS value, max(key) FILTER (WHERE n = :limit) AS key
          FROM (SELECT ({what.item})::text AS item, ({sort.column})::text AS value, ({what.key.column})::text AS key, row_number() OVER () AS n
                  FROM (SELECT * FROM {source or what.table} t WHERE {where}{_after(what, wanted, place)}
                         ORDER BY {_by(what, wanted, down)} LIMIT :limit + 1 OFFSET {wanted.offset}) t) page
    """
    row = db.one(tx, sql, limit=wanted.limit, **given, **_position(place))
    if row is None:
        raise AssertionError("an aggregate always gives a row")
    return row


def _by(what: List, wanted: Wanted, down: str) -> str:
    sort = what.sorts[wanted.order_by]
    return f"{sort.column} {down}" + ("" if sort.column == what.key.column else f", {what.key.column} {down}")


def _after(what: List, wanted: Wanted, place: _Place | None) -> str:
    if place is None:
        return ""
    sort, sign = what.sorts[wanted.order_by], "<" if wanted.order == "desc" else ">"
    return f" AND ({sort.column}, {what.key.column}) {sign} (:place_value::{sort.type}, :place_key::{what.key.type})"


def _position(place: _Place | None) -> dict[str, str]:
    return {"place_value": place.value, "place_key": place.key} if place else {}


def _search(tx: db.Transaction, what: List, wanted: Wanted, where: str, given: dict[str, Any], place: _Place | None) -> tuple[dict[str, Any], int, str]:
    """(page, total, relation). The total of a word that fills the page at once is what was counted so far: counting it all would take a second."""
    down = "DESC" if wanted.order == "desc" else "ASC"
    condition = "t.title ILIKE :title"
    newest = f"(SELECT * FROM {what.table} t WHERE {where}{_after(what, wanted, place)} ORDER BY {_by(what, wanted, down)} LIMIT {NEWEST})"
    found = _page(tx, what, wanted, condition, given, place, newest)
    if found["more"]:
        seen = place.total if place else 0
        return found, max(seen, wanted.offset + found["count"] + 1), "gte"
    # The fence (OFFSET 0) makes the index answer before anything is ordered.
    fenced = f"(SELECT * FROM {what.table} t WHERE {condition} AND {where} OFFSET 0)"
    found = _page(tx, what, wanted, "true", given, place, fenced)
    if place and place.relation == "eq":
        return found, place.total, "eq"
    total = int(db.value(tx, f"SELECT count(*) FROM (SELECT 1 FROM {fenced} t LIMIT {TOTAL_CAP + 1}) capped", **given))
    return found, min(total, TOTAL_CAP), "eq" if total <= TOTAL_CAP else "gte"


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def _total(tx: db.Transaction, what: List, where: str, given: dict[str, Any]) -> tuple[int, str]:
    count = int(db.value(tx, f"SELECT count(*) FROM (SELECT 1 FROM {what.table} t WHERE {where} LIMIT {TOTAL_CAP + 1}) capped", **given))
    if count <= TOTAL_CAP:
        return count, "eq"
    if given:
        return TOTAL_CAP, "gte"
    estimate = db.value(
        tx,
        """
        SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c
         WHERE c.oid = :table::regclass OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = :table::regclass)
        """,
        table=what.table,
    )
    # Never analysed: all that is known is that there are more than were counted.
    return (int(estimate), "approx") if int(estimate) > TOTAL_CAP else (TOTAL_CAP, "gte")


def _write(what: List, wanted: Wanted, place: _Place) -> str:
    text = json.dumps([what.plural, wanted.order_by, wanted.order, *place], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _read(what: List, wanted: Wanted) -> _Place | None:
    if wanted.cursor is None:
        return None
    if wanted.offset:
        raise _invalid("cursor", "give either offset or cursor, not both")
    try:
        plural, order_by, order, *place = json.loads(base64.urlsafe_b64decode(wanted.cursor + "=" * (-len(wanted.cursor) % 4)))
        value, key, total, relation = place
        fits = _fits(value, what.sorts[wanted.order_by].type) and _fits(key, what.key.type) and type(total) is int and 0 <= total < 1 << 62
        if not fits or plural != what.plural or relation not in ("eq", "gte", "approx"):
            raise ValueError("not ours")
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise _invalid("cursor", "this is not a cursor of this list: take next_cursor of a page as it is") from error
    if (order_by, order) != (wanted.order_by, wanted.order):
        raise _invalid("cursor", "the cursor belongs to another order: give the same order_by and order, or begin again without it")
    return _Place(value, key, total, relation)


def _fits(value: object, kind: str) -> bool:
    """Whether the server will read the text as this type."""
    if not isinstance(value, str) or len(value) > 1000 or "\0" in value:
        return False
    try:
        value.encode()
        if kind == "timestamptz":
            datetime.fromisoformat(value)
    except ValueError:
        return False
    return kind != "bigint" or _INTEGER.fullmatch(value) is not None


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, [{"field": field, "message": message}])
