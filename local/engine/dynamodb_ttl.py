"""TimeToLiveSpecification of AWS::DynamoDB::Table, which MiniStack ignores.

Expired items stay until MiniStack's own sweep, as in AWS: readers must check.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import dynamodb
from ministack.services.cloudformation import provisioners

from .expected import expect, expect_keys

Json = dict[str, Any]

HANDLERS = expect_keys(provisioners, "_RESOURCE_HANDLERS", "AWS::DynamoDB::Table")
expect(dynamodb, "_update_ttl", "data")


def _with_ttl(operation: Callable[..., Any], properties_at: int) -> Callable[..., Any]:
    def apply(*arguments: Any) -> Any:
        name, attributes = operation(*arguments)
        properties = arguments[properties_at]
        if specification := properties.get("TimeToLiveSpecification"):
            enabled = str(specification.get("Enabled")).lower() == "true"
            dynamodb._update_ttl(
                {
                    "TableName": name,
                    "TimeToLiveSpecification": {
                        "AttributeName": specification.get("AttributeName"),
                        "Enabled": enabled,
                    },
                }
            )
        return name, attributes

    return apply


def install() -> None:
    handlers = HANDLERS["AWS::DynamoDB::Table"]
    handlers["create"] = _with_ttl(handlers["create"], 1)
    handlers["update"] = _with_ttl(handlers["update"], 2)
