"""Check the JSON bodies of calls against the schemas of Google's discovery documents."""

from typing import Any

from local.platforms import discovery
from local.platforms.discovery import Json, Problem

KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}

# Stands for the null of a field that a patch takes away.
ERASED = object()


def check_body(api: str, called: Json, body: Any) -> Problem | None:
    """Return the first problem of a body: an unknown field, a wrong type, or a value outside its enum."""
    name = called["request"]["$ref"]
    if called["httpMethod"] == "PATCH":
        body = with_erased(body)
    return _check(api, {"$ref": name}, body, "")


def with_erased(value: Any) -> Any:
    """Return a body with ERASED for the fields that a patch takes away: it sends them as null.

    Any field may be erased, but it must be one. https://developers.google.com/youtube/v3/getting-started#partial
    """
    if isinstance(value, dict):
        return {name: with_erased(each) for name, each in value.items()}
    return ERASED if value is None else value


def _check(api: str, schema: Json, value: Any, path: str) -> Problem | None:
    if value is ERASED:
        return None
    if "$ref" in schema:
        schema = discovery.document(api)["schemas"][schema["$ref"]]
    kind = schema.get("type", "any")
    allowed = KINDS.get(kind)
    # 64-bit numbers are strings in JSON, and Google takes them either way.
    if allowed and (not isinstance(value, allowed) or (isinstance(value, bool) and kind != "boolean")):
        return Problem("invalidValue", f"Invalid value at '{path}' ({kind}), {value!r}", path)
    if "enum" in schema and value not in schema["enum"]:
        return Problem("invalidValue", f"Invalid value at '{path}': \"{value}\"", path)
    if kind == "array":
        return next((found for item in value if (found := _check(api, schema["items"], item, path))), None)
    if kind == "object" and "properties" in schema:
        return _check_fields(api, schema["properties"], value, path)
    return None


def _check_fields(api: str, properties: Json, value: Json, path: str) -> Problem | None:
    for name, each in value.items():
        inner = f"{path}.{name}" if path else name
        if name not in properties:
            return Problem(
                "badRequest",
                f"Invalid JSON payload received. Unknown name \"{name}\" at '{path}': Cannot find field.",
                inner,
            )
        found = _check(api, properties[name], each, inner)
        if found:
            return found
    return None
