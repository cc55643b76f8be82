"""Notifications and polls: the events, and the channels, videos and updates that follow from them.

The result doesn't depend on the order of the events or on repetitions. A video has the title and date of its
newest entry and is deleted if its newest tombstone is newer. Each change of title is one update, even if the
entry in the middle arrives last.
"""

import bisect
import contextlib
import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from showrunner.database import db
from showrunner.errors import DatabaseUnavailable, NotFound
from showrunner.models import Sighting

# A video that is seen for the first time this long after its publication isn't new.
OLD_AFTER = timedelta(days=30)


class Delivery(NamedTuple):
    """A body with what was read from it: `seen`, or `error` with the reason why it couldn't be read.

    `body` is Atom if the hub has sent it, JSON (feed.intake.entries) if it comes from a poll.
    """

    delivery_id: str
    received_at: datetime
    origin: str
    subscription_id: int | None
    body: bytes
    seen: list[Sighting]
    error: str | None


class Known(NamedTuple):
    """A video's state. `updated_at` is None if only a tombstone was received."""

    video_id: str
    channel_id: str | None = None
    title: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None


class Update(NamedTuple):
    """An update of a video, with the event that it comes from."""

    event_id: int
    type: str
    sighting: Sighting


class Recorded(NamedTuple):
    """Result of `record`.

    `events` maps the place in the batch to the event's id. `repeated` has the ids of the events of deliveries
    that were recorded before.
    """

    events: dict[int, int]
    repeated: list[int]
    updates: list[dict[str, Any]]


class Raced(Exception):
    """Another worker has added one of the videos meanwhile: roll back and begin again."""


# ---------------------------------------------------------------- Rules, without a database


def merged(known: Known, seen: Sighting) -> Known:
    """Return the state after one more sighting. It is a maximum: order and repetition don't matter."""
    if seen.title is None:
        is_newer = known.deleted_at is None or seen.at > known.deleted_at
        return known._replace(
            deleted_at=seen.at if is_newer else known.deleted_at,
            channel_id=known.channel_id or seen.channel_id,
        )
    if known.updated_at is None or _rank(seen.at, seen.title, seen.published_at) > _rank(
        known.updated_at, known.title, known.published_at
    ):
        return known._replace(
            channel_id=seen.channel_id or known.channel_id,
            title=seen.title,
            published_at=seen.published_at,
            updated_at=seen.at,
        )
    return known


def _rank(at: datetime, title: str, published_at: datetime | None) -> tuple[datetime, str, str]:
    return at, title, published_at.isoformat() if published_at else ""


def kind(known: Known, seen: Sighting, titles: list[tuple[datetime, str]] | None) -> str:
    """Return the type of the update that a sighting is.

    `titles` has (at, title) of all known entries, in order. It is needed if the entry isn't the newest.
    """
    if seen.title is None:
        return "deleted"
    if known.updated_at is None:
        is_old = seen.published_at is not None and seen.at - seen.published_at > OLD_AFTER
        return "unknown" if is_old else "new_video"
    if seen.at > known.updated_at:
        return "title_update" if seen.title != known.title else "unknown"
    return "title_update" if titles is not None and _reveals(titles, seen.at, seen.title) else "unknown"


def is_late(known: Known, seen: Sighting) -> bool:
    """Tell whether a newer entry of the video was received before."""
    return seen.title is not None and known.updated_at is not None and seen.at <= known.updated_at


def _reveals(titles: list[tuple[datetime, str]], at: datetime, title: str) -> bool:
    """Tell whether an entry in the middle shows a change of title that its neighbours don't show."""
    place = bisect.bisect_right(titles, (at, title))
    before = titles[place - 1][1] if place else None
    after = titles[place][1] if place < len(titles) else None
    changes = (before is not None and before != title) + (after is not None and after != title)
    return changes > (before is not None and after is not None and before != after)


# ---------------------------------------------------------------- Recording

# Two workers may add the same video at once; the second one begins again.
ATTEMPTS = 3


def without_race[T](work: Callable[[db.Transaction], T]) -> T:
    """Return the result of `work` in a transaction of its own, repeated if it raises Raced.

    Raises DatabaseUnavailable after ATTEMPTS.
    """
    for _ in range(ATTEMPTS):
        with contextlib.suppress(Raced), db.transaction() as tx:
            return work(tx)
    raise DatabaseUnavailable("Other workers had the same videos each time: try again.")


def record(tx: db.Transaction, deliveries: list[Delivery]) -> Recorded:
    """Record a batch of deliveries and update the videos.

    A delivery that was recorded before changes nothing. Raises Raced: roll back and begin again.
    """
    row = db.one(
        tx,
        _RECORD,
        deliveries=json.dumps([_row(number, each) for number, each in enumerate(deliveries)]),
        # Text with commas instead of an array: pg8000 needs a tenth of a batch's time to quote an array.
        video_ids=",".join({seen.video_id for each in deliveries for seen in each.seen}),
    )
    if row is None:
        raise AssertionError("an aggregate always returns a row")
    rows = row["events"] or []
    events = {each["n"]: each["id"] for each in rows if each["earlier"] is None}
    repeated = [each["earlier"] for each in rows if each["earlier"] is not None]
    fresh = [(each["id"], deliveries[each["n"]]) for each in rows if each["fresh"]]
    sightings = [(event_id, each) for event_id, delivery in fresh for each in delivery.seen]
    pushed = sorted(
        {
            delivery.subscription_id
            for _, delivery in fresh
            if delivery.subscription_id and delivery.origin == "push"
        }
    )
    updates = _merge(tx, sightings, _known(row["videos"] or []), pushed) if sightings else []
    return Recorded(events, repeated, updates)


def _known(rows: list[dict[str, Any]]) -> dict[str, Known]:
    times = ("published_at", "updated_at", "deleted_at")
    return {
        each["video_id"]: Known(
            **each | {name: datetime.fromisoformat(each[name]) for name in times if each[name]}
        )
        for each in rows
    }


def _row(number: int, each: Delivery) -> dict[str, Any]:
    is_push = each.origin == "push"
    text, raw = _text(each.body) if is_push else ("", None)
    first = each.seen[0] if each.seen else None
    return {
        "n": number,
        "delivery_id": each.delivery_id,
        "content_hash": hashlib.sha256(each.body).hexdigest(),
        "raw_xml": text,
        "raw_bytes": raw,
        "entries": None if is_push else each.body.decode(),
        "received_at": each.received_at.isoformat(),
        "origin": each.origin,
        "subscription_id": each.subscription_id,
        "video_id": first.video_id if first else None,
        "channel_id": first.channel_id if first else None,
        "error": each.error,
    }


def _text(body: bytes) -> tuple[str, str | None]:
    """Return the body as text, and in hex too if PostgreSQL's text can't hold it unchanged."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return body.decode("utf-8", "backslashreplace").replace("\0", "\ufffd"), body.hex()
    return (text, None) if "\0" not in text else (text.replace("\0", "\ufffd"), body.hex())


# One round trip. Ids are taken from the sequence first, so that events, deliveries and hashes can refer to
# each other. Inserts and locks are sorted, so that two batches can't deadlock.
_RECORD = """
WITH d AS MATERIALIZED (
    SELECT nextval('feed.event_ids') AS id, decode(x.content_hash, 'hex') AS hash, x.*
      FROM json_to_recordset(:deliveries::json)
        AS x(n integer, delivery_id uuid, content_hash text, raw_xml text, raw_bytes text, entries text,
             received_at timestamptz, origin text, subscription_id bigint, video_id text, channel_id text,
             error text)
), first AS (
    INSERT INTO feed.deliveries (delivery_id, event_id)
    SELECT DISTINCT ON (delivery_id) delivery_id, id FROM d ORDER BY delivery_id, n
    ON CONFLICT DO NOTHING RETURNING event_id
), fresh AS (
    INSERT INTO feed.seen (content_hash, event_id)
    SELECT DISTINCT ON (hash) hash, id FROM d JOIN first ON first.event_id = d.id
     WHERE error IS NULL ORDER BY hash, n
    ON CONFLICT DO NOTHING RETURNING event_id
), recorded AS (
    INSERT INTO feed.events (id, received_at, subscription_id, origin, content_hash, repeat, raw_xml,
                             raw_bytes, entries, video_id, channel_id, processed, processed_at,
                             processing_error)
    SELECT id, received_at, subscription_id, origin, hash, error IS NULL AND fresh.event_id IS NULL, raw_xml,
           decode(raw_bytes, 'hex'), entries::jsonb, video_id, channel_id, error IS NULL,
           CASE WHEN error IS NULL THEN now() END, error
      FROM d JOIN first ON first.event_id = d.id LEFT JOIN fresh ON fresh.event_id = d.id
), events AS (
    -- A subquery for each repeated delivery: a join would read all deliveries.
    SELECT * FROM (SELECT d.n, d.id, fresh.event_id IS NOT NULL AS fresh,
                          CASE WHEN first.event_id IS NULL
                               THEN (SELECT e.event_id FROM feed.deliveries e
                                      WHERE e.delivery_id = d.delivery_id) END AS earlier,
                          first.event_id IS NOT NULL AS first
                     FROM d
                     LEFT JOIN first ON first.event_id = d.id
                     LEFT JOIN fresh ON fresh.event_id = d.id) x
     WHERE first OR earlier IS NOT NULL
     ORDER BY n
), locked AS (
    SELECT video_id, channel_id, title, published_at, feed_updated_at AS updated_at, deleted_at
      FROM feed.videos WHERE video_id = ANY(string_to_array(:video_ids, ',')) ORDER BY video_id FOR UPDATE
)
SELECT (SELECT json_agg(events) FROM events) AS events, (SELECT json_agg(locked) FROM locked) AS videos
"""


def _merge(
    tx: db.Transaction, sightings: list[tuple[int, Sighting]], before: dict[str, Known], pushed: list[int]
) -> list[dict[str, Any]]:
    """Save what follows from sightings: channels, videos and updates. Returns the updates' rows."""
    sightings.sort(key=lambda each: (each[1].at, each[0]))
    after, updates = _judge(tx, before, sightings)
    row = db.one(
        tx,
        _SAVE,
        videos=json.dumps(
            [_video(video, video.video_id not in before) for video in after.values()], default=str
        ),
        channels=json.dumps(_channels(sightings), default=str),
        updates=json.dumps([_update(number, each) for number, each in enumerate(updates)], default=str),
        pushed=pushed,
    )
    if row is None or row["added"] != len(after.keys() - before.keys()):
        raise Raced
    return list(row["updates"] or [])


def _lock(tx: db.Transaction, video_ids: list[str]) -> dict[str, Known]:
    rows = db.rows(
        tx,
        """
        SELECT video_id, channel_id, title, published_at, feed_updated_at AS updated_at, deleted_at
          FROM feed.videos WHERE video_id = ANY(:video_ids) ORDER BY video_id FOR UPDATE
        """,
        video_ids=video_ids,
    )
    return {row["video_id"]: Known(**row) for row in rows}


def _judge(
    tx: db.Transaction, before: dict[str, Known], sightings: list[tuple[int, Sighting]]
) -> tuple[dict[str, Known], list[Update]]:
    """Return the state of each video afterwards, and the updates in order of time."""
    late = sorted(
        {
            seen.video_id
            for _, seen in sightings
            if seen.video_id in before and is_late(before[seen.video_id], seen)
        }
    )
    titles = _titles(tx, late) if late else {}
    after: dict[str, Known] = {}
    updates = []
    for event_id, seen in sightings:
        known = after.get(seen.video_id) or before.get(seen.video_id) or Known(seen.video_id)
        updates.append(Update(event_id, kind(known, seen, titles.get(seen.video_id)), seen))
        after[seen.video_id] = merged(known, seen)
        if seen.title is not None and seen.video_id in titles:
            bisect.insort(titles[seen.video_id], (seen.at, seen.title))
    return after, updates


def _titles(tx: db.Transaction, video_ids: list[str]) -> dict[str, list[tuple[datetime, str]]]:
    rows = db.rows(
        tx,
        """
        SELECT video_id, feed_updated_at, title FROM feed.updates
         WHERE video_id = ANY(:video_ids) AND update_type <> 'deleted'
        """,
        video_ids=video_ids,
    )
    found: dict[str, list[tuple[datetime, str]]] = {video_id: [] for video_id in video_ids}
    for row in rows:
        found[row["video_id"]].append((row["feed_updated_at"], row["title"]))
    return {video_id: sorted(each) for video_id, each in found.items()}


def _video(video: Known, fresh: bool) -> dict[str, Any]:
    return {**video._asdict(), "fresh": fresh}


def _channels(sightings: list[tuple[int, Sighting]]) -> list[dict[str, Any]]:
    """Return the newest title of each channel."""
    newest: dict[str, tuple[datetime, str]] = {}
    for _, seen in sightings:
        if seen.channel_id:
            titled = (
                (seen.at, seen.channel_title)
                if seen.channel_title
                else (datetime.min.replace(tzinfo=seen.at.tzinfo), "")
            )
            newest[seen.channel_id] = max(newest.get(seen.channel_id, titled), titled)
    return [
        {"channel_id": channel_id, "title": title, "titled_at": at if title else None}
        for channel_id, (at, title) in sorted(newest.items())
    ]


def _update(number: int, each: Update) -> dict[str, Any]:
    seen = each.sighting
    return {
        "n": number,
        "event_id": each.event_id,
        "type": each.type,
        "video_id": seen.video_id,
        "channel_id": seen.channel_id,
        "title": seen.title or "",
        "published_at": seen.published_at,
        "at": seen.at,
    }


_SAVE = """
WITH v AS MATERIALIZED (
    SELECT * FROM json_to_recordset(:videos::json)
        AS x(video_id text, channel_id text, title text, published_at timestamptz, updated_at timestamptz,
             deleted_at timestamptz, fresh boolean)
), changed AS (
    UPDATE feed.videos o
       SET channel_id = v.channel_id, title = v.title, published_at = v.published_at,
           feed_updated_at = v.updated_at, deleted_at = v.deleted_at, last_updated_at = now(),
           -- Details that are missing are requested again after a newer entry.
           enrich_at = CASE WHEN o.details IS NULL AND v.updated_at IS DISTINCT FROM o.feed_updated_at
                            THEN coalesce(o.enrich_at, now()) ELSE o.enrich_at END
      FROM v WHERE v.video_id = o.video_id AND NOT v.fresh
), added AS (
    INSERT INTO feed.videos
           (video_id, channel_id, title, published_at, feed_updated_at, deleted_at, enrich_at)
    SELECT video_id, channel_id, title, published_at, updated_at, deleted_at,
           CASE WHEN updated_at IS NOT NULL THEN now() END
      FROM v WHERE fresh ORDER BY video_id
    ON CONFLICT DO NOTHING RETURNING 1
), saved_channels AS (
    INSERT INTO feed.channels AS o (channel_id, title, titled_at)
    SELECT channel_id, title, coalesce(titled_at, '-infinity')
      FROM json_to_recordset(:channels::json) AS x(channel_id text, title text, titled_at timestamptz)
     ORDER BY channel_id
    ON CONFLICT (channel_id) DO UPDATE
       SET last_updated_at = now(),
           title = CASE WHEN (excluded.titled_at, excluded.title) > (o.titled_at, o.title)
                        THEN excluded.title ELSE o.title END,
           titled_at = greatest(excluded.titled_at, o.titled_at)
), pushed AS (
    -- Once a minute is enough to see that the hub works.
    UPDATE feed.subscriptions SET last_push_at = now()
     WHERE id = ANY(:pushed::bigint[])
       AND (last_push_at IS NULL OR last_push_at < now() - interval '1 minute')
), saved_updates AS (
    INSERT INTO feed.updates
           (webhook_event_id, video_id, channel_id, title, published_at, feed_updated_at, update_type)
    SELECT event_id, video_id, channel_id, title, published_at, at, type
      FROM json_to_recordset(:updates::json)
        AS x(n integer, event_id bigint, type text, video_id text, channel_id text, title text,
             published_at timestamptz, at timestamptz)
     ORDER BY n
    RETURNING id, webhook_event_id, video_id, channel_id, title, update_type
)
SELECT (SELECT count(*) FROM added) AS added,
       (SELECT json_agg(saved_updates) FROM saved_updates) AS updates
"""


def list_updates_of(tx: db.Transaction, event_ids: list[int]) -> list[dict[str, Any]]:
    """Return the updates of these events, as `record` returns them."""
    return db.rows(
        tx,
        """
        SELECT id, webhook_event_id, video_id, channel_id, title, update_type FROM feed.updates
         WHERE webhook_event_id = ANY(:event_ids) ORDER BY id
        """,
        event_ids=event_ids,
    )


def name_channel(tx: db.Transaction, channel_id: str, title: str) -> None:
    """Save a channel's title from the Data API, unless a notification has given one."""
    db.run(
        tx,
        """
        INSERT INTO feed.channels AS o (channel_id, title) VALUES (:channel_id, :title)
        ON CONFLICT (channel_id) DO UPDATE SET title = excluded.title, last_updated_at = now()
         WHERE o.title = ''
        """,
        channel_id=channel_id,
        title=title,
    )


def list_updates_of_delivery(tx: db.Transaction, delivery_id: str) -> list[dict[str, Any]]:
    """Return the updates of a delivery that was recorded, as `record` returns them."""
    event_id = db.value(tx, "SELECT event_id FROM feed.deliveries WHERE delivery_id = :id", id=delivery_id)
    return list_updates_of(tx, [event_id]) if event_id else []


def drop_known(tx: db.Transaction, seen: list[Sighting]) -> list[Sighting]:
    """Return those of a poll's sightings that are new: an unknown video, or a newer title."""
    known = {
        row["video_id"]: (row["feed_updated_at"], row["title"])
        for row in db.rows(
            tx,
            """
            SELECT video_id, feed_updated_at, title FROM feed.videos
             WHERE video_id = ANY(:ids) AND feed_updated_at IS NOT NULL
            """,
            ids=[each.video_id for each in seen],
        )
    }
    return [
        each
        for each in seen
        if each.video_id not in known
        or (each.at > known[each.video_id][0] and each.title != known[each.video_id][1])
    ]


# ---------------------------------------------------------------- Replays


class Stored(NamedTuple):
    """A stored event: `body` is the hub's Atom, `entries` what a poll found.

    `channel_id` is the subscription's, None if that doesn't exist any more.
    """

    id: int
    body: bytes
    entries: list[dict[str, Any]] | None
    content_hash: bytes
    channel_id: str | None
    processed: bool
    repeat: bool


def lock_event(tx: db.Transaction, event_id: int) -> Stored:
    """Return an event and lock it. Raises NotFound."""
    row = db.one(
        tx,
        """
        SELECT e.id, coalesce(e.raw_bytes, convert_to(e.raw_xml, 'UTF8')) AS body, e.entries, e.content_hash,
               s.channel_id, e.processed, e.repeat
          FROM feed.events e LEFT JOIN feed.subscriptions s ON s.id = e.subscription_id
         WHERE e.id = :event_id FOR UPDATE OF e
        """,
        event_id=event_id,
    )
    if row is None:
        raise NotFound(f"webhook event with id {event_id} not found")
    return Stored(**row)


def replay(
    tx: db.Transaction, event: Stored, seen: list[Sighting], error: str | None
) -> list[dict[str, Any]]:
    """Process an event again and return the updates that were added.

    Updates that the event, or the one that it repeats, has caused before aren't added twice. Raises Raced.
    """
    if event.repeat and event.processed:
        return []
    repeat = error is None and not _is_first(tx, event)
    db.run(
        tx,
        """
        UPDATE feed.events
           SET processed = (:error::text IS NULL), processed_at = now(), processing_error = :error,
               repeat = :repeat, video_id = coalesce(:video_id, video_id),
               channel_id = coalesce(:channel_id, channel_id)
         WHERE id = :id
        """,
        id=event.id,
        error=error,
        repeat=repeat,
        video_id=seen[0].video_id if seen else None,
        channel_id=seen[0].channel_id if seen else None,
    )
    if error is not None or repeat:
        return []
    recorded = {
        (row["video_id"], row["feed_updated_at"], row["update_type"] == "deleted")
        for row in db.rows(
            tx,
            "SELECT video_id, feed_updated_at, update_type FROM feed.updates WHERE webhook_event_id = :id",
            id=event.id,
        )
    }
    left = [each for each in seen if (each.video_id, each.at, each.title is None) not in recorded]
    if not left:
        return []
    known = _lock(tx, sorted({each.video_id for each in left}))
    return _merge(tx, [(event.id, each) for each in left], known, [])


def _is_first(tx: db.Transaction, event: Stored) -> bool:
    """Tell whether no other event had the same content before."""
    sql = "INSERT INTO feed.seen (content_hash, event_id) VALUES (:hash, :event_id) ON CONFLICT DO NOTHING"
    return bool(db.run(tx, sql, hash=event.content_hash, event_id=event.id)) or event.id == db.value(
        tx, "SELECT event_id FROM feed.seen WHERE content_hash = :hash", hash=event.content_hash
    )


def list_failed(tx: db.Transaction, first_id: int, last_id: int, limit: int) -> list[int]:
    """Return the ids of events in the range that couldn't be processed, oldest first."""
    sql = """
        SELECT id FROM feed.events WHERE id BETWEEN :first_id AND :last_id AND NOT processed
         ORDER BY id LIMIT :limit
    """
    return [row["id"] for row in db.rows(tx, sql, first_id=first_id, last_id=last_id, limit=limit)]
