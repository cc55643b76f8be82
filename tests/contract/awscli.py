"""The AWS command line as far as the runbooks use it: the same words and parameters.

They are checked by the SDK's own models and sent to the endpoint that the test names.

https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters.html
"""

import functools
import json
import shlex
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.stub import Stubber


class Wrong(Exception):
    """A command that the AWS command line would refuse."""


@functools.cache
def _client(
    service: str, endpoint: str, checked: bool
) -> Any:  # a checked client answers nothing, so it is another one
    return botocore.session.get_session().create_client(
        service, region_name="us-east-1", endpoint_url=endpoint
    )


def run(line: str, endpoint: str, *, only_check: bool = False) -> dict[str, Any]:
    """Run `aws <service> <operation> --option value ...`; with `only_check` only check it by its model."""
    words = shlex.split(line)
    if words[0] != "aws":
        raise Wrong(f"not a command of aws: {line}")
    service, operation, options = words[1], words[2], words[3:]
    client = _client(service, endpoint, only_check)
    names = {xform_name(name, "-"): name for name in client.meta.service_model.operation_names}
    if operation not in names:
        raise Wrong(f"aws {service} has no {operation}")
    shape = client.meta.service_model.operation_model(names[operation]).input_shape
    method, given = xform_name(names[operation]), _parameters(shape, options, line)
    if only_check:
        with Stubber(client) as stub:
            stub.add_response(method, {})
            return dict(getattr(client, method)(**given))
    return dict(getattr(client, method)(**given))


def _parameters(shape: Any, options: list[str], line: str) -> dict[str, Any]:
    members = {
        xform_name(name, "-"): (name, member) for name, member in (shape.members if shape else {}).items()
    }
    given: dict[str, Any] = {}
    rest = list(options)
    while rest:
        option = rest.pop(0)
        values = []
        while rest and not rest[0].startswith("--"):
            values.append(rest.pop(0))
        word = option.removeprefix("--")
        if word.removeprefix("no-") in members and word not in members:
            word, values = word.removeprefix("no-"), ["false"]
        if not option.startswith("--") or word not in members:
            raise Wrong(f"{option} is no option: {line}")
        name, member = members[word]
        given[name] = _value(member, values)
    return given


def _value(shape: Any, values: list[str]) -> Any:
    if shape.type_name == "boolean":
        return values != ["false"]
    if shape.type_name == "list":
        return [_value(shape.member, [value]) for value in values]
    (value,) = values
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name == "structure":
        if value.startswith("{"):
            return json.loads(value)
        parts = (part.split("=", 1) for part in value.split(","))
        # The command line makes a list of one value where the model has a list.
        return {name: [text] if shape.members[name].type_name == "list" else text for name, text in parts}
    return value
