"""Lists of videos: pages, order and filters."""

import json
import uuid

import pytest

from showrunner.database import db
from tests.videos.calls import fields, order


def walk(client, query):
    seen, cursor = [], None
    while True:
        response = client("GET", f"/api/v1/videos?{query}" + (f"&cursor={cursor}" if cursor else ""))
        assert response.status == 200, response
        seen += response.body["videos"]
        cursor = response.body["pagination"]["next_cursor"]
        if cursor is None:
            return seen


@pytest.mark.parametrize(
    "sort",
    [
        "-created_at",
        "created_at",
        "title,-created_at",
        "-priority,title,created_at",
        "status",
        "-duration_seconds",
    ],
)
def test_pages_by_cursor_show_every_video_once_in_order(client, many, sort):
    whole = [each["id"] for each in client("GET", f"/api/v1/videos?limit=100&sort={sort}").body["videos"]]

    for limit in (1, 4, 7, 25):
        assert [each["id"] for each in walk(client, f"limit={limit}&sort={sort}")] == whole
    numbered = [
        each["id"]
        for page in (1, 2, 3)
        for each in client("GET", f"/api/v1/videos?limit=10&page={page}&sort={sort}").body["videos"]
    ]
    assert numbered == whole


def test_a_list_is_newest_first_with_the_documented_pagination(client, many):
    response = client("GET", "/api/v1/videos?limit=10")

    created = [each["created_at"] for each in response.body["videos"]]
    assert created == sorted(created, reverse=True)
    pagination = response.body["pagination"]
    assert {name: pagination[name] for name in ("limit", "page", "total", "total_relation")} == {
        "limit": 10,
        "page": 1,
        "total": 25,
        "total_relation": "eq",
    }
    assert (
        client("GET", f"/api/v1/videos?cursor={pagination['next_cursor']}").body["pagination"]["total"] == 25
    )


def test_titles_are_sorted_whatever_their_capitals(client, many, tx):
    db.run(tx, "UPDATE studio.videos SET title = (ARRAY['zebra', 'Yak', 'apple', 'Bee'])[1 + priority % 4]")

    titles = [each["title"] for each in client("GET", "/api/v1/videos?limit=100&sort=title").body["videos"]]

    assert len(set(titles)) > 1
    assert titles == sorted(titles, key=str.lower)


def test_filters_select_videos(client, many, channel_id):
    def count(query):
        return client("GET", f"/api/v1/videos?limit=100&{query}").body["pagination"]["total"]

    assert count("status=failed") == 13
    assert count(f"channel_id={channel_id}") == 25
    assert count(f"channel_id={uuid.uuid4()}") == 0
    assert count("date_from=2026-01-01T00:04:00Z") == 5
    assert count("date_to=2026-01-01T00:01:00%2B00:00") == 5
    assert count("date_from=2026-01-02") == 0
    assert len(walk(client, "status=completed&limit=5")) == 12


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("page=0", "page"),
        ("page=501", "page"),
        ("cursor=abc", "cursor"),
        ("cursor=W10", "cursor"),
        ("sort=colour", "sort"),
        ("sort=title,title", "sort"),
        ("status=sleeping", "status"),
        ("date_from=yesterday", "date_from"),
        ("date_from=2026-02-30", "date_from"),
        ("colour=red", "colour"),
    ],
)
def test_the_error_of_an_invalid_query_names_its_field(client, many, query, field):
    response = client("GET", f"/api/v1/videos?{query}")

    assert (response.status, fields(response)) == (400, [field])


def test_a_changed_cursor_is_refused(client, many):
    import base64

    def cursor(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    number = str(uuid.uuid4())
    tampered = [
        *(
            7,
            None,
            {},
            "x",
            ["-created_at,-id", ["2026-01-01"], 3],
            ["-created_at,-id", ["soon", number], 3],
            ["-created_at,-id", ["2026-01-01", "7"], 3],
        ),
        *(
            ["-created_at,-id", ["2026-01-01", number], "3"],
            ["colour", ["x"], 1],
            [["a"], [], 1],
            ["-created_at,-id", ["2026-01-01", number], -1],
        ),
    ]
    for value in tampered:
        response = client("GET", f"/api/v1/videos?cursor={cursor(value)}")
        assert (response.status, fields(response)) == (400, ["cursor"]), value
    good = client("GET", "/api/v1/videos?limit=2").body["pagination"]["next_cursor"]
    assert fields(client("GET", f"/api/v1/videos?cursor={good}&sort=title")) == ["cursor"]
    assert fields(client("GET", f"/api/v1/videos?cursor={good}&page=2")) == ["page"]


def test_videos_are_filtered_by_who_ordered_them(client, channel_id, service):
    mine = client("POST", "/api/v1/videos/generate", order(channel_id)).body["video_id"]

    found = client("GET", "/api/v1/videos?created_by=service:test").body["videos"]

    assert [(each["id"], each["created_by"]) for each in found] == [(mine, "service:test")]
    assert client("GET", "/api/v1/videos?created_by=service:other").body["videos"] == []
