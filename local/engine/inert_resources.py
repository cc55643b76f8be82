"""Resource types that do nothing on one machine: they get an id and attributes, so that the template deploys.

Network rules, addresses and instances carry no traffic here; budgets and archives watch nothing; an alias
moves at once, without CodeDeploy.
"""

import hashlib
from typing import Any

from ministack.services.cloudformation import provisioners

from .expected import expect_keys

Json = dict[str, Any]

HANDLERS = expect_keys(provisioners, "_RESOURCE_HANDLERS", "AWS::CloudWatch::Alarm")

# Type: (prefix of its id, attributes that a template may read; {id} and {number} are replaced).
TYPES: dict[str, tuple[str, Json]] = {
    "AWS::Budgets::Budget": ("budget", {}),
    "AWS::CloudWatch::Dashboard": ("dashboard", {}),
    "AWS::CodeDeploy::Application": ("application", {}),
    "AWS::CodeDeploy::DeploymentGroup": ("group", {}),
    "AWS::EC2::EIP": ("eipalloc", {"AllocationId": "{id}", "PublicIp": "198.51.100.{number}"}),
    "AWS::EC2::Instance": (
        "i",
        {
            "InstanceId": "{id}",
            "PrivateIp": "10.0.0.{number}",
            "PublicIp": "198.51.100.{number}",
            "AvailabilityZone": "us-east-1a",
        },
    ),
    "AWS::EC2::NatGateway": ("nat", {"NatGatewayId": "{id}"}),
    "AWS::EC2::NetworkInterface": ("eni", {"Id": "{id}", "PrimaryPrivateIpAddress": "10.0.0.{number}"}),
    "AWS::EC2::SecurityGroupEgress": ("sgr", {"Id": "{id}"}),
    "AWS::EC2::SecurityGroupIngress": ("sgr", {"Id": "{id}"}),
    "AWS::Events::Archive": ("archive", {"ArchiveName": "{id}"}),
    "AWS::Logs::QueryDefinition": ("query", {"QueryDefinitionId": "{id}"}),
}
ALARM = "AWS::CloudWatch::Alarm"
ALARM_ATTRIBUTES = {"Arn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:{id}"}


def _handler(prefix: str, attributes: Json) -> Json:
    def create(logical_id: str, properties: Json, stack_name: str) -> tuple[str, Json]:
        digest = hashlib.sha256(f"{stack_name}/{logical_id}".encode()).hexdigest()
        identity, number = f"{prefix}-{digest[:17]}", int(digest[:2], 16)
        return identity, {
            name: value.format(id=identity, number=number) for name, value in attributes.items()
        }

    def update(physical_id: str, old: Json, new: Json, stack_name: str, logical_id: str) -> tuple[str, Json]:
        return create(logical_id, new, stack_name)

    return {
        "create": create,
        "update": update,
        "update_with_logical_id": True,
        "delete": lambda physical_id, properties: None,
    }


def _alarm(evaluated: Json, inert: Json) -> Json:
    """Return handlers for alarms: MiniStack's own for one metric, inert ones for an expression over several.

    MiniStack refuses expressions, and nothing here sends Lambda's metrics, which they watch.
    """

    def create(logical_id: str, properties: Json, stack_name: str) -> Any:
        return (inert if "Metrics" in properties else evaluated)["create"](logical_id, properties, stack_name)

    def update(physical_id: str, old: Json, new: Json, stack_name: str, logical_id: str) -> Any:
        if "Metrics" in new or "Metrics" in old:
            return create(logical_id, new, stack_name)
        return evaluated["update"](physical_id, old, new, stack_name, logical_id)

    def delete(physical_id: str, properties: Json) -> None:
        if "Metrics" not in properties:
            evaluated["delete"](physical_id, properties)

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def install() -> None:
    HANDLERS[ALARM] = _alarm(HANDLERS[ALARM], _handler("alarm", ALARM_ATTRIBUTES))
    for name, (prefix, attributes) in TYPES.items():
        # If a new MiniStack supports one of them, use MiniStack's.
        HANDLERS.setdefault(name, _handler(prefix, attributes))
