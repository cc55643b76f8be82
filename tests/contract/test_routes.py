"""The routes of the functions and the events of their APIs agree."""

import importlib

from showrunner.web.routing import Route
from tests.contract import code
from tests.contract.template import Function


def routes(function: str) -> list[Route]:
    """Return the routes that the function declares, those of the modules that it includes too."""
    app = getattr(importlib.import_module(f"functions.{function}.app"), "app", None)
    return app.routes if app else []


def api_events(function: Function) -> list[dict]:
    return [
        event.get("Properties") or {}
        for event in (function.properties.get("Events") or {}).values()
        if event["Type"] == "HttpApi"
    ]


# Hubs call it with the callback's token and a signature; the callback is its only route.
PUBLIC = {"websub"}


def test_every_route_has_a_permission(functions):
    for name, function in functions.items():
        if api_events(function) and name not in PUBLIC:
            assert routes(name), f"functions/{name} answers the API, but declares no route"
            assert [route.path for route in routes(name) if not route.permission] == []


def test_every_route_has_an_event_of_its_function(functions):
    """The template has two routes per prefix: /x and /x/{proxy+}."""
    for name, function in functions.items():
        paths = {event.get("Path") for event in api_events(function)}
        prefixes = {path for path in paths if path and not path.endswith("/{proxy+}")}
        assert {path for path in paths if path} == prefixes | {
            f"{prefix}/{{proxy+}}" for prefix in prefixes
        }, name
        if None in paths:
            continue  # $default gets all other paths
        for route in routes(name):
            fits = any(route.path == prefix or route.path.startswith(f"{prefix}/") for prefix in prefixes)
            assert fits, f"{name}: no event of the template leads to {route.path}"


def test_a_function_behind_an_api_times_out_before_its_gateway(functions):
    """An HTTP API waits for 30 seconds at most: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html."""
    assert {
        name: f.properties["Timeout"]
        for name, f in functions.items()
        if api_events(f) and f.properties["Timeout"] > 29
    } == {}


def test_a_route_takes_an_idempotency_key_exactly_if_its_handler_repeats_the_answer(functions):
    declared = {
        route.name: (route.idempotent, repeats_answers(route))
        for name, function in functions.items()
        if api_events(function)
        for route in routes(name)
    }

    assert {name for name, (says, does) in declared.items() if says != does} == set()
    assert sum(says for says, _ in declared.values()) > 20


def repeats_answers(route: Route) -> bool:
    """Return whether the route's handler can reach idempotency.once."""
    seen, waiting = set(), [(route.handler.__module__, route.handler.__name__)]
    while waiting:
        found = waiting.pop()
        # What a module does when it is imported is no part of the handler.
        if found not in seen and found[1] != code.TOP:
            seen.add(found)
            waiting += code.mentioned(*found)
    return ("showrunner.web.idempotency", "once") in seen
