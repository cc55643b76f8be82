"""The stand-ins for YouTube, Google's sign-in, the hub and Pexels refuse what the real services refuse."""

import html
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from local.platforms import discovery, pexels, youtube
from local.platforms.server import World, server

CHANNEL = "UC" + "a" * 22


@pytest.fixture
def world() -> World:
    world = World(channels={CHANNEL: {"title": "Depths", "handle": "depths"}})
    world.videos["vid00000001"] = {
        "channel_id": CHANNEL,
        "title": "Cables",
        "published_at": "2026-11-20T08:00:00Z",
    }
    world.photographs.photos = [{"id": 7, "photographer": "Ada"}]
    return world


@pytest.fixture
def address(world: World) -> Iterator[str]:
    serving = server(world, 0)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()


def get(url: str, data: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Status and body, errors included."""
    request = urllib.request.Request(
        url, data, {name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def call(address: str, path: str, key: str = "local", **query: str) -> tuple[int, Any]:
    status, body = get(f"{address}/youtube/v3/{path}?{urllib.parse.urlencode(query)}", X_Goog_Api_Key=key)
    return status, json.loads(body)


def test_the_mailbox_shows_the_newest_emails_with_their_links(
    world: World, address: str, tmp_path: Path
) -> None:
    assert b"No email has been sent yet" in get(f"{address}/mailbox")[1]

    world.outbox = tmp_path
    link = "http://127.0.0.1:8000/reset?token=a&b=1"
    for second, subject in enumerate(("first", "zweite <b>Grüße</b>")):
        message = EmailMessage()
        message["To"], message["From"], message["Subject"] = "ada@example.com", "us@example.com", subject
        message.set_content(f"Hello,\n\n{link}\n")
        message.add_alternative(f"<p>{link}</p>", subtype="html")
        (tmp_path / f"20261129T02000{second}Z-00000{second}.eml").write_bytes(bytes(message))

    page = get(f"{address}/mailbox")[1].decode()
    assert page.index("zweite &lt;b&gt;Grüße") < page.index("first")
    shown = get(f"{address}/mailbox/20261129T020001Z-000001.eml")[1].decode()
    assert f'<a href="{html.escape(link)}">' in shown
    assert get(f"{address}/mailbox/..%2Fkeys")[0] == get(f"{address}/mailbox/none.eml")[0] == 404


CALLS = [
    ("channels", {"part": "snippet,contentDetails,statistics", "id": CHANNEL}),
    ("videos", {"part": "snippet,contentDetails,statistics", "id": "vid00000001"}),
    ("playlistItems", {"part": "snippet,contentDetails", "playlistId": "UU" + "a" * 22}),
]


@pytest.mark.parametrize(("path", "query"), CALLS)
def test_responses_have_only_fields_of_the_discovery_document(
    address: str, path: str, query: dict[str, str]
) -> None:
    status, body = call(address, path, **query)

    method = discovery.method("youtube.v3", "GET", f"youtube/v3/{path}")
    assert status == 200
    conforms(body, discovery.document("youtube.v3")["schemas"][method["response"]["$ref"]])


def conforms(value: Any, schema: dict[str, Any]) -> None:
    """Every field is declared, and of the declared kind."""
    schemas = discovery.document("youtube.v3")["schemas"]
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    if schema["type"] == "object":
        for name, each in value.items():
            assert name in schema["properties"], name
            conforms(each, schema["properties"][name])
    elif schema["type"] == "array":
        for each in value:
            conforms(each, schema["items"])
    else:
        assert isinstance(
            value, {"string": str, "integer": int, "boolean": bool, "number": float}[schema["type"]]
        )


def test_a_list_of_channels_is_cut_to_five_unless_it_asks_for_more(world: World, address: str) -> None:
    world.seeded = True
    ids = ",".join(f"UC{number:022}" for number in range(50))

    few = call(address, "channels", part="statistics", id=ids)[1]["items"]
    all_ = call(address, "channels", part="statistics", id=ids, maxResults="50")[1]["items"]
    status, body = call(address, "channels", part="statistics", id=f"{ids},UC{'x' * 22}", maxResults="50")

    assert (len(few), len(all_)) == (5, 50)
    assert all(int(each["statistics"]["viewCount"]) > 0 for each in all_)
    assert (status, body["error"]["errors"][0]["reason"]) == (400, "invalidFilters")


def test_only_the_requested_parts_are_returned(address: str) -> None:
    _, body = call(address, "videos", part="statistics", id="vid00000001")

    assert set(body["items"][0]) == {"kind", "etag", "id", "statistics"}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"id": "x"}, "missingRequiredParameter"),
        ({"part": "snippet", "id": "x", "colour": "red"}, "badRequest"),
        ({"part": "nonsense", "id": "x"}, "unknownPart"),
        ({"part": "snippet"}, "missingRequiredParameter"),
        ({"part": "snippet", "id": ",".join(["x"] * 51)}, "invalidFilters"),
        ({"part": "snippet", "id": "x", "maxResults": "500"}, "invalidParameter"),
    ],
)
def test_calls_are_checked_against_the_discovery_document(
    address: str, query: dict[str, str], reason: str
) -> None:
    status, body = call(address, "videos", **query)

    assert (status, body["error"]["errors"][0]["reason"]) == (400, reason)


def test_a_wrong_key_gets_both_generations_of_the_error(address: str) -> None:
    status, body = call(address, "videos", "wrong", part="snippet", id="x")

    assert (status, body["error"]["status"], body["error"]["details"][0]["reason"]) == (
        400,
        "INVALID_ARGUMENT",
        "API_KEY_INVALID",
    )


def test_the_days_quota_ends_calls(world: World, address: str) -> None:
    world.quota = 1
    call(address, "videos", part="snippet", id="x")

    status, body = call(address, "videos", part="snippet", id="x")

    assert (status, body["error"]["errors"][0]["reason"]) == (403, "quotaExceeded")


def test_mine_needs_an_access_token(address: str) -> None:
    assert call(address, "channels", part="snippet", mine="true")[0] == 401


def test_outcomes_are_scripted_over_http_and_unknown_ones_refused(address: str) -> None:
    known, unknown = (
        json.dumps({"outcomes": [{"outcome": name}]}).encode() for name in ("daily_quota_new", "nonsense")
    )

    assert get(f"{address}/_state", known)[0] == 200
    assert get(f"{address}/_state", unknown)[0] == 400
    assert call(address, "videos", part="snippet", id="x")[0] == 429


def test_every_outcome_of_youtube_has_an_error() -> None:
    assert set(World().outcomes.names) == {*youtube.ERRORS, "bad_gateway"}


@pytest.mark.parametrize(
    "form",
    [
        {"hub.mode": "listen", "hub.topic": "https://t", "hub.callback": "https://c"},
        {"hub.mode": "subscribe", "hub.topic": "t", "hub.callback": "https://c"},
        {"hub.mode": "subscribe", "hub.topic": "https://t"},
        {
            "hub.mode": "subscribe",
            "hub.topic": "https://t",
            "hub.callback": "https://c",
            "hub.secret": "s" * 200,
        },
    ],
)
def test_the_hub_refuses_malformed_requests(address: str, form: dict[str, str]) -> None:
    assert get(f"{address}/subscribe", urllib.parse.urlencode(form).encode())[0] == 400


@pytest.mark.parametrize("agent", ["", "python-requests/2.34.2", "Python-urllib/3.13", "curl/8.0"])
@pytest.mark.parametrize("path", ["/v1/search?query=sea", "/photos/7/pexels-photo-7.jpeg"])
def test_pexels_edge_refuses_scripts_in_html(address: str, agent: str, path: str) -> None:
    status, body = get(f"{address}{path}", User_Agent=agent, Authorization=pexels.KEY)

    assert (status, body[:9]) == (403, b"<!doctype")


def search(address: str, key: str = pexels.KEY, **query: str) -> tuple[int, Any]:
    status, body = get(
        f"{address}/v1/search?{urllib.parse.urlencode(query)}", User_Agent="showrunner/1.0", Authorization=key
    )
    return status, json.loads(body)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"query": "sea", "orientation": "tall"}, 400),
        ({"query": "sea", "per_page": "81"}, 400),
        ({"query": "sea", "colour": "red"}, 400),
    ],
)
def test_pexels_checks_its_parameters(address: str, query: dict[str, str], status: int) -> None:
    assert search(address, **query)[0] == status


def test_pexels_checks_the_key_and_gives_all_sizes(address: str) -> None:
    assert search(address, "wrong", query="sea")[0] == 401

    status, body = search(address, query="sea", orientation="portrait")

    assert status == 200
    assert set(body["photos"][0]["src"]) == {
        "original",
        "large2x",
        "large",
        "medium",
        "small",
        "portrait",
        "landscape",
        "tiny",
    }
