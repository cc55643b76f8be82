"""Every route of the Ingestion API with every kind of key.

The data belong to the whole stage: a key opens all or nothing.
"""

import hashlib

import pytest

from showrunner.database import db
from tests import documents
from tests.conftest import add_organisation
from tests.feed.ingestion import KEY

DOCUMENT = documents.ingestion()
OPERATIONS = [
    (method.upper(), path, bool(operation["security"]))
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if not path.startswith(
        "/webhook"
    )  # the receiver's: it has its own token and a signature (test_callbacks)
]
LOCKED = [each for each in OPERATIONS if each[2]]
KINDS = {
    "another organisation's, for other things": ("{videos}", None),
    "one that has expired": ("{ingestion}", "-1 second"),
    "without any scope": ("{nothing}", None),
}


def call(world, method, path, headers):
    filled = path.format(id=1, file="start.js", channel="UC" + "a" * 22, video="vid00000001")
    return world.api(method, filled, None if method in ("GET", "DELETE") else {}, key=None, **headers)


@pytest.fixture
def keys(tx, world):
    """Return invalid keys by name: every route must refuse them."""
    organisation = add_organisation(tx, "Others")
    for name, (scopes, lasts) in KINDS.items():
        db.run(
            tx,
            """
            INSERT INTO access.api_keys
                   (organisation_id, created_by, name, prefix, key_sha256, scopes, expires_at)
            VALUES (:o, 'test', 'k', 'sk_', :h, :s::text[], now() + :lasts::interval)
            """,
            o=organisation,
            h=hashlib.sha256(name.encode()).hexdigest(),
            s=scopes,
            lasts=lasts,
        )
    return [None, "", "nonsense", KEY[:-1], KEY + "0", KEY.upper(), f"{KEY},{KEY}", *KINDS]


@pytest.mark.parametrize(("method", "path", "locked"), LOCKED, ids=lambda value: str(value))
def test_every_route_refuses_a_wrong_key(world, keys, method, path, locked):
    for key in keys:
        for headers in (
            {} if key is None else {"x_api_key": key},
            {} if key is None else {"authorization": f"Bearer {key}"},
        ):
            status, body = call(world, method, path, headers)

            assert (status, body) == (401, {"error": "Unauthorized"}), (key, headers)


@pytest.mark.parametrize(("method", "path", "locked"), OPERATIONS, ids=lambda value: str(value))
def test_every_route_accepts_the_key_in_either_header(world, method, path, locked):
    for headers in ({"x_api_key": KEY}, {"authorization": f"Bearer {KEY}"}):
        status, _ = call(world, method, path, headers)

        assert status not in (401, 403), headers
        assert status < 500, headers


def test_public_routes_show_no_data_of_the_feed():
    assert {path for _, path, locked in OPERATIONS if not locked} == {
        "/health",
        "/openapi.json",
        "/docs",
        "/docs/{file}",
    }
