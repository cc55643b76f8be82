"""Pass messages between a WebSocket API's clients and a function as AWS does.

A refused $connect gets the function's own status. The response to a message goes to nobody (our template has
no route responses). An error of the function is reported to the client. Functions run like all others: as
many at once as there are messages, within their limits.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-response.html
"""

import contextvars
import json
from http import HTTPStatus
from typing import Any

from ministack.core import lambda_runtime as pool
from ministack.services import apigateway, lambda_svc

from .expected import expect

Json = dict[str, Any]

expect(pool, "get_or_create_worker", "func_name", "config", "code_zip")
expect(pool, "_account_region_from_function_config", "config")
expect(apigateway, "handle_websocket", "scope", "receive", "send", "api_id", "path_override")
expect(apigateway, "_invoke_ws_lambda")
expect(
    apigateway, "_refuse_ws_handshake", "scope", "send", "status", "message", "connection_id", "request_id"
)
expect(lambda_svc, "_get_func_record_for_ref_in_scope", "function_ref", "account_id", "region")
expect(lambda_svc, "_execution_record_for_config")
expect(lambda_svc, "_execute_function_with_config_scope", "func", "event")

# The function's status for the current handshake.
_handshake: contextvars.ContextVar[list[int]] = contextvars.ContextVar("handshake")


class Environment:
    """Takes a worker from the pool for every invocation; MiniStack would keep one worker for all messages."""

    def __init__(self, config: Json) -> None:
        self.config = config

    def invoke(self, event: Json, request_id: str) -> Json:
        account, region = pool._account_region_from_function_config(self.config)
        function, config, _ = lambda_svc._get_func_record_for_ref_in_scope(
            self.config["FunctionArn"], account_id=account, region=region
        )
        result = lambda_svc._execute_function_with_config_scope(
            lambda_svc._execution_record_for_config(function, config), event
        )
        return {"status": "success", "result": answer(event, result, request_id)}


def answer(event: Json, result: Json, request_id: str) -> Json:
    """Convert a function's result to API Gateway's response."""
    context = event["requestContext"]
    payload = result.get("body")
    if (
        result.get("error")
        or result.get("throttle")
        or not isinstance(payload, dict)
        or "statusCode" not in payload
    ):
        error = {
            "message": "Internal server error",
            "connectionId": context["connectionId"],
            "requestId": request_id,
        }
        return {"statusCode": HTTPStatus.BAD_GATEWAY, "body": json.dumps(error)}
    return {"statusCode": payload["statusCode"]}


def install() -> None:
    invoke, handle = apigateway._invoke_ws_lambda, apigateway.handle_websocket

    async def invoke_and_remember(*arguments: Any, **named: Any) -> Json | None:
        response = await invoke(*arguments, **named)
        _handshake.get().append(int((response or {}).get("statusCode", HTTPStatus.OK)))
        return response

    async def handle_with_status(
        scope: Json, receive: Any, send: Any, api_id: str, path_override: str | None = None
    ) -> None:
        statuses: list[int] = []
        _handshake.set(statuses)
        closed = False

        async def refuse_by_status(message: Json) -> None:
            nonlocal closed
            if not closed and message["type"] == "websocket.close" and statuses:
                status = HTTPStatus(statuses[0])
                await apigateway._refuse_ws_handshake(scope, send, status.value, status.phrase, "", "")
            else:
                await send(message)
            closed = True

        await handle(scope, receive, refuse_by_status, api_id, path_override)

    pool.get_or_create_worker = lambda func_name, config, code_zip, qualifier="$LATEST": Environment(config)
    apigateway._invoke_ws_lambda = invoke_and_remember
    apigateway.handle_websocket = handle_with_status
