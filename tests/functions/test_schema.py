"""The handlers keep to the OpenAPI document: no 5xx, documented statuses and schemas, authentication.

Every operation gets the same cases at the bounds of its schema and some drawn at random: 8 each time in the
everyday run, 200 with `-m slow`.
"""

import os
import re
from collections import Counter

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
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from showrunner.access import passwords, sessions
from showrunner.database import db
from showrunner.store import retention
from showrunner.store.access import maintenance
from showrunner.store.accounts import members, users
from tests import documents
from tests.conftest import Client, add_organisation, payload, send

UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CHECKS = [
    *(
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
    ),
    *(negative_data_rejection, unsupported_method),
]


def wsgi(environ, start_response):
    """Call the handlers as a WSGI application, which schemathesis can call in process."""
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    length = int(environ.get("CONTENT_LENGTH") or 0)
    raw = environ["wsgi.input"].read(length) if length else b""
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    event = payload(
        environ["REQUEST_METHOD"],
        path.replace("?", "%3F"),
        headers,
        raw.decode("utf-8", "replace") if raw else None,
        "198.18.0.1",
    )
    event |= query(environ.get("QUERY_STRING", ""))
    response = send(event)
    start_response(f"{response['statusCode']} -", list(response["headers"].items()))
    return [response["body"].encode()]


def query(text):
    parameters = payload("GET", f"/?{text}", {}, None).get("queryStringParameters")
    return {"queryStringParameters": parameters} if parameters else {}


# A text far over its maximum length makes the body too large: 413 is right then.
REFUSALS = [400, 401, 403, 404, 405, 409, 413, 429]
CONFIG = SchemathesisConfig.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}}}
)
# Lazy: the cases of a hundred operations take half a minute to build, which no collection of tests should
# wait for.
schema = schemathesis.pytest.from_fixture("api_schema")


@pytest.fixture(autouse=True)
def node_id(request):
    """Set the attribute that lazy schemas of schemathesis 4.32 read and that pytest 9.2 no longer has."""
    request.node._nodeid = request.node.nodeid


@pytest.fixture(scope="module")
def api_schema():
    """Return the document with the handlers behind it."""
    found = schemathesis.openapi.from_dict(documents.platform(), config=CONFIG)
    found.app = wsgi
    return found


@pytest.fixture(scope="module")
def known(postgres, platforms, signing_key, served_documents, suppressions):
    """Create an admin and one object of each kind, so that many requests succeed.

    Returns their ids by name.
    """
    with db.transaction() as tx:
        begun = db.value(tx, "SELECT now()")
        organisation_id = add_organisation(tx, "Fuzzed")
        people = [
            users.add(
                tx, f"{name}@example.com", passwords.digest("Correct-horse-7-battery"), name, None, None
            )
            for name in ("boss", "worker")
        ]
        for user_id in people:
            members.add(tx, organisation_id, user_id, "user")
        db.run(
            tx,
            "UPDATE accounts.users SET platform_admin = true, verified_at = now() WHERE id = :id",
            id=people[0],
        )
        member = members.get(tx, people[0])
    os.environ["RATE_LIMIT_FACTOR"] = "100000"
    client = Client(logged_in(member), organisation_id)
    channel_id = client("POST", "/api/v1/channels", {"name": "Fuzzed", "niche": "Insects"}).body["channel"][
        "id"
    ]
    video_id = client("POST", "/api/v1/videos/generate", {"channel_id": channel_id, "topic": "Bees"}).body[
        "video_id"
    ]
    asset = {"kind": "image", "content_type": "image/png", "bytes": 1, "sha256": "0" * 64}
    asset_id = client("POST", "/api/v1/assets", asset).body["asset"]["id"]
    ids = {
        "channel_id": channel_id,
        "video_id": video_id,
        "asset_id": asset_id,
        "organisation_id": organisation_id,
        "user_id": people[1],
    }
    yield {"member": member, **ids}
    os.environ.pop("RATE_LIMIT_FACTOR")
    with db.transaction() as tx:
        maintenance.save(tx, None, 1, "test")
        # These counts would limit later tests.
        db.run(tx, "DELETE FROM access.windows")
        db.run(tx, "DELETE FROM access.login_attempts")
        # A run of another test would collect or renew what the organisation has.
        retention.remove_organisation(tx, organisation_id)
        # Those above, and those that registered with the document's examples.
        db.run(tx, "DELETE FROM accounts.users WHERE created_at >= :begun::timestamptz", begun=begun)


def logged_in(member):
    """Return an access token of a new login."""
    with db.transaction() as tx:
        return sessions.begin(tx, member)["access_token"]


# An example on one of these may log out, erase its user, or take a right away.
ENDS_LOGINS = re.compile("/api/v1/(auth|users|organisations|admin)/")


def bearer(case, known):
    """Return the header of the last login, or of a new one if an example may have ended that."""
    if "token" not in known:
        known["token"] = logged_in(known["member"])
    token = known.pop("token") if ENDS_LOGINS.match(case.path) and case.method != "GET" else known["token"]
    return {"Authorization": f"Bearer {token}"}


def check(case, known):
    positive = case.meta.generation.mode is GenerationMode.POSITIVE
    if positive:
        make_sense(case, known)
    label = case.operation.label
    # It sends two further requests after each success, and one success shows what an operation enforces.
    checks = CHECKS if label in PROTECTED else [*CHECKS, ignored_auth]
    response = case.call_and_validate(checks=checks, headers=bearer(case, known))
    if response.status_code < 300:
        PROTECTED.add(label)
    if positive and response.status_code < 300 and "Idempotency-Key" in (case.headers or {}):
        check_repeat(case, response, known)
    if label == "POST /api/v1/admin/maintenance":
        with db.transaction() as tx:
            maintenance.save(tx, None, 1, "test")
    STATUSES["positive" if positive else "negative", label, response.status_code] += 1


def check_repeat(case, response, known):
    """Check once for each operation that a repeat with the same key gets the same answer."""
    if case.operation.label in REPEATED:
        return
    REPEATED.add(case.operation.label)
    again = case.call(headers=bearer(case, known))
    assert (again.status_code, again.content) == (response.status_code, response.content)
    assert again.headers["idempotency-replayed"] == ["true"]


def make_sense(case, known):
    """Set what a schema can't express: a new key, no cursor, and mostly existing ids, except in a DELETE."""
    turn = STATUSES.total()
    if turn % 4 and case.method != "DELETE":
        for values in (case.path_parameters, case.body, case.query):
            replace_ids(values, known)
    if turn % 4 and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"key-{turn}"
    if turn % 4 and case.query:
        for name, value in {"sort": "-created_at", "cursor": None, "page": 1}.items():
            if name in case.query:
                case.query[name] = value
        case.query.pop("cursor", None)
    if case.operation.label == "POST /api/v1/channels":
        with db.transaction() as tx:
            db.run(tx, "DELETE FROM studio.channels WHERE name <> 'Fuzzed'")


def replace_ids(values, known):
    if isinstance(values, dict):
        for name, value in values.items():
            if name in known and UUID.fullmatch(str(value)):
                values[name] = known[name]


STATUSES = Counter()
REPEATED = set()
PROTECTED = set()
MANY = [
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
    HealthCheck.function_scoped_fixture,
    HealthCheck.data_too_large,
]


@pytest.mark.timeout(900)
@schema.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=MANY)
def test_every_operation_keeps_to_its_document(case, known):
    check(case, known)


def test_at_least_a_third_of_the_valid_requests_succeeded():
    summary = "\n".join(f"{key} {count}" for key, count in sorted(STATUSES.items()))
    good = sum(count for (_, _, status), count in STATUSES.items() if status < 300)
    assert good >= 0.3 * sum(count for (kind, _, _), count in STATUSES.items() if kind == "positive"), summary
    assert len(REPEATED) > 8, f"repeated with their key: {sorted(REPEATED)}"
    print(summary)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@schema.parametrize()
@settings(max_examples=200, deadline=None, suppress_health_check=MANY)
def test_every_operation_keeps_to_its_document_with_many_examples(case, known):
    check(case, known)
