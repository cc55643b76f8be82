"""Lists of the Ingestion API: shape, pages, filters, search and bounds."""

import json

import pytest

from showrunner.database import db, pages, title_search
from showrunner.store.feed import lists
from tests.feed.ingestion import CHANNEL, KEY, OTHER, atom, http, notification


def test_lists_have_the_documented_shape(filled):
    status, page = filled.api("GET", "/api/v1/videos", query={"limit": "2"})
    assert status == 200
    assert {"videos", "count", "total", "limit", "offset", "total_relation", "next_cursor"} == set(page)
    assert (page["count"], page["total"], page["total_relation"], page["limit"], page["offset"]) == (
        2,
        30,
        "eq",
        2,
        0,
    )
    assert {
        "video_id",
        "channel_id",
        "title",
        "video_url",
        "published_at",
        "first_seen_at",
        "last_updated_at",
        "created_at",
        "updated_at",
    } <= set(page["videos"][0])
    assert page["videos"][0]["published_at"] == "2026-11-20T00:00:00.000000Z"
    event = filled.api("GET", "/api/v1/webhook-events", query={"limit": "1"})[1]["webhook_events"][0]
    names = {
        "id",
        "raw_xml",
        "content_hash",
        "received_at",
        "processed",
        "processed_at",
        "processing_error",
        "video_id",
        "channel_id",
        "created_at",
    }
    assert names <= set(event)
    update = filled.api("GET", "/api/v1/video-updates", query={"limit": "1"})[1]["video_updates"][0]
    assert set(update) == {
        "id",
        "webhook_event_id",
        "video_id",
        "channel_id",
        "title",
        "published_at",
        "feed_updated_at",
        "update_type",
        "created_at",
    }
    channel = filled.api("GET", "/api/v1/channels", query={"limit": "1"})[1]["channels"][0]
    assert set(channel) == {
        "channel_id",
        "title",
        "channel_url",
        "first_seen_at",
        "last_updated_at",
        "created_at",
        "updated_at",
    }


@pytest.mark.parametrize(
    ("path", "plural", "key", "orders"),
    [
        (
            "videos",
            "videos",
            "video_id",
            [
                "published_at",
                "video_id",
                "title",
                "first_seen_at",
                "last_updated_at",
                "created_at",
                "updated_at",
            ],
        ),
        ("channels", "channels", "channel_id", ["channel_id", "title", "last_updated_at", "first_seen_at"]),
        ("webhook-events", "webhook_events", "id", ["received_at", "created_at", "processed_at", "id"]),
        ("video-updates", "video_updates", "id", ["created_at", "published_at", "feed_updated_at", "id"]),
    ],
)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_by_offset_and_by_cursor_are_complete_and_equal(filled, path, plural, key, orders, order):
    for order_by in orders:
        query = {"order_by": order_by, "order": order}
        whole = [
            row[key]
            for row in filled.api("GET", f"/api/v1/{path}", query={**query, "limit": "1000"})[1][plural]
        ]
        assert len(whole) == len(set(whole))
        offsets, cursors, cursor = [], [], None
        while True:
            page = filled.api(
                "GET",
                f"/api/v1/{path}",
                query={**query, "limit": "7", **({"cursor": cursor} if cursor else {})},
            )[1]
            cursors += [row[key] for row in page[plural]]
            offsets += [
                row[key]
                for row in filled.api(
                    "GET", f"/api/v1/{path}", query={**query, "limit": "7", "offset": str(len(offsets))}
                )[1][plural]
            ]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert cursors == offsets == whole


@pytest.mark.parametrize(
    ("path", "query", "count"),
    [
        ("videos", {"channel_id": OTHER}, 10),
        ("videos", {"title": "video 0"}, 9),
        ("videos", {"title": "CAT_1"}, 3),
        ("videos", {"title": "%"}, 0),
        ("videos", {"title": "cat_1", "channel_id": CHANNEL}, 2),
        ("videos", {"published_after": "2026-11-19T00:00:00Z"}, 1),
        ("videos", {"published_before": "2026-11-02"}, 2),
        ("channels", {"title": "channel b"}, 1),
        ("webhook-events", {"processed": "true"}, 32),
        ("webhook-events", {"processed": "false"}, 2),
        ("webhook-events", {"video_id": "vid00000001"}, 2),
        ("webhook-events", {"channel_id": OTHER}, 10),
        ("video-updates", {"update_type": "new_video"}, 30),
        ("video-updates", {"update_type": "title_update"}, 1),
        ("video-updates", {"update_type": "deleted"}, 1),
        ("video-updates", {"video_id": "vid00000001"}, 2),
        ("video-updates", {"channel_id": CHANNEL, "update_type": "unknown"}, 0),
    ],
)
def test_filters_select_rows(filled, path, query, count):
    status, page = filled.api("GET", f"/api/v1/{path}", query={**query, "limit": "1000"})
    assert (status, page["count"], page["total"]) == (200, count, count)


def searched(world, title, **query):
    """Read all pages of a search by cursor. Returns (titles, each page's total_relation, the last total)."""
    titles, relations, cursor, total = [], [], None, 0
    for _ in range(100):
        page = world.api(
            "GET", "/api/v1/videos", query={"title": title, **query, **({"cursor": cursor} if cursor else {})}
        )[1]
        titles += [row["title"] for row in page["videos"]]
        relations.append(page["total_relation"])
        cursor, total = page["next_cursor"], page["total"]
        if cursor is None:
            return titles, relations, total
    raise AssertionError("the cursor never ends")


# How many rows a scan reads before the search changes its strategy; there are 30 rows.
@pytest.mark.parametrize(("sample", "scan"), [(2_000, 10_000), (5, 7), (30, 30), (29, 31), (1, 1)])
@pytest.mark.parametrize(
    ("title", "count"),
    [
        ("dog", 26),
        ("cat_1", 3),
        ("cat", 3),
        ("do", 26),
        ("g", 26),
        ("1", 13),
        ("zzz", 0),
        ("zz", 0),
        ("renamed", 1),
        ("東京の夜", 2),
        ("東京", 2),
    ],
)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_every_search_strategy_finds_the_same_titles(filled, monkeypatch, sample, scan, title, count, order):
    # The estimate as after ANALYZE, which the functions' role may not run.
    monkeypatch.setattr(pages, "estimate", lambda _tx, _query: 30)
    # The real limits would need tens of thousands of rows.
    monkeypatch.setattr(title_search, "SAMPLE_ROWS", sample)
    monkeypatch.setattr(title_search, "SCAN_ROWS", scan)
    whole = [
        row["title"]
        for row in filled.api("GET", "/api/v1/videos", query={"limit": "1000", "order": order})[1]["videos"]
        if title in row["title"].lower()
    ]
    titles, relations, total = searched(filled, title, limit="10", order=order)
    assert titles == whole
    assert len(whole) == count
    assert relations[-1] != "eq" or total == count


def test_a_title_too_short_for_the_index_is_searched_in_steps(filled, monkeypatch):
    monkeypatch.setattr(title_search, "SCAN_ROWS", 10)
    page = filled.api("GET", "/api/v1/videos", query={"title": "t_"})[1]
    assert (page["count"], page["total_relation"]) == (1, "gte")
    assert page["next_cursor"]
    status, body = filled.api("GET", "/api/v1/videos", query={"title": "t_", "offset": "5"})
    assert (status, body["details"]["field"]) == (400, "offset")


def test_a_search_that_takes_too_long_is_503(filled, monkeypatch, tx):
    monkeypatch.setattr(title_search, "TIMEOUT_MS", 1)
    db.run(
        tx,
        "CREATE FUNCTION pg_temp.slow(text) RETURNS text LANGUAGE sql AS $$ SELECT $1 FROM pg_sleep(0.2) $$",
    )
    monkeypatch.setattr(lists, "VIDEOS", lists.VIDEOS._replace(always="pg_temp.slow(t.title) IS NOT NULL"))
    status, body = filled.api("GET", "/api/v1/videos", query={"title": "dog"})
    assert (status, body["error"]) == (503, "service unavailable")
    assert "narrow" in body["message"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "x"},
        {"limit": "-1"},
        {"offset": "-1"},
        {"offset": "10001"},
        {"offset": "9999", "limit": "50"},
        {"order": "up"},
        {"order_by": "raw_xml"},
        {"order_by": "title;drop"},
        {"cursor": "x"},
        {"cursor": "bm90aGluZw"},
        {"cursor": "!"},
        {"unknown": "1"},
        {"title": ""},
        {"published_after": "yesterday"},
        {"published_after": "2026-13-01"},
        {"title": "a\x00b"},
    ],
)
def test_undocumented_query_parameters_are_refused(world, query):
    status, body = world.api("GET", "/api/v1/videos", query=query)
    assert (status, body["error"]) == (400, "validation failed")


def test_the_error_of_a_too_large_offset_suggests_the_cursor(world):
    assert (
        "cursor" in world.api("GET", "/api/v1/videos", query={"offset": "9999", "limit": "50"})[1]["message"]
    )


def test_a_cursor_is_valid_for_its_own_list_and_order_only(filled):
    cursor = filled.api("GET", "/api/v1/videos", query={"limit": "2"})[1]["next_cursor"]
    assert filled.api("GET", "/api/v1/channels", query={"cursor": cursor})[0] == 400
    assert filled.api("GET", "/api/v1/videos", query={"cursor": cursor, "order": "asc"})[0] == 400
    assert filled.api("GET", "/api/v1/videos", query={"cursor": cursor, "offset": "5"})[0] == 400


# As many events as make several pages: characters that JSON escapes take up to six bytes.
@pytest.mark.parametrize(
    ("limit", "character", "count"),
    [("50", b"x", 40), ("1000", b'"', 40), ("50", b"\xff", 12), ("1000", b"\x01", 12)],
)
def test_a_page_of_large_events_stays_under_lambdas_response_limit(world, limit, character, count):
    """Lambda's response may have 6 MB; the body's JSON is escaped once more inside it."""
    from functions.feed import app

    world.notify(*(notification(character * (200_000 + number)) for number in range(count)))
    page_count, found, query = 0, [], {"limit": limit, "order_by": "id"}
    while True:
        answer = app.handler(http("GET", "/api/v1/webhook-events", query=query, x_api_key=KEY), None)
        assert len(json.dumps(answer, ensure_ascii=False).encode()) < 6_000_000
        page = json.loads(answer["body"])
        page_count += 1
        assert page["count"] == len(page["webhook_events"]) > 0
        assert page["total"] == count
        found += [row["id"] for row in page["webhook_events"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == sorted(set(found), reverse=True)
    assert len(found) == count
    assert page_count > 1


def test_a_repeat_names_the_event_that_it_repeats(world):
    world.notify(notification(atom()))
    world.notify(notification(atom()))
    first, second = world.api("GET", "/api/v1/webhook-events", query={"order": "asc"})[1]["webhook_events"]
    assert (first["repeat_of"], second["repeat_of"]) == (None, first["id"])
