"""Every role against every route of the OpenAPI document.

403 without the permission, 404 for another organisation's objects, never a 5xx. One set-up serves many calls:
what a call changes in the database is undone after it.
"""

import contextlib
import re
import uuid

import pytest

from showrunner.access import limits, roles, sessions, tokens
from showrunner.accounts import connections
from showrunner.aws import sdk, ssm
from showrunner.database import db
from showrunner.metrics import clients
from showrunner.store.access import api_keys, service_tokens
from showrunner.store.accounts import connected_accounts, members, organisations
from showrunner.store.rights import change_sets, content_owners, searches
from tests import documents
from tests.conftest import Client, add_organisation, put_secrets, service_client

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
def tiktok_app(aws, monkeypatch):
    """Give the stage an app at TikTok. Nothing here calls it."""
    names = ("tiktok/client_key", "tiktok/client_secret")
    for name in ("TIKTOK_API_URL", "TIKTOK_LOGIN_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    put_secrets(dict.fromkeys(names, "local"))
    yield
    clients._tiktok.cache_clear()
    for name in names:
        sdk.client("ssm").delete_parameter(Name=f"/showrunner/test/{name}")
    ssm.forget()


@pytest.fixture
def own(tx, signing_key, platforms, suppressions, tiktok_app, monkeypatch):
    """Create an organisation with a member and one object of each kind. Returns their ids by name."""
    monkeypatch.setenv("RATE_LIMIT_FACTOR", "100000")
    return things(tx, signing_key)


class RollBack(Exception):
    pass


@contextlib.contextmanager
def undone():
    """Undo what is done inside to the database."""
    with contextlib.suppress(RollBack), db.transaction():
        yield
        raise RollBack


# Parts of addresses that are no ids of an organisation's objects: a new part of an address needs a place here
# or in things(). The admins' routes are refused to everybody else whatever they name.
PLACES = {
    "service": "openai",
    "name": "api_key",
    "backup_id": str(uuid.uuid4()),
    "platform": "tiktok",
    "scene": "0",
    "shot": "0",
    "asset": "A012345678901234",
}


def things(tx, key):
    """Add an organisation with a person and one object of each kind. Returns what stands for it in a path."""
    organisation_id = add_organisation(tx, "Own")
    client = service_client(key, organisation_id)
    channel_id = client("POST", "/api/v1/channels", {"name": "Own", "niche": "Insects"}).body["channel"]["id"]
    order = {"channel_id": channel_id, "topic": "Bees"}
    image = {"kind": "image", "content_type": "image/png", "bytes": 1, "sha256": "0" * 64}
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
    report_id, video, channel = add_report(tx, organisation_id)
    made = {
        "organisation_id": organisation_id,
        "channel_id": channel_id,
        "video_id": client("POST", "/api/v1/videos/generate", order).body["video_id"],
        "asset_id": client("POST", "/api/v1/assets", image).body["asset"]["id"],
        "artist_id": client("POST", "/api/v1/artists", {"name": "Own"}).body["artist"]["id"],
        "user_id": user_id,
        "report_id": report_id,
        "video": video,
        "channel": channel,
        "slot_id": add_slot(tx, organisation_id, channel_id),
        "search_id": searches.add(tx, organisation_id, "Own", "videos", {}, "somebody")["id"],
        "change_set_id": change_sets.add(tx, organisation_id, "metadata", "Own", "somebody"),
    }
    return made | add_credentials(tx, organisation_id, user_id) | PLACES


def add_report(tx, organisation_id):
    """Add a refused report of a content owner of the organisation, and a video.

    Returns the ids of the report, the video and its channel.
    """
    name = f"Owner_{uuid.uuid4().hex[:8]}"
    content_owners.save(tx, organisation_id, name, [])
    owner_id = content_owners.list_of(tx, organisation_id)[0]["id"]
    known = {"organisation_id": organisation_id, "owner_id": owner_id}
    report_id = db.value(
        tx,
        """
        INSERT INTO rights.reports (organisation_id, owner_id, object_key, version, bytes, status, dropped_at)
        VALUES (:organisation_id, :owner_id, :key, '1', 1, 'refused', now()) RETURNING id
        """,
        **known,
        key=f"drops/{name}/report.csv",
    )
    video, channel = uuid.uuid4().hex[:11], f"UC{uuid.uuid4().hex[:22]}"
    db.run(
        tx,
        """
        INSERT INTO rights.videos
               (organisation_id, owner_id, digest, first_day, changed_day, video_id, claim_id, asset_id,
                channel_id)
        VALUES (:organisation_id, :owner_id, gen_random_uuid(), now(), now(), :video, '', '', :channel)
        """,
        **known,
        video=video,
        channel=channel,
    )
    db.run(
        tx,
        """
        INSERT INTO rights.claims
               (organisation_id, owner_id, digest, first_day, changed_day, claim_id, video_id, claim_status)
        VALUES (:organisation_id, :owner_id, gen_random_uuid(), now(), now(), :claim, :video, 'ACTIVE')
        """,
        **known,
        claim=f"claim{video}",
        video=video,
    )
    return str(report_id), video, channel


def add_slot(tx, organisation_id, channel_id):
    return str(
        db.value(
            tx,
            """
            INSERT INTO studio.slots (organisation_id, channel_id, day, time, planned_at, publish_at)
            SELECT :o::uuid, :c::uuid, tomorrow, '12:00', tomorrow, tomorrow
              FROM (SELECT now() + interval '1 day' AS tomorrow) n
            RETURNING id
            """,
            o=organisation_id,
            c=channel_id,
        )
    )


def add_credentials(tx, organisation_id, user_id):
    """Add an API key, a service token and a connected YouTube account. Returns their ids by name."""
    known = {"created_by": user_id, "name": "Own", "scopes": ["videos:read"]}
    key = {"prefix": "sr_own", "key_sha256": uuid.uuid4().hex, "expires_at": None}
    api_keys.add(tx, organisation_id, known | key)
    token_id = str(uuid.uuid4())
    service_tokens.add(tx, organisation_id, known | {"id": token_id, "expires_at": 4_000_000_000})
    connection = {
        "id": connections.id_of(organisation_id, "youtube", "own"),
        "organisation_id": organisation_id,
        "provider": "youtube",
        "subject": "own",
        "user_id": user_id,
        "scopes": [],
        "own_project": False,
    }
    connected_accounts.save(tx, connection)
    key_id = db.value(tx, "SELECT id FROM access.api_keys WHERE organisation_id = :o", o=organisation_id)
    return {"key_id": str(key_id), "token_id": token_id, "connection_id": connection["id"]}


def granted(kind):
    if kind == "service":
        return frozenset({"videos:read", "internal:all"})
    return (
        frozenset()
        if kind == "nothing"
        else roles.of_user("user" if kind == "owner" else kind, owner=kind == "owner")
    )


@pytest.mark.parametrize("kind", ROLES)
def test_a_role_may_call_exactly_the_routes_its_permissions_allow(tx, own, signing_key, kind):
    client, wrong = caller(tx, signing_key, kind, own["organisation_id"], own["user_id"]), []
    for method, path, permission in OPERATIONS:
        with undone():
            response = client(method, path.format(**own), None if method == "GET" else {})
        lacks = response.status == 403 and response.body["error"]["message"].startswith(
            "This needs the permission"
        )
        if lacks == roles.allows(granted(kind), permission) or response.status >= 500:
            wrong.append((method, path, permission, response))

    assert wrong == []


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
ORGANISATION, CHANNEL, VIDEO = (
    f"/api/v1/{each}"
    for each in ("organisations/{organisation_id}", "channels/{channel_id}", "videos/{video_id}")
)
STRANGER = {"email": "a@example.com"}
# What a route wants in its body, so that the call gets as far as the object that it names.
BODIES = {
    f"PUT {ORGANISATION}": {"name": "Mine"},
    f"POST {ORGANISATION}/members": STRANGER,
    f"PUT {ORGANISATION}/members": {**STRANGER, "role": "viewer"},
    f"DELETE {ORGANISATION}/members": STRANGER,
    f"POST {ORGANISATION}/transfer": {**STRANGER, "password": "Correct-horse-7-battery"},
    f"POST {CHANNEL}/topics": {"topics": ["Bees"]},
    f"PUT {CHANNEL}/topics": {"ids": [str(uuid.uuid4())]},
    f"DELETE {CHANNEL}/topics": {"ids": [str(uuid.uuid4())]},
    f"POST {VIDEO}/reject": {"reason": "The map is wrong."},
    f"POST {VIDEO}/remake": {"caption_preset": "impact"},
    f"PUT {VIDEO}/scenes/{{scene}}": {"narration": "Other words."},
    "POST /api/v1/artists/{artist_id}/accounts/{platform}/callback": {"code": "granted", "state": "asked"},
    "PATCH /api/v1/cms/videos/{video}": {"title": "Mine"},
    "POST /api/v1/cms/videos/{video}/claims": {
        "asset_id": PLACES["asset"],
        "content_type": "audiovisual",
        "action": "track",
    },
    "PUT /api/v1/cms/videos/{video}/policy": {"action": "track"},
}
CHECKED_BEFORE = {
    # The platform's answer is checked before its artist: nobody else can have its state.
    "POST /api/v1/artists/{artist_id}/accounts/{platform}/callback": 400,
    # YouTube itself is asked, with the organisation's own connection, and there is none.
    "GET /api/v1/cms/assets/{asset}/ownership": 409,
    # Any video on YouTube may be claimed: what is checked is the asset, and no report has it.
    "POST /api/v1/cms/videos/{video}/claims": 400,
}


def owner_of(tx, key, ids):
    """Return a client of a content owner's owner, who may call every route but the admins'."""
    organisations.save_content_owner(tx, ids["organisation_id"], content_owner=True)
    return caller(tx, key, "owner", ids["organisation_id"], ids["user_id"])


def call(client, method, path, ids):
    """Call a route about these objects, and undo what that changes."""
    body = BODIES.get(f"{method} {path}", {} if method in ("POST", "PUT") else None)
    with undone():
        return client(method, path.format(**ids), body)


def test_another_organisations_objects_are_answered_like_missing_ones(tx, own, signing_key):
    others = things(tx, signing_key)
    absent = {name: str(uuid.uuid4()) for name in own} | {"video": uuid.uuid4().hex[:11]} | PLACES
    client, wrong = owner_of(tx, signing_key, own), []
    for method, path, _ in WITH_IDS:
        responses = [call(client, method, path, ids) for ids in (others, absent)]
        status = CHECKED_BEFORE.get(f"{method} {path}", 404)
        messages = {each.body["error"]["message"] for each in responses}
        if [each.status for each in responses] != [status, status] or len(messages) > 1:
            wrong.append((method, path, responses))

    assert wrong == []


# Their bodies name a stranger or a topic that nobody has: tests/accounts/test_organisations.py and
# tests/channels/test_backlog.py try these in another organisation with what is there.
MISSING_FOR_ALL = {
    f"{method} {path}"
    for method in ("PUT", "DELETE")
    for path in (f"{ORGANISATION}/members", f"{CHANNEL}/topics")
}


def test_these_objects_are_there_for_their_own_organisation(tx, own, signing_key):
    """Otherwise the test above would pass without any check of the organisation."""
    client = owner_of(tx, signing_key, own)

    missing = {
        f"{method} {path}"
        for method, path, _ in WITH_IDS
        if call(client, method, path, own).status in (404, 500)
    }

    assert missing == MISSING_FOR_ALL


def test_every_route_refuses_a_call_without_a_token(aws, tx, signing_key, monkeypatch):
    monkeypatch.setenv("RATE_LIMIT_FACTOR", "100000")
    names = {name for _, path, _ in OPERATIONS for name in re.findall(r"{(\w+)}", path)}
    ids = dict.fromkeys(names, str(uuid.uuid4())) | PLACES
    taken = [
        (method, path, token)
        for method, path, _ in OPERATIONS
        for token in (None, "nonsense")
        if Client(token)(method, path.format(**ids), None if token is None else {}).status != 401
    ]

    assert taken == []
