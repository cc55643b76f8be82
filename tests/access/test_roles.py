"""Every role against every route of the OpenAPI document.

403 without the permission, 404 for another organisation's objects, never a 5xx.
"""

import uuid

import pytest

from showrunner.access import limits, roles, sessions, tokens
from showrunner.database import db
from showrunner.store.accounts import members, organisations
from showrunner.store.rights import content_owners
from tests import documents
from tests.conftest import Client, add_organisation, service_client

DOCUMENT = documents.platform()
OPERATIONS = [
    (method.upper(), path, operation["x-permission"])
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if operation["x-permission"] != roles.PUBLIC
]
ROLES = ("admin", "user", "owner", "viewer", "service", "nothing")


def caller(tx, key, kind, organisation_id, user_id):
    """Return a logged-in client of this kind. Its permissions come from the database, not from its token."""
    if kind in ("service", "nothing"):
        return service_client(
            key,
            organisation_id,
            *(("videos:read", "internal:all") if kind == "service" else ("nothing:all",)),
        )
    become(tx, user_id, kind)
    return Client(sessions.begin(tx, members.get(tx, user_id))["access_token"])


def become(tx, user_id, kind):
    db.run(
        tx,
        "UPDATE accounts.users SET platform_admin = :admin, verified_at = now() WHERE id = :id",
        admin=kind == "admin",
        id=user_id,
    )
    role = "viewer" if kind == "viewer" else "user"
    db.run(
        tx,
        "UPDATE accounts.members SET role = :role, is_owner = :owner WHERE user_id = :id",
        role=role,
        owner=kind == "owner",
        id=user_id,
    )


@pytest.fixture
def own(tx, signing_key, platforms, suppressions, monkeypatch):
    """Create an organisation with a member and one object of each kind. Returns their ids by name."""
    monkeypatch.setenv("RATE_LIMIT_FACTOR", "100000")
    return things(tx, signing_key)


# Of the routes that replace a secret of the stage, or restore a backup.
SECRET = {"service": "openai", "name": "api_key", "backup_id": str(uuid.uuid4())}
# Parts of addresses that are no ids of ours.
PLACES = {"platform": "youtube", "scene": "0", "shot": "0", "video": "a1b2c3d4e5F"}
# Ids of things that this test makes none of; tests/rights/test_catalogue.py tries those of /cms.
ABSENT = ("key_id", "token_id", "connection_id", "slot_id", "change_set_id", "search_id")


def things(tx, key):
    organisation_id = add_organisation(tx, "Own")
    client = service_client(key, organisation_id)
    channel_id = client("POST", "/api/v1/channels", {"name": "Own", "niche": "Insects"}).body["channel"]["id"]
    video_id = client("POST", "/api/v1/videos/generate", {"channel_id": channel_id, "topic": "Bees"}).body[
        "video_id"
    ]
    asset_id = client(
        "POST",
        "/api/v1/assets",
        {"kind": "image", "content_type": "image/png", "bytes": 1, "sha256": "0" * 64},
    ).body["asset"]["id"]
    artist_id = client("POST", "/api/v1/artists", {"name": "Own"}).body["artist"]["id"]
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    user_id = str(
        db.value(tx, "INSERT INTO accounts.users (email, full_name) VALUES (:e, 'Own') RETURNING id", e=email)
    )
    db.run(
        tx,
        "INSERT INTO accounts.members (organisation_id, user_id, role) VALUES (:o, :u, 'user')",
        o=organisation_id,
        u=user_id,
    )
    made = {
        "organisation_id": organisation_id,
        "report_id": add_report(tx, organisation_id),
        "channel_id": channel_id,
        "video_id": video_id,
        "asset_id": asset_id,
        "artist_id": artist_id,
        "user_id": user_id,
    }
    return made | {name: str(uuid.uuid4()) for name in ABSENT} | SECRET | PLACES


def add_report(tx, organisation_id):
    """Add a refused report of a content owner of the organisation, and return its id."""
    name = f"Owner_{uuid.uuid4().hex[:8]}"
    content_owners.save(tx, organisation_id, name, [])
    owner_id = content_owners.list_of(tx, organisation_id)[0]["id"]
    return str(
        db.value(
            tx,
            """
            INSERT INTO rights.reports
                   (organisation_id, owner_id, object_key, version, bytes, status, dropped_at)
            VALUES (:organisation_id, :owner_id, :key, '1', 1, 'refused', now()) RETURNING id
            """,
            organisation_id=organisation_id,
            owner_id=owner_id,
            key=f"drops/{name}/report.csv",
        )
    )


def granted(kind):
    if kind == "service":
        return frozenset({"videos:read", "internal:all"})
    return (
        frozenset()
        if kind == "nothing"
        else roles.of_user("user" if kind == "owner" else kind, owner=kind == "owner")
    )


@pytest.mark.parametrize("kind", ROLES)
@pytest.mark.parametrize(
    ("method", "path", "permission"), OPERATIONS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_role_may_call_exactly_the_routes_its_permissions_allow(
    tx, own, signing_key, kind, method, path, permission
):
    client = caller(tx, signing_key, kind, own["organisation_id"], own["user_id"])

    response = client(method, path.format(**own), None if method == "GET" else {})

    lacks = response.status == 403 and response.body["error"]["message"].startswith(
        "This needs the permission"
    )
    assert lacks == (not roles.allows(granted(kind), permission))
    assert response.status < 500


TAKEN = [
    ("admin", "GET", "/api/v1/admin/users", None),
    ("owner", "GET", "/api/v1/auth/api-keys", None),
    ("user", "POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}),
]


@pytest.mark.parametrize(
    ("was", "method", "path", "body"), TAKEN, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_permission_that_is_taken_away_is_gone_at_the_next_request(
    tx, own, signing_key, was, method, path, body
):
    client = caller(tx, signing_key, was, own["organisation_id"], own["user_id"])
    before = client(method, path, body)

    become(tx, own["user_id"], "viewer")

    assert before.status < 300
    assert client(method, path, body).status == 403


def test_a_service_loses_content_owner_scopes_when_its_organisation_is_unmarked(tx, own, signing_key):
    identity = tokens.verify(
        service_client(signing_key, own["organisation_id"], "cms:all", "cms:read", "videos:read").token
    )

    def now():
        return (
            limits.admit(tx, limits.windows("test", ((60, 1000),)), identity).identity(identity).permissions
        )

    assert now() == {"videos:read"}
    organisations.save_content_owner(tx, own["organisation_id"], content_owner=True)
    assert now() == {"cms:all", "cms:read", "videos:read"}
    organisations.save_content_owner(tx, own["organisation_id"], content_owner=False)
    assert now() == {"videos:read"}


WITH_IDS = [each for each in OPERATIONS if "{" in each[1] and each[2] != "admin:all"]


@pytest.mark.parametrize(("method", "path", "permission"), WITH_IDS, ids=lambda value: value)
def test_another_organisations_objects_are_answered_like_missing_ones(
    tx, own, signing_key, method, path, permission
):
    others = things(tx, signing_key)
    absent = {name: str(uuid.uuid4()) for name in own} | PLACES
    if permission.startswith("cms:"):
        organisations.save_content_owner(tx, own["organisation_id"], content_owner=True)
    client = caller(tx, signing_key, "owner", own["organisation_id"], own["user_id"])
    somebody = {"email": "a@example.com"} if path.endswith("/members") else None
    body = {"PUT": {}, "POST": somebody or {}, "DELETE": somebody, "GET": None, "PATCH": {"title": "Mine"}}[
        method
    ]
    if path == "/api/v1/organisations/{organisation_id}" and method == "PUT":
        body = {"name": "Mine"}
    if path.endswith("/members") and method == "PUT":
        body = {"email": "a@example.com", "role": "viewer"}
    if path.endswith("/transfer"):
        body = {"email": "a@example.com", "password": "Correct-horse-7-battery"}
    if path.endswith("/topics") and method != "GET":
        body = {"topics": ["Bees"]} if method == "POST" else {"ids": [str(uuid.uuid4())]}
    if path.endswith("/reject"):
        body = {"reason": "The map is wrong."}
    if path.endswith("/callback"):
        body = {"code": "granted", "state": "asked"}
    if path.endswith("/remake"):
        body = {"caption_preset": "impact"}
    if path.endswith("/scenes/{scene}"):
        body = {"narration": "Other words."}

    responses = [client(method, path.format(**ids), body) for ids in (others, absent)]

    # The platform's answer is checked before its artist: nobody else can have its state.
    status = 400 if path.endswith("/callback") else 404
    assert [each.status for each in responses] == [status, status], (method, path, responses)
    assert responses[0].body["error"]["message"] == responses[1].body["error"]["message"]


@pytest.mark.parametrize(("method", "path", "permission"), OPERATIONS, ids=lambda value: value)
def test_every_route_refuses_a_call_without_a_token(aws, tx, signing_key, method, path, permission):
    made = ("organisation_id", "channel_id", "video_id", "asset_id", "artist_id", "user_id", "report_id")
    ids = dict.fromkeys((*made, *ABSENT), str(uuid.uuid4())) | PLACES
    ids |= SECRET

    assert Client()(method, path.format(**ids)).status == 401
    assert Client("nonsense")(method, path.format(**ids), {}).status == 401
