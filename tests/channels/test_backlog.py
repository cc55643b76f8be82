"""The routes of a channel's backlog."""

import pytest

from tests.conftest import add_organisation


@pytest.fixture
def path(client):
    channel = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"]
    return f"/api/v1/channels/{channel['id']}/topics"


def waiting(client, path):
    return [each["topic"] for each in client("GET", path).body["topics"]]


def ids(client, path, *wanted):
    found = {each["topic"]: each["id"] for each in client("GET", path).body["topics"]}
    return [found[topic] for topic in wanted]


def test_topics_wait_in_the_order_in_which_they_were_added(client, path):
    first = client("POST", path, {"topics": ["Hives", "Honey"]})
    client("POST", path, {"topics": ["Wax"]})
    client("POST", path, {"topics": ["Queens", "Drones"], "first": True})

    assert (first.status, first.body) == (201, {"added": 2, "skipped": [], "waiting": 2})
    assert waiting(client, path) == ["Queens", "Drones", "Hives", "Honey", "Wax"]


def test_a_topic_is_in_the_backlog_once(client, path):
    client("POST", path, {"topics": ["Hives"]})

    response = client("POST", path, {"topics": ["hives", "Honey", "Honey"]})

    assert response.body == {"added": 1, "skipped": ["hives", "Honey"], "waiting": 2}


def test_topics_are_reordered_and_the_others_follow(client, path):
    client("POST", path, {"topics": ["Hives", "Honey", "Wax", "Queens"]})

    response = client("PUT", path, {"ids": ids(client, path, "Queens", "Honey")})

    assert [each["topic"] for each in response.body["topics"]] == ["Queens", "Honey", "Hives", "Wax"]


def test_topics_are_removed(client, path):
    client("POST", path, {"topics": ["Hives", "Honey", "Wax"]})

    response = client("DELETE", path, {"ids": ids(client, path, "Honey", "Hives")})

    assert (response.status, response.body) == (200, {"removed": 2, "waiting": 1})
    assert waiting(client, path) == ["Wax"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_topic_of_another_channel_is_not_found(client, path, method):
    other = client("POST", "/api/v1/channels", {"name": "Ants", "niche": "Insects"}).body["channel"]["id"]
    theirs = f"/api/v1/channels/{other}/topics"
    client("POST", theirs, {"topics": ["Hills"]})

    response = client(method, path, {"ids": ids(client, theirs, "Hills")})

    assert response.status == 404
    assert waiting(client, theirs) == ["Hills"]


def test_a_table_is_imported(client, path):
    table = '\ufeffTopic,Who\r\n"Hives, and how to build them",Ada\r\nHoney,Ben\r\n\r\n'

    response = client("POST", path, {"csv": table})

    assert response.status == 201
    assert waiting(client, path) == ["Hives, and how to build them", "Honey"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("Hives\nHoney\n", 'the first line must name the columns, one of them "topic"'),
        ("topic\nHives, and bees\n", "line 2 has 2 columns instead of 1: put a cell with commas in quotes"),
        ('topic\n"Hives\n', "line 2 can't be read: unexpected end of data"),
        ("topic,who\nHives,Ada\n,Ben\n", "line 3: "),
        ("topic\n" + "x" * 501 + "\n", "line 2: "),
    ],
)
def test_the_error_of_a_table_names_the_line_and_adds_nothing(client, path, table, message):
    response = client("POST", path, {"csv": table})

    assert response.status == 400
    [detail] = response.body["error"]["details"]
    assert detail["field"] == "csv"
    assert detail["message"].startswith(message)
    assert waiting(client, path) == []


def test_a_backlog_has_a_limit(client, path):
    client("POST", path, {"topics": [f"Topic {number}" for number in range(1000)]})

    response = client("POST", path, {"topics": ["One more"]})

    assert (response.status, response.body["error"]["code"]) == (409, "CONFLICT")


def test_topics_among_the_settings_fill_the_backlog(client):
    body = {"name": "Bees", "niche": "Insects", "settings": {"topics": ["Hives", "Honey"]}}
    channel = client("POST", "/api/v1/channels", body).body["channel"]
    path = f"/api/v1/channels/{channel['id']}"

    changed = client("PUT", path, {"settings": {"topics": ["Wax", "Hives"]}})

    assert channel["settings"]["topics"] == ["Hives", "Honey"]
    assert changed.body["channel"]["settings"]["topics"] == ["Wax", "Hives"]
    assert waiting(client, f"{path}/topics") == ["Wax", "Hives"]


def test_the_setup_tasks_say_whether_the_backlog_is_filled(client, path):
    def task():
        overview = client("GET", path.removesuffix("/topics")).body
        return {each["task"]: each["done"] for each in overview["setup_tasks"]}["add_topics"]

    assert task() is False
    client("POST", path, {"topics": ["Hives", "Honey", "Wax"]})
    assert task() is True


def test_the_backlog_of_another_organisation_is_not_found(client, path, tx, service):
    other = service(add_organisation(tx, "Others"))

    assert [
        other("GET", path).status,
        other("POST", path, {"topics": ["Mine"]}).status,
    ] == [404, 404]


def test_a_video_without_a_topic_takes_the_next_of_the_backlog(client, path):
    client("POST", path, {"topics": ["Hives", "Honey"]})
    brief = {"channel_id": path.split("/")[4]}

    estimate = client("POST", "/api/v1/videos/estimate", brief)
    ordered = [client("POST", "/api/v1/videos/generate", brief) for _ in range(3)]

    assert (estimate.status, [each.status for each in ordered]) == (200, [202, 202, 400])
    assert "backlog is empty" in ordered[2].body["error"]["message"]
    videos = [client("GET", f"/api/v1/videos/{each.body['video_id']}").body["video"] for each in ordered[:2]]
    assert [each["request"]["topic"] for each in videos] == ["Hives", "Honey"]
    used = client("GET", f"{path}?state=used").body["topics"]
    assert [(each["topic"], each["video_id"]) for each in used] == [
        ("Hives", videos[0]["id"]),
        ("Honey", videos[1]["id"]),
    ]
