"""Properties of AWS::Lambda::Function that MiniStack's CloudFormation ignores: reserved concurrency, and the
network, which is only shown.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from .expected import expect, expect_keys

Json = dict[str, Any]

HANDLERS = expect_keys(provisioners, "_RESOURCE_HANDLERS", "AWS::Lambda::Function")
expect(lambda_svc, "_functions")


def _applied(operation: Callable[..., Any], properties_at: int) -> Callable[..., Any]:
    def apply(*arguments: Any) -> Any:
        name, attributes = operation(*arguments)
        properties, function = arguments[properties_at], lambda_svc._functions[name]
        reserved = properties.get("ReservedConcurrentExecutions")
        function["concurrency"] = None if reserved is None else int(reserved)
        if network := properties.get("VpcConfig"):
            function["config"]["VpcConfig"] = {
                "SubnetIds": [],
                "SecurityGroupIds": [],
                "VpcId": "",
                **network,
            }
        return name, attributes

    return apply


def install() -> None:
    handlers = HANDLERS["AWS::Lambda::Function"]
    handlers["create"] = _applied(handlers["create"], 1)
    handlers["update"] = _applied(handlers["update"], 2)
