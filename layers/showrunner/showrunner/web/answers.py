"""Build HTTP responses in the contract's shape: results, pages, errors, headers, caching, CORS."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from showrunner import config, errors, masking
from showrunner.database.pages import PageResult
from showrunner.errors import LimitExceeded, ServiceUnavailable, ShowrunnerError
from showrunner.web import log
from showrunner.web.fields import timestamp
from showrunner.web.routing import MethodNotAllowed, Request
from showrunner.web.security import SECURITY_HEADERS


@dataclass(slots=True)
class Answer:
    """A response. `body` is a model, a value for JSON, or JSON text, which PostgreSQL builds for lists."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def text(self) -> str:
        if self.body is None:
            return ""
        if isinstance(self.body, BaseModel):
            return self.body.model_dump_json()
        return (
            self.body
            if isinstance(self.body, str)
            else json.dumps(self.body, ensure_ascii=False, separators=(",", ":"), default=_plain)
        )


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return timestamp(value)
    return str(value)


def age(seconds: int) -> dict[str, str]:
    """Return the header that says how many seconds ago a platform gave what the response is made from.

    https://www.rfc-editor.org/rfc/rfc9111#field.age. It is left out of responses that are new.
    """
    return {"age": str(seconds)} if seconds > 0 else {}


def make_cacheable(request: Request, answer: Answer, max_age: int) -> None:
    """Add an ETag of the body. A caller that has this body already gets 304 without a body.

    Responses that set a cookie are not cacheable.
    """
    if "set-cookie" in answer.headers:
        return
    answer.body = answer.text()
    tag = f'"{hashlib.blake2b(answer.body.encode(), digest_size=12).hexdigest()}"'
    answer.headers |= {"etag": tag, "cache-control": f"private, max-age={max_age}"}
    known = request.headers.get("if-none-match")
    if known and (
        tag in {each.strip().removeprefix("W/") for each in known.split(",")} or known.strip() == "*"
    ):
        answer.status, answer.body = 304, None


# Their messages name settings, secrets and objects: they are for the log, not for callers.
_FOR_OPERATORS = (errors.ConfigurationMissing, errors.StorageDenied, errors.StorageMissing)
_STATUS = errors.HTTP | {MethodNotAllowed: (405, "METHOD_NOT_ALLOWED")}


def refusal(request: Request, error: ShowrunnerError) -> Answer:
    """Return the response for an error, in the contract's shape."""
    status, code = next(
        (_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), (500, "INTERNAL_ERROR")
    )
    if status >= 500 and not isinstance(error, ServiceUnavailable):
        log.failure(request, "refused")
    # The code of an internal error is not shown: it may be AWS's name for the error.
    answer = error_answer(
        request,
        status,
        code if status == 500 else getattr(error, "code", code),
        _message(request, error, status),
        getattr(error, "details", []),
    )
    retry_after = getattr(error, "retry_after", None)
    if isinstance(error, errors.QuotaExceeded) and error.retry_at is not None:
        retry_after = (error.retry_at - datetime.now(UTC)).total_seconds()
    if retry_after is None and status == 503:
        # A database that is waking needs about as long again. Other outages are over sooner.
        retry_after = 15 if isinstance(error, errors.DatabaseUnavailable) else 5
    if retry_after is not None:
        answer.headers["retry-after"] = str(max(1, round(retry_after)))
    if isinstance(error, MethodNotAllowed):
        answer.headers["allow"] = ", ".join(error.allowed)
    if isinstance(error, LimitExceeded):
        answer.headers |= {"ratelimit-remaining": "0", "ratelimit-reset": str(error.retry_after)}
        if error.limit is not None:
            answer.headers["ratelimit-limit"] = str(error.limit)
    if status == 401:
        answer.headers["www-authenticate"] = "Bearer"
    return answer


def _message(request: Request, error: ShowrunnerError, status: int) -> str:
    """Return the message for the caller. The details of our own faults are in the log only."""
    if status == 500:
        return f"Something failed on our side. Tell us the request id {request.id}."
    # A refused key's message names the secret: callers who are logged in may read it, to tell us.
    is_anonymous = request.identity is None
    if isinstance(error, _FOR_OPERATORS) or (is_anonymous and isinstance(error, errors.CredentialRejected)):
        return f"This doesn't work now, and an operator must act. Tell us the request id {request.id}."
    return masking.without_values(error.message)


def error_answer(
    request: Request, status: int, code: str, message: str, details: list[dict[str, str]] | None = None
) -> Answer:
    timestamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Answer(
        {
            "error": {
                "code": code,
                "message": message,
                "details": details or [],
                "request_id": request.id,
                "timestamp": timestamp,
            }
        },
        status,
    )


def rejection(request: Request, error: ShowrunnerError) -> dict[str, Any]:
    """Return code, message and details of an error, as the answer to a batch has them for one item."""
    refused = refusal(request, error).body["error"]
    return {name: refused[name] for name in ("code", "message", "details")}


def respond(request: Request, answer: Answer) -> dict[str, Any]:
    # A browser caches by address: without `vary` the next user of the same browser would see this response.
    headers = {
        **SECURITY_HEADERS,
        "x-request-id": request.id,
        "cache-control": "no-store",
        "vary": "authorization, x-api-key, origin",
        **answer.headers,
    }
    if answer.body is not None:
        headers["content-type"] = answer.content_type
    if request.standing is not None and "ratelimit-limit" not in headers:
        limit, remaining, reset = request.standing
        headers |= {
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": str(remaining),
            "ratelimit-reset": str(reset),
        }
    origin = request.headers.get("origin")
    if origin:
        headers |= _cross_origin(origin)
    return {"statusCode": answer.status, "headers": headers, "body": answer.text()}


def _cross_origin(origin: str) -> dict[str, str]:
    if origin not in config.setting("CORS_ORIGINS", "none").split(","):
        return {}
    return {
        "access-control-allow-origin": origin,
        # No cookie identifies a caller. The only cookie ties an OAuth login to the browser that began it.
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": (
            "authorization, x-api-key, content-type, idempotency-key, x-request-id, if-none-match"
        ),
        "access-control-expose-headers": (
            "age, etag, x-request-id, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset"
        ),
    }


def listed(plural: str, found: PageResult) -> Answer:
    """Return a page in the contract's shape. Its rows are JSON text already."""
    return Answer(
        f'{{"{plural}":{found.rows},"pagination":{json.dumps(found.pagination, separators=(",", ":"))}}}'
    )
