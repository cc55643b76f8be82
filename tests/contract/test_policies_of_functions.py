"""A function's policy allows what its code calls, and nothing else."""

import re
from typing import Any

import pytest
import yaml

from showrunner.aws import secret_uses
from showrunner.keys import state
from showrunner.keys.inventory import SECRETS
from tests.contract import code, template
from tests.contract.template import FILES, Function, listed

# IAM's name of a service, where boto3's differs.
IAM_SERVICE = {"stepfunctions": "states", "sesv2": "ses"}


# The actions that a call needs, where they are not the action of the same name.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html (and its like for each operation,
# section Permissions)
IAM_ACTIONS = {
    ("sqs", "send_message_batch"): {"sqs:SendMessage"},
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html
    ("apigatewaymanagementapi", "post_to_connection"): {"execute-api:ManageConnections"},
    ("apigatewaymanagementapi", "delete_connection"): {"execute-api:ManageConnections"},
    ("s3", "head_object"): {"s3:GetObject"},
    ("s3", "put_tagged_object"): {"s3:PutObject", "s3:PutObjectTagging"},
    ("s3", "upload_file"): {"s3:PutObject"},
    ("s3", "upload_fileobj"): {"s3:PutObject"},
    ("s3", "download_file"): {"s3:GetObject"},
    ("s3", "download_fileobj"): {"s3:GetObject"},
    ("s3", "delete_objects"): {"s3:DeleteObject"},
    ("s3", "list_objects_v2"): {"s3:ListBucket"},
}


# Definitions of the layer that detect missing objects: without s3:ListBucket S3 answers 403 instead of 404.
DETECT_MISSING_OBJECTS = {("showrunner.aws.s3", "find_json"), ("showrunner.aws.s3", "size")}


def star_faults(text: str) -> list[str]:
    """Return lines with an uncommented "*" in a statement's Action, Resource or Principal."""
    lines = text.splitlines()
    root = yaml.compose(text, template.Loader)
    explained = re.compile(r"(^|\s)#\s*\S")
    return [
        f"line {node.start_mark.line + 1}: {lines[node.start_mark.line].strip()}"
        for node in _stars(root)
        if not any(explained.search(lines[line]) for line in (node.start_mark.line, node.start_mark.line - 1))
    ]


def _stars(node: yaml.Node) -> list[yaml.ScalarNode]:
    if isinstance(node, yaml.SequenceNode):
        return [star for inner in node.value for star in _stars(inner)]
    if not isinstance(node, yaml.MappingNode):
        return []
    keys = {key.value for key, _ in node.value}
    found = [star for _, value in node.value for star in _stars(value)]
    if "Effect" in keys:
        found += [
            star
            for key, value in node.value
            if key.value in ("Action", "NotAction", "Resource", "Principal")
            for star in _wide(value, key.value)
        ]
    return found


def _wide(node: yaml.Node, key: str) -> list[yaml.ScalarNode]:
    scalars = (
        [node]
        if isinstance(node, yaml.ScalarNode)
        else [each[1] if isinstance(each, tuple) else each for each in node.value]
    )
    scalars = [
        inner
        for scalar in scalars
        for inner in (scalar.value if isinstance(scalar, yaml.SequenceNode) else [scalar])
        if isinstance(inner, yaml.ScalarNode)
    ]
    return [
        scalar
        for scalar in scalars
        if (scalar.value == "*" or (key in ("Action", "NotAction") and "*" in scalar.value))
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_wildcard_in_a_policy_says_why(path):
    assert star_faults(path.read_text(encoding="utf-8")) == []


def test_an_unexplained_wildcard_is_detected():
    assert star_faults("""
      - {Effect: Allow, Action: 's3:*', Resource: arn:aws:s3:::ours} # the bucket's own administrator
      - Effect: Allow
        Action: [s3:GetObject, 's3:Put*']

        Resource: '*'
    """) == ["line 4: Action: [s3:GetObject, 's3:Put*']", "line 6: Resource: '*'"]


def required(function: str) -> set[str]:
    """Return the IAM actions that a function's code needs, except kms."""
    operations = code.operations(function)
    found = {
        action for operation in operations for action in IAM_ACTIONS.get(operation) or {_action(*operation)}
    }
    return found | ({"s3:ListBucket"} if code.reach(function) & DETECT_MISSING_OBJECTS else set())


def _action(service: str, method: str) -> str:
    return f"{IAM_SERVICE.get(service, service)}:{''.join(part.capitalize() for part in method.split('_'))}"


def granted(function: Function) -> set[str]:
    return {
        action
        for statement in function.statements
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
    }


def test_a_functions_policy_allows_what_its_code_calls(functions):
    missing = {name: sorted(required(name) - granted(function)) for name, function in functions.items()}

    assert {name: actions for name, actions in missing.items() if actions} == {}


def test_a_functions_policy_allows_nothing_that_its_code_does_not_call(functions):
    # A function that reads objects may list them, to distinguish a missing object from a forbidden one.
    more = {name: {"s3:ListBucket"} if "s3:GetObject" in required(name) else set() for name in functions}
    superfluous = {
        name: {action for action in granted(f) if not action.startswith("kms:")} - required(name) - more[name]
        for name, f in functions.items()
    }

    assert {name: sorted(actions) for name, actions in superfluous.items() if actions} == {}


def test_a_function_may_use_the_key_exactly_when_it_uses_encrypted_data(functions):
    for name, function in functions.items():
        services = {action.split(":")[0] for action in required(name)}
        kms = {action for action in granted(function) if action.startswith("kms:")}

        if "s3:PutObject" in required(name):
            assert "kms:GenerateDataKey" in kms, (
                f"{name} writes objects that S3 encrypts with the stage's key"
            )
        assert ("kms:Decrypt" in kms) == bool(services & {"s3", "ssm", "dynamodb"}), name


def test_the_stages_key_is_used_through_a_service_or_for_values_that_the_code_seals(functions):
    """A ciphertext alone opens nothing: its reader must be allowed to read it in SSM, S3 or the state table.

    Only what access/sealing.py seals is opened by the function itself, with its purpose as context.
    """
    sealing = {name for name in functions if any(service == "kms" for service, _ in code.operations(name))}
    sealed_by = set()
    for name, function in functions.items():
        for statement in function.statements:
            if not any(action.startswith("kms:") for action in listed(statement["Action"])):
                continue
            if statement["Condition"] == {"Null": {"kms:EncryptionContext:purpose": "false"}}:
                sealed_by.add(name)
            else:
                (through,) = statement["Condition"]["StringEquals"].values()
                services = {each["Fn::Sub"].partition(".")[0] for each in listed(through)}
                assert services <= {"ssm", "s3", "dynamodb"}, name
    assert sealed_by == sealing


def test_a_functions_policy_allows_exactly_the_secrets_it_reads(functions):
    for name, function in functions.items():
        resources_ = [
            resource
            for s in function.statements
            if "ssm:GetParameters" in listed(s["Action"])
            for resource in listed(s["Resource"])
        ]
        allowed = sorted(
            resource["Fn::Sub"].partition("parameter/showrunner/${Stage}/")[2] for resource in resources_
        )

        assert allowed == sorted({read.name for read in code.secrets(name)} | replaced(name)), name


def replaced(function: str) -> set[str]:
    """Return the secrets that the function `keys` may read, because it replaces them."""
    if function != "keys":
        return set()
    names = {each.name for each in SECRETS if "keys" in each.readers}
    return names | {state.candidate("*"), state.previous("*")}


def test_the_inventory_names_the_readers_of_each_secret(functions):
    readers = {secret.name: set(secret.readers) - {"keys"} for secret in SECRETS}

    assert readers == {
        secret.name: {name for name in functions if secret.name in {each.name for each in code.secrets(name)}}
        - {"keys"}
        for secret in SECRETS
    }


def test_who_reads_or_writes_secrets_may_use_the_stages_key(functions):
    """SecureStrings are encrypted with it: without these actions SSM refuses the call."""
    needed = {"ssm:GetParameters": "kms:Decrypt", "ssm:PutParameter": "kms:Encrypt"}
    missing = []
    for name, function in functions.items():
        actions = {action for statement in function.statements for action in listed(statement["Action"])}
        missing += [(name, key) for call, key in needed.items() if call in actions and key not in actions]

    assert missing == []


def test_only_rotation_writes_secrets(functions):
    """An admin's new key goes to a name that no reader uses."""
    written = {
        name: {
            resource["Fn::Sub"].partition("parameter/showrunner/${Stage}/")[2]
            for statement in function.statements
            if "ssm:PutParameter" in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }
        for name, function in functions.items()
    }
    assert {name for name, names in written.items() if names} == {"admin", "keys"}
    assert written["admin"] == {state.candidate("*")}
    assert written["keys"] == replaced("keys")


def test_who_reads_secrets_may_note_that_and_nothing_else_for_it(functions):
    """A statement with other keys of the table would pass the tests above, and AWS would refuse the call."""
    for name, function in functions.items():
        if not code.secrets(name):
            continue
        keys = [
            _keys(statement)
            for statement in function.statements
            if "dynamodb:UpdateItem" in listed(statement["Action"])
        ]
        assert [secret_uses.KEY] in keys or None in keys, name


def _keys(statement: dict[str, Any]) -> list[str] | None:
    """Return the partition keys that a statement is limited to, None if it is not limited."""
    for operator in (statement.get("Condition") or {}).values():
        return list(operator["dynamodb:LeadingKeys"])
    return None
