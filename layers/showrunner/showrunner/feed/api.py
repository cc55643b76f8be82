"""Check the Ingestion API's keys and write its errors."""

import hashlib
import json
from typing import Any

from showrunner import masking
from showrunner.access import strict_json, tokens
from showrunner.database import db
from showrunner.errors import ShowrunnerError, Unauthorized
from showrunner.store.access import api_keys
from showrunner.web import answers
from showrunner.web.answers import Answer
from showrunner.web.routing import Request

WORDS = {
    400: "validation failed",
    401: "Unauthorized",
    404: "not found",
    405: "method not allowed",
    409: "conflict",
    413: "payload too large",
    429: "quota exceeded",
    500: "internal server error",
    502: "upstream error",
    503: "service unavailable",
}


def authenticate(headers: dict[str, str]) -> tokens.Identity:
    """Identify the caller by its API key, in either header. Raises Unauthorized."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    key = headers.get("x-api-key") or (bearer.strip() if scheme.lower() == "bearer" else "")
    found = None
    if key:
        with db.reading() as tx:
            found = api_keys.use(tx, hashlib.sha256(key.encode()).hexdigest(), "ingestion")
    if found is None:
        raise Unauthorized("Unauthorized")
    return tokens.Identity(
        f"key:{found['id']}",
        str(found["organisation_id"]),
        frozenset({"ingestion:all"}),
        str(found["id"]),
        0,
        "service",
    )


def refuse(request: Request, error: ShowrunnerError) -> Answer:
    """Answer an error in this API's shape: {error, message, details}."""
    answer = answers.refusal(request, error)
    if answer.status == 401:
        answer.body = {"error": WORDS[401]}
        return answer
    body: dict[str, Any] = {
        "error": WORDS.get(answer.status, "error"),
        "message": answer.body["error"]["message"],
    }
    details = getattr(error, "details", None)
    if details:
        first = details[0]
        body["message"] = (
            first["message"]
            if len(details) == 1
            else "; ".join(f"{each['field']}: {each['message']}" for each in details[:10])
        )
        body["details"] = {"field": first["field"], **_refused_value(request, first["field"])}
    answer.body = body
    return answer


def _refused_value(request: Request, field: str) -> dict[str, str]:
    """Return {value} if the body has the field, with every secret in it masked, at most 200 characters."""
    try:
        value = strict_json.loads(request.raw_body or b"null")[field] if field != "secret" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        value = None
    if not isinstance(value, str):
        return {}
    # By the field's name, by names inside the value (a URL's query), and by the secrets that are known.
    shown = json.loads(masking.masked(json.dumps({field: value})))[field]
    return {"value": str(shown)[:200]}
