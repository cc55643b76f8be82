"""Resource types that do nothing on one machine: they get an id and attributes, so that the template deploys.

Network rules, addresses and instances carry no traffic here; budgets and archives watch nothing.
"""

import hashlib
from typing import Any

from ministack.services.cloudformation import provisioners

from .expected import expect

Json = dict[str, Any]

HANDLERS = expect(provisioners, "_RESOURCE_HANDLERS")

# Type: (prefix of its id, attributes that a template may read; {id} and {number} are replaced).
TYPES: dict[str, tuple[str, Json]] = {
    "AWS::Budgets::Budget": ("budget", {}),
    "AWS::EC2::EIP": ("eipalloc", {"AllocationId": "{id}", "PublicIp": "198.51.100.{number}"}),
    "AWS::EC2::Instance": ("i", {"InstanceId": "{id}", "PrivateIp": "10.0.0.{number}", "PublicIp": "198.51.100.{number}", "AvailabilityZone": "us-east-1a"}),
    "AWS::EC2::NatGateway": ("nat", {"NatGatewayId": "{id}"}),
    "AWS::EC2::NetworkInterface": ("eni", {"Id": "{id}", "PrimaryPrivateIpAddress": "10.0.0.{number}"}),
    "AWS::EC2::SecurityGroupEgress": ("sgr", {"Id": "{id}"}),
    "AWS::EC2::SecurityGroupIngress": ("sgr", {"Id": "{id}"}),
    "AWS::Events::Archive": ("archive", {"ArchiveName": "{id}"}),
}


def _handler(prefix: str, attributes: Json) -> Json:
    def create(logical_id: str, properties: Json, stack_name: str) -> tuple[str, Json]:
        digest = hashlib.sha256(f"{stack_name}/{logical_id}".encode()).hexdigest()
        identity, number = f"{prefix}-{digest[:17]}", int(digest[:2], 16)
        return identity, {name: value.format(id=identity, number=number) for name, value in attributes.items()}

    def update(physical_id: str, old: Json, new: Json, stack_name: str, logical_id: str) -> tuple[str, Json]:
        return create(logical_id, new, stack_name)

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": lambda physical_id, properties: None}


def install() -> None:
    for name, (prefix, attributes) in TYPES.items():
        # If a new MiniStack supports one of them, use MiniStack's.
        HANDLERS.setdefault(name, _handler(prefix, attributes))
