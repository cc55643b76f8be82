"""Turn HTTP API events (payload 2.0) into responses in the contract's shape.

Every route is declared once. A handler is called only after every check has passed.

    app = Application("videos")

    @app.get("/api/v1/videos/{video_id}", permission="videos:read", answer=VideoAnswer)
    def show(request: Request, video_id: str) -> Answer: ...

Order: route, token, limits with the caller's current rights and maintenance, permission, size, JSON, model,
handler, headers. The annotation of a handler's parameter `body` or `query` is the model that checks it. The
table `errors.HTTP` maps errors to statuses.
"""

import re
import uuid
from collections.abc import Callable
from typing import Any

from showrunner import errors
from showrunner.access import roles, tokens
from showrunner.aws import correlation, ssm
from showrunner.errors import NotFound, ShowrunnerError, Unauthorized
from showrunner.web import answers, audit, edge, guard, idempotency, log
from showrunner.web.answers import Answer
from showrunner.web.body import checked, clean, parse, read_body, unknown_query
from showrunner.web.fields import MEGABYTE, TOKEN
from showrunner.web.routing import Handler, MethodNotAllowed, Request, Route, path_parameters

# Options of a route that orders something which is done later: it answers 202, takes an Idempotency-Key, and
# is only for people who confirmed their email address.
LATER: dict[str, Any] = {"status": 202, "idempotent": True, "verified": True}


class Routes:
    """Routes that a module declares beside their handlers. An Application includes them."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def get(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("POST", path, **options)

    def put(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("DELETE", path, **options)

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
        """Declare a route.

        limits: windows of this route as (seconds, calls), beside the caller's general ones. unlimited: no
        limits, and no database access before the handler. verified: only for people who confirmed their email
        address, because the route costs money or contacts others. outlives_database: served without the
        database, on the token alone. errors: statuses beside those that the declaration implies.
        """

        def declare(handler: Handler) -> Handler:
            annotations = handler.__annotations__
            parameters = tuple(re.findall(r"\{(\w+)\}", path))
            windows = None if unlimited else (limits or ())
            self.add(
                Route(
                    method=method,
                    path=path,
                    permission=permission,
                    handler=handler,
                    body=annotations.get("body"),
                    query=annotations.get("query"),
                    answer=answer,
                    status=status,
                    max_bytes=max_bytes,
                    limits=windows,
                    max_age=max_age,
                    idempotent=idempotent,
                    errors=errors,
                    open_in_maintenance=open_in_maintenance,
                    verified=verified,
                    outlives_database=outlives_database,
                    content_type=content_type,
                    parameters=parameters,
                )
            )
            return handler

        return declare

    def add(self, route: Route) -> None:
        self.routes.append(route)


class Application(Routes):
    """All routes of one function.

    `authenticate` and `refuse` are for an API with its own keys and error bodies.
    """

    def __init__(
        self,
        name: str,
        authenticate: "Callable[[dict[str, str]], tokens.Identity] | None" = None,
        refuse: "Callable[[Request, ShowrunnerError], Answer] | None" = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.authenticate = authenticate
        self.refuse = refuse
        self._tree: dict[str | None, Any] = {}

    def include(self, routes: Routes, *paths: str) -> None:
        """Add the routes of a module. Raises ValueError if they are not exactly those of `paths`.

        So the table in app.py is true.
        """
        declared = dict.fromkeys(route.path for route in routes.routes)
        if set(declared) != set(paths):
            raise ValueError(f"{self.name}: listed {sorted(paths)}, declared {sorted(declared)}")
        for route in routes.routes:
            self.add(route)

    def add(self, route: Route) -> None:
        super().add(route)
        node = self._tree
        for segment in route.path.split("/"):
            node = node.setdefault(None if segment.startswith("{") else segment, {})
        node[f" {route.method}"] = route

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Return the route and the values in its path. Raises NotFound or MethodNotAllowed."""
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
        return route, path_parameters(route, values)


def handler(app: Application) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Return the Lambda handler of an application."""

    def run(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's own signature
        return serve(app, event)

    return run


def serve(app: Application, event: dict[str, Any]) -> dict[str, Any]:
    """Return the response to an event. Never raises."""
    http = event["requestContext"]["http"]
    headers = event.get("headers") or {}
    asked = headers.get("x-request-id", "")
    request = Request(
        asked if TOKEN.fullmatch(asked) else str(uuid.uuid4()),
        http["method"],
        event["rawPath"],
        "",
        headers,
        http.get("sourceIp", ""),
    )
    request.cookies = event.get("cookies") or []
    with correlation.of_request(request.id):
        try:
            answer = _answer(app, request, event)
        except ShowrunnerError as error:
            if isinstance(error, errors.Forbidden) and request.identity is not None:
                audit.record_denied(request, error)
            if isinstance(error, errors.CredentialRejected):
                ssm.refused()
            answer = (app.refuse or answers.refusal)(request, error)
        except Exception:  # noqa: BLE001 - an unforeseen error becomes a 500 with its traceback in the log
            log.failure(request, "unexpected")
            words = f"Something failed on our side. Tell us the request id {request.id}."
            answer = (
                app.refuse(request, ShowrunnerError(words))
                if app.refuse
                else answers.error_answer(request, 500, "INTERNAL_ERROR", words)
            )
    response = answers.respond(request, answer)
    log.request(app.name, request, response["statusCode"])
    return response


def _answer(app: Application, request: Request, event: dict[str, Any]) -> Answer:
    guard.check_headers(request.headers)
    request.address = edge.caller_address(request.headers, request.address)
    if request.method == "OPTIONS":
        return _preflight(app, request)
    route, values = _identify(app, request)
    request.end_part("identify")
    if route.limits is None:
        _permit(request, route)
        return _call(route, request, event, values)
    try:
        guard.admit(request, route)
    except errors.DatabaseUnavailable:
        if not route.outlives_database:
            raise
    request.end_part("admit")
    # With the caller's current permissions, which can differ from those in the token.
    _permit(request, route)
    return _call(route, request, event, values)


def _permit(request: Request, route: Route) -> None:
    if request.identity is not None:
        guard.permit(request.identity, route)


def _identify(app: Application, request: Request) -> tuple[Route, dict[str, str]]:
    """Return the route and the values in its path, and set the caller.

    Failures count against the address, except in an API with its own keys. Raises NotFound, MethodNotAllowed,
    Unauthorized or LimitExceeded.
    """
    try:
        route, values = app.find(request.method, request.path)
        request.route = route.name
        if route.permission != roles.PUBLIC:
            request.identity = (app.authenticate or guard.authenticate)(request.headers)
    except (NotFound, MethodNotAllowed, Unauthorized):
        if app.authenticate is None:
            guard.count_failure(request)
        raise
    return route, values


def _call(route: Route, request: Request, event: dict[str, Any], values: dict[str, str]) -> Answer:
    arguments: dict[str, Any] = dict(values)
    if route.query is not None:
        arguments["query"] = checked(route.query, clean(dict(event.get("queryStringParameters") or {})))
    elif event.get("queryStringParameters"):
        raise unknown_query(event["queryStringParameters"])
    if route.idempotent:
        idempotency.key_of(request)  # refused, even if this call stores nothing
    request.raw_body = read_body(event, route.max_bytes)
    if route.body is not None:
        arguments["body"] = checked(route.body, parse(request.raw_body))
    if request.identity is not None and request.identity.actor is not None:
        audit.record_impersonated(request)
    request.end_part("check")
    answer = route.handler(request, **arguments)
    request.end_part("handle")
    if not isinstance(answer, Answer):
        answer = Answer(answer, route.status)
    if route.method == "GET" and answer.status == 200:
        answers.make_cacheable(request, answer, route.max_age)
    return answer


def _preflight(app: Application, request: Request) -> Answer:
    """Answer a browser's CORS preflight request. `answers.respond` adds the origin if it is allowed."""
    try:
        app.find("OPTIONS", request.path)
    except MethodNotAllowed as error:
        return Answer(
            status=204,
            headers={"allow": ", ".join([*error.allowed, "OPTIONS"]), "access-control-max-age": "600"},
        )
    raise NotFound(f"There is nothing at {request.path[:200]}.")
