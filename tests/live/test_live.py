"""The Live API: tickets, who gets what, and clients that are gone, slow or hostile. The state table is moto's; API Gateway's side of the connections is a
server on loopback."""

import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from functions.live import app
from showrunner import blobs, db, live, signed
from showrunner.access import roles, tokens
from showrunner.errors import ServiceUnavailable
from showrunner.store import productions
from tests.conftest import Client, in_threads
from tests.contract import template

VIDEO = "5f0a3c5e-8f0e-4a6b-9c43-0d7a1c9e5b21"


class Clients:
    """What API Gateway holds: the messages of each connection by its id, and connections that are gone or don't take anything."""

    def __init__(self, server: HTTPServer) -> None:
        self.told: dict[str, list[Any]] = {}
        self.closed: list[str] = []
        self.gone: set[str] = set()
        self.broken: set[str] = set()
        self.slow: set[str] = set()
        server.expect_request(re.compile("/@connections/.*")).respond_with_handler(self._manage)

    def _manage(self, request: Request) -> Response:
        connection_id = request.path.removeprefix("/@connections/")
        if connection_id in self.gone:
            return Response("{}", status=410, headers={"x-amzn-ErrorType": "GoneException"})
        if connection_id in self.broken:
            return Response('{"message": "Forbidden"}', status=403, headers={"x-amzn-ErrorType": "ForbiddenException"})
        if connection_id in self.slow:
            time.sleep(1)
        if request.method == "DELETE":
            self.closed.append(connection_id)
            self.gone.add(connection_id)
            return Response(status=204)
        self.told.setdefault(connection_id, []).append(json.loads(request.data))
        return Response(status=200)

    def take(self, connection_id: str) -> list[Any]:
        """What this one was told since it was last asked."""
        return self.told.pop(connection_id, [])


@pytest.fixture
def clients(httpserver: HTTPServer, aws: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.setenv("LIVE_URL", httpserver.url_for("").rstrip("/").replace("http", "ws", 1))
    for item in items():
        signed.call("dynamodb", "DeleteItem", {"TableName": os.environ["STATE_TABLE"], "Key": {name: item[name] for name in ("pk", "sk")}})
    return Clients(httpserver)


def items() -> list[dict[str, Any]]:
    """Everything of Live in the state table."""
    found = signed.call("dynamodb", "Scan", {"TableName": os.environ["STATE_TABLE"]})["Items"]
    return [item for item in found if item["pk"]["S"].startswith("live#")]


def caller(organisation_id: str, *permissions: str, subject: str | None = None, seconds: int = 3600) -> tokens.Identity:
    granted = frozenset(permissions) or roles.ROLES["user"]
    return tokens.Identity(subject or str(uuid.uuid4()), organisation_id, granted, str(uuid.uuid4()), int(time.time()) + seconds, "user")


def websocket(kind: str, connection_id: str, body: str | None = None, ticket: str | None = None) -> dict[str, Any]:
    """An event of API Gateway's."""
    event: dict[str, Any] = {"requestContext": {"eventType": kind, "connectionId": connection_id, "routeKey": "$default"}, "isBase64Encoded": False}
    query = {"queryStringParameters": {"ticket": ticket}} if ticket is not None else {}
    return event | query | ({"body": body} if body is not None else {})


def handshake(ticket: str | None, connection_id: str | None = None) -> int:
    return int(app.handler(websocket("CONNECT", connection_id or uuid.uuid4().hex, ticket=ticket), None)["statusCode"])


def connected(identity: tokens.Identity) -> str:
    """The id of a new connection."""
    connection_id = uuid.uuid4().hex[:15] + "="
    assert handshake(live.issue(identity), connection_id) == 200
    return connection_id


def say(clients: Clients, connection_id: str, message: Any) -> dict[str, Any]:
    """The one answer to a message."""
    text = message if isinstance(message, str) else json.dumps(message)
    assert app.handler(websocket("MESSAGE", connection_id, text), None) == {"statusCode": 200}
    (answer,) = clients.take(connection_id)
    return answer  # type: ignore[no-any-return]


def subscribed(clients: Clients, identity: tokens.Identity, *topics: str) -> str:
    connection_id = connected(identity)
    assert say(clients, connection_id, {"action": "subscribe", "topics": list(topics)})["type"] == "connection_status"
    return connection_id


def progress(organisation_id: str, percent: int = 15, at: str = "2026-11-22T08:00:05.123456+00:00", kind: str = "video.progress") -> dict[str, Any]:
    detail = {"event_id": f"{VIDEO}:1:{kind}:{percent}", "video_id": VIDEO, "organisation_id": organisation_id, "title": "Cables", "status": "processing"}
    detail |= {"progress": percent, "current_step": "voice", "attempt": 1, "message": "Spoken.", "at": at}
    return {"id": str(uuid.uuid4()), "source": "showrunner", "detail-type": kind, "time": "2026-11-22T08:00:06Z", "detail": detail}


def organisation() -> str:
    return str(uuid.uuid4())


# ------------------------------------------------------------------------------------------------ Tickets


def test_without_the_permission_there_is_no_ticket(service, organisation_id, clients):
    told = service(organisation_id, "videos:all")("POST", "/api/v1/live/tickets")

    assert told.status == 403
    assert items() == []


def test_whoever_may_use_live_gets_a_ticket_that_opens_one_connection(service, organisation_id, clients):
    told = service(organisation_id, "live:read")("POST", "/api/v1/live/tickets")

    assert (told.status, told.body["expires_in"], told.body["url"]) == (201, 30, os.environ["LIVE_URL"])
    assert told.headers["cache-control"] == "no-store"
    assert handshake(told.body["ticket"]) == 200
    assert handshake(told.body["ticket"]) == 401


def test_of_many_connections_at_once_with_one_ticket_one_is_opened(clients):
    ticket = live.issue(caller(organisation()))

    assert sorted(in_threads(8, lambda _: handshake(ticket))) == [200] + [401] * 7


def test_a_ticket_stands_nowhere_but_with_its_owner(clients):
    ticket = live.issue(caller(organisation()))

    assert len(ticket) == 43
    assert ticket not in json.dumps(items())


@pytest.mark.parametrize("ticket", [None, "", "x", "A" * 43, "A" * 44, "é" * 43, "' OR 1=1 --", "A" * 100_000])
def test_a_ticket_that_nobody_issued_opens_nothing(clients, ticket):
    assert handshake(ticket) == 401
    assert items() == []


def test_a_ticket_is_good_for_half_a_minute(clients):
    ticket = live.issue(caller(organisation()))

    assert live.redeem(ticket, "late", now=time.time() + 30) is None
    assert live.redeem(ticket, "in time", now=time.time() + 28) is not None


def test_a_connection_ends_with_the_token_that_its_ticket_was_made_with(clients):
    assert live.redeem(live.issue(caller(organisation(), seconds=600)), "user").ends_at == pytest.approx(time.time() + 600, abs=2)
    assert live.redeem(live.issue(caller(organisation(), seconds=86_400)), "service").ends_at == pytest.approx(time.time() + 7200, abs=2)
    assert live.redeem(live.issue(caller(organisation(), seconds=0)), "ended") is None


# ------------------------------------------------------------------------------------------------ Messages of a client


def test_every_message_is_answered_with_what_the_connection_has(clients):
    organisation_id = organisation()
    connection_id = connected(caller(organisation_id, "videos:all"))

    answer = say(clients, connection_id, {"action": "subscribe", "topics": [f"video:{VIDEO}", "videos"]})
    assert {name: answer[name] for name in ("type", "status", "topics")} == {
        "type": "connection_status",
        "status": "connected",
        "topics": [f"video:{VIDEO}", "videos"],
    }
    assert say(clients, connection_id, {"action": "unsubscribe", "topics": ["videos", "reports"]})["topics"] == [f"video:{VIDEO}"]
    assert say(clients, connection_id, {"action": "ping"})["topics"] == [f"video:{VIDEO}"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", "INVALID_FORMAT"),
        ("not json", "INVALID_FORMAT"),
        ("[" * 5000, "INVALID_FORMAT"),
        ("NaN", "VALIDATION_ERROR"),
        ("null", "VALIDATION_ERROR"),
        ([], "VALIDATION_ERROR"),
        ({}, "VALIDATION_ERROR"),
        ({"action": "steal"}, "VALIDATION_ERROR"),
        ({"action": ["subscribe"]}, "VALIDATION_ERROR"),
        ({"action": "ping", "more": 1}, "VALIDATION_ERROR"),
        ({"action": "subscribe"}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": []}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": "videos"}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": [1]}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": [None]}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": ["videos"], "organisation_id": "x"}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": ["video:*"]}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": ["videos", f"video:{VIDEO.upper()}"]}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": [f"video:{VIDEO}#feed"]}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": ["\ud800\x00"]}, "VALIDATION_ERROR"),
        ({"action": "subscribe", "topics": [f"video:{uuid.uuid4()}" for _ in range(101)]}, "VALIDATION_ERROR"),
        ("x" * 8193, "PAYLOAD_TOO_LARGE"),
        ("é" * 5000, "PAYLOAD_TOO_LARGE"),
    ],
    ids=lambda value: str(value)[:40].encode("ascii", "replace").decode(),
)
def test_what_cant_be_understood_is_answered_and_closes_nothing(clients, message, code):
    connection_id = connected(caller(organisation()))

    answer = say(clients, connection_id, message)

    assert (answer["type"], answer["code"]) == ("error", code)
    assert answer["message"]
    assert clients.closed == []
    assert say(clients, connection_id, {"action": "ping"})["topics"] == []


def test_a_client_that_talks_without_end_is_cut_off(clients, monkeypatch):
    monkeypatch.setattr(live, "MESSAGES_A_MINUTE", 3)
    at = time.time()
    monkeypatch.setattr(live.time, "time", lambda: at)
    loud, quiet = connected(caller(organisation())), connected(caller(organisation()))
    assert [say(clients, loud, {"action": "ping"})["type"] for _ in range(3)] == ["connection_status"] * 3

    assert say(clients, loud, {"action": "ping"})["code"] == "RATE_LIMIT_EXCEEDED"

    assert clients.closed == [loud]
    assert live.find(loud) is None
    assert say(clients, quiet, {"action": "ping"})["type"] == "connection_status"


def test_a_new_minute_gives_a_client_its_messages_again(clients, monkeypatch):
    monkeypatch.setattr(live, "MESSAGES_A_MINUTE", 1)

    assert [live.says_too_much("one", at) for at in (60.0, 119.0, 120.0)] == [False, True, False]


WORDS = st.sampled_from(["action", "topics", "subscribe", "unsubscribe", "ping", "videos", "feed", f"video:{VIDEO}"]) | st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60) | JSON.map(json.dumps) | st.fixed_dictionaries({"action": WORDS, "topics": JSON}).map(json.dumps))
def test_whatever_is_said_has_one_answer(clients, message):
    connection_id = connected(caller(organisation()))

    answer = say(clients, connection_id, message)

    assert answer["type"] in ("connection_status", "error")
    assert clients.closed == []


def test_binary_messages_are_refused(clients):
    connection_id = connected(caller(organisation()))
    app.handler(websocket("MESSAGE", connection_id, "eyJ9") | {"isBase64Encoded": True}, None)

    assert clients.take(connection_id)[0]["code"] == "INVALID_FORMAT"


@pytest.mark.parametrize(
    ("topic", "permissions", "may"),
    [
        ("videos", roles.ROLES["viewer"], True),
        ("syncs", roles.ROLES["user"], False),
        ("reports", roles.ROLES["user"], False),
        ("syncs", roles.of_user("user", content_owner=True), True),
        ("reports", frozenset({"cms:read", "live:read"}), True),
        ("videos", frozenset({"cms:read", "live:read"}), False),
        ("feed", roles.of_user("user", owner=True, content_owner=True), False),
        ("feed", frozenset({"internal:all", "live:read"}), False),
        ("feed", roles.ROLES["admin"], True),
    ],
)
def test_a_topic_needs_the_permission_to_read_what_it_tells(clients, topic, permissions, may):
    connection_id = connected(caller(organisation(), *permissions))

    answer = say(clients, connection_id, {"action": "subscribe", "topics": [topic]})

    assert answer["type"] == ("connection_status" if may else "error")
    assert may or answer["code"] == "INSUFFICIENT_PERMISSIONS"


def test_one_forbidden_topic_among_others_subscribes_to_none(clients):
    organisation_id = organisation()
    connection_id = connected(caller(organisation_id))
    say(clients, connection_id, {"action": "subscribe", "topics": ["videos", "feed"]})

    assert app.handler(progress(organisation_id), None) == {"told": 0}


def test_a_connection_has_a_bounded_number_of_topics_whatever_comes_at_once(clients):
    connection_id = connected(caller(organisation()))
    bundles = [[f"video:{uuid.uuid4()}" for _ in range(30)] for _ in range(6)]

    def ask(number: int) -> None:
        app.handler(websocket("MESSAGE", connection_id, json.dumps({"action": "subscribe", "topics": bundles[number]})), None)

    in_threads(6, ask)

    answers = clients.take(connection_id)
    assert len(live.find(connection_id).topics) == 90
    assert [each["code"] for each in answers if each["type"] == "error"] == ["CONFLICT"] * 3
    assert sum(item["pk"]["S"].startswith("live#topic#") for item in items()) == 90


def test_one_connection_more_than_a_user_may_have_closes_the_oldest(clients):
    identity = caller(organisation())
    first, *others = [subscribed(clients, identity, "videos") for _ in range(live.MOST_CONNECTIONS)]
    clients.gone.add(others[0])  # a tab that ended without a word

    newest = [subscribed(clients, identity, "videos") for _ in range(2)]

    assert clients.closed == [first]
    assert app.handler(progress(identity.organisation_id), None) == {"told": live.MOST_CONNECTIONS}
    assert clients.take(newest[1])
    assert clients.take(first) == []
    connected(caller(identity.organisation_id))  # another user's are counted apart
    assert clients.closed == [first]


def test_after_the_session_s_end_a_message_is_answered_and_the_connection_closed(clients):
    ended = live.Connection("ended", "account", "login", organisation(), frozenset({"videos:read"}), int(time.time()) - 1, frozenset())
    live.add(ended)

    answer = say(clients, "ended", {"action": "ping"})

    assert (answer["type"], answer["code"]) == ("error", "INVALID_TOKEN")
    assert clients.closed == ["ended"]


def test_after_the_session_s_end_nothing_is_told(clients):
    ended = live.Connection("ended", "account", "login", organisation(), frozenset({"videos:read"}), int(time.time()) - 1, frozenset())
    live.add(ended)
    live.subscribe(ended, frozenset({"videos"}))

    assert app.handler(progress(ended.organisation_id), None) == {"told": 0}


def test_whoever_leaves_leaves_nothing_behind(clients):
    connection_id = subscribed(clients, caller(organisation()), "videos", f"video:{VIDEO}")
    assert items()

    assert app.handler(websocket("DISCONNECT", connection_id), None) == {"statusCode": 200}
    assert items() == []
    assert app.handler(websocket("DISCONNECT", connection_id), None) == {"statusCode": 200}


@pytest.fixture
def person(client, clients):
    """Somebody new: their client, and how to log in once more."""
    email, password = f"{uuid.uuid4().hex}@example.com", "Correct-Horse-7-Battery"
    anybody = Client()
    anybody("POST", "/api/v1/auth/register", {"email": email, "password": password, "full_name": "Ada"})

    def login() -> Client:
        told = anybody("POST", "/api/v1/auth/login", {"email": email, "password": password}).body
        return Client(told["access_token"], told["user"]["organisation_id"])

    return login


def watching(clients: Clients, who: Client) -> str:
    connection_id = uuid.uuid4().hex
    assert handshake(who("POST", "/api/v1/live/tickets").body["ticket"], connection_id) == 200
    assert say(clients, connection_id, {"action": "subscribe", "topics": ["videos"]})["topics"] == ["videos"]
    return connection_id


def test_a_logout_ends_what_that_login_had_open_and_nothing_else(clients, person):
    phone, desk = person(), person()
    on_phone, on_desk = watching(clients, phone), watching(clients, desk)

    assert phone("POST", "/api/v1/auth/logout").status == 204

    assert app.handler(progress(desk.organisation_id), None) == {"told": 1}
    assert clients.take(on_desk)
    assert say(clients, on_phone, {"action": "ping"})["code"] == "INVALID_TOKEN"
    assert clients.closed == [on_phone]


def test_a_new_password_ends_everything_that_is_open(clients, person):
    first, second = person(), person()
    watching(clients, first), watching(clients, second)

    told = first("PUT", "/api/v1/users/me", {"password": "Another-Horse-8-Battery", "current_password": "Correct-Horse-7-Battery"})

    assert told.status == 200
    assert app.handler(progress(first.organisation_id), None) == {"told": 0}


def test_a_revoked_service_token_ends_what_was_opened_with_it(clients, person, tx):
    owner = person()
    db.run(tx, "UPDATE accounts.users SET verified_at = now()")
    made = owner("POST", "/api/v1/auth/service-tokens", {"name": "wall", "scopes": ["live:read", "videos:read"]}).body
    wall = Client(made["token"], owner.organisation_id)
    on_wall, at_desk = watching(clients, wall), watching(clients, owner)

    assert owner("DELETE", f"/api/v1/auth/service-tokens/{made['service_token']['id']}").status == 204

    assert app.handler(progress(owner.organisation_id), None) == {"told": 1}
    assert clients.take(at_desk)
    assert clients.take(on_wall) == []


def test_who_was_removed_from_an_organisation_is_told_nothing_more_of_it(clients, person, tx):
    owner = person()
    member = str(db.value(tx, "INSERT INTO accounts.users (email, full_name) VALUES ('member@example.com', 'A Member') RETURNING id"))
    place = {"o": owner.organisation_id, "u": member}
    db.run(tx, "INSERT INTO accounts.members (organisation_id, user_id, role) VALUES (:o, :u, 'user')", **place)
    subscribed(clients, caller(owner.organisation_id, subject=member), "videos")
    staying = watching(clients, owner)

    assert owner("DELETE", f"/api/v1/organisations/{owner.organisation_id}/members/{member.upper()}").status == 204
    assert app.handler(progress(owner.organisation_id), None) == {"told": 1}
    assert clients.take(staying)


# ------------------------------------------------------------------------------------------------ What is told


def test_a_video_s_event_comes_as_the_contract_has_it(clients):
    organisation_id = organisation()
    connection_id = subscribed(clients, caller(organisation_id), f"video:{VIDEO}", "videos")

    assert app.handler(progress(organisation_id), None) == {"told": 1}

    at = "2026-11-22T08:00:05.123456+00:00"
    assert clients.take(connection_id) == [
        {"type": "video_update", "video_id": VIDEO, "title": "Cables", "status": "processing", "last_updated": at},
        {
            "type": "processing_update",
            "video_id": VIDEO,
            "status": "processing",
            "progress": 15,
            "current_step": "voice",
            "attempt": 1,
            "message": "Spoken.",
            "timestamp": at,
        },
    ]


def test_another_organisation_s_client_gets_nothing_even_by_the_video_s_id(clients):
    owner, stranger = organisation(), organisation()
    watching = subscribed(clients, caller(owner), f"video:{VIDEO}")
    others = [subscribed(clients, caller(stranger, *granted), f"video:{VIDEO}", "videos") for granted in (("videos:all",), ("*",))]

    assert app.handler(progress(owner), None) == {"told": 1}
    assert clients.take(watching)
    assert [clients.take(each) for each in others] == [[], []]


def test_who_asked_for_another_video_or_unsubscribed_gets_nothing(clients):
    organisation_id = organisation()
    elsewhere = subscribed(clients, caller(organisation_id), f"video:{uuid.uuid4()}")
    left = subscribed(clients, caller(organisation_id), "videos")
    say(clients, left, {"action": "unsubscribe", "topics": ["videos"]})

    assert app.handler(progress(organisation_id), None) == {"told": 0}
    assert clients.take(elsewhere) == clients.take(left) == []


def test_repeats_and_what_comes_after_something_later_are_not_told(clients):
    organisation_id = organisation()
    connection_id = subscribed(clients, caller(organisation_id), "videos")
    early, late = progress(organisation_id, 15, "2026-11-22T08:00:05.1+00:00"), progress(organisation_id, 50, "2026-11-22T08:00:05.2+00:00")

    for event in (late, early, late, early):
        app.handler(event, None)

    assert [each["progress"] for each in clients.take(connection_id) if "progress" in each] == [50]


def test_an_end_is_told_once_whatever_the_clocks_say_and_only_a_retry_comes_after_it(clients):
    organisation_id = organisation()
    connection_id = subscribed(clients, caller(organisation_id), "videos")
    rendering, last_words = (progress(organisation_id, percent, f"2026-11-22T08:00:{second}+00:00") for percent, second in ((90, "09.5"), (96, "09.9")))
    end = progress(organisation_id, 97, "2026-11-22T08:00:08+00:00", kind="video.failed")
    end["detail"]["status"] = "failed"
    retry = progress(organisation_id, 98, "2026-11-22T08:00:11+00:00")

    for event in (rendering, end, last_words, rendering, end, retry, end):
        app.handler(event, None)

    assert [each["progress"] for each in clients.take(connection_id) if "progress" in each] == [90, 97, 98]


def test_of_many_events_at_once_the_latest_stays_the_latest(clients):
    organisation_id = organisation()
    connection_id = subscribed(clients, caller(organisation_id), "videos")
    events = [progress(organisation_id, percent, f"2026-11-22T08:00:{percent}+00:00") for percent in range(10, 30)]

    in_threads(20, lambda number: app.handler(events[number], None))

    told = [each["progress"] for each in clients.take(connection_id) if "progress" in each]
    assert 29 in told
    assert len(told) == len(set(told))
    assert all(app.handler(event, None) == {"told": 0} for event in events)


def test_who_is_gone_is_forgotten_and_who_takes_nothing_stops_nobody(clients):
    organisation_id = organisation()
    gone, broken, slow, *well = [subscribed(clients, caller(organisation_id), "videos") for _ in range(14)]
    clients.gone.add(gone)
    clients.broken.add(broken)
    clients.slow.add(slow)

    app.handler(progress(organisation_id), None)

    assert all(len(clients.take(each)) == 2 for each in [*well, slow])
    assert live.find(gone) is None
    assert gone not in json.dumps(items())
    assert live.find(broken) is not None


def test_what_nobody_could_be_told_is_told_at_the_next_delivery(clients):
    organisation_id = organisation()
    connection_id = subscribed(clients, caller(organisation_id), "videos")
    clients.broken.add(connection_id)
    event = progress(organisation_id)

    with pytest.raises(ServiceUnavailable):
        app.handler(event, None)
    clients.broken.clear()

    assert app.handler(event, None) == {"told": 1}
    assert len(clients.take(connection_id)) == 2


def test_the_render_s_progress_is_that_of_the_status(client, tx, clients):
    video_id = str(uuid.uuid4())
    channel = db.value(tx, "INSERT INTO studio.channels (organisation_id, name, settings) VALUES (:o, 'Live', '{}') RETURNING id", o=client.organisation_id)
    db.run(
        tx,
        "INSERT INTO studio.videos (id, organisation_id, channel_id, request) VALUES (:id, :o, :channel, '{}')",
        id=video_id,
        o=client.organisation_id,
        channel=channel,
    )
    productions.begin(tx, video_id, 1, 600)
    productions.advance(tx, video_id, 1, "render", 50, "Rendering.")
    key = f"organisations/{client.organisation_id}/videos/{video_id}/render/progress.json"
    connection_id = subscribed(clients, caller(client.organisation_id), f"video:{video_id}")
    event = {"id": "1", "source": "aws.s3", "detail-type": "Object Created", "time": "2026-11-22T08:00:06Z", "detail": {"object": {"key": key}}}

    for number, said in enumerate(({"phase": "frames", "done": 5, "total": 10}, {"phase": "join", "done": 1, "total": 2})):
        blobs.put_json(key, said)
        app.handler({**event, "id": str(number), "time": f"2026-11-22T08:00:0{number}Z"}, None)
        (message,) = clients.take(connection_id)
        assert message["progress"] == client("GET", f"/api/v1/videos/{video_id}/status").body["progress"] == (73, 96)[number]

    blobs.remove([key])
    assert app.handler({**event, "id": "9", "time": "2026-11-22T08:00:09Z"}, None) == {"told": 1}
    assert clients.take(connection_id) == []


def test_reports_and_syncs_are_told_to_the_content_owner(clients):
    organisation_id = organisation()
    connection_id = subscribed(clients, caller(organisation_id, *roles.of_user("user", content_owner=True)), "reports", "syncs")
    common = {"organisation_id": organisation_id, "at": "2026-11-22T08:00:05+00:00"}
    sync = {"event_id": "s1", "video_id": "dQw4w9WgXcQ", "status": "failed", **common}
    report = {"event_id": "r1", "report_id": "7", "status": "completed", "progress": 100, "message": "10 rows", **common}

    for kind, detail in (("sync.failed", sync), ("report.processed", report)):
        assert app.handler({"id": "1", "source": "showrunner", "detail-type": kind, "time": "2026-11-22T08:00:06Z", "detail": detail}, None) == {"told": 1}

    assert clients.take(connection_id) == [
        {"type": "sync_status_update", "video_id": "dQw4w9WgXcQ", "status": "failed", "timestamp": common["at"]},
        {"type": "processing_update", "report_id": "7", "status": "completed", "progress": 100, "message": "10 rows", "timestamp": common["at"]},
    ]


# ------------------------------------------------------------------------------------------------ Samples and the template


def test_the_samples_are_one_connection_that_watches_a_video(clients, event, aws):
    sample = event("live.connect")
    connection_id = sample["requestContext"]["connectionId"]
    organisation_id = event("live.progress")["detail"]["organisation_id"]
    assert app.handler(sample, None) == {"statusCode": 401}
    sample["queryStringParameters"]["ticket"] = live.issue(caller(organisation_id, "*"))
    assert app.handler(sample, None) == {"statusCode": 200}

    assert app.handler(event("live.subscribe"), None) == {"statusCode": 200}
    blobs.put_json(event("live.rendering")["detail"]["object"]["key"], {"phase": "frames", "done": 1, "total": 2})
    assert app.handler(event("live.rendering"), None) == {"told": 1}
    assert app.handler(event("live.progress"), None) == {"told": 1}
    clients.take(connection_id)
    say(clients, connection_id, {"action": "subscribe", "topics": ["feed"]})
    assert app.handler(event("live.feed"), None) == {"told": 1}

    assert clients.take(connection_id) == [
        {
            "type": "video_update",
            "video_id": "dQw4w9WgXcQ",
            "title": "A new video",
            "status": "new_video",
            "last_updated": "2026-11-22T08:00:05Z",
        }
    ]
    assert app.handler(event("live.disconnect"), None) == {"statusCode": 200}
    assert live.find(connection_id) is None


def test_the_rules_of_the_template_let_through_what_can_be_told():
    rules = template.functions()["live"].properties["Events"]
    prefixes = {each["prefix"] for each in rules["Announced"]["Properties"]["Pattern"]["detail-type"]}

    assert {prefix.rstrip(".") for prefix in prefixes} | set(rules["Rendering"]["Properties"]["Pattern"]["detail-type"]) == set(app.KINDS)
