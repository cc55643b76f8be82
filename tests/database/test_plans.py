"""The filters of the long lists on many rows: a page reads few of them, however rare what it looks for is."""

import contextlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pg8000.native import Connection

from functions.migrate import app as migrate
from showrunner.database import db, pages
from showrunner.store.audit import audit_log
from showrunner.store.feed import lists
from showrunner.store.studio import videos

DATABASE = "plans"
ORGANISATION, CHANNEL, OTHER_CHANNEL = (str(uuid.UUID(int=number)) for number in (1, 2, 3))
LIMIT = 20
ROWS = [30_000, pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
# Rows that a page may read: those that it shows, and some beside them. A scan reads tens of thousands.
MOST_ROWS = 1_000
# The oldest rows, which a walk from the newest one finds last.
RARE = 5

FILL = (
    "INSERT INTO accounts.organisations (id, name) VALUES (:organisation, 'Plans')",
    """
    INSERT INTO studio.channels (id, organisation_id, name, settings)
    VALUES (:channel, :organisation, 'Many', '{}'), (:other, :organisation, 'Few', '{}')
    """,
    """
    INSERT INTO studio.videos (organisation_id, channel_id, request, status, created_by, created_at)
    SELECT :organisation::uuid, CASE WHEN n <= :rare THEN :other::uuid ELSE :channel::uuid END, '{}',
           CASE WHEN n <= :rare THEN 'failed' ELSE 'completed' END,
           CASE WHEN n <= :rare THEN 'rare' ELSE 'user' END, now() - (:rows - n) * interval '1 minute'
      FROM generate_series(1, :rows::int) n
    """,
    """
    INSERT INTO audit.events (organisation_id, subject, actor, action, thing, thing_id, outcome, request_id)
    SELECT CASE WHEN n <= :rare THEN :organisation::uuid END,
           CASE WHEN n <= :rare THEN 'rare' ELSE 'user' END,
           CASE WHEN n <= :rare THEN 'rare' WHEN n % 2 = 0 THEN 'user' END,
           CASE WHEN n <= :rare THEN 'rare' ELSE 'video.create' END,
           CASE WHEN n <= :rare THEN 'rare' ELSE 'video' END,
           CASE WHEN n <= :rare THEN 'rare' ELSE n::text END,
           CASE WHEN n <= :rare THEN 'denied' ELSE 'success' END, 'request'
      FROM generate_series(1, :rows::int) n
    """,
    """
    INSERT INTO feed.events (received_at, origin, content_hash, raw_xml, video_id, channel_id, processed)
    SELECT now() - (:rows - n) * interval '1 second', 'push', '\\x00', '',
           CASE WHEN n <= :rare THEN 'rare' ELSE n::text END,
           CASE WHEN n <= :rare THEN 'rare' ELSE 'UC' END, n > :rare
      FROM generate_series(1, :rows::int) n
    """,
    """
    INSERT INTO feed.videos (video_id, channel_id, title, published_at, feed_updated_at)
    SELECT n::text, CASE WHEN n <= :rare THEN 'rare' ELSE 'UC' END, 'Title', at, at
      FROM (SELECT n, now() - (:rows - n) * interval '1 minute' AS at FROM generate_series(1, :rows::int) n) x
    """,
    """
    INSERT INTO feed.updates (webhook_event_id, video_id, channel_id, title, feed_updated_at, update_type)
    SELECT n, CASE WHEN n <= :rare THEN 'rare' ELSE n::text END,
           CASE WHEN n <= :rare THEN 'rare' ELSE 'UC' END,
           'Title', now(), CASE WHEN n <= :rare THEN 'deleted' ELSE 'new_video' END
      FROM generate_series(1, :rows::int) n
    """,
)
LONG_AGO = "2000-01-01"
# List -> filters with what to look for. What isn't named here is in FEW or SCANNED.
FILTERS: dict[str, tuple[pages.List, dict[str, Any]]] = {
    "videos": (
        videos._LIST,
        {
            "channel_id": OTHER_CHANNEL,
            "status": "failed",
            "created_by": "rare",
            "date_from": LONG_AGO,
            "date_to": LONG_AGO,
        },
    ),
    "audit": (
        audit_log._LIST,
        {
            "organisation_id": ORGANISATION,
            "outcome": "denied",
            **dict.fromkeys(("subject", "actor", "action", "thing", "thing_id"), "rare"),
        },
    ),
    "events": (lists.EVENTS, {"processed": False, "video_id": "rare", "channel_id": "rare"}),
    "feed videos": (
        lists.VIDEOS,
        {"channel_id": "rare", "published_after": LONG_AGO, "published_before": LONG_AGO},
    ),
    "updates": (
        lists.UPDATES,
        {"video_id": "rare", "channel_id": "rare", "webhook_event_id": 3, "update_type": "deleted"},
    ),
}
# Their order is by id, and a partition has one month.
NOT_INDEXED = {("audit", "date_from"), ("audit", "date_to")}
CASES = [(name, each, value) for name, (_, given) in FILTERS.items() for each, value in given.items()]


@pytest.fixture(scope="module", params=ROWS)
def filled(request, postgres) -> Iterator[None]:
    """Fill the long tables of a database of their own."""
    connection = Connection(
        "postgres",
        host="127.0.0.1",
        port=postgres.port,
        database="postgres",
        password=postgres.password,
        ssl_context=False,
    )
    with contextlib.closing(connection) as administrator, pytest.MonkeyPatch.context() as patch:
        administrator.run(f"DROP DATABASE IF EXISTS {DATABASE}")
        administrator.run(f"CREATE DATABASE {DATABASE} OWNER showrunner")
        patch.setenv("DATABASE_NAME", DATABASE)
        db.close()
        with contextlib.closing(migrate.connect()) as owner:
            migrate.migrate(owner)
            for sql in FILL:
                owner.run(
                    sql,
                    organisation=ORGANISATION,
                    channel=CHANNEL,
                    other=OTHER_CHANNEL,
                    rare=RARE,
                    rows=request.param,
                )
            owner.run("ANALYZE")
        yield
        db.close()
        administrator.run(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    db.close()


def rows_read(definition: pages.List, parameters: dict[str, Any]) -> int:
    """Return how many rows the first page reads, those that a filter removes included."""
    always = {"organisation_id": ORGANISATION} if ":organisation_id" in definition.always else {}
    query = pages.prepare(definition, None, None, always | parameters)
    db.close()  # a new connection has no prepared statements
    with db.transaction() as tx:
        pages.fetch(tx, query, LIMIT)
        (statement,) = tx.statements
        plan = db.value(
            tx,
            f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}",
            limit=LIMIT,
            **pages.bindings(query),
        )
    found = plan if isinstance(plan, list) else json.loads(plan)
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes(found[0]["Plan"])
        if "Scan" in node["Node Type"] and "Relation Name" in node
    )


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from nodes(inner)


def test_every_filter_of_the_long_lists_is_tried():
    for name, (definition, given) in FILTERS.items():
        left = definition.filters.keys() - given.keys()

        assert {each for each in left if (name, each) not in NOT_INDEXED} == set(), name


@pytest.mark.parametrize(("name", "each", "value"), CASES, ids=lambda value: str(value)[:20])
def test_a_page_of_every_filter_reads_few_rows(filled, name, each, value):
    assert rows_read(FILTERS[name][0], {each: value}) < MOST_ROWS


def test_a_filter_without_an_index_is_detected(filled):
    definition = videos._LIST._replace(filters={"priority": "v.priority = :priority"})

    assert rows_read(definition, {"priority": 9}) > MOST_ROWS
