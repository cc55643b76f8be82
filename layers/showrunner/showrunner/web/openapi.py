"""Make the OpenAPI 3.1 document from the routes' declarations, when the project is built and tested.

openapi_fields.toml describes fields by their names, so that a name means the same everywhere. A model's own
description of a field comes first.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from showrunner import errors
from showrunner.access import roles
from showrunner.web.application import Application
from showrunner.web.routing import Route

TABLE = Path(__file__).with_name("openapi_fields.toml")
COMPONENTS = "#/components/schemas/"

DESCRIPTION = """\
Runs YouTube channels: makes videos from briefs, publishes them, and reports how they do.

**Authentication.** Send `Authorization: Bearer <token>` with one of three credentials:
an access token of a person (`POST /api/v1/auth/login`; it lasts an hour, then `POST /api/v1/auth/refresh`),
a service token (`POST /api/v1/auth/service-tokens`),
or an API key (`POST /api/v1/auth/api-keys`; also as `X-API-Key`).
Each operation names the permission that it needs as `x-permission`.

**Errors** are `{"error": {"code", "message", "details", "request_id", "timestamp"}}`.
What API Gateway itself answers before our code runs keeps AWS's body:
413 above 10 MB, 429 when a whole stage is throttled, 503 when a function can't start.

**Limits.** Responses have `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`,
a 429 also `Retry-After`.

**Repeats.** A `POST` that creates or charges takes `Idempotency-Key`: a repeat gets the first response.
"""

TAGS = {
    "accounts": "People, organisations, logins and credentials.",
    "admin": "Health, documentation and what only platform admins do.",
    "artists": "Artists whose figures on the platforms an organisation follows.",
    "assets": "Uploaded images, clips and sounds.",
    "channels": "The channels that an organisation runs.",
    "cms": "Reports of content owners on YouTube, search in their rows, and changes of videos.",
    "feed": "Subscriptions, and what YouTube's channels publish.",
    "videos": "Videos: order, watch, edit, fetch and publish.",
    "websub": "Where WebSub hubs deliver notifications.",
}

_SUCCESS = {
    200: "The result.",
    201: "It was created.",
    202: "Accepted. The work continues after this response.",
    204: "It was done. The response has no body.",
}

# What an error status means. Its code is an example: a status may have several.
_MEANINGS = {
    304: "Not modified since the ETag that was sent.",
    400: "The request breaks a rule; `details` names the fields.",
    401: "The credentials are missing or not valid.",
    402: "The organisation's credits or budget don't cover it.",
    403: "The caller lacks the permission, or must confirm the email address first (EMAIL_NOT_VERIFIED).",
    404: "It doesn't exist, or it belongs to another organisation.",
    409: "Its state doesn't allow this now, or the Idempotency-Key was used with another body.",
    413: "The body is too large.",
    429: "Too many calls: `Retry-After` says how long to wait.",
    500: "Something failed on our side.",
    502: "A platform that this needs refused or didn't answer.",
    503: "The API can't serve now: `Retry-After` says when to come back.",
}

_CODES = dict(reversed([*errors.HTTP.values(), (500, "INTERNAL_ERROR")]))

ERROR: dict[str, Any] = {
    "title": "Error",
    "description": "The body of every error response.",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "description": "The error.",
            "required": ["code", "message", "details", "request_id", "timestamp"],
            "properties": {
                "code": {"type": "string", "description": "What went wrong, for programs."},
                "message": {"type": "string", "description": "What went wrong and what to do, for people."},
                "details": {
                    "type": "array",
                    "examples": [[]],
                    "description": "What is wrong with single fields.",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": {
                            "field": {"type": "string", "description": "Path of the field."},
                            "message": {"type": "string", "description": "What is wrong with it."},
                        },
                    },
                },
                "request_id": {"type": "string", "description": "Name this when you ask for support."},
                "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
            },
        }
    },
}


def document(
    applications: list[Application], title: str = "showrunner Platform API", version: str = "1"
) -> dict[str, Any]:
    """Return one document for all functions of an API.

    Raises ValueError if two functions declare the same route, or if two different models have the same name.
    """
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Error": ERROR}
    used: dict[str, int] = {}
    for app in sorted(applications, key=lambda each: each.name):
        for route in app.routes:
            operations = paths.setdefault(route.path, {})
            if route.method.lower() in operations:
                raise ValueError(f"{route.name} is declared twice")
            operation = operations[route.method.lower()] = _operation(app, route, schemas)
            name = operation["operationId"]
            used[name] = used.get(name, 0) + 1
            if used[name] > 1:  # two addresses of one handler
                operation["operationId"] = f"{name}_{used[name]}"
    finished: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This stage."}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token, a service token or an API key.",
                },
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "An API key.",
                },
            },
        },
    }
    return complete(finished)


def complete(known: dict[str, Any]) -> dict[str, Any]:
    """Add descriptions of fields, examples and tags to a document. A test finds fields that have none."""
    fields = _Fields(known["components"]["schemas"])
    for name, schema in fields.schemas.items():
        fields.describe_properties(name, schema)
    for operation in _operations(known):
        for parameter in operation["parameters"]:
            fields.describe(parameter, "", parameter["name"])
            parameter["example"] = fields.example(parameter["schema"], "", parameter["name"])
        for status, body in [("", operation.get("requestBody", {})), *operation["responses"].items()]:
            for content in body.get("content", {}).values():
                content["example"] = fields.example(content["schema"], "", "")
                if status >= "400":
                    _set_error(content["example"], status, body["description"])
    tags = sorted({tag for operation in _operations(known) for tag in operation["tags"]})
    return known | {"tags": [{"name": tag, "description": TAGS[tag]} for tag in tags]}


def _operations(known: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for operations in known["paths"].values() for operation in operations.values()]


def _set_error(example: Any, status: str, message: str) -> None:
    """Make the example of an error one of this status. The Ingestion API's errors have another shape."""
    if isinstance(example["error"], dict):
        example["error"] |= {"code": _CODES[int(status)], "message": message}


# ------------------------------------------------------------------------------------------------ Fields


class _Fields:
    """Descriptions and examples of fields, from openapi_fields.toml."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas
        self._table = tomllib.loads(TABLE.read_text(encoding="utf-8"))

    def known(self, model: str, name: str) -> list[Any]:
        """Return [description, example, …] of a field, [] if the table has none."""
        found = self._table["models"].get(model, {}).get(name, self._table["fields"].get(name, []))
        return found if isinstance(found, list) else [found]

    def describe_properties(self, model: str, schema: dict[str, Any]) -> None:
        for name, each in schema.get("properties", {}).items():
            self.describe(each, model, name)
            self.describe_properties(model, each)
            self.describe_properties(model, each.get("items", {}))

    def describe(self, target: dict[str, Any], model: str, name: str) -> None:
        for description in self.known(model, name)[:1]:
            target.setdefault("description", description)

    def example(self, schema: dict[str, Any], model: str, name: str) -> Any:
        """Return an example of a schema, which is that of a field of a model."""
        if "$ref" in schema:
            model = schema["$ref"].removeprefix(COMPONENTS)
            return self.example(self.schemas[model], model, "")
        if "properties" in schema:
            return {key: self.example(each, model, key) for key, each in schema["properties"].items()}
        if schema.get("type") == "array" and "$ref" in schema["items"]:
            return [self.example(schema["items"], model, name)]
        given = (*schema.get("examples", []), *schema.get("enum", []), schema.get("const"))
        for value in (*self.known(model, name)[1:], *given):
            if value is not None and _fits(value, schema):
                return value
        return self._example_of_type(schema, model, name)

    def _example_of_type(self, schema: dict[str, Any], model: str, name: str) -> Any:
        if schema.get("default") is not None:
            return schema["default"]
        if "anyOf" in schema:
            return self.example({"type": schema.get("type"), **schema["anyOf"][0]}, model, name)
        match schema.get("format") or schema.get("type"):
            case "array":
                return [self.example(schema["items"], model, name)]
            case "object":
                values = schema.get("additionalProperties")
                return {"name": self.example(values, model, name)} if isinstance(values, dict) else {}
            case "boolean":
                return True
            case "uuid":
                return "0f9619ff-8b86-4d01-b42d-00cf4fc964ff"
            case "date-time":
                return "2026-11-29T08:00:00Z"
            case "integer" | "number":
                return min(max(schema.get("minimum", 1), 1), schema.get("maximum", 1))
        return ""


def _fits(value: object, schema: dict[str, Any]) -> bool:
    """Return whether a value has the type and pattern of a schema, or of one of its alternatives."""
    if "anyOf" in schema:
        return any(
            _fits(value, each | {"type": each.get("type", schema.get("type"))}) for each in schema["anyOf"]
        )
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", [schema.get("const")])
    kinds: dict[str, Any] = {
        "string": str,
        "array": list,
        "object": dict,
        "integer": int,
        "number": int | float,
        "null": type(None),
    }
    kind = kinds.get(schema.get("type", ""))
    if kind is None or not isinstance(value, kind):
        return kind is None
    return not isinstance(value, str) or re.search(schema.get("pattern", ""), value) is not None


# ------------------------------------------------------------------------------------------------ Operations


def _operation(app: Application, route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    text = (route.handler.__doc__ or "").strip()
    known: dict[str, Any] = {
        "operationId": f"{app.name}_{route.handler.__name__}",
        "tags": [app.name],
        "summary": text.partition(".")[0].partition("\n\n")[0][:120],
        "description": text,
        "x-permission": route.permission,
        "security": [] if route.permission == roles.PUBLIC else [{"bearer": []}, {"key": []}],
        "parameters": [*_path(route), *_query(route), *_headers(route)],
        "responses": _responses(route, schemas),
    }
    if route.body is not None:
        known["requestBody"] = {
            "required": True,
            "description": f"Send JSON of at most {route.max_bytes:,} bytes. Unknown fields are refused.",
            "content": {"application/json": {"schema": schema_of(route.body, schemas)}},
        }
    return known


def _path(route: Route) -> list[dict[str, Any]]:
    uuid = {"type": "string", "format": "uuid"}
    text = {"type": "string"}
    return [
        {"name": name, "in": "path", "required": True, "schema": uuid if name.endswith("_id") else text}
        for name in route.parameters
    ]


def _query(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema(mode="validation")
    required = schema.get("required", [])
    parameters = []
    for name, each in schema.get("properties", {}).items():
        known = _without_null(_inlined(each, schema.get("$defs", {})))
        description = known.pop("description", None)
        parameter = {"name": name, "in": "query", "required": name in required, "schema": known}
        parameters.append(parameter | ({"description": description} if description else {}))
    return parameters


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema without null: a query parameter is omitted, and can't be sent as null."""
    kinds = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    rest = {
        name: value
        for name, value in schema.items()
        if name not in ("anyOf", "title", "default") or (name == "default" and value is not None)
    }
    if len(kinds) == 1 and "type" in kinds[0]:
        return {**kinds[0], **rest}
    return {"anyOf": kinds, **rest} if kinds else rest


def _headers(route: Route) -> list[dict[str, Any]]:
    if not route.idempotent:
        return []
    schema = {"type": "string", "pattern": "^[!-~]{1,128}$"}
    return [{"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema}]


def _responses(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": _SUCCESS[route.status]}
    if route.answer is not None:
        success["content"] = {route.content_type: {"schema": schema_of(route.answer, schemas)}}
    elif route.content_type != "application/json":
        success["content"] = {route.content_type: {"schema": {"type": "string", "examples": ["…"]}}}
    responses: dict[str, Any] = {str(route.status): success}
    if route.method == "GET":
        responses["304"] = {"description": _MEANINGS[304]}
    for status in sorted(_statuses(route)):
        responses[str(status)] = {
            "description": _MEANINGS[status],
            "content": {"application/json": {"schema": {"$ref": f"{COMPONENTS}Error"}}},
        }
    return responses


def _statuses(route: Route) -> set[int]:
    """Return the error statuses that a route may answer: declared ones, and those that others imply."""
    found = {400, 500, *route.errors}
    found |= {401, 403} if route.permission != roles.PUBLIC else set()
    found |= {429, 503} if route.limits is not None else set()
    found |= {404} if route.parameters else set()
    found |= {409} if route.idempotent else set()
    return found | ({413} if route.method in ("POST", "PUT", "PATCH", "DELETE") else set())


# ------------------------------------------------------------------------------------------------ Schemas


def schema_of(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return a type's schema, which refers to the components of its models. Adds them to `schemas`.

    A component has the name of its class. Raises ValueError if two different models have the same name.
    """
    if isinstance(kind, dict):
        return kind
    template = f"{COMPONENTS}{{model}}"
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    found = (
        kind.model_json_schema(ref_template=template)
        if is_model
        else TypeAdapter(kind).json_schema(ref_template=template)
    )
    definitions = found.pop("$defs", {})
    if is_model and "$ref" not in found:
        definitions[kind.__name__] = found
        found = {"$ref": f"{COMPONENTS}{kind.__name__}"}
    simple = {name: each for name, each in definitions.items() if "properties" not in each}
    for name, each in definitions.items():
        if name not in simple:
            component = _without_titles(_inlined(each, simple)) | {"title": name}
            if schemas.setdefault(name, component) != component:
                raise ValueError(f"Two different models are called {name}: rename one.")
    schema: dict[str, Any] = _without_titles(_inlined(found, simple))
    return schema


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return the schema with the references to `definitions` replaced by what they name."""
    if isinstance(schema, dict):
        name = schema["$ref"].rpartition("/")[2] if isinstance(schema.get("$ref"), str) else None
        rest = {key: _inlined(value, definitions) for key, value in schema.items() if key != "$ref"}
        if name in definitions:
            return _inlined(definitions[name], definitions) | rest
        return rest | ({"$ref": schema["$ref"]} if name else {})
    return [_inlined(each, definitions) for each in schema] if isinstance(schema, list) else schema


def _without_titles(schema: Any) -> Any:
    """Return the schema without the titles that pydantic makes from the names of fields."""
    if isinstance(schema, dict):
        return {
            name: _without_titles(value)
            for name, value in schema.items()
            if not (name == "title" and isinstance(value, str))
        }
    return [_without_titles(each) for each in schema] if isinstance(schema, list) else schema
