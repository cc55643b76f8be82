"""The backlog of a channel: topics that wait for a video, in order, and those that have one."""

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult

_LIST = List(
    "topics",
    "studio.topics t",
    "t.channel_id = :channel_id",
    """
    json_build_object(
        'id', t.id, 'topic', t.topic, 'position', t.position,
        'state', CASE WHEN t.used_at IS NULL THEN 'waiting' ELSE 'used' END,
        'video_id', t.video_id, 'created_at', t.created_at, 'used_at', t.used_at)
    """,
    {
        "position": Column("t.position", "bigint"),
        "created_at": Column("t.created_at", "timestamptz"),
        "topic": Column("lower(t.topic)", "text"),
        "id": Column("t.id", "uuid"),
    },
    "position",
    {"is_waiting": "(t.used_at IS NULL) = :is_waiting::boolean"},
)


def list_(tx: db.Transaction, channel_id: str, state: str, page: PageRequest) -> PageResult:
    """Return a page of a channel's topics. state: "waiting" or "used"."""
    return pages.select(tx, _LIST, page, {"channel_id": channel_id, "is_waiting": state == "waiting"})


def count_waiting(tx: db.Transaction, channel_id: str) -> int:
    """Return the number of topics that wait for a video."""
    return int(
        db.value(
            tx,
            "SELECT count(*) FROM studio.topics WHERE channel_id = :channel_id AND used_at IS NULL",
            channel_id=channel_id,
        )
    )


def add(
    tx: db.Transaction, organisation_id: str, channel_id: str, topics: list[str], *, first: bool = False
) -> list[str]:
    """Add topics behind the waiting ones, or before them if `first`. Returns those that were added.

    A topic that the channel has had already, whatever its capitals, is not added again.
    """
    found = db.rows(
        tx,
        """
        INSERT INTO studio.topics (organisation_id, channel_id, topic, position)
        SELECT :organisation_id, :channel_id, given.topic,
               given.place + CASE WHEN :first::boolean
                                  THEN coalesce(waiting.lowest, 1) - 1 - cardinality(:topics::text[])
                                  ELSE coalesce(waiting.highest, 0) END
          FROM unnest(:topics::text[]) WITH ORDINALITY AS given (topic, place),
               (SELECT min(position) AS lowest, max(position) AS highest
                  FROM studio.topics WHERE channel_id = :channel_id AND used_at IS NULL) waiting
         ORDER BY given.place
            ON CONFLICT (channel_id, lower(topic)) DO NOTHING
        RETURNING topic
        """,
        organisation_id=organisation_id,
        channel_id=channel_id,
        topics=topics,
        first=first,
    )
    return [row["topic"] for row in found]


def reorder(tx: db.Transaction, channel_id: str, topic_ids: list[str]) -> None:
    """Put waiting topics first, in this order; the others follow in their order."""
    db.run(
        tx,
        """
        UPDATE studio.topics t SET position = n.place
          FROM (SELECT w.id, row_number() OVER (ORDER BY given.place NULLS LAST, w.position, w.id) AS place
                  FROM studio.topics w
                  LEFT JOIN unnest(:topic_ids::uuid[]) WITH ORDINALITY AS given (id, place) ON given.id = w.id
                 WHERE w.channel_id = :channel_id AND w.used_at IS NULL) n
         WHERE t.id = n.id
        """,
        channel_id=channel_id,
        topic_ids=topic_ids,
    )


def list_missing(tx: db.Transaction, channel_id: str, topic_ids: list[str]) -> list[str]:
    """Return those of the ids that are no waiting topic of the channel."""
    found = db.rows(
        tx,
        """
        SELECT given.id::text FROM unnest(:topic_ids::uuid[]) AS given (id)
         WHERE NOT EXISTS (SELECT FROM studio.topics t
                            WHERE t.id = given.id AND t.channel_id = :channel_id AND t.used_at IS NULL)
        """,
        channel_id=channel_id,
        topic_ids=topic_ids,
    )
    return [row["id"] for row in found]


def remove(tx: db.Transaction, channel_id: str, topic_ids: list[str] | None = None) -> int:
    """Remove waiting topics: those with these ids, or all. Returns their number."""
    return db.run(
        tx,
        """
        DELETE FROM studio.topics WHERE channel_id = :channel_id AND used_at IS NULL
           AND (:topic_ids::uuid[] IS NULL OR id = ANY(:topic_ids::uuid[]))
        """,
        channel_id=channel_id,
        topic_ids=topic_ids,
    )


def lock_next(tx: db.Transaction, channel_id: str) -> str | None:
    """Return the first waiting topic and lock it. Returns None if none waits."""
    found: str | None = db.value(
        tx,
        """
        SELECT topic FROM studio.topics WHERE channel_id = :channel_id AND used_at IS NULL
         ORDER BY position, id LIMIT 1 FOR UPDATE
        """,
        channel_id=channel_id,
    )
    return found


def use(tx: db.Transaction, channel_id: str, topic: str, video_id: str) -> None:
    """Record which video a topic was used for. The caller has locked the topic."""
    db.run(
        tx,
        """
        UPDATE studio.topics SET used_at = now(), video_id = :video_id
         WHERE channel_id = :channel_id AND lower(topic) = lower(:topic)
        """,
        channel_id=channel_id,
        topic=topic,
        video_id=video_id,
    )
