"""The Ingestion API: keys, subscriptions, and the statuses and error bodies of its document."""

import json

import pytest

from showrunner.database import db
from tests.feed.ingestion import CALLBACK, CHANNEL, KEY, OTHER, http

NEW = {"channel_id": CHANNEL, "callback_url": CALLBACK}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_api_key": "wrong"},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {KEY}"},
        {"x_api_key": ""},
    ],
)
def test_a_call_without_a_key_is_401_with_the_documented_body(world, headers):
    assert world.api("GET", "/api/v1/videos", key=None, **headers) == (401, {"error": "Unauthorized"})


def test_a_key_is_accepted_in_either_header(world):
    assert world.api("GET", "/api/v1/videos")[0] == 200
    assert world.api("GET", "/api/v1/videos", key=None, authorization=f"Bearer {KEY}")[0] == 200


def test_an_expired_key_or_one_with_another_scope_is_refused(world, tx):
    db.run(tx, "UPDATE access.api_keys SET expires_at = now()")
    assert world.api("GET", "/api/v1/videos")[0] == 401
    db.run(tx, "UPDATE access.api_keys SET expires_at = NULL, scopes = '{videos:read}'")
    assert world.api("GET", "/api/v1/videos")[0] == 401


def test_health_is_public(world):
    status, body = world.api("GET", "/health", key=None)
    assert (status, body["status"]) == (200, "ok")


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/openapi.json", "application/json"), ("/docs", "text/html"), ("/docs/swagger-ui.css", "text/css")],
)
def test_the_openapi_document_and_its_page_are_public(world, served_documents, path, kind):
    from functions.feed import app as feed

    answer = feed.handler(http("GET", path), None)

    assert (answer["statusCode"], answer["headers"]["content-type"].partition(";")[0]) == (200, kind)
    assert answer["body"].strip()


def test_unknown_paths_and_methods_have_the_documented_body(world):
    assert world.api("GET", "/api/v1/nothing")[1]["error"] == "not found"
    assert world.api("PATCH", "/api/v1/videos")[0] == 405


def test_a_new_subscription_is_pending_and_shows_its_secret_once(world):
    status, body = world.api("POST", "/api/v1/subscriptions", {**NEW, "secret": "my-webhook-secret"})
    assert status == 201
    assert body | {"id": 0, "created_at": "", "updated_at": ""} == {
        "id": 0,
        "channel_id": CHANNEL,
        "topic_url": f"https://www.youtube.com/xml/feeds/videos.xml?channel_id={CHANNEL}",
        "callback_url": CALLBACK,
        "hub_url": "https://pubsubhubbub.appspot.com/subscribe",
        "lease_seconds": 432_000,
        "expires_at": None,
        "status": "pending",
        "secret": "my-webhook-secret",
        "last_verified_at": None,
        "created_at": "",
        "updated_at": "",
        "failure": None,
        "last_push_at": None,
    }
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


def test_an_invalid_channel_id_has_the_documented_error(world):
    assert world.api("POST", "/api/v1/subscriptions", {**NEW, "channel_id": "invalid-id"}) == (
        400,
        {
            "error": "validation failed",
            "message": "invalid channel_id format (must start with 'UC' followed by 22 characters)",
            "details": {"field": "channel_id", "value": "invalid-id"},
        },
    )


BAD_CALLBACKS = [
    "",
    "no address",
    "http://ingest.example.com/webhook",
    "https://evil.example/webhook",
    "https://ingest.example.com.evil.example/webhook",
    "https://ingest.example.com@evil.example/webhook",
    "https://user:pass@ingest.example.com/webhook",
    "https://ingest.example.com/webhookx",
    "https://ingest.example.com/other",
    "https://ingest.example.com/webhook/../other",
    "https://ingest.example.com/webhook/%2e%2e/other",
    "https://ingest.example.com/webhook#x",
    "https://ingest.example.com:444/webhook",
    "https://ingest.example.com\\@evil.example/webhook",
    "https://ingest.example.com/web hook",
    "ftp://ingest.example.com/webhook",
    "https:///webhook",
    "//ingest.example.com/webhook",
    "javascript:alert(1)",
    "https://169.254.169.254/latest",
    "http://127.0.0.1:9999/",
    "https://ingest.example.com:99999/webhook",
    "https://[::1/webhook",
    "https://ingést.example.com/webhook",
]


@pytest.mark.parametrize("callback", BAD_CALLBACKS)
def test_a_callback_outside_the_list_is_400(world, callback):
    status, body = world.api("POST", "/api/v1/subscriptions", {**NEW, "callback_url": callback})
    assert (status, body["error"]) == (400, "validation failed")


@pytest.mark.parametrize(
    "callback",
    [CALLBACK, f"{CALLBACK}/", f"{CALLBACK}/deeper", f"{CALLBACK}?tenant=a", "http://127.0.0.1:8300/webhook"],
)
def test_callbacks_under_a_listed_address_are_accepted(world, callback):
    assert world.api("POST", "/api/v1/subscriptions", {**NEW, "callback_url": callback})[0] == 201


@pytest.mark.parametrize(
    "change",
    [
        {"lease_seconds": 0},
        {"lease_seconds": -1},
        {"lease_seconds": 864_001},
        {"lease_seconds": "432000"},
        {"lease_seconds": 1.5},
        {"lease_seconds": True},
        {"secret": ""},
        {"secret": "x" * 200},
        {"secret": "é" * 100},
        {"secret": 1},
        {"channel_id": None},
        {"channel_id": 1},
        {"channel_id": CHANNEL + "a"},
        {"channel_id": CHANNEL + "\n"},
        {"channel_id": "UC" + "ä" * 22},
        {"unknown": 1},
    ],
)
def test_undocumented_fields_are_400(world, change):
    assert world.api("POST", "/api/v1/subscriptions", {**NEW, **change})[0] == 400


def test_the_secret_is_never_in_an_error(world):
    assert "hush-hush" not in json.dumps(
        world.api("POST", "/api/v1/subscriptions", {**NEW, "secret": "hush-hush" * 30})
    )


def test_subscriptions_are_listed_by_channel_and_status(world):
    for channel in (CHANNEL, OTHER):
        world.api("POST", "/api/v1/subscriptions", {**NEW, "channel_id": channel})
    assert world.api("GET", "/api/v1/subscriptions")[1]["count"] == 2
    assert world.api("GET", "/api/v1/subscriptions", query={"status": "active"})[1]["count"] == 0
    assert (
        world.api("GET", "/api/v1/subscriptions", query={"status": "pending", "channel_id": OTHER})[1][
            "count"
        ]
        == 1
    )
    assert world.api("GET", "/api/v1/subscriptions", query={"channel_id": "UCx"})[0] == 400


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
def test_missing_objects_have_the_documented_404(world, path, message):
    assert world.api("GET", f"/api/v1/{path}") == (404, {"error": "not found", "message": message})
