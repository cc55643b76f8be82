"""Write the OpenAPI documents of both HTTP APIs from the routes of their functions.

`make build` writes them into the built functions that serve them (local/build.py); nothing generated is
committed. `python -m local.openapi FOLDER` writes platform.json and ingestion.json, for reading and
comparing.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

INGESTION = """\
What YouTube's channels publish, as WebSub hubs and our own polls tell it.

It has no tenants: what is public on YouTube is the same for everybody, and each channel is followed once for
the whole stage. A key with the scope `ingestion` opens all of it, subscriptions included; only a platform's
admins can make one (`POST /api/v1/auth/api-keys` of the Platform API).

A subscription is `pending` until the hub has verified it. Lists go by `limit` and `offset` up to row 10,000
and by `cursor` beyond; `total_relation` says whether `total` is exact. Where `title` has no three letters or
digits in a row it is looked for step by step: a page may be shorter than its limit, and `next_cursor` goes on
behind what was looked at.

Errors are `{"error", "message", "details"}`. What API Gateway itself answers before our code runs keeps AWS's
body: 413 above 10 MB, 429 when a whole stage is throttled, 503 when a function can't start. There is no limit
per caller.
"""
ERROR = {
    "title": "Error",
    "description": "The body of every error response.",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string", "description": "Code of the error, for programs."},
        "message": {"type": "string", "description": "What went wrong, for people."},
        "details": {
            "type": "object",
            "description": "Which field is wrong.",
            "properties": {"field": {"type": "string", "description": "Name of the field."}},
        },
    },
}


def applications() -> list[Any]:
    """Return the applications of the Platform API: those of every function except the Ingestion API's."""
    for path in (ROOT / "layers" / "showrunner", ROOT):
        if str(path) not in sys.path:
            sys.path.insert(0, str(path))
    files = [
        path
        for path in sorted(ROOT.glob("functions/*/app.py"))
        if "Application(" in path.read_text(encoding="utf-8")
    ]
    return [
        importlib.import_module(f"functions.{path.parent.name}.app").app
        for path in files
        if path.parent.name != "feed"
    ]


def platform_text() -> str:
    """Return the Platform API's document, with the webhook, whose errors are those of the Ingestion API."""
    declared = applications()
    from showrunner.web import openapi

    known = openapi.document(declared)
    known["components"]["schemas"]["WebhookError"] = ERROR | {"title": "WebhookError"}
    known["paths"] |= _webhook("/api/v1/webhooks/youtube/{token}", "WebhookError")
    return json.dumps(openapi.complete(known), indent=1, ensure_ascii=False) + "\n"


def ingestion_text() -> str:
    """Return the document of the Ingestion API.

    It has keys and error bodies of its own, and a public receiver that is no Application.
    """
    applications()
    from showrunner.feed import schemas
    from showrunner.web import openapi

    feed = importlib.import_module("functions.feed.app")
    known = openapi.document([feed.app], "showrunner Ingestion API")
    known["info"]["description"] = INGESTION
    schemas_ = known["components"]["schemas"]
    schemas_["Error"] = ERROR
    known["components"]["securitySchemes"]["bearer"]["description"] = "The same key."
    for path in known["paths"].values():
        for operation in path.values():
            _as_ingestion(operation)
    known["paths"]["/api/v1/subscriptions/{id}/renew"]["post"]["requestBody"] = {
        "required": False,
        "description": "What to change; omitted fields keep their value.",
        "content": {"application/json": {"schema": openapi.schema_of(schemas.Renewal, schemas_)}},
    }
    known["paths"] |= _webhook("/webhook/{token}", "Error")
    return json.dumps(openapi.complete(known), indent=1, ensure_ascii=False) + "\n"


def _as_ingestion(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    answers.pop("403", None)
    if operation["security"]:
        operation["security"] = [{"key": []}, {"bearer": []}]
        answers.setdefault(
            "503",
            {"description": "Try again: `Retry-After` says when.", "content": answers["500"]["content"]},
        )


def _webhook(path: str, error_model: str) -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string", "examples": ["a1b2c3"]}}}
    error = {"application/json": {"schema": {"$ref": f"#/components/schemas/{error_model}"}}}
    token = {
        "name": "token",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": "The token in the callback that the hub was given.",
    }
    refused = {
        status: {"description": words, "content": error}
        for status, words in (("404", "No such callback."), ("503", "Send it again."))
    }
    names = ("hub.mode", "hub.topic", "hub.challenge", "hub.lease_seconds", "hub.reason")
    verify = {
        "operationId": "websub_verify",
        "tags": ["websub"],
        "summary": "A hub verifies what we asked for",
        "description": (
            "Answered with the challenge when topic, mode and token are those of a request of ours, "
            "with 404 otherwise."
        ),
        "x-permission": "public",
        "security": [],
        "parameters": [
            token,
            *(
                {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
                for name in names
            ),
        ],
        "responses": {"200": {"description": "The challenge.", "content": text}, **refused},
    }
    notify = {
        "operationId": "websub_notify",
        "tags": ["websub"],
        "summary": "A hub delivers a notification",
        "description": "Checked against the subscription's secret and queued as it came.",
        "x-permission": "public",
        "security": [],
        "parameters": [
            token,
            {"name": "X-Hub-Signature", "in": "header", "required": False, "schema": {"type": "string"}},
        ],
        "requestBody": {
            "required": True,
            "content": {"application/atom+xml": {"schema": {"type": "string", "examples": ["<feed/>"]}}},
        },
        "responses": {
            "202": {"description": "Taken.", "content": text},
            "400": {"description": "The body can't be read.", "content": error},
            "403": {"description": "The signature is missing or wrong.", "content": error},
            "410": {"description": "Unsubscribed.", "content": error},
            "413": {"description": "Over 256 KiB.", "content": error},
            **refused,
        },
    }
    return {path: {"get": verify, "post": notify}}


def main() -> int:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "platform.json").write_text(platform_text(), encoding="utf-8")
    (folder / "ingestion.json").write_text(ingestion_text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
