"""HTTP API events (payload 2.0) in, answers in the contract's shape out. Every route is declared once; what a handler sees has passed every check.

    app = Application("videos")

    @app.get("/api/v1/videos/{video_id}", permission="videos:read", answer=VideoAnswer)
    def show(request: Request, video_id: str) -> Answer: ...

Order: route, token, permission, limits with what the caller is now and maintenance, size, JSON, model, handler, headers.
A parameter `body` or `query` of the handler names the model that checks it. Errors are those of `errors`, told by its one table.
"""

import base64
import hashlib
import json
import re
import sys
import time
import unicodedata
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from showrunner import config, db, errors
from showrunner.access import idempotency, limits, roles, tokens
from showrunner.errors import Forbidden, InvalidRequest, LimitExceeded, NotFound, PayloadTooLarge, ServiceUnavailable, ShowrunnerError, Unauthorized
from showrunner.store.pages import Found

MEGABYTE = 1_048_576
MAX_DEPTH = 32

SECURITY_HEADERS = {
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-xss-protection": "1; mode=block",
    "content-security-policy": "default-src 'self'",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "geolocation=(), microphone=(), camera=()",
}

# Text of one line, and text of several: control characters are refused, and something must be there to read.
_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
type Line = Annotated[str, Field(pattern=rf"^[^{_CONTROL}\t\n\r]*[^{_CONTROL}\s][^{_CONTROL}\t\n\r]*$")]
type Text = Annotated[str, Field(pattern=rf"^[^{_CONTROL}]*[^{_CONTROL}\s][^{_CONTROL}]*$")]
type Id = Annotated[str, Field(pattern="^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$", json_schema_extra={"format": "uuid"})]

_CONTROLS = re.compile(f"[{_CONTROL}\ud800-\udfff]")
_UUID = re.compile("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", re.ASCII)
# What a caller may call its request or its repeat: printable ASCII, as a header may hold it.
_TOKEN = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


class Body(BaseModel):
    """The base of what a request may say: unknown fields are refused, and the checker is built at the first use, not at the import."""

    model_config = ConfigDict(extra="forbid", defer_build=True, frozen=True)


class Query(Body):
    """The base of what may stand behind the question mark."""


class Page(Query):
    """How a list is asked for. `cursor` goes on where the last page ended and costs the same at any depth."""

    limit: int = Field(default=20, ge=1, le=100)
    page: int | None = Field(default=None, ge=1, le=10_000)
    cursor: str | None = Field(default=None, max_length=1000, pattern=r"^[A-Za-z0-9_-]+$")
    sort: str | None = Field(default=None, max_length=200, pattern=r"^-?[a-z_]+(,-?[a-z_]+)*$")


class Pagination(TypedDict):
    """`total` stops at 10,000 with the relation gte; a page asked for by cursor has no number."""

    limit: int
    page: int | None
    total: int
    total_relation: Literal["eq", "gte", "approx"]
    next_cursor: str | None


@dataclass(slots=True)
class Answer:
    """`body` is a value for JSON, or its text already made (PostgreSQL makes lists eight times cheaper than we)."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def text(self) -> str:
        if self.body is None:
            return ""
        return self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False, separators=(",", ":"), default=_plain)


_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2}))?", re.ASCII)


def _moment(text: str) -> str:
    """As the database takes it; a date is its first moment in UTC."""
    try:
        value = datetime.fromisoformat(text.upper()) if _MOMENT.fullmatch(text) else None
        if value is not None:
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        pass  # a day that no calendar has, or a moment before the year 1
    raise ValueError("must be a date (2026-11-22) or a time (2026-11-22T08:00:00Z)")


type Moment = Annotated[str, AfterValidator(_moment), WithJsonSchema({"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]})]


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


@dataclass(slots=True)
class Request:
    """What a handler may know of its call."""

    id: str
    method: str
    path: str
    route: str
    headers: dict[str, str]
    address: str
    raw_body: bytes = b""
    cookies: list[str] = field(default_factory=list)
    identity: tokens.Identity | None = None
    standing: limits.Standing | None = None

    @property
    def caller(self) -> tokens.Identity:
        if self.identity is None:
            raise Unauthorized("This call needs a token: Authorization: Bearer …", code="AUTH_REQUIRED")
        return self.identity

    @property
    def organisation_id(self) -> str:
        return self.caller.organisation_id

    @property
    def place(self) -> str:
        """Where it comes from, as limits count it."""
        return limits.place(self.address)


class Route(NamedTuple):
    """One declaration: what the check, the documents and the tests read."""

    method: str
    path: str
    permission: str
    handler: Callable[..., Any]
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    answer: Any
    status: int
    max_bytes: int
    limits: tuple[tuple[int, int], ...] | None
    max_age: int
    idempotent: bool
    errors: tuple[int, ...]
    open_in_maintenance: bool
    verified: bool
    outlives_database: bool
    content_type: str
    parameters: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


type Handler = Callable[..., Any]


class Application:
    """The routes of one function. `authenticate` and `refuse` are for an API with keys and error bodies of its own."""

    def __init__(
        self,
        name: str,
        authenticate: "Callable[[dict[str, str]], tokens.Identity] | None" = None,
        refuse: "Callable[[Request, ShowrunnerError], Answer] | None" = None,
    ) -> None:
        self.name = name
        self.authenticate = authenticate
        self.refuse = refuse
        self.routes: list[Route] = []
        self._tree: dict[str | None, Any] = {}

    def get(self, path: str, **how: Any) -> Callable[[Handler], Handler]:
        return self.route("GET", path, **how)

    def post(self, path: str, **how: Any) -> Callable[[Handler], Handler]:
        return self.route("POST", path, **how)

    def put(self, path: str, **how: Any) -> Callable[[Handler], Handler]:
        return self.route("PUT", path, **how)

    def delete(self, path: str, **how: Any) -> Callable[[Handler], Handler]:
        return self.route("DELETE", path, **how)

    def route(
        self,
        method: str,
        path: str,
        *,
        permission: str,
        answer: Any = None,
        status: int = 200,
        max_bytes: int = MEGABYTE,
        limits: tuple[tuple[int, int], ...] | None = None,
        unlimited: bool = False,
        max_age: int = 0,
        idempotent: bool = False,
        errors: tuple[int, ...] = (),
        open_in_maintenance: bool = False,
        verified: bool = False,
        outlives_database: bool = False,
        content_type: str = "application/json",
    ) -> Callable[[Handler], Handler]:
        """Declares a route. `limits`: its own (seconds, quota) windows beside the caller's general ones; `unlimited`: no database at all is asked;
        `verified`: what costs money or reaches others, and so is only for people whose address is confirmed; `outlives_database`: it tells of the database
        being away, and the token alone decides then; `errors`: statuses that it may answer beside those that its declaration implies."""

        def declare(handler: Handler) -> Handler:
            known = handler.__annotations__
            parameters = tuple(re.findall(r"\{(\w+)\}", path))
            windows = None if unlimited else (limits or ())
            route = Route(
                method, path, permission, handler, known.get("body"), known.get("query"), answer, status, max_bytes, windows, max_age,
                idempotent, errors, open_in_maintenance, verified, outlives_database, content_type, parameters,
            )  # fmt: skip
            self.routes.append(route)
            node = self._tree
            for segment in path.split("/"):
                node = node.setdefault(None if segment.startswith("{") else segment, {})
            node[f" {method}"] = route
            return handler

        return declare

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and the values in its path. Raises NotFound, or MethodNotAllowed with what is allowed."""
        node, values = self._tree, []
        for segment in path.split("/"):
            if segment in node and not segment.startswith(" "):
                node = node[segment]
            elif None in node:
                node = node[None]
                values.append(segment)
            else:
                raise NotFound(f"There is nothing at {path[:200]}.")
        route = node.get(f" {method}")
        if route is None:
            allowed = sorted(key[1:] for key in node if key and key.startswith(" "))
            if not allowed:
                raise NotFound(f"There is nothing at {path[:200]}.")
            raise MethodNotAllowed(method, allowed)
        return route, _parameters(route, values)


def _parameters(route: Route, values: list[str]) -> dict[str, str]:
    for name, value in zip(route.parameters, values, strict=True):
        if name.endswith("_id") and not _UUID.fullmatch(value):
            raise NotFound(f"There is no such {name.removesuffix('_id').replace('_', ' ')}.")
    return dict(zip(route.parameters, values, strict=True))


class MethodNotAllowed(ShowrunnerError):
    """The path exists, the method on it doesn't."""

    def __init__(self, method: str, allowed: list[str]) -> None:
        super().__init__(f"{method[:20]} is not possible here; {', '.join(allowed)} is.")
        self.allowed = allowed


def handler(app: Application) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The Lambda handler of an application."""

    def run(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's own signature
        return serve(app, event)

    return run


def serve(app: Application, event: dict[str, Any]) -> dict[str, Any]:
    """One event to its answer; never raises."""
    begun = time.perf_counter()
    http = event["requestContext"]["http"]
    headers = event.get("headers") or {}
    asked = headers.get("x-request-id", "")
    request = Request(asked if _TOKEN.fullmatch(asked) else str(uuid.uuid4()), http["method"], event["rawPath"], "", headers, http.get("sourceIp", ""))
    request.cookies = event.get("cookies") or []
    try:
        answer = _answer(app, request, event)
    except ShowrunnerError as error:
        answer = (app.refuse or refusal)(request, error)
    except Exception:  # noqa: BLE001 - the last line: whatever nobody foresaw becomes a 500 with its trace in the log
        _log_failure(request, "unexpected")
        words = f"Something failed on our side. Tell us the request id {request.id}."
        answer = app.refuse(request, ShowrunnerError(words)) if app.refuse else _error(request, 500, "INTERNAL_ERROR", words)
    told = _respond(request, answer)
    _log(app, request, told["statusCode"], begun)
    return told


def _answer(app: Application, request: Request, event: dict[str, Any]) -> Answer:
    _check_headers(request.headers)
    if request.method == "OPTIONS":
        return _preflight(app, request)
    route, values = app.find(request.method, request.path)
    request.route = route.name
    if route.permission != roles.PUBLIC:
        request.identity = (app.authenticate or authenticate)(request.headers)
        _permit(request.identity, route)
    if route.limits is not None:
        try:
            request.standing, request.identity = _admit(request, route)
        except errors.DatabaseUnavailable:
            if not route.outlives_database:
                raise
        if request.identity is not None:
            _permit(request.identity, route)  # once more: what was taken back since the token was made
    return _call(route, request, event, values)


def _check_headers(headers: dict[str, str]) -> None:
    """Half a character can be neither stored nor compared. Raises InvalidRequest."""
    for name, value in headers.items():
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise InvalidRequest("A header isn't text in UTF-8.", [{"field": name[:100], "message": "not UTF-8"}], code="INVALID_FORMAT") from error


def _permit(caller: tokens.Identity, route: Route) -> None:
    if not roles.allows(caller.permissions, route.permission):
        raise Forbidden(f"This needs the permission {route.permission}.")
    if route.verified and not caller.verified:
        raise Forbidden("Confirm your e-mail address first, by the link in the letter that we sent to it.", code="EMAIL_NOT_VERIFIED")


def authenticate(headers: dict[str, str]) -> tokens.Identity:
    """The caller by its bearer token. Raises Unauthorized."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if not token or scheme.lower() != "bearer":
        raise Unauthorized("This call needs a token: Authorization: Bearer …", code="AUTH_REQUIRED")
    return tokens.verify(token)


def _admit(request: Request, route: Route) -> tuple[limits.Standing, tokens.Identity | None]:
    caller = request.identity
    general = limits.windows(f"user:{caller.account}", limits.USER) if caller else limits.windows(f"address:{request.place}", limits.ADDRESS)
    own = limits.windows(f"{route.name} {caller.account if caller else request.place}", route.limits or ())
    with db.reading() as tx:
        return limits.admit(tx, own + general, caller, open_in_maintenance=route.open_in_maintenance)


def _call(route: Route, request: Request, event: dict[str, Any], values: dict[str, str]) -> Answer:
    arguments: dict[str, Any] = dict(values)
    if route.query is not None:
        arguments["query"] = checked(route.query, _clean(dict(event.get("queryStringParameters") or {})))
    elif event.get("queryStringParameters"):
        raise _unknown_query(event["queryStringParameters"])
    request.raw_body = _bytes(event, route.max_bytes)
    if route.body is not None:
        arguments["body"] = checked(route.body, parse(request.raw_body))
    if request.identity is not None and request.identity.actor is not None:
        _record_acting(request)
    answer = route.handler(request, **arguments)
    if not isinstance(answer, Answer):
        answer = Answer(answer, route.status)
    if route.method == "GET" and answer.status == 200:
        _cacheable(request, answer, route.max_age)
    return answer


def _unknown_query(given: dict[str, str]) -> InvalidRequest:
    return InvalidRequest("The query has parameters that this route doesn't know.", [{"field": name[:100], "message": "unknown"} for name in given])


def _bytes(event: dict[str, Any], most: int) -> bytes:
    text = event.get("body") or ""
    # Base64 and UTF-8 only make it longer: what is over the limit by this measure too is not even decoded.
    if len(text) > most * 2:
        raise PayloadTooLarge(f"The body is over {most} bytes.")
    try:
        raw = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except ValueError as error:  # what base64 and UTF-8 both refuse with
        raise InvalidRequest("The body isn't text in UTF-8.", code="INVALID_FORMAT") from error
    if len(raw) > most:
        raise PayloadTooLarge(f"The body is over {most} bytes.")
    return raw


def parse(raw: bytes) -> Any:
    """The JSON of a body: finite, at most 32 deep, its strings in NFC and without control characters. Raises InvalidRequest."""
    if not raw:
        raise InvalidRequest("A JSON body is missing.", code="MISSING_FIELD")
    try:
        value = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body isn't JSON that can be read.", code="INVALID_FORMAT") from error
    return _clean(value)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _clean(value: Any, path: str = "", depth: int = 0) -> Any:
    if isinstance(value, str):
        return _clean_text(value, path)
    if isinstance(value, dict):
        _refuse_depth(depth)
        return {_clean_text(name, path): _clean(each, f"{path}.{name}" if path else name, depth + 1) for name, each in value.items()}
    if isinstance(value, list):
        _refuse_depth(depth)
        return [_clean(each, f"{path}.{number}", depth + 1) for number, each in enumerate(value)]
    return value


def _clean_text(text: str, path: str) -> str:
    if _CONTROLS.search(text):
        raise InvalidRequest("A text has control characters.", [{"field": path[:200], "message": "control characters are not allowed"}])
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _refuse_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise InvalidRequest(f"The body is nested more than {MAX_DEPTH} deep.", code="INVALID_FORMAT")


def checked[Model: BaseModel](model: type[Model], value: object) -> Model:
    """The value as the model. Raises InvalidRequest naming every field that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid(error) from error


def invalid(error: ValidationError) -> InvalidRequest:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    details = [{"field": _where(fault["loc"]), "message": fault["msg"].removeprefix("Value error, ")[:500]} for fault in faults[:50]]
    missing = all(fault["type"] == "missing" for fault in faults)
    names = ", ".join(dict.fromkeys(detail["field"] for detail in details))
    return InvalidRequest(f"The request is not valid: {names[:500]}.", details, code="MISSING_FIELD" if missing else "VALIDATION_ERROR")


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)[:200] or "body"


def once(request: Request, work: Callable[[db.Transaction], Answer], *, secret: bool = False) -> Answer:
    """`work` in one transaction; with an Idempotency-Key a repeat gets the first answer instead. A `secret` answer is kept so that only who has the
    key can read it."""
    key = request.headers.get("idempotency-key")
    if key is not None and not _TOKEN.fullmatch(key):
        raise InvalidRequest("The Idempotency-Key must have 1 to 128 printable characters.", [{"field": "Idempotency-Key", "message": "not valid"}])
    with db.transaction() as tx:
        if key is None:
            return work(tx)
        scope = request.organisation_id, request.route, idempotency.hidden(key) if secret else key
        stored = idempotency.claim(tx, *scope, idempotency.digest(request.path, request.raw_body))
        if stored is not None:
            body = idempotency.opened(stored.body, key) if secret else stored.body
            return Answer(body, stored.status, {"idempotency-replayed": "true"})
        answer = work(tx)
        idempotency.keep(tx, *scope, answer.status, idempotency.sealed(answer.text(), key) if secret else answer.text())
        return answer


def _cacheable(request: Request, answer: Answer, max_age: int) -> None:
    """ETag over the body: a caller that has it already gets 304 without a body. What sets a cookie is for this once and this browser."""
    if "set-cookie" in answer.headers:
        return
    answer.body = answer.text()
    tag = f'"{hashlib.blake2b(answer.body.encode(), digest_size=12).hexdigest()}"'
    answer.headers |= {"etag": tag, "cache-control": f"private, max-age={max_age}"}
    known = request.headers.get("if-none-match")
    if known and (tag in {each.strip().removeprefix("W/") for each in known.split(",")} or known.strip() == "*"):
        answer.status, answer.body = 304, None


def _preflight(app: Application, request: Request) -> Answer:
    """What a browser asks before it calls from another origin; `_respond` adds the origin where it is on the list."""
    try:
        app.find("OPTIONS", request.path)
    except MethodNotAllowed as error:
        return Answer(status=204, headers={"allow": ", ".join([*error.allowed, "OPTIONS"]), "access-control-max-age": "600"})
    raise NotFound(f"There is nothing at {request.path[:200]}.")


_STATUS = errors.HTTP | {MethodNotAllowed: (405, "METHOD_NOT_ALLOWED")}


def refusal(request: Request, error: ShowrunnerError) -> Answer:
    """An error of ours as the contract tells it."""
    status, code = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), (500, "INTERNAL_ERROR"))
    if status >= 500 and not isinstance(error, ServiceUnavailable):
        _log_failure(request, "refused")
    message = error.message if status != 500 else f"Something failed on our side. Tell us the request id {request.id}."
    # What is our own fault keeps its name to itself, AWS's names for errors among them.
    answer = _error(request, status, code if status == 500 else getattr(error, "code", code), message, getattr(error, "details", []))
    retry_after = getattr(error, "retry_after", None)
    if isinstance(error, errors.QuotaExceeded) and error.retry_at is not None:
        retry_after = (error.retry_at - datetime.now(UTC)).total_seconds()
    if retry_after is None and status == 503:
        retry_after = 5  # a database that restarts or wakes up needs about that long
    if retry_after is not None:
        answer.headers["retry-after"] = str(max(1, round(retry_after)))
    if isinstance(error, MethodNotAllowed):
        answer.headers["allow"] = ", ".join(error.allowed)
    if isinstance(error, LimitExceeded):
        answer.headers |= {"ratelimit-remaining": "0", "ratelimit-reset": str(error.retry_after)}
    if status == 401:
        answer.headers["www-authenticate"] = "Bearer"
    return answer


def _error(request: Request, status: int, code: str, message: str, details: list[dict[str, str]] | None = None) -> Answer:
    timestamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Answer({"error": {"code": code, "message": message, "details": details or [], "request_id": request.id, "timestamp": timestamp}}, status)


def _respond(request: Request, answer: Answer) -> dict[str, Any]:
    # A browser keeps an answer by its address: without `vary` the next user of the same browser would see the one before.
    headers = {**SECURITY_HEADERS, "x-request-id": request.id, "cache-control": "no-store", "vary": "authorization, x-api-key, origin", **answer.headers}
    if answer.body is not None:
        headers["content-type"] = answer.content_type
    if request.standing is not None:
        limit, remaining, reset = request.standing
        headers |= {"ratelimit-limit": str(limit), "ratelimit-remaining": str(remaining), "ratelimit-reset": str(reset)}
    origin = request.headers.get("origin")
    if origin:
        headers |= _cross_origin(origin)
    return {"statusCode": answer.status, "headers": headers, "body": answer.text()}


def _cross_origin(origin: str) -> dict[str, str]:
    if origin not in config.setting("CORS_ORIGINS", "none").split(","):
        return {}
    return {
        "access-control-allow-origin": origin,
        # Nobody is known by a cookie here; the one that there is ties a login through a provider to the browser that began it.
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": "authorization, content-type, idempotency-key, x-request-id, if-none-match",
        "access-control-expose-headers": "etag, x-request-id, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset",
    }


def _log(app: Application, request: Request, status: int, begun: float) -> None:
    """One line a request, which is its log entry and its metrics (CloudWatch's embedded metric format) at once: a fifth of what a logger and a
    metrics object cost, and nothing to import for it.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html"""
    now = time.time()
    line: dict[str, Any] = {
        "level": "INFO",
        "message": "request",
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "request_id": request.id,
        "function": app.name,
        "method": request.method,
        "route": request.route or "none",
        "status": status,
        "Duration": round((time.perf_counter() - begun) * 1000, 2),
        f"Answers{status // 100}xx": 1,
        "_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": _METRICS[status // 100]},
    }
    caller = request.identity
    if caller is not None:
        line |= {"subject": caller.subject, "organisation_id": caller.organisation_id, "actor": caller.actor}
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")


_METRICS = {
    hundred: [
        {
            "Namespace": "Showrunner",
            "Dimensions": [["function"]],
            "Metrics": [{"Name": "Duration", "Unit": "Milliseconds"}, {"Name": f"Answers{hundred}xx", "Unit": "Count"}],
        }
    ]
    for hundred in range(1, 6)
}


def _log_failure(request: Request, message: str) -> None:
    from showrunner.telemetry import logger

    logger.exception(message, extra={"request_id": request.id, "route": request.route})


def record(tx: db.Transaction, request: Request, action: str, thing: str, thing_id: str, *, subject: str | None = None, **change: Any) -> None:
    """A row in the audit log, in the transaction of what it tells; under impersonation it names both. `subject`: who did it, where neither a token nor the
    thing itself says so."""
    from showrunner.store import audit

    caller = request.identity
    who = {
        "organisation_id": caller.organisation_id if caller else None,
        "subject": subject or (caller.subject if caller else thing_id),
        "actor": caller.actor if caller else None,
        "request_id": request.id,
        "address": request.address or None,
    }
    audit.add(tx, who, action, thing, thing_id, change)


def _record_acting(request: Request) -> None:
    """What an admin does or reads as somebody else is written down before, whatever the handler itself records."""
    with db.transaction() as tx:
        record(tx, request, request.method.lower(), "route", request.path)


def warn(request: Request, message: str, **known: Any) -> None:
    """A line in the log about something that another part of the system will put right."""
    from showrunner.telemetry import logger

    logger.warning(message, extra={"request_id": request.id, "route": request.route, **known})


def listed(plural: str, found: Found) -> Answer:
    """A page as the contract has it; its rows are JSON already."""
    return Answer(f'{{"{plural}":{found.rows},"pagination":{json.dumps(found.pagination, separators=(",", ":"))}}}')
