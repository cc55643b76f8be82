"""The lists of the feed: by offset to a bound, by cursor beyond, with totals that are exact where that is cheap and say so where they aren't.

Rows become JSON in PostgreSQL. A title is searched by what it costs: with ORDER BY and LIMIT the planner
walks millions of rows for a rare word instead of asking the trigram index. A glance at the newest rows tells
how often the words come; often: the walk goes on, rarely: the index answers.
"""

import base64
import binascii
import json
import re
from typing import Any, NamedTuple

from showrunner.database import db, pages
from showrunner.errors import InvalidRequest, NotFound

# Counting stops here: 5 ms, where an exact count of millions takes a quarter of a second.
TOTAL_CAP = 10_000
# Rows before an offset are read to be skipped; behind this a cursor is the way.
OFFSET_CAP = 10_000
# So many rows are looked through for a title in 3 ms, and tell how often it comes.
GLANCE = 2_000
# A row that the index finds costs about twice what a row of a walk does.
FOUND_COST = 2
# So many rows are looked through in 15 ms for titles that no index knows: it has runs of three letters or
# digits.
WALK = 10_000
# The index answers within a second even for words in every fifth of five million titles; what takes longer
# would keep others waiting.
SEARCH_MS = 3_000

# A function answers with 6 MB at most, in which what is quoted within quotes may take twice its room.
PAGE_BYTES = 3_000_000

_PLAIN_RUN, _RUN = re.compile(r"[A-Za-z0-9]{3}"), re.compile(r"[^\W_]{3,}")


class Sort(NamedTuple):
    """A column that is never NULL, and its type."""

    column: str
    type: str


class List(NamedTuple):
    """`source` is a table with its alias t, `always` what every row must meet; `key` ends each order; `bytes` a row has at least, where they may be many."""

    plural: str
    table: str
    always: str
    item: str
    key: Sort
    sorts: dict[str, Sort]
    filters: dict[str, str]
    bytes: str = "0"


class ListRequest(NamedTuple):
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
        id="t.id", raw_xml="t.raw_xml", entries="t.entries",
        content_hash="encode(t.content_hash, 'hex')", received_at=_time("t.received_at"), processed="t.processed",
        processed_at=_time("t.processed_at"), processing_error="t.processing_error", video_id="t.video_id", channel_id="t.channel_id",
        created_at=_time("t.created_at"), origin="t.origin", subscription_id="t.subscription_id",
        repeat_of="CASE WHEN t.repeat THEN (SELECT s.event_id FROM feed.seen s WHERE s.content_hash = t.content_hash) END",
    ),
    Sort("t.id", "bigint"),
    {
        "received_at": Sort("t.received_at", "timestamptz"), "id": Sort("t.id", "bigint"), "created_at": Sort("t.id", "bigint"),
        "processed_at": Sort("coalesce(t.processed_at, 'infinity')", "timestamptz"),
    },
    {"processed": "t.processed = :processed", "video_id": "t.video_id = :video_id", "channel_id": "t.channel_id = :channel_id"},
    # Known without reading the text itself.
    "octet_length(t.raw_xml) + coalesce(pg_column_size(t.entries), 0)",
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
    {
        "created_at": Sort("t.created_at", "timestamptz"), "id": Sort("t.id", "bigint"), "feed_updated_at": Sort("t.feed_updated_at", "timestamptz"),
        "published_at": Sort("coalesce(t.published_at, 'infinity')", "timestamptz"),
    },
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
    text = db.value(
        tx,
        f"SELECT {what.item}::text FROM {what.table} t WHERE {what.always} AND {what.key.column} = :key::{what.key.type}",
        key=key,
    )
    if text is None:
        raise NotFound(
            f"{name} with id '{key}' not found" if isinstance(key, str) else f"{name} with id {key} not found"
        )
    return str(text)


def select(
    tx: db.Transaction, what: List, wanted: ListRequest, filters: dict[str, Any], title: str | None = None
) -> str:
    """A page as the document has it, as JSON text.

    Raises InvalidRequest for a depth or a cursor that isn't served.
    """
    place = _read(what, wanted)
    given = {name: value for name, value in filters.items() if value is not None}
    where = what.always + "".join(f" AND {what.filters[name]}" for name in given)
    if wanted.offset + wanted.limit > OFFSET_CAP:
        raise _invalid(
            "offset", f"offset and limit end at row {OFFSET_CAP}: go on with `cursor`, which has no end"
        )
    if title is None:
        found = _page(tx, what, wanted, where, given, place)
        total, relation = (place.total, place.relation) if place else _total(tx, what, where, given)
    else:
        found, total, relation = _search(
            tx, what, wanted, where, {**given, "title": f"%{_escaped(title)}%"}, place
        )
    more = (
        _write(what, wanted, _Place(found["value"], found["key"], total, relation)) if found["more"] else None
    )
    tail = {
        "count": found["count"],
        "total": total,
        "limit": wanted.limit,
        "offset": wanted.offset,
        "total_relation": relation,
        "next_cursor": more,
    }
    return f'{{"{what.plural}":{found["rows"]},{json.dumps(tail, separators=(",", ":"))[1:]}'


def _page(
    tx: db.Transaction,
    what: List,
    wanted: ListRequest,
    where: str,
    given: dict[str, Any],
    place: _Place | None,
    source: str = "",
    matches: str = "",
) -> dict[str, Any]:
    """A page of `source`, the table where none is given; with `matches` it is that query's and their number is `total`. It ends early where it gets too large,
    and no item is made in vain."""
    begin = f"WITH matches AS MATERIALIZED ({matches})" if matches else ""
    total = "(SELECT count(*) FROM matches)" if matches else "NULL"
    sql = f"""
        {begin}
        SELECT '[' || coalesce(string_agg(item, ',' ORDER BY n) FILTER (WHERE shown), '') || ']' AS rows, count(*) > count(*) FILTER (WHERE shown) AS more,
               count(*) FILTER (WHERE shown) AS count, (array_agg(value ORDER BY n DESC) FILTER (WHERE shown))[1] AS value,
               (array_agg(key ORDER BY n DESC) FILTER (WHERE shown))[1] AS key, {total} AS total
          FROM (SELECT *, item IS NOT NULL AND (n = 1 OR sum(octet_length(item)) OVER so_far <= {PAGE_BYTES}) AS shown
                  FROM (SELECT CASE WHEN row_number() OVER so_far = 1 OR row_number() OVER so_far <= :limit AND sum({what.bytes}) OVER so_far <= {PAGE_BYTES}
                                    THEN ({what.item})::text END AS item, {_place_of(what, wanted)}, row_number() OVER so_far AS n
                          FROM (SELECT * FROM {"matches" if matches else source or what.table} t WHERE {where}{_after(what, wanted, place)}
                                 ORDER BY {_by(what, wanted)} LIMIT :limit + 1 OFFSET {wanted.offset}) t WINDOW so_far AS (ROWS UNBOUNDED PRECEDING)) items
                WINDOW so_far AS (ROWS UNBOUNDED PRECEDING)) page
    """
    row = db.one(tx, sql, limit=wanted.limit, **given, **_position(place))
    if row is None:
        raise AssertionError("an aggregate always gives a row")
    return row


def _place_of(what: List, wanted: ListRequest) -> str:
    return f"({what.sorts[wanted.order_by].column})::text AS value, ({what.key.column})::text AS key"


def _by(what: List, wanted: ListRequest) -> str:
    sort, down = what.sorts[wanted.order_by], "DESC" if wanted.order == "desc" else "ASC"
    return f"{sort.column} {down}" + ("" if sort.column == what.key.column else f", {what.key.column} {down}")


def _after(what: List, wanted: ListRequest, place: _Place | None) -> str:
    if place is None:
        return ""
    sort, sign = what.sorts[wanted.order_by], "<" if wanted.order == "desc" else ">"
    return f" AND ({sort.column}, {what.key.column}) {sign} (:place_value::{sort.type}, :place_key::{what.key.type})"


def _position(place: _Place | None) -> dict[str, str]:
    return {"place_value": place.value, "place_key": place.key} if place else {}


def _search(
    tx: db.Transaction,
    what: List,
    wanted: ListRequest,
    where: str,
    given: dict[str, Any],
    place: _Place | None,
) -> tuple[dict[str, Any], int, str]:
    """(page, total, relation).

    Where a walk fills the page the total is what was counted so far: counting it all would take a second.
    """
    db.value(tx, "SELECT set_config('statement_timeout', :milliseconds::text, true)", milliseconds=SEARCH_MS)
    if not _is_indexed(tx, given["title"]):
        return _search_in_steps(tx, what, wanted, where, given, place)
    looked, hits = _glance(tx, what, wanted, where, given, place, GLANCE)
    steps = _steps(tx, what, wanted, hits) if looked == GLANCE else GLANCE
    found = _walk(tx, what, wanted, where, given, place, steps) if steps else None
    if found and (found["more"] or looked < GLANCE):
        return found, *_counted(wanted, found, place, hits if looked < GLANCE else None)
    found = _page(
        tx,
        what,
        wanted,
        "true",
        given,
        place,
        matches=f"SELECT * FROM {what.table} t WHERE t.title ILIKE :title AND {where}",
    )
    return found, found["total"], "eq"


def _is_indexed(tx: db.Transaction, title: str) -> bool:
    """Whether the trigrams' index can find it.

    Which letters beyond English ones make words is up to the database's locale.
    """
    run = _RUN.search(title)
    return _PLAIN_RUN.search(title) is not None or (
        run is not None and bool(db.value(tx, "SELECT cardinality(show_trgm(:run)) > 0", run=run[0]))
    )


def _search_in_steps(
    tx: db.Transaction,
    what: List,
    wanted: ListRequest,
    where: str,
    given: dict[str, Any],
    place: _Place | None,
) -> tuple[dict[str, Any], int, str]:
    """As `_search`, for titles that no index knows: a page may be short of its limit, and its cursor goes on behind the last row that was looked at."""
    found = _walk(tx, what, wanted, where, given, place, WALK)
    if found["more"]:
        return found, *_counted(wanted, found, place, None)
    begin = f"SELECT {_place_of(what, wanted)} FROM {what.table} t WHERE {where}{_after(what, wanted, place)}"
    sql = f"{begin} ORDER BY {_by(what, wanted)} LIMIT 1 OFFSET {WALK - 1}"
    last = db.one(
        tx, sql, **{name: value for name, value in given.items() if name != "title"}, **_position(place)
    )
    if last is None:
        return found, *_counted(wanted, found, place, _glance(tx, what, wanted, where, given, place, WALK)[1])
    if wanted.offset:
        raise _invalid(
            "offset",
            "so short a title is searched step by step: begin without offset and go on with `cursor`",
        )
    return found | {"more": True} | last, *_counted(wanted, found, place, None)


def _window(what: List, wanted: ListRequest, where: str, place: _Place | None, rows: int) -> str:
    return f"(SELECT * FROM {what.table} t WHERE {where}{_after(what, wanted, place)} ORDER BY {_by(what, wanted)} LIMIT {rows})"


def _glance(
    tx: db.Transaction,
    what: List,
    wanted: ListRequest,
    where: str,
    given: dict[str, Any],
    place: _Place | None,
    rows: int,
) -> tuple[int, int]:
    """(how many rows there are from the place on, how many of them have the title), up to so many rows."""
    sql = f"SELECT count(*) AS looked, count(*) FILTER (WHERE t.title ILIKE :title) AS hits FROM {_window(what, wanted, where, place, rows)} t"
    row = db.one(tx, sql, **given, **_position(place))
    return (row["looked"], row["hits"]) if row else (0, 0)


def _steps(tx: db.Transaction, what: List, wanted: ListRequest, hits: int) -> int:
    """How many rows a walk that fills the page has to look through, with some to spare; 0 where the index is cheaper."""
    if not hits:
        return 0
    needed = (wanted.offset + wanted.limit + 1) * GLANCE // hits
    matches = _estimate(tx, what) * hits // GLANCE
    return 2 * needed if needed < matches * FOUND_COST else 0


def _walk(
    tx: db.Transaction,
    what: List,
    wanted: ListRequest,
    where: str,
    given: dict[str, Any],
    place: _Place | None,
    rows: int,
) -> dict[str, Any]:
    """The page out of so many rows from the place on."""
    return _page(
        tx, what, wanted, "t.title ILIKE :title", given, place, _window(what, wanted, where, place, rows)
    )


def _counted(
    wanted: ListRequest, found: dict[str, Any], place: _Place | None, hits: int | None
) -> tuple[int, str]:
    """The total and its relation; `hits` where all rows have been looked through."""
    if place is not None and place.relation == "eq":
        return place.total, "eq"
    if place is None and hits is not None:
        return hits, "eq"
    return max(place.total if place else 0, wanted.offset + found["count"] + found["more"]), "gte"


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def _total(tx: db.Transaction, what: List, where: str, given: dict[str, Any]) -> tuple[int, str]:
    count = int(
        db.value(
            tx,
            f"SELECT count(*) FROM (SELECT 1 FROM {what.table} t WHERE {where} LIMIT {TOTAL_CAP + 1}) capped",
            **given,
        )
    )
    if count <= TOTAL_CAP:
        return count, "eq"
    estimate = 0 if given else _estimate(tx, what)
    # Never analysed: all that is known is that there are more than were counted.
    return (estimate, "approx") if estimate > TOTAL_CAP else (TOTAL_CAP, "gte")


def _estimate(tx: db.Transaction, what: List) -> int:
    """The table's rows when it was last analysed."""
    sql = """
        SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c
         WHERE c.oid = :table::regclass OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = :table::regclass)
    """
    return int(db.value(tx, sql, table=what.table))


def _write(what: List, wanted: ListRequest, place: _Place) -> str:
    text = json.dumps(
        [what.plural, wanted.order_by, wanted.order, *place], ensure_ascii=False, separators=(",", ":")
    )
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _read(what: List, wanted: ListRequest) -> _Place | None:
    if wanted.cursor is None:
        return None
    if wanted.offset:
        raise _invalid("cursor", "give either offset or cursor, not both")
    try:
        plural, order_by, order, *place = json.loads(
            base64.urlsafe_b64decode(wanted.cursor + "=" * (-len(wanted.cursor) % 4))
        )
        value, key, total, relation = place
        fits = (
            pages.fits(value, what.sorts[wanted.order_by].type)
            and pages.fits(key, what.key.type)
            and type(total) is int
            and 0 <= total < 1 << 62
        )
        if not fits or plural != what.plural or relation not in ("eq", "gte", "approx"):
            raise ValueError("not ours")
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise _invalid(
            "cursor", "this is not a cursor of this list: take next_cursor of a page as it is"
        ) from error
    if (order_by, order) != (wanted.order_by, wanted.order):
        raise _invalid(
            "cursor",
            "the cursor belongs to another order: give the same order_by and order, or begin again without it",
        )
    return _Place(value, key, total, relation)


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, [{"field": field, "message": message}])
