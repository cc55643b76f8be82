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
from showrunner.store.rights import catalogue
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
    "INSERT INTO rights.content_owners (organisation_id, name) VALUES (:organisation, 'Plans')",
    """
    INSERT INTO rights.videos (organisation_id, owner_id, digest, first_day, changed_day, video_id, claim_id,
                               asset_id, channel_id, category, video_privacy_status, effective_policy, isrc,
                               custom_id, claimed_by_this_owner, views, video_title, time_published,
                               time_uploaded)
    SELECT :organisation::uuid, 1, gen_random_uuid(), now(), now(), 'v' || n, 'cl' || n, 'A' || n, word, word,
           CASE WHEN n <= :rare THEN 'Private' ELSE 'Public' END, word, word, word, n > :rare,
           CASE WHEN n <= :rare THEN 1000000 ELSE 10 END, 'Title', at, at
      FROM (SELECT n, CASE WHEN n <= :rare THEN 'rare' ELSE 'often' END AS word,
                   now() - (:rows - n) * interval '1 minute' AS at FROM generate_series(1, :rows::int) n) x
    """,
    """
    INSERT INTO rights.claims (organisation_id, owner_id, digest, first_day, changed_day, claim_id, video_id,
                               asset_id, channel_id, claim_status, claim_type, claim_origin, isrc, upc,
                               record_label, custom_id, artist, views, claim_created_date)
    SELECT :organisation::uuid, 1, gen_random_uuid(), now(), now(), 'cl' || n, 'v' || n, 'A' || n, word,
           CASE WHEN n <= :rare THEN 'PENDING' ELSE 'ACTIVE' END, word, word, word, word, word, word,
           ARRAY[word], CASE WHEN n <= :rare THEN 1000000 ELSE 10 END,
           (now() - (:rows - n) * interval '1 minute')::date
      FROM (SELECT n, CASE WHEN n <= :rare THEN 'rare' ELSE 'often' END AS word
              FROM generate_series(1, :rows::int) n) x
    """,
    """
    INSERT INTO rights.assets (organisation_id, owner_id, digest, first_day, changed_day, asset_id,
                               asset_type, label, upc, custom_id, match_policy, isrc, artist, asset_labels,
                               approx_daily_views, asset_title, conflicting_owner)
    SELECT :organisation::uuid, 1, gen_random_uuid(), now(), now(), 'A' || n, word, word,
           word, word, word, word, ARRAY[word], ARRAY[word], n, 'Title',
           CASE WHEN n % 100 = 0 THEN ARRAY['Other'] END
      FROM (SELECT n, CASE WHEN n <= :rare THEN 'rare' ELSE 'often' END AS word
              FROM generate_series(1, :rows::int) n) x
    """,
    """
    INSERT INTO rights.conflicts (organisation_id, owner_id, digest, first_day, changed_day, asset_id,
                                  conflicting_owner)
    SELECT :organisation::uuid, 1, gen_random_uuid(), now(), now(), 'A' || n, 'Other'
      FROM generate_series(1, :rare::int) n
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
    "cms videos": (
        catalogue.VIDEOS,
        {
            **dict.fromkeys(("category", "channel_id", "policy", "custom_id", "isrc"), "rare"),
            **dict.fromkeys(("artist", "label", "upc"), "rare"),
            "privacy": "private",
            "claimed": False,
            "claim_status": "pending",
            "asset_id": "A3",
            "in_conflict": True,
            "not_in_conflict": True,
            "views_from": 1000,
            "views_to": 1,
            "published_from": LONG_AGO,
            "published_to": LONG_AGO,
        },
    ),
    "cms assets": (
        catalogue.ASSETS,
        {
            **dict.fromkeys(("type", "artist", "label", "asset_label", "isrc", "upc", "custom_id"), "rare"),
            "policy": "rare",
            "conflict": True,
            "views_from": 1,
            "views_to": RARE,
        },
    ),
    "cms claims": (
        catalogue.CLAIMS,
        {
            **dict.fromkeys(("channel_id", "type", "origin", "artist", "label"), "rare"),
            **dict.fromkeys(("isrc", "upc", "custom_id"), "rare"),
            "video_id": "v3",
            "asset_id": "A3",
            "status": "pending",
            "views_from": 1000,
            "views_to": 1,
            "created_from": LONG_AGO,
            "created_to": LONG_AGO,
        },
    ),
}
# Their order is by id, and a partition has one month.
NOT_INDEXED = {
    ("audit", "date_from"),
    ("audit", "date_to"),
    # Of an organisation's claims few block or all do: three indexes for it would cost every snapshot.
    ("cms claims", "policy"),
}
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
            # New entries of a GIN index wait in a list, until a vacuum or the next entries take them in.
            for table in ("videos", "claims", "assets"):
                owner.run(f"VACUUM rights.{table}")
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
