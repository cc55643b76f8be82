"""Every route of the OpenAPI document against suspended callers and against malformed bodies."""

import base64
import collections
import uuid

import pytest

from showrunner.access import roles
from showrunner.database import db
from tests.access.test_roles import DOCUMENT, OPERATIONS, caller, granted, own, tiktok_app
from tests.conftest import payload, send

__all__ = ["own", "tiktok_app"]

HOSTILE = {
    "UTF-16": '{"name": "Ö"}'.encode("utf-16"),
    "UTF-32 without a mark": '{"name": "x"}'.encode("utf-32-le"),
    "a mark": '{"name": "x"}'.encode("utf-8-sig"),
    "a key twice": b'{"name": "x", "name": "y"}',
    "a key twice further down": b'{"settings": {"privacy": "private", "privacy": "public"}}',
    "no number": b'{"name": NaN}',
    "too deep": b'{"a":' * 200 + b"1" + b"}" * 200,
    "no JSON": b"name=x",
}
WITH_BODY = [
    (method, path, permission)
    for method, path, permission in OPERATIONS
    if "requestBody" in DOCUMENT["paths"][path][method.lower()]
]
# The largest body that any route takes is a thumbnail of 3 MB in base64.
TOO_LARGE = b'{"name": "' + b"x" * 6_000_000 + b'"}'


def ids(own):
    """Return the ids of what there is, and of something absent for every other kind."""
    return collections.defaultdict(lambda: str(uuid.uuid4()), own)


def permitted(tx, key, own, operations):
    """Yield each operation with a client whose role has its permission."""
    for kind in ("owner", "admin", "service"):
        client = caller(tx, key, kind, own["organisation_id"], own["user_id"])
        mine = [each for each in operations if roles.allows(granted(kind), each[2])]
        operations = [each for each in operations if each not in mine]
        yield from ((client, method, path) for method, path, _ in mine)


def raw(client, method, path, body):
    event = payload(
        method, path, {"authorization": f"Bearer {client.token}"}, base64.b64encode(body).decode()
    )
    return send(event | {"isBase64Encoded": True})


def test_no_route_takes_a_body_that_is_not_one_meaning_in_utf_8(tx, own, signing_key):
    taken = [
        f"{method} {path}: {name} -> {response['statusCode']}"
        for client, method, path in permitted(tx, signing_key, own, WITH_BODY)
        for name, body in HOSTILE.items()
        if (response := raw(client, method, path.format_map(ids(own)), body))["statusCode"] != 400
    ]

    assert len(WITH_BODY) > 40
    assert taken == []


def test_no_route_reads_a_body_over_its_limit(tx, own, signing_key):
    taken = [
        f"{method} {path}: {response['statusCode']}"
        for client, method, path in permitted(tx, signing_key, own, WITH_BODY)
        if (response := raw(client, method, path.format_map(ids(own)), TOO_LARGE))["statusCode"] != 413
    ]

    assert taken == []


def test_no_route_takes_an_idempotency_key_that_is_not_one(tx, own, signing_key):
    """Not even one that changes nothing this time, such as a dry run."""
    with_key = [
        each
        for each in OPERATIONS
        if "Idempotency-Key" in str(DOCUMENT["paths"][each[1]][each[0].lower()]["parameters"])
    ]
    taken = [
        f"{method} {path}: {response.status}"
        for client, method, path in permitted(tx, signing_key, own, with_key)
        if (
            response := client(
                method, path.format_map(ids(own)), {"dry_run": True}, idempotency_key="x" * 129
            )
        ).status
        != 400
        or response.body["error"]["details"][0]["field"] != "Idempotency-Key"
    ]

    assert len(with_key) > 20
    assert taken == []


@pytest.mark.parametrize("who", ["user", "organisation"])
def test_no_route_answers_the_suspended(tx, own, signing_key, who):
    """But for an admin of the platform, who has to be able to end the suspension of their organisation."""
    client = caller(tx, signing_key, "owner", own["organisation_id"], own["user_id"])
    table, id_ = ("users", own["user_id"]) if who == "user" else ("organisations", own["organisation_id"])
    db.run(
        tx,
        f"UPDATE accounts.{table} SET suspended_at = now(), suspended_reason = 'Unpaid' WHERE id = :id",
        id=id_,
    )

    answered = [
        f"{method} {path}: {response.status}"
        for method, path, _ in OPERATIONS
        if (response := client(method, path.format_map(ids(own)), None if method == "GET" else {})).status
        != 403
        or response.body["error"]["code"] != "SUSPENDED"
    ]

    assert answered == []
