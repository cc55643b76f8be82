"""The Ingestion API: the document's fields, statuses and error bodies, its keys, lists and from-url, and its OpenAPI held against it."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from showrunner import db
from showrunner.store import feed_lists
from tests.conftest import ROOT
from tests.feed.ingestion import CALLBACK, CHANNEL, KEY, OTHER, atom, http, notification, tombstone

NEW = {"channel_id": CHANNEL, "callback_url": CALLBACK}


# ------------------------------------------------------------------------------------------------ Keys


@pytest.mark.parametrize("headers", [{}, {"x_api_key": "wrong"}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {KEY}"}, {"x_api_key": ""}])
def test_without_a_key_the_answer_is_401_with_the_documents_body(world, headers):
    assert world.api("GET", "/api/v1/videos", key=None, **headers) == (401, {"error": "Unauthorized"})


def test_a_key_opens_by_either_header(world):
    assert world.api("GET", "/api/v1/videos")[0] == 200
    assert world.api("GET", "/api/v1/videos", key=None, authorization=f"Bearer {KEY}")[0] == 200


def test_a_key_that_has_expired_or_has_another_scope_does_not_open(world, tx):
    db.run(tx, "UPDATE access.api_keys SET expires_at = now()")
    assert world.api("GET", "/api/v1/videos")[0] == 401
    db.run(tx, "UPDATE access.api_keys SET expires_at = NULL, scopes = '{videos:read}'")
    assert world.api("GET", "/api/v1/videos")[0] == 401


def test_health_is_public(world):
    status, body = world.api("GET", "/health", key=None)
    assert (status, body["status"]) == (200, "ok")


@pytest.mark.parametrize(("path", "kind"), [("/openapi.json", "application/json"), ("/docs", "text/html"), ("/docs/style.css", "text/css")])
def test_the_document_is_public_and_a_page_for_people_too(world, path, kind):
    from functions.feed import app as feed

    answer = feed.handler(http("GET", path), None)

    assert (answer["statusCode"], answer["headers"]["content-type"].partition(";")[0]) == (200, kind)
    assert answer["body"].strip()


def test_unknown_paths_and_methods_have_the_documents_body(world):
    assert world.api("GET", "/api/v1/nothing")[1]["error"] == "not found"
    assert world.api("PATCH", "/api/v1/videos")[0] == 405


# ------------------------------------------------------------------------------------------------ Subscriptions


def test_a_subscription_is_pending_with_the_documents_fields_and_tells_its_secret_once(world):
    status, body = world.api("POST", "/api/v1/subscriptions", {**NEW, "secret": "my-webhook-secret"})
    assert status == 201
    assert body | {"id": 0, "created_at": "", "updated_at": ""} == {
        "id": 0, "channel_id": CHANNEL, "topic_url": f"https://www.youtube.com/xml/feeds/videos.xml?channel_id={CHANNEL}", "callback_url": CALLBACK,
        "hub_url": "https://pubsubhubbub.appspot.com/subscribe", "lease_seconds": 432_000, "expires_at": None, "status": "pending",
        "secret": "my-webhook-secret", "last_verified_at": None, "created_at": "", "updated_at": "", "failure": None, "last_push_at": None,
    }  # fmt: skip
    status, page = world.api("GET", "/api/v1/subscriptions", query={"channel_id": CHANNEL})
    assert (status, page["count"], page["subscriptions"][0]["id"]) == (200, 1, body["id"])
    assert "secret" not in page["subscriptions"][0]


def test_the_same_channel_and_callback_twice_is_409(world):
    assert world.api("POST", "/api/v1/subscriptions", NEW)[0] == 201
    assert world.api("POST", "/api/v1/subscriptions", NEW) == (
        409,
        {"error": "conflict", "message": "subscription already exists for this channel and callback URL"},
    )
    assert world.api("POST", "/api/v1/subscriptions", {**NEW, "callback_url": f"{CALLBACK}/other"})[0] == 201


def test_a_channel_id_that_is_none_is_refused_in_the_documents_words(world):
    assert world.api("POST", "/api/v1/subscriptions", {**NEW, "channel_id": "invalid-id"}) == (
        400,
        {
            "error": "validation failed",
            "message": "invalid channel_id format (must start with 'UC' followed by 22 characters)",
            "details": {"field": "channel_id", "value": "invalid-id"},
        },
    )


BAD_CALLBACKS = [
    "", "no address", "http://ingest.example.com/webhook", "https://evil.example/webhook", "https://ingest.example.com.evil.example/webhook",
    "https://ingest.example.com@evil.example/webhook", "https://user:pass@ingest.example.com/webhook", "https://ingest.example.com/webhookx",
    "https://ingest.example.com/other", "https://ingest.example.com/webhook/../other", "https://ingest.example.com/webhook/%2e%2e/other",
    "https://ingest.example.com/webhook#x", "https://ingest.example.com:444/webhook", "https://ingest.example.com\\@evil.example/webhook",
    "https://ingest.example.com/web hook", "ftp://ingest.example.com/webhook", "https:///webhook", "//ingest.example.com/webhook", "javascript:alert(1)",
    "https://169.254.169.254/latest", "http://127.0.0.1:9999/", "https://ingest.example.com:99999/webhook", "https://[::1/webhook", "https://ingést.example.com/webhook",
]  # fmt: skip


@pytest.mark.parametrize("callback", BAD_CALLBACKS)
def test_a_callback_that_is_not_ours_is_400(world, callback):
    status, body = world.api("POST", "/api/v1/subscriptions", {**NEW, "callback_url": callback})
    assert (status, body["error"]) == (400, "validation failed")


@pytest.mark.parametrize("callback", [CALLBACK, f"{CALLBACK}/", f"{CALLBACK}/deeper", f"{CALLBACK}?tenant=a", "http://127.0.0.1:8300/webhook"])
def test_callbacks_under_a_listed_address_are_taken(world, callback):
    assert world.api("POST", "/api/v1/subscriptions", {**NEW, "callback_url": callback})[0] == 201


@pytest.mark.parametrize(
    "change",
    [
        {"lease_seconds": 0}, {"lease_seconds": -1}, {"lease_seconds": 864_001}, {"lease_seconds": "432000"}, {"lease_seconds": 1.5}, {"lease_seconds": True},
        {"secret": ""}, {"secret": "x" * 200}, {"secret": "é" * 100}, {"secret": 1}, {"channel_id": None}, {"channel_id": 1},
        {"channel_id": CHANNEL + "a"}, {"channel_id": CHANNEL + "\n"}, {"channel_id": "UC" + "ä" * 22}, {"unknown": 1},
    ],
)  # fmt: skip
def test_fields_outside_the_document_are_400(world, change):
    assert world.api("POST", "/api/v1/subscriptions", {**NEW, **change})[0] == 400


def test_the_secret_is_never_in_an_error(world):
    assert "hush-hush" not in json.dumps(world.api("POST", "/api/v1/subscriptions", {**NEW, "secret": "hush-hush" * 30}))


def test_subscriptions_are_listed_with_and_without_a_channel_and_by_status(world):
    for channel in (CHANNEL, OTHER):
        world.api("POST", "/api/v1/subscriptions", {**NEW, "channel_id": channel})
    assert world.api("GET", "/api/v1/subscriptions")[1]["count"] == 2
    assert world.api("GET", "/api/v1/subscriptions", query={"status": "active"})[1]["count"] == 0
    assert world.api("GET", "/api/v1/subscriptions", query={"status": "pending", "channel_id": OTHER})[1]["count"] == 1
    assert world.api("GET", "/api/v1/subscriptions", query={"channel_id": "UCx"})[0] == 400


# ------------------------------------------------------------------------------------------------ Lists


@pytest.fixture
def filled(world):
    """Thirty videos of two channels, one renamed, one deleted."""
    messages = []
    for number in range(30):
        channel, name = (CHANNEL, "Channel a") if number % 3 else (OTHER, "Channel b")
        title = f"Video {number:02d} {'cat_1' if number % 10 == 0 else 'dog'}{' 東京の夜' if number % 15 == 0 else ''}"
        day = f"2026-11-{number % 20 + 1:02d}T00:00:00Z"
        messages.append(notification(atom(f"vid{number:08d}", title, channel, f"2026-11-20T08:{number:02d}:00Z", published=day, name=name), channel=channel))
    messages.append(notification(atom("vid00000001", "Renamed", updated="2026-11-20T10:00:00Z", published="2026-11-02T00:00:00Z", name="Channel a")))
    messages.append(notification(tombstone("vid00000002")))
    messages += [notification(b"<broken"), notification(b"<broken too")]
    world.notify(*messages)
    return world


def test_lists_have_the_documents_shape(filled):
    status, page = filled.api("GET", "/api/v1/videos", query={"limit": "2"})
    assert status == 200
    assert {"videos", "count", "total", "limit", "offset", "total_relation", "next_cursor"} == set(page)
    assert (page["count"], page["total"], page["total_relation"], page["limit"], page["offset"]) == (2, 30, "eq", 2, 0)
    assert {"video_id", "channel_id", "title", "video_url", "published_at", "first_seen_at", "last_updated_at", "created_at", "updated_at"} <= set(
        page["videos"][0]
    )
    assert page["videos"][0]["published_at"] == "2026-11-20T00:00:00.000000Z"
    event = filled.api("GET", "/api/v1/webhook-events", query={"limit": "1"})[1]["webhook_events"][0]
    names = {"id", "raw_xml", "content_hash", "received_at", "processed", "processed_at", "processing_error", "video_id", "channel_id", "created_at"}
    assert names <= set(event)
    update = filled.api("GET", "/api/v1/video-updates", query={"limit": "1"})[1]["video_updates"][0]
    assert set(update) == {
        "id", "webhook_event_id", "video_id", "channel_id", "title", "published_at", "feed_updated_at", "update_type", "created_at",
    }  # fmt: skip
    channel = filled.api("GET", "/api/v1/channels", query={"limit": "1"})[1]["channels"][0]
    assert set(channel) == {"channel_id", "title", "channel_url", "first_seen_at", "last_updated_at", "created_at", "updated_at"}


@pytest.mark.parametrize(
    ("path", "plural", "key", "orders"),
    [
        ("videos", "videos", "video_id", ["published_at", "video_id", "title", "first_seen_at", "last_updated_at", "created_at", "updated_at"]),
        ("channels", "channels", "channel_id", ["channel_id", "title", "last_updated_at", "first_seen_at"]),
        ("webhook-events", "webhook_events", "id", ["received_at", "created_at", "processed_at", "id"]),
        ("video-updates", "video_updates", "id", ["created_at", "published_at", "feed_updated_at", "id"]),
    ],
)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_by_offset_and_by_cursor_are_the_same_and_miss_nothing(filled, path, plural, key, orders, order):
    for order_by in orders:
        query = {"order_by": order_by, "order": order}
        whole = [row[key] for row in filled.api("GET", f"/api/v1/{path}", query={**query, "limit": "1000"})[1][plural]]
        assert len(whole) == len(set(whole))
        offsets, cursors, cursor = [], [], None
        while True:
            page = filled.api("GET", f"/api/v1/{path}", query={**query, "limit": "7", **({"cursor": cursor} if cursor else {})})[1]
            cursors += [row[key] for row in page[plural]]
            offsets += [row[key] for row in filled.api("GET", f"/api/v1/{path}", query={**query, "limit": "7", "offset": str(len(offsets))})[1][plural]]
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
def test_filters_narrow_what_is_listed(filled, path, query, count):
    status, page = filled.api("GET", f"/api/v1/{path}", query={**query, "limit": "1000"})
    assert (status, page["count"], page["total"]) == (200, count, count)


def searched(world, title, **query):
    """(titles of all pages, the relation of each page's total, the last total) by cursor."""
    titles, relations, cursor, total = [], [], None, 0
    for _ in range(100):
        page = world.api("GET", "/api/v1/videos", query={"title": title, **query, **({"cursor": cursor} if cursor else {})})[1]
        titles += [row["title"] for row in page["videos"]]
        relations.append(page["total_relation"])
        cursor, total = page["next_cursor"], page["total"]
        if cursor is None:
            return titles, relations, total
    raise AssertionError("the cursor never ends")


# How many rows a walk looks through before something else is tried; 30 rows are there.
@pytest.mark.parametrize(("glance", "walk"), [(2_000, 10_000), (5, 7), (30, 30), (29, 31), (1, 1)])
@pytest.mark.parametrize(
    ("title", "count"),
    [("dog", 26), ("cat_1", 3), ("cat", 3), ("do", 26), ("g", 26), ("1", 13), ("zzz", 0), ("zz", 0), ("renamed", 1), ("東京の夜", 2), ("東京", 2)],
)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_title_search_finds_the_same_whichever_way_it_takes(filled, monkeypatch, glance, walk, title, count, order):
    monkeypatch.setattr(feed_lists, "_estimate", lambda _tx, _what: 30)  # what ANALYZE would tell, which functions may not run
    monkeypatch.setattr(feed_lists, "GLANCE", glance)  # the true bounds would take tens of thousands of rows to reach
    monkeypatch.setattr(feed_lists, "WALK", walk)
    whole = [row["title"] for row in filled.api("GET", "/api/v1/videos", query={"limit": "1000", "order": order})[1]["videos"] if title in row["title"].lower()]
    titles, relations, total = searched(filled, title, limit="10", order=order)
    assert titles == whole
    assert len(whole) == count
    assert relations[-1] != "eq" or total == count


def test_a_short_title_that_no_index_knows_is_searched_step_by_step(filled, monkeypatch):
    monkeypatch.setattr(feed_lists, "WALK", 10)
    page = filled.api("GET", "/api/v1/videos", query={"title": "t_"})[1]
    assert (page["count"], page["total_relation"]) == (1, "gte")
    assert page["next_cursor"]
    status, body = filled.api("GET", "/api/v1/videos", query={"title": "t_", "offset": "5"})
    assert (status, body["details"]["field"]) == (400, "offset")


def test_a_search_that_takes_too_long_is_stopped_and_said_to(filled, monkeypatch, tx):
    monkeypatch.setattr(feed_lists, "SEARCH_MS", 1)
    db.run(tx, "CREATE FUNCTION pg_temp.slow(text) RETURNS text LANGUAGE sql AS $$ SELECT $1 FROM pg_sleep(0.2) $$")
    monkeypatch.setattr(feed_lists, "VIDEOS", feed_lists.VIDEOS._replace(always="pg_temp.slow(t.title) IS NOT NULL"))
    status, body = filled.api("GET", "/api/v1/videos", query={"title": "dog"})
    assert (status, body["error"]) == (503, "service unavailable")
    assert "narrow" in body["message"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"limit": "-1"}, {"offset": "-1"}, {"offset": "10001"}, {"offset": "9999", "limit": "50"},
        {"order": "up"}, {"order_by": "raw_xml"}, {"order_by": "title;drop"}, {"cursor": "x"}, {"cursor": "bm90aGluZw"}, {"cursor": "!"}, {"unknown": "1"},
        {"title": ""}, {"published_after": "yesterday"}, {"published_after": "2026-13-01"}, {"title": "a\x00b"},
    ],
)  # fmt: skip
def test_lists_refuse_what_the_document_does_not_know(world, query):
    status, body = world.api("GET", "/api/v1/videos", query=query)
    assert (status, body["error"]) == (400, "validation failed")


def test_a_depth_beyond_the_bound_names_the_cursor(world):
    assert "cursor" in world.api("GET", "/api/v1/videos", query={"offset": "9999", "limit": "50"})[1]["message"]


def test_a_cursor_serves_its_own_list_and_order_only(filled):
    cursor = filled.api("GET", "/api/v1/videos", query={"limit": "2"})[1]["next_cursor"]
    assert filled.api("GET", "/api/v1/channels", query={"cursor": cursor})[0] == 400
    assert filled.api("GET", "/api/v1/videos", query={"cursor": cursor, "order": "asc"})[0] == 400
    assert filled.api("GET", "/api/v1/videos", query={"cursor": cursor, "offset": "5"})[0] == 400


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("videos/dQw4w9WgXcQ", "video with id 'dQw4w9WgXcQ' not found"),
        (f"channels/{CHANNEL}", f"channel with id '{CHANNEL}' not found"),
        ("webhook-events/1234567", "webhook event with id 1234567 not found"),
        ("webhook-events/x", "webhook event with id 'x' not found"),
        ("subscriptions/999999999999999999999", "subscription with id '999999999999999999999' not found"),
    ],
)
def test_what_is_not_there_is_404_in_the_documents_words(world, path, message):
    assert world.api("GET", f"/api/v1/{path}") == (404, {"error": "not found", "message": message})


@pytest.mark.parametrize(("limit", "character"), [("50", b"x"), ("1000", b'"'), ("50", b"\xff"), ("1000", b"\x01")])
def test_a_page_of_large_events_ends_before_it_is_too_large_to_be_answered(world, limit, character):
    """A function answers with 6 MB at most, its JSON once more within JSON."""
    from functions.feed import app

    world.notify(*(notification(character * (200_000 + number)) for number in range(40)))
    found, query = [], {"limit": limit, "order_by": "id"}
    while True:
        answer = app.handler(http("GET", "/api/v1/webhook-events", query=query, x_api_key=KEY), None)
        assert len(json.dumps(answer, ensure_ascii=False).encode()) < 6_000_000
        page = json.loads(answer["body"])
        assert page["count"] == len(page["webhook_events"]) > 0
        assert page["total"] == 40
        found += [row["id"] for row in page["webhook_events"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == sorted(set(found), reverse=True)
    assert len(found) == 40


def test_repeats_name_the_event_that_they_repeat(world):
    world.notify(notification(atom()))
    world.notify(notification(atom()))
    first, second = world.api("GET", "/api/v1/webhook-events", query={"order": "asc"})[1]["webhook_events"]
    assert (first["repeat_of"], second["repeat_of"]) == (None, first["id"])


# ------------------------------------------------------------------------------------------------ The document


def test_the_document_is_what_the_code_declares():
    from local import openapi

    assert openapi.INGESTION_TARGET.read_text() == openapi.ingestion_text(), "python -m local.openapi writes it anew"


def wsgi(environ, start_response):
    headers = {name[5:].lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) if environ.get("CONTENT_LENGTH") else None
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    from urllib.parse import parse_qsl

    from functions.feed import app as feed
    from functions.websub import app as websub

    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    event = http(environ["REQUEST_METHOD"], path, raw, query, **headers)
    answer = (websub if path.startswith("/webhook") else feed).handler(event, None)
    start_response(f"{answer['statusCode']} -", list(answer["headers"].items()))
    return [answer["body"].encode()]


document = ROOT / "functions/feed/openapi.json"
schema = schemathesis.openapi.from_dict(json.loads(document.read_text()), config=SchemathesisConfig())
schema.app = wsgi
CHECKS = [
    *(not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance),
    *(negative_data_rejection, unsupported_method, ignored_auth),
]


def hold(case, world):
    if case.meta.generation.mode is GenerationMode.POSITIVE and isinstance(case.body, dict):
        if "callback_url" in case.body:
            case.body["callback_url"] = CALLBACK
        if "url" in case.body:
            case.body["url"] = "https://www.youtube.com/"
    # A callback, an address, a cursor and a secret have rules that no schema tells.
    checks = CHECKS
    if case.method == "POST" and case.path.endswith(("subscriptions", "from-url", "renew")):
        checks = [check for check in CHECKS if check is not negative_data_rejection]
    case.call_and_validate(checks=checks, headers={"X-API-Key": KEY} if not case.path.startswith("/webhook") else {})


@schema.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_is_what_its_document_says(case, world):
    hold(case, world)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@schema.parametrize()
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_is_what_its_document_says_at_length(case, world):
    hold(case, world)
