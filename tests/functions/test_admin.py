"""functions/admin"""

import json

from openapi_spec_validator import validate

from local import openapi
from showrunner import config
from showrunner.access import roles
from tests.conftest import Client

ANYONE = Client()


def test_health_needs_neither_token_nor_database():
    told = ANYONE("GET", "/health")

    assert told.status == 200
    assert told.body["status"] == "ok"
    assert set(told.body) == {"status", "version", "timestamp"}


def test_the_document_is_written_from_the_code_of_today():
    assert openapi.TARGET.read_text() == openapi.text(), "run: python -m local.openapi"


def test_the_document_is_valid_openapi_and_served():
    told = ANYONE("GET", "/openapi.json")

    validate(told.body)
    assert told.body["openapi"] == "3.1.0"
    assert told.headers["etag"]


def test_every_route_has_a_permission_that_some_role_or_scope_grants():
    grantable = set().union(*roles.ROLES.values(), roles.OWNER, roles.CONTENT_OWNER, roles.SCOPES) - {"*"}
    for path, operations in ANYONE("GET", "/openapi.json").body["paths"].items():
        for method, operation in operations.items():
            permission = operation["x-permission"]
            assert permission == roles.PUBLIC or roles.allows(frozenset(grantable), permission) or permission.startswith("admin:"), (method, path)
            assert operation["summary"], (method, path)


def test_the_page_needs_nothing_from_elsewhere_and_names_every_operation():
    page = ANYONE("GET", "/docs")

    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.body
    assert "style=" not in page.body
    assert "http://" not in page.body
    for path in ANYONE("GET", "/openapi.json").body["paths"]:
        assert path.replace("{", "{") in page.body
    assert ANYONE("GET", "/docs/style.css").headers["content-type"].startswith("text/css")


def test_the_keys_are_public_halves(signing_key):
    told = ANYONE("GET", "/.well-known/jwks.json")

    assert told.body == json.loads(config.secret("auth/jwks"))
    assert not {"d", "p", "q"} & set(told.body["keys"][0])
