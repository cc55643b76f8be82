"""The routes of the functions and the events of their APIs agree."""

import ast

from tests.contract import code
from tests.contract.code import FUNCTIONS
from tests.contract.template import Function


def routes(function: str) -> list[tuple[str, str, set[str]]]:
    """Return (method, path, keywords) of each `@app.get("/path", ...)` and the other methods."""
    found = []
    for node in code.walk(code.tree(FUNCTIONS / function / "app.py")):
        for decorator in getattr(node, "decorator_list", ()):
            if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute) and ast.unparse(decorator.func.value) == "app":
                path, keywords = ast.literal_eval(decorator.args[0]), {keyword.arg for keyword in decorator.keywords}
                found.append((decorator.func.attr, path, keywords))
    return found


def api_events(function: Function) -> list[dict]:
    return [event.get("Properties") or {} for event in (function.properties.get("Events") or {}).values() if event["Type"] == "HttpApi"]


# Hubs call it with the callback's token and a signature; the callback is its only route.
PUBLIC = {"websub"}


def test_every_route_has_a_permission(functions):
    for name, function in functions.items():
        if api_events(function) and name not in PUBLIC:
            assert routes(name), f"functions/{name} answers the API, but declares no route by @app.<method>"
            assert [path for _, path, keywords in routes(name) if "permission" not in keywords] == []


def test_every_route_has_an_event_of_its_function(functions):
    """The template has two routes per prefix: /x and /x/{proxy+}."""
    for name, function in functions.items():
        paths = {event.get("Path") for event in api_events(function)}
        prefixes = {path for path in paths if path and not path.endswith("/{proxy+}")}
        assert {path for path in paths if path} == prefixes | {f"{prefix}/{{proxy+}}" for prefix in prefixes}, name
        if None in paths:
            continue  # $default gets all other paths
        for _, path, _ in routes(name):
            assert any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes), f"{name}: nothing leads to {path}"


def test_a_function_behind_an_api_times_out_before_its_gateway(functions):
    """An HTTP API waits for 30 seconds at most: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html."""
    assert {name: f.properties["Timeout"] for name, f in functions.items() if api_events(f) and f.properties["Timeout"] > 29} == {}
