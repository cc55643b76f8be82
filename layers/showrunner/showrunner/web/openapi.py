"""OpenAPI 3.1 out of the routes' own declarations.

Runs when the project is built and tested, never in a function.
"""

from typing import Any

from pydantic import BaseModel, TypeAdapter

from showrunner.access import roles
from showrunner.web.application import Application
from showrunner.web.routing import Route

DESCRIPTION = """\
Runs YouTube channels: makes videos from briefs, publishes them, and reports how they do.

Every answer but those below has our shape. Errors are `{"error": {"code", "message", "details", "request_id", "timestamp"}}`.
What API Gateway itself answers before our code runs keeps AWS's body: 413 above 10 MB, 429 when a whole stage is throttled, 503 when a function can't start.
"""

_WORDS = {
    304: "Not modified since the ETag that was sent.",
    400: "The request breaks a rule; `details` names the fields.",
    401: "No token, or one that is not valid.",
    402: "The organisation's credits don't cover it.",
    403: "The caller lacks the permission, or must confirm the e-mail address first (EMAIL_NOT_VERIFIED).",
    404: "There is no such thing, or none of the caller's.",
    409: "The state of the thing forbids it now, or the Idempotency-Key was used with another body.",
    413: "The body is too large.",
    429: "Too many calls: `Retry-After` says how long to wait.",
    500: "Something failed on our side.",
    502: "A platform that this needs refused or didn't answer.",
    503: "We can't serve now: `Retry-After` says when to come back.",
}

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details", "request_id", "timestamp"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                    },
                },
                "request_id": {"type": "string"},
                "timestamp": {"type": "string", "format": "date-time"},
            },
        }
    },
}


def document(
    applications: list[Application], title: str = "showrunner Platform API", version: str = "1"
) -> dict[str, Any]:
    """Return one document for all functions of an API. Raises ValueError if two declare the same route."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Error": _ERROR}
    used: dict[str, int] = {}
    for app in sorted(applications, key=lambda each: each.name):
        for route in app.routes:
            operations = paths.setdefault(route.path, {})
            if route.method.lower() in operations:
                raise ValueError(f"{route.name} is declared twice")
            operation = operations[route.method.lower()] = _operation(app, route, schemas)
            named = operation["operationId"]
            used[named] = used.get(named, 0) + 1
            if used[named] > 1:  # two addresses of one handler
                operation["operationId"] = f"{named}_{used[named]}"
    schemes = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token, a service token or an API key.",
        },
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    components = {"schemas": dict(sorted(schemas.items())), "securitySchemes": schemes}
    info = {"title": title, "version": version, "description": DESCRIPTION}
    return {
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": components,
    }


def _operation(app: Application, route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    text = (route.handler.__doc__ or "").strip()
    known: dict[str, Any] = {
        "operationId": f"{app.name}_{route.handler.__name__}",
        "tags": [app.name],
        "summary": text.partition(".")[0][:120],
        "description": text,
        "x-permission": route.permission,
        "security": [] if route.permission == roles.PUBLIC else [{"bearer": []}, {"key": []}],
        "parameters": [*_path(route), *_query(route), *_headers(route)],
        "responses": _responses(app, route, schemas),
    }
    if route.body is not None:
        known["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _schema(app, route.body, schemas, "validation")}},
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
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _without_null(_inlined(each, schema.get("$defs", {}))),
        }
        for name, each in schema.get("properties", {}).items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out can't be sent as null: a query holds only text."""
    kinds = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    rest = {
        name: value
        for name, value in schema.items()
        if name not in ("anyOf", "title", "default") or (name == "default" and value is not None)
    }
    if len(kinds) == 1 and "type" in kinds[0]:
        return {**kinds[0], **rest}
    return {"anyOf": kinds, **rest} if kinds else rest


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
        return {name: _inlined(value, definitions) for name, value in schema.items()}
    return [_inlined(each, definitions) for each in schema] if isinstance(schema, list) else schema


def _headers(route: Route) -> list[dict[str, Any]]:
    token = {"type": "string", "pattern": "^[!-~]{1,128}$"}
    found = []
    if route.idempotent:
        words = "A repeat with the same key and body gets the first answer; with another body 409."
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": token,
                "description": words,
            }
        )
    return found


def _responses(app: Application, route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"description": "Done."}
    if route.answer is not None:
        told["content"] = {
            route.content_type: {"schema": _schema(app, route.answer, schemas, "serialization")}
        }
    elif route.content_type != "application/json":
        told["content"] = {route.content_type: {"schema": {"type": "string"}}}
    responses: dict[str, Any] = {str(route.status): told}
    if route.method == "GET":
        responses["304"] = {"description": _WORDS[304]}
    for status in sorted(_statuses(route)):
        responses[str(status)] = {
            "description": _WORDS[status],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
    return responses


def _statuses(route: Route) -> set[int]:
    """What a route may answer by what it declares: nobody writes 401 a hundred times."""
    found = {400, 500, *route.errors}
    found |= {401, 403} if route.permission != roles.PUBLIC else set()
    found |= {429, 503} if route.limits is not None else set()
    found |= {404} if route.parameters else set()
    found |= {409} if route.idempotent else set()
    return found | ({413} if route.method in ("POST", "PUT", "PATCH", "DELETE") else set())


def _schema(app: Application, kind: Any, schemas: dict[str, Any], mode: Any) -> dict[str, Any]:
    """A reference into the components, which gain what the type is made of."""
    if isinstance(kind, dict):
        return kind
    template = f"#/components/schemas/{app.name.capitalize()}.{{model}}"
    found = (
        kind.model_json_schema(mode=mode, ref_template=template)
        if _is_model(kind)
        else TypeAdapter(kind).json_schema(mode=mode, ref_template=template)
    )
    for name, each in found.pop("$defs", {}).items():
        schemas[f"{app.name.capitalize()}.{name}"] = each
    if "$ref" in found:
        return dict(found)
    name = f"{app.name.capitalize()}.{kind.__name__}"
    schemas[name] = found
    return {"$ref": f"#/components/schemas/{name}"}


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
