"""Check calls of Google's APIs against discovery documents.

They are those that google-api-python-client carries, of which nothing is imported; the folder `documents` has
what Google publishes outside of it.

https://developers.google.com/discovery/v1/reference/apis
"""

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]


class Problem(NamedTuple):
    """A fault of a call: Google's reason, its message, and the parameter."""

    reason: str
    message: str
    parameter: str


@cache
def document(api: str) -> Json:
    """Return the discovery document of an API, such as youtube.v3 or youtubePartner.v1."""
    own = Path(__file__).parent / "documents" / f"{api}.json"
    if own.exists():
        rebuilt: Json = json.loads(own.read_text(encoding="utf-8"))
        return rebuilt
    spec = find_spec("googleapiclient")
    if spec is None or spec.origin is None:
        raise RuntimeError("google-api-python-client is not installed: run `make setup`")
    path = Path(spec.origin).parent / "discovery_cache" / "documents" / f"{api}.json"
    found: Json = json.loads(path.read_text(encoding="utf-8"))
    return found


def method(api: str, http_method: str, path: str) -> Json | None:
    """Return the method with this HTTP method and path, None if the API has none."""
    return _methods(api).get((http_method, path.strip("/")))


def match(api: str, http_method: str, path: str) -> tuple[Json, dict[str, str]] | None:
    """Return the method with this HTTP method and path, and the values in its path; None without one."""
    for (verb, template), found in _methods(api).items():
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
        if verb == http_method and (matched := re.fullmatch(pattern, path.strip("/"))):
            return found, matched.groupdict()
    return None


@cache
def _methods(api: str) -> dict[tuple[str, str], Json]:
    found: dict[tuple[str, str], Json] = {}

    def visit(resources: Json) -> None:
        for resource in resources.values():
            for each in resource.get("methods", {}).values():
                found[each["httpMethod"], each.get("flatPath", each["path"])] = each
            visit(resource.get("resources", {}))

    visit(document(api)["resources"])
    return found


def check(api: str, called: Json, query: dict[str, str]) -> Problem | None:
    """Return the first problem of a call's query: an unknown or missing parameter, or a wrong value."""
    parameters = {**document(api)["parameters"], **called.get("parameters", {})}
    for name, value in query.items():
        if name not in parameters:
            words = f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.'
            return Problem("badRequest", words, name)
        problem = _check_value(name, value, parameters[name])
        if problem:
            return problem
    for name, parameter in called.get("parameters", {}).items():
        if parameter.get("required") and parameter["location"] == "query" and not query.get(name):
            return Problem("missingRequiredParameter", f"Required parameter: {name}", name)
    return _check_parts(api, called, query)


def _check_value(name: str, value: str, parameter: Json) -> Problem | None:
    if "enum" in parameter and value not in parameter["enum"]:
        return Problem("invalidParameter", f"Invalid value at '{name}': \"{value}\"", name)
    if parameter.get("type") == "integer":
        low, high = int(parameter.get("minimum", -(2**31))), int(parameter.get("maximum", 2**31))
        if not value.isdigit() or not low <= int(value) <= high:
            return Problem(
                "invalidParameter",
                f"Invalid value '{value}'. Values must be within the range: [{low}, {high}]",
                name,
            )
    return None


def _check_parts(api: str, called: Json, query: dict[str, str]) -> Problem | None:
    """Parts are the properties of the resource that the method returns."""
    schema = resource(api, called)
    if "part" not in query or schema is None:
        return None
    unknown = [part for part in query["part"].split(",") if part not in schema["properties"]]
    return Problem("unknownPart", f"Unknown part: {unknown[0]}", "part") if unknown else None


def resource(api: str, called: Json) -> Json | None:
    """Return the schema of the items that a list method returns, None for other methods."""
    schemas = document(api)["schemas"]
    answer = schemas.get(called.get("response", {}).get("$ref", ""), {})
    items = answer.get("properties", {}).get("items", {}).get("items", {}).get("$ref")
    found: Json | None = schemas.get(items)
    return found
