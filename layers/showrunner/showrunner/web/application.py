"""HTTP API events (payload 2.0) in, answers in the contract's shape out.

Every route is declared once; what a handler sees has passed every check.

    app = Application("videos")

    @app.get("/api/v1/videos/{video_id}", permission="videos:read", answer=VideoAnswer)
    def show(request: Request, video_id: str) -> Answer: ...

Order: route, token, permission, limits with what the caller is now and maintenance, size, JSON, model,
handler, headers. A parameter `body` or `query` of the handler names the model that checks it. Errors are
those of `errors`, told by its one table.
"""

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from showrunner import errors
from showrunner.access import roles, tokens
from showrunner.errors import NotFound, ShowrunnerError, Unauthorized
from showrunner.web import answers, audit, guard, log
from showrunner.web.answers import Answer
from showrunner.web.body import checked, clean, parse, read_body, unknown_query
from showrunner.web.fields import MEGABYTE, TOKEN
from showrunner.web.routing import Handler, MethodNotAllowed, Request, Route, path_parameters


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
                    method, path, permission, handler, annotations.get("body"), annotations.get("query"), answer, status, max_bytes, windows,
                    max_age, idempotent, errors, open_in_maintenance, verified, outlives_database, content_type, parameters,
                )
            )  # fmt: skip
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
        """Add the routes of a module.

        `paths` lists what the module serves: raises ValueError if the module declares
        others, so that the table in app.py is true."""
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
        return route, path_parameters(route, values)


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
    request = Request(
        asked if TOKEN.fullmatch(asked) else str(uuid.uuid4()),
        http["method"],
        event["rawPath"],
        "",
        headers,
        http.get("sourceIp", ""),
    )
    request.cookies = event.get("cookies") or []
    try:
        answer = _answer(app, request, event)
    except ShowrunnerError as error:
        answer = (app.refuse or answers.refusal)(request, error)
    except Exception:  # noqa: BLE001 - the last line: whatever nobody foresaw becomes a 500 with its trace in the log
        log.failure(request, "unexpected")
        words = f"Something failed on our side. Tell us the request id {request.id}."
        answer = (
            app.refuse(request, ShowrunnerError(words))
            if app.refuse
            else answers.error_answer(request, 500, "INTERNAL_ERROR", words)
        )
    told = answers.respond(request, answer)
    log.request(app.name, request, told["statusCode"], begun)
    return told


def _answer(app: Application, request: Request, event: dict[str, Any]) -> Answer:
    guard.check_headers(request.headers)
    if request.method == "OPTIONS":
        return _preflight(app, request)
    route, values = _identify(app, request)
    if route.limits is None:
        _permit(request, route)
        return _call(route, request, event, values)
    try:
        guard.admit(request, route)
    except errors.DatabaseUnavailable:
        if not route.outlives_database:
            raise
    # With what the caller may do now, which can differ from what the token says.
    _permit(request, route)
    return _call(route, request, event, values)


def _permit(request: Request, route: Route) -> None:
    if request.identity is not None:
        guard.permit(request.identity, route)


def _identify(app: Application, request: Request) -> tuple[Route, dict[str, str]]:
    """Return the route and the values in its path, and set the caller.

    Failures count against the address, except in an API
    with its own keys. Raises NotFound, MethodNotAllowed, Unauthorized, LimitExceeded."""
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
    request.raw_body = read_body(event, route.max_bytes)
    if route.body is not None:
        arguments["body"] = checked(route.body, parse(request.raw_body))
    if request.identity is not None and request.identity.actor is not None:
        audit.record_impersonated(request)
    answer = route.handler(request, **arguments)
    if not isinstance(answer, Answer):
        answer = Answer(answer, route.status)
    if route.method == "GET" and answer.status == 200:
        answers.make_cacheable(request, answer, route.max_age)
    return answer


def _preflight(app: Application, request: Request) -> Answer:
    """What a browser asks before it calls from another origin; `_respond` adds the origin where it is on the list."""
    try:
        app.find("OPTIONS", request.path)
    except MethodNotAllowed as error:
        return Answer(
            status=204,
            headers={"allow": ", ".join([*error.allowed, "OPTIONS"]), "access-control-max-age": "600"},
        )
    raise NotFound(f"There is nothing at {request.path[:200]}.")
