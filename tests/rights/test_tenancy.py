"""A content owner's rows are invisible to every other organisation: on routes, in files, topics, folders.

The routes are those of the OpenAPI document: one that is added without a line here fails.
"""

import json
import os
import time
import uuid

import pytest

from showrunner.access import roles
from showrunner.aws import sdk
from showrunner.database import db
from showrunner.errors import Forbidden
from showrunner.live import connections, topics
from showrunner.live.connections import Connection
from tests.documents import platform
from tests.rights.conftest import add_owner, deliver
from tests.rights.test_catalogue import CHANNEL, filled, label  # noqa: F401 - fixtures
from tests.rights.test_money import CLAIMS, name, row

ASSET = f"A{2:015}"
# Bodies of the routes that need one.
BODIES = {
    "patch /api/v1/cms/videos/{video}": {"title": "x"},
    "post /api/v1/cms/videos/{video}/claims": {"asset_id": ASSET, "action": "track"},
    "put /api/v1/cms/videos/{video}/policy": {"action": "track"},
    "post /api/v1/cms/searches": {"name": "n", "list": "videos", "filters": {}},
    "post /api/v1/cms/changes": {"rows": [{"video_id": f"v{1:010}", "title": "x"}]},
    "post /api/v1/cms/reports": {"filename": "a.csv", "bytes": 1, "sha256": "0" * 64},
}
# Routes without an id of somebody's that answer with what the caller itself has just made.
OWN = {"post /api/v1/cms/searches", "post /api/v1/cms/changes"}
# Routes that ask YouTube with an account, which this owner hasn't connected: test_claim_changes has them.
ASKS_YOUTUBE = {
    "/api/v1/cms/policies",
    "/api/v1/cms/assets/search",
    "/api/v1/cms/assets/{asset}/ownership",
}
# So many operations are below /cms today; a document without them would pass unseen.
OPERATIONS = 30


@pytest.fixture
def ids(filled, owner, drop):  # noqa: F811
    """Return the placeholders of paths with the owner's ids."""
    assert drop(name(owner), CLAIMS + row("12.5"))[0].status == "loaded"
    rows = {"rows": [{"video_id": f"v{1:010}", "title": "New"}]}
    return {
        "{video}": f"v{1:010}",
        "{channel}": CHANNEL,
        "{asset}": ASSET,
        "{report_id}": filled("GET", "/api/v1/cms/reports").body["reports"][0]["id"],
        "{search_id}": filled("POST", "/api/v1/cms/searches", {"name": "n", "list": "videos"}).body["id"],
        "{change_set_id}": filled("POST", "/api/v1/cms/changes", rows).body["change_set"]["id"],
    }


def operations():
    """Yield method and route of every operation below /cms."""
    for route, methods in platform()["paths"].items():
        for method in methods if "/api/v1/cms/" in route else ():
            yield method, route


def test_no_route_shows_or_changes_anything_of_another_organisation(filled, ids, owner, tx, service):  # noqa: F811
    stranger = add_owner(tx)
    other = service(stranger["organisation_id"], "cms:all")
    ours = [owner["name"], "Tide", *ids.values(), ASSET, "12.5"]
    before = everything(tx, owner)
    called = 0
    for method, route in operations():
        path, body = route, BODIES.get(f"{method} {route}")
        for placeholder, value in ids.items():
            path = path.replace(placeholder, value)
        if route == "/api/v1/cms/reports" and method == "post":
            body = {**body, "content_owner": owner["name"]}
        for query in ("", "?month=2025-10") if "money" in route else ("",):
            answer = other(method.upper(), path + query, body)
            called += 1
            if path != route:
                # A claim is refused because of its asset, and who has no account can ask YouTube for nothing;
                # everything else of theirs doesn't exist.
                expected = {400} if route.endswith("/claims") else {409} if "{asset}" in route else {404}
                assert answer.status in expected, (method, path, answer.body)
            text = json.dumps(answer.body)
            sent = json.dumps([path, body])
            if f"{method} {route}" not in OWN:
                assert [each for each in ours if each in text and each not in sent] == [], (method, path)
    assert called >= OPERATIONS
    assert everything(tx, owner) == before
    status = filled("GET", f"/api/v1/cms/changes/{ids['{change_set_id}']}").body["change_set"]["status"]
    assert status == "ready"


def everything(tx, owner):
    """Return what the tables of the owner's organisation have, without rows that others added."""
    tables = ("reports", "videos", "claims", "assets", "conflicts", "searches", "change_sets", "changes")
    return {
        each: db.rows(
            tx,
            f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM rights.{each} t"
            " WHERE organisation_id = :organisation",
            organisation=str(owner["organisation_id"]),
        )
        for each in tables
    }


def test_the_same_routes_show_it_to_the_owner_itself(filled, ids, owner):  # noqa: F811
    """Without this the test above could pass because nothing is shown to anybody."""
    shown = set()
    for method, route in operations():
        path = route
        for placeholder, value in ids.items():
            path = path.replace(placeholder, value)
        if method == "get" and route not in ASKS_YOUTUBE:
            answer = filled("GET", path + ("?month=2025-10" if "money" in route else ""))
            assert answer.status == 200, (path, answer.body)
            shown.add(route)
    assert len(shown) >= 15


def test_people_without_the_permission_reach_no_route(owner, ids, service):
    without = service(owner["organisation_id"], "channels:read")
    for method, route in operations():
        path = route
        for placeholder, value in ids.items():
            path = path.replace(placeholder, value)
        assert without(method.upper(), path, BODIES.get(f"{method} {route}")).status == 403, (method, route)


@pytest.mark.parametrize("topic", ["reports", "syncs"])
def test_live_messages_reach_the_owner_s_organisation_alone(topic, owner, tx):
    members = {}
    for each in (owner, add_owner(tx)):
        organisation_id = str(each["organisation_id"])
        connection = connection_of(organisation_id, frozenset({"cms:read"}))
        connections.add(connection)
        topics.subscribe(connection, frozenset({topic}))
        members[organisation_id] = connection.id
    for organisation_id, connection_id in members.items():
        assert topics.subscribers(organisation_id, [topic]) == [connection_id]
        with pytest.raises(Forbidden):
            topics.subscribe(connection_of(organisation_id, roles.of_user("viewer")), frozenset({topic}))


def connection_of(organisation_id, permissions):
    id_, account = (uuid.uuid4().hex for _ in range(2))
    ends_at = int(time.time()) + 600
    return Connection(id_, account, "family", organisation_id, permissions, ends_at, frozenset())


def test_a_file_belongs_to_the_owner_of_its_folder_and_to_nobody_else(owner, tx, drop, service):
    stranger = add_owner(tx)
    other = service(stranger["organisation_id"], "cms:all")
    # An upload into somebody else's folder is refused; so is a file whose name says that it is of another.
    body = {"content_owner": owner["name"], "filename": "a.csv", "bytes": 1, "sha256": "0" * 64}
    assert other("POST", "/api/v1/cms/reports", body).status == 400
    key = f"drops/{stranger['name']}/{name(owner)}"
    content = (CLAIMS + row("1")).encode()
    sdk.client("s3").put_object(Bucket=os.environ["MEDIA_BUCKET"], Key=key, Body=content)
    (report,) = deliver(key, len(content), uuid.uuid4().hex[:18])
    assert report.status == "refused"
    assert str(report.organisation_id) == str(stranger["organisation_id"])
