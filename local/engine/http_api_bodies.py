"""AWS::ApiGatewayV2::Api with an OpenAPI Body, the form that SAM generates for AWS::Serverless::HttpApi:
routes, integrations, CORS.

Authorizers are refused: the functions verify tokens themselves, and a route whose authorizer was ignored
would be open.
"""

import json
from collections.abc import Iterator
from typing import Any

from ministack.services import apigateway
from ministack.services.cloudformation import provisioners

from .expected import expect, expect_keys

Json = dict[str, Any]

HANDLERS = expect_keys(provisioners, "_RESOURCE_HANDLERS", "AWS::ApiGatewayV2::Api")
for store in ("_apis", "_routes", "_integrations"):
    expect(apigateway, store)
expect(apigateway, "_create_integration", "api_id", "data")
expect(apigateway, "_create_route", "api_id", "data")

ANY_METHOD = "x-amazon-apigateway-any-method"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace", ANY_METHOD}


def take_over(api_id: str, body: Json) -> None:
    """Make the API match the document. Routes that are no longer in it are removed."""
    api = apigateway._apis[api_id]
    info = body.get("info") or {}
    api["name"] = info.get("title") or api.get("name", "")
    api["version"] = str(info.get("version", api.get("version", "")))
    api.pop("corsConfiguration", None)
    if cors := body.get("x-amazon-apigateway-cors"):
        api["corsConfiguration"] = _cors(cors)
    # Concurrent requests see either all old routes or all new ones.
    routes, integrations = apigateway._routes[api_id], apigateway._integrations[api_id]
    apigateway._routes[api_id], apigateway._integrations[api_id] = {}, {}
    try:
        for route_key, integration in _routes_of(body):
            _create(api_id, route_key, integration)
    except Exception:
        apigateway._routes[api_id], apigateway._integrations[api_id] = routes, integrations
        raise


def _cors(cors: Json) -> Json:
    numbers = {"maxAge": int(cors["maxAge"])} if cors.get("maxAge") is not None else {}
    credentials = (
        {"allowCredentials": str(cors["allowCredentials"]).lower() == "true"}
        if "allowCredentials" in cors
        else {}
    )
    return {**cors, **numbers, **credentials}


def _routes_of(body: Json) -> Iterator[tuple[str, Json]]:
    for path, operations in (body.get("paths") or {}).items():
        for method, operation in operations.items():
            if method not in METHODS:
                continue
            if operation.get("security") or body.get("security"):
                raise ValueError(
                    f"{method} {path} has an authorizer, which the local engine does not enforce on an "
                    "HTTP API"
                )
            integration = operation.get("x-amazon-apigateway-integration") or (
                operations.get(ANY_METHOD) or {}
            ).get("x-amazon-apigateway-integration")
            if integration:
                yield _route_key(method, path), integration


def _route_key(method: str, path: str) -> str:
    if path.strip("/") == "$default":
        return "$default"
    return f"{'ANY' if method == ANY_METHOD else method.upper()} {path}"


def _create(api_id: str, route_key: str, integration: Json) -> None:
    _, _, created = apigateway._create_integration(
        api_id,
        {
            "integrationType": integration["type"].upper(),
            "integrationUri": integration.get("uri", ""),
            "integrationMethod": integration.get("httpMethod", "POST"),
            "payloadFormatVersion": str(integration.get("payloadFormatVersion", "2.0")),
            "timeoutInMillis": int(integration.get("timeoutInMillis", 30_000)),
        },
    )
    apigateway._create_route(
        api_id, {"routeKey": route_key, "target": f"integrations/{json.loads(created)['integrationId']}"}
    )


def install() -> None:
    handlers = HANDLERS["AWS::ApiGatewayV2::Api"]
    create, update = handlers["create"], handlers["update"]

    def create_with_body(logical_id: str, properties: Json, stack_name: str) -> Any:
        api_id, attributes = create(logical_id, properties, stack_name)
        _apply(api_id, properties)
        return api_id, attributes

    def update_with_body(physical_id: str, old: Json, new: Json, *rest: Any) -> Any:
        updated = update(physical_id, old, new, *rest)
        _apply(updated[0], new)
        return updated

    handlers.update(create=create_with_body, update=update_with_body)


def _apply(api_id: str, properties: Json) -> None:
    if properties.get("BodyS3Location"):
        raise ValueError("BodyS3Location is not read by the local engine; give the document inline")
    if isinstance(properties.get("Body"), dict):
        take_over(api_id, properties["Body"])
