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


# Nothing is made twice by a repeat of these: an address registers once, a ticket is used once, and a second
# secret of a second factor replaces the first. A forgotten password has a limit of its own. A notification's
# repeats are recognised by their content. One rotation of a key runs at a time, and one reading of a channel.
# A report is confirmed once. One backup is made, and one restored, at a time; so does a change set run.
REPEATABLE = {
    "POST /api/v1/auth/register",
    "POST /api/v1/live/tickets",
    "POST /api/v1/auth/mfa",
    "POST /api/v1/auth/password/forgot",
    "POST /api/v1/webhooks/youtube/{token}",
    "POST /api/v1/channels/{channel_id}/sync",
    "POST /api/v1/artists/{artist_id}/refresh",
    "POST /api/v1/backups",
    "POST /api/v1/backups/{backup_id}/restore",
    "POST /api/v1/cms/reports/{report_id}/confirm",
    "POST /api/v1/cms/changes/{change_set_id}/run",
    *(f"POST /api/v1/admin/keys/{{service}}/{{name}}/{step}" for step in ("rotate", "rollback", "revoke")),
}


def test_every_post_that_creates_takes_an_idempotency_key():
    creating = {
        name: [parameter["name"] for parameter in operation["parameters"]]
        for name, operation in operations(documents.platform())
        if name.startswith("POST") and {"201", "202"} & set(operation["responses"])
    }

    assert len(creating) > 8
    without = {name for name, parameters in creating.items() if "Idempotency-Key" not in parameters}
    assert without == REPEATABLE & set(creating)
