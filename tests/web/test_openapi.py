"""web/openapi.py: everything in both documents is described and has a valid example."""

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate

from tests import documents

DOCUMENTS = {"platform": documents.platform, "ingestion": documents.ingestion}


def properties(schema, path):
    """Yield (path, schema) of each property below a schema."""
    for name, each in schema.get("properties", {}).items():
        yield f"{path}.{name}", each
        yield from properties(each, f"{path}.{name}")
        yield from properties(each.get("items", {}), f"{path}.{name}[]")


def operations(document):
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def examples(document):
    """Yield (place, schema, example) of each parameter, body and response."""
    for name, operation in operations(document):
        for parameter in operation["parameters"]:
            yield f"{name} {parameter['name']}", parameter["schema"], parameter["example"]
        bodies = {"body": operation.get("requestBody", {}), **operation["responses"]}
        for status, body in bodies.items():
            for content in body.get("content", {}).values():
                yield f"{name} {status}", content["schema"], content["example"]


@pytest.fixture(params=DOCUMENTS)
def document(request):
    return DOCUMENTS[request.param]()


def test_the_document_is_valid_and_licensed(document):
    validate(document)

    assert document["info"]["license"]["identifier"] == "Apache-2.0"
    assert {tag["name"] for tag in document["tags"]} == {
        tag for _, operation in operations(document) for tag in operation["tags"]
    }


def test_everything_is_described(document):
    missing = []
    for name, operation in operations(document):
        missing += [name] if len(operation["description"]) < 10 or not operation["summary"] else []
        described = [*operation["parameters"], *operation["responses"].values()]
        missing += [f"{name}: {each}" for each in described if not each.get("description")]
    for model, schema in document["components"]["schemas"].items():
        missing += [path for path, each in properties(schema, model) if not each.get("description")]

    assert missing == []


def test_every_example_fits_its_schema(document):
    wrong = []
    for place, schema, example in examples(document):
        full = schema | {"components": document["components"]}
        validator = Draft202012Validator(full, format_checker=FormatChecker())
        wrong += [
            f"{place}: {error.message} ({list(error.path)})" for error in validator.iter_errors(example)
        ]
        wrong += [f"{place}: empty"] if example == "" else []

    assert not wrong, "\n".join(wrong)


def test_components_have_the_names_of_their_models(document):
    for name, schema in document["components"]["schemas"].items():
        assert schema["title"] == name
        assert name.isidentifier()
        assert "__" not in name


# Every other POST creates or charges, and takes an Idempotency-Key. A repeat of these makes nothing twice.
REPEATABLE = {
    "sets a state, which a repeat sets again": (
        *(f"/api/v1/admin/users/{{user_id}}/{to}" for to in ("suspend", "restore", "promote", "demote")),
        *(
            f"/api/v1/admin/organisations/{{organisation_id}}/{to}"
            for to in ("suspend", "restore", "content-owner")
        ),
        "/api/v1/admin/maintenance",
        *(f"/api/v1/channels/{{channel_id}}/{to}" for to in ("pause", "resume", "connect-youtube")),
        "/api/v1/channels/{channel_id}/calendar/{slot_id}/skip",
        "/api/v1/organisations/{organisation_id}/transfer",
        *(f"/api/v1/cms/changes/{{change_set_id}}/{to}" for to in ("approve", "stop")),
        "/api/v1/auth/unsubscribe",
        "/api/v1/auth/logout",
    ),
    "takes a code, state or token that is valid once": (
        *(f"/api/v1/auth/{route}" for route in ("verify", "password/reset", "mfa/confirm")),
        *(f"/api/v1/auth/oauth/{provider}" for provider in ("google", "youtube")),
        "/api/v1/artists/{artist_id}/accounts/{platform}/callback",
    ),
    "runs once at a time, and a second call is refused or joins it": (
        *(f"/api/v1/admin/keys/{{service}}/{{name}}/{step}" for step in ("rotate", "rollback", "revoke")),
        "/api/v1/backups",
        "/api/v1/backups/{backup_id}/restore",
        "/api/v1/channels/{channel_id}/sync",
        "/api/v1/artists/{artist_id}/refresh",
        "/api/v1/cms/reports/{report_id}/confirm",
        "/api/v1/cms/changes/{change_set_id}/run",
    ),
    "gives out something short-lived that is lost with its answer, or replaces it": (
        *("/api/v1/auth/login", "/api/v1/auth/mfa", "/api/v1/live/tickets"),
        "/api/v1/admin/users/{user_id}/impersonate",
    ),
    "repeats the answer for ten seconds": ("/api/v1/auth/refresh",),
    "is known by its content: an address registers once, a notification counts once": (
        "/api/v1/auth/register",
        "/api/v1/webhooks/youtube/{token}",
    ),
    "sends an email, and is limited for the address": ("/api/v1/auth/password/forgot",),
    "creates nothing": ("/api/v1/videos/estimate",),
}


def test_every_post_that_creates_takes_an_idempotency_key():
    without = {
        name.removeprefix("POST ")
        for name, operation in operations(documents.platform())
        if name.startswith("POST")
        and "Idempotency-Key" not in [parameter["name"] for parameter in operation["parameters"]]
    }

    assert without == {path for paths in REPEATABLE.values() for path in paths}
