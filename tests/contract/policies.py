"""Check the AWS calls that functions and render jobs made against their policies.

The emulator enforces none.

The end-to-end test starts the engine with ENGINE_CALLS=<file> and ends with:

    faults = policies.faults(policies.read(calls), callers, policies.Stacks(parameters, physical))

`callers` is $SHOWRUNNER_HOME/engine/callers.json; `physical` maps the logical ids of both stacks to physical
ones (describe_stack_resources); `parameters` are those that the stacks were deployed with (Stage at least;
the rest have defaults).

What a request needs:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from tests.contract import template
from tests.contract.template import APPLICATION, DATA, listed, load

Json = dict[str, Any]


class Need(NamedTuple):
    """An action on a resource; None if the request does not name it (the key of an encrypted object).

    `key` is the partition key of a request for one item of a table. `via`: the service that asks KMS for us,
    None for a request of ours. `context`: the names in the encryption context of such a request.
    """

    action: str
    resource: str | None
    key: str | None = None
    via: str | None = None
    context: frozenset[str] = frozenset()


class Unknown(Exception):
    """A request that this module cannot translate into IAM actions: add it here."""


# ---------------------------------------------------------------- Requests into needs


def read(path: Path) -> list[Json]:
    """Read the calls that the engine recorded, one JSON object per line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def needs(line: Json, region: str = "us-east-1", account: str = "000000000000") -> list[Need]:
    """Return what a policy must allow for this request. Raises Unknown."""
    if line["service"] == "s3":
        return list(_of_s3(line))
    if line["service"] == "lambda":
        return [
            Need(
                "lambda:InvokeFunction",
                f"arn:aws:lambda:{region}:{account}:function:"
                f"{_matched(line, r'/2015-03-31/functions/([^/]+)/invocations')}",
            )
        ]
    if line["service"] == "ses" and line["path"].startswith("/v2/"):
        (one,) = _parts(line, r"/v2/email/suppression/addresses(/.+)?")
        verb = {"GET": "Get" if one else "List", "DELETE": "Delete"}[line["method"]]
        return [Need(f"ses:{verb}SuppressedDestination{'' if one else 's'}", None)]
    if line["service"] == "ses":
        asked = {name: values[0] for name, values in parse_qs(line["body"]).items()}
        return [Need(f"ses:{asked['Action']}", f"arn:aws:ses:{region}:{account}:identity/{asked['Source']}")]
    if line["service"] == "execute-api":
        api, stage, connection = _parts(line, r"/_aws/execute-api/([^/]+)/([^/]+)/@connections/(.+)")
        return [
            Need(
                "execute-api:ManageConnections",
                f"arn:aws:execute-api:{region}:{account}:{api}/{stage}/{line['method']}/@connections/{connection}",
            )
        ]
    if line["service"] == "appsync":
        return [_of_appsync(line, f"{region}:{account}")]
    if line["service"] == "sts":
        return []  # everyone may call GetCallerIdentity
    return _of_json(line, f"{region}:{account}")


def _of_appsync(line: Json, place: str) -> Need:
    """Translate a request for an API or its keys. IAM names the keys by the request's path."""
    (api, keys) = _parts(line, r"/v1/apis/([^/]+)(/apikeys(?:/[^/]+)?)?")
    if not keys and line["method"] == "GET":
        return Need("appsync:GetGraphqlApi", f"arn:aws:appsync:{place}:apis/{api}")
    action = {"POST": "CreateApiKey", "GET": "ListApiKeys", "DELETE": "DeleteApiKey"}[line["method"]]
    return Need(f"appsync:{action}", f"arn:aws:appsync:{place}:/v1/apis/{api}{keys}")


def _matched(line: Json, pattern: str) -> str:
    return _parts(line, pattern)[0].rpartition(":")[2]


def _parts(line: Json, pattern: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, unquote(line["path"]))
    if not found:
        raise Unknown(f"{line['service']} {line['method']} {line['path']}")
    return found.groups()


def _of_s3(line: Json) -> Iterator[Need]:
    """Translate an S3 request. Addresses on loopback are path-style: /bucket/key."""
    bucket, _, key = unquote(line["path"]).lstrip("/").partition("/")
    query = parse_qs(line["query"], keep_blank_values=True)
    on_bucket, on_object = f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{key}"
    if not key:
        yield Need(_s3_bucket_action(line, query), on_bucket)
        return
    action = _s3_object_action(line["method"], query)
    yield Need(action, on_object)
    if action == "s3:GetObject":
        # Without it AWS answers 403 where the engine answers 404, and the code cannot distinguish the two.
        yield (
            Need("s3:ListBucket", on_bucket) if line["status"] == 404 else Need("kms:Decrypt", None, via="s3")
        )
    if action == "s3:PutObject":
        yield Need("kms:GenerateDataKey", None, via="s3")
        if "uploadId" in query or "uploads" in query:
            yield Need("kms:Decrypt", None, via="s3")  # parts are read again to be put together


def _s3_bucket_action(line: Json, query: dict[str, list[str]]) -> str:
    if line["method"] in ("GET", "HEAD") and not query.keys() - {
        "list-type",
        "prefix",
        "delimiter",
        "max-keys",
        "continuation-token",
        "encoding-type",
        "start-after",
    }:
        return "s3:ListBucket"
    raise Unknown(f"s3 {line['method']} {line['path']}?{line['query']}")


def _s3_object_action(method: str, query: dict[str, list[str]]) -> str:
    if "tagging" in query:
        return {
            "GET": "s3:GetObjectTagging",
            "PUT": "s3:PutObjectTagging",
            "DELETE": "s3:DeleteObjectTagging",
        }[method]
    if method == "DELETE":
        return "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"
    if method in ("GET", "HEAD"):
        return "s3:ListMultipartUploadParts" if "uploadId" in query else "s3:GetObject"
    return "s3:PutObject"  # PUT, and POST of a multipart upload's begin and end


def _of_json(line: Json, place: str) -> list[Need]:
    prefix, _, operation = (line["target"] or "").partition(".")
    if prefix not in JSON_SERVICES:
        raise Unknown(f"{line['service']} {line['method']} {line['path']} {line['target']}")
    service, resources = JSON_SERVICES[prefix]
    if service == "sqs":  # IAM has no action of its own for batches
        operation = operation.removesuffix("Batch")
    if line["body"] is None:
        return [Need(f"{service}:{operation}", None)]  # too long to be recorded: check the action at least
    body = json.loads(line["body"] or "{}")
    if service == "kms":
        context = frozenset(body.get("EncryptionContext", {}))
        return [Need(f"kms:{operation}", each, context=context) for each in resources(body, place)]
    key = body["Key"].get("pk", {}).get("S") if service == "dynamodb" and "Key" in body else None
    key = body["Item"].get("pk", {}).get("S") if service == "dynamodb" and "Item" in body else key
    found = [Need(f"{service}:{operation}", resource, key) for resource in resources(body, place)]
    # A SecureString is sealed with the stage's key by SSM, with our rights.
    sealed = {"GetParameters": "Decrypt", "GetParametersByPath": "Decrypt", "PutParameter": "Encrypt"}
    if service == "ssm" and operation in sealed:
        found.append(Need(f"kms:{sealed[operation]}", None, via="ssm"))
    return found


def _parameters(body: Json, place: str) -> list[str | None]:
    if "Name" not in body and "Names" not in body:
        return [None]  # DescribeParameters knows no single parameter
    names = body.get("Names") or [body["Name"]]
    return [f"arn:aws:ssm:{place}:parameter/{name.lstrip('/')}" for name in names]


def _executions(body: Json, _: str) -> list[str | None]:
    return [body.get("executionArn") or body["stateMachineArn"]]


def _buses(body: Json, place: str) -> list[str | None]:
    names = {entry.get("EventBusName", "default") for entry in body["Entries"]}
    return sorted(
        name if name.startswith("arn:") else f"arn:aws:events:{place}:event-bus/{name}" for name in names
    )


def _tables(body: Json, place: str) -> list[str | None]:
    names = [body["TableName"]] if "TableName" in body else sorted(body["RequestItems"])
    return [name if name.startswith("arn:") else f"arn:aws:dynamodb:{place}:table/{name}" for name in names]


def _queues(body: Json, place: str) -> list[str | None]:
    return [f"arn:aws:sqs:{place}:{body['QueueUrl'].rpartition('/')[2]}"]


def _keys(body: Json, _: str) -> list[str | None]:
    return [body["KeyId"] if body.get("KeyId", "").startswith("arn:") else None]


# X-Amz-Target's prefix -> IAM's name of the service, and the resources that a request names.
JSON_SERVICES: dict[str, tuple[str, Callable[[Json, str], list[str | None]]]] = {
    "AmazonSSM": ("ssm", _parameters),
    "AWSStepFunctions": ("states", _executions),
    "AWSEvents": ("events", _buses),
    "DynamoDB_20120810": ("dynamodb", _tables),
    "AmazonSQS": ("sqs", _queues),
    "TrentService": ("kms", _keys),
}


# ---------------------------------------------------------------- Policies


def allows(statements: Iterable[Json], need: Need) -> bool:
    """Apply IAM's rule: one statement allows it and none denies it.

    Statements are resolved, with lists of actions and resources.
    """
    matching = [statement["Effect"] for statement in statements if _applies(statement, need)]
    return "Allow" in matching and "Deny" not in matching


def _applies(statement: Json, need: Need) -> bool:
    if unread := statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}:
        raise Unknown(f"a statement with {sorted(unread)}")
    if "Condition" in statement and not _holds(statement["Condition"], need):
        return False
    acts = any(matches(pattern.lower(), need.action.lower()) for pattern in statement["Action"])
    return acts and (
        need.resource is None or any(matches(pattern, need.resource) for pattern in statement["Resource"])
    )


def _holds(condition: Json, need: Need) -> bool:
    """Evaluate the conditions that our policies have.

    The partition keys that a request may name, the service through which KMS is asked, and whether a request
    to KMS has a name in its encryption context.
    """
    match condition:
        case {"StringEquals": {"kms:ViaService": services, **others}, **more} if not others and not more:
            return need.via is not None and need.via in {each.partition(".")[0] for each in listed(services)}
        case {"Null": {**names}, **more} if names and not more:
            prefix = "kms:EncryptionContext:"
            if all(name.startswith(prefix) and absent == "false" for name, absent in names.items()):
                return {name.removeprefix(prefix) for name in names} <= need.context
    for operator, is_met in (("StringEquals", str.__eq__), ("StringLike", matches)):
        match condition.get(f"ForAllValues:{operator}"):
            case {"dynamodb:LeadingKeys": [*keys], **others} if not others and len(condition) == 1:
                return need.key is None or any(is_met(key, need.key) for key in keys)
    raise Unknown(f"the Condition {condition}")


def matches(pattern: str, text: str) -> bool:
    """Match IAM's wildcards: * is any text, including / and :, and ? is one character."""
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


# ---------------------------------------------------------------- Templates into policies


@dataclass
class Stacks:
    """Both deployed stacks of a stage. Resolves intrinsic functions to text."""

    parameters: dict[str, str]
    physical: dict[str, str] = field(default_factory=dict)
    account: str = "000000000000"
    region: str = "us-east-1"

    def statements_of_function(self, function: template.Function) -> list[Json]:
        return [self.statement(statement, function.template) for statement in function.statements]

    def statements_of_job(self, definition_name: str) -> list[Json]:
        """Return the policy statements of the role that the containers of a job definition run with."""
        application = load(APPLICATION)
        for definition in template.resources(application, "AWS::Batch::JobDefinition").values():
            if self.text(definition["JobDefinitionName"], application) == definition_name:
                (role,) = template.references(definition["ContainerProperties"]["JobRoleArn"])
                policies = application["Resources"][role]["Properties"]["Policies"]
                return [
                    self.statement(each, application)
                    for policy in policies
                    for each in listed(policy["PolicyDocument"]["Statement"])
                ]
        raise Unknown(f"the job definition {definition_name}")

    def function_named(self, physical_name: str) -> template.Function:
        for function in template.functions().values():
            if physical_name in (self.physical.get(function.id), function.id):
                return function
        raise Unknown(f"the function {physical_name}")

    def statement(self, statement: Json, each: Json) -> Json:
        """Return a statement of a template with its actions and resources as lists of text."""
        resolved: Json = {
            name: [self.text(value, each) for value in listed(statement[name])]
            for name in ("Action", "Resource")
        }
        if "Condition" in statement:
            resolved["Condition"] = self._condition(statement["Condition"], each)
        return {**statement, **resolved}

    def _condition(self, value: Any, each: Json) -> Any:
        """Return a part of a condition with its references as text."""
        if isinstance(value, list):
            return [self._condition(inner, each) for inner in value]
        if isinstance(value, dict) and not next(iter(value), "").startswith(("Fn::", "Ref")):
            return {name: self._condition(inner, each) for name, inner in value.items()}
        return self.text(value, each)

    def text(self, value: Any, each: Json) -> str:
        """Return a value of a template as text.

        `each` is that template: logical ids and parameters belong to it.
        """
        match value:
            case {"Ref": str(name)}:
                return self._ref(name, each)
            case {"Fn::GetAtt": [name, attribute]}:
                return self._attribute(name, attribute, each)
            case {"Fn::Sub": [text, given]}:
                return self._sub(text, {name: self.text(inner, each) for name, inner in given.items()}, each)
            case {"Fn::Sub": str(text)}:
                return self._sub(text, {}, each)
            case {"Fn::If": [_, _, otherwise]}:
                # The conditions of policies name buckets beside the stage's own; the local stage has none.
                return self.text(otherwise, each)
            case {"Fn::ImportValue": name}:
                return self._import(self.text(name, each))
            case str() | int():
                return str(value)
        raise Unknown(f"the value {json.dumps(value)[:200]}")

    def _sub(self, text: str, given: dict[str, str], each: Json) -> str:
        def put(found: re.Match[str]) -> str:
            name, _, attribute = found[1].partition(".")
            if name in given:
                return given[name]
            return self._attribute(name, attribute, each) if attribute else self._ref(name, each)

        return re.sub(r"\$\{([^!}][^}]*)\}", put, text)

    def _ref(self, name: str, each: Json) -> str:
        pseudo = {"AWS::Partition": "aws", "AWS::Region": self.region, "AWS::AccountId": self.account}
        pseudo["AWS::URLSuffix"] = "amazonaws.com"
        if name in pseudo:
            return pseudo[name]
        if name in each.get("Parameters", {}):
            parameter = each["Parameters"][name]
            return str(self.parameters[name] if name in self.parameters else parameter["Default"])
        kind = each["Resources"][name]["Type"]
        return (
            self._attribute(name, "Arn", each)
            if kind == "AWS::Serverless::StateMachine"
            else self._name(name, each)
        )

    def _name(self, name: str, each: Json) -> str:
        """Return a resource's name from the template, otherwise the one that CloudFormation assigned."""
        resource = each["Resources"][name]
        given = (resource.get("Properties") or {}).get(NAMES.get(resource["Type"], ""))
        return self.text(given, each) if given is not None else self.physical.get(name, name)

    def _attribute(self, name: str, attribute: str, each: Json) -> str:
        kind = each["Resources"][name]["Type"]
        if attribute in ("Name", "QueueName"):
            return self._name(name, each)
        if attribute != "Arn" or kind not in ARNS:
            raise Unknown(f"{attribute} of {name} ({kind})")
        return ARNS[kind].format(place=f"{self.region}:{self.account}", name=self._name(name, each))

    def _import(self, export: str) -> str:
        data = load(DATA)
        for output in data["Outputs"].values():
            if "Export" in output and self.text(output["Export"]["Name"], data) == export:
                return self.text(output["Value"], data)
        raise Unknown(f"the export {export}")


# The property that names a resource, and what its ARN looks like.
NAMES = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Events::EventBus": "Name",
    "AWS::Serverless::StateMachine": "Name",
    "AWS::Serverless::Function": "FunctionName",
    "AWS::SNS::Topic": "TopicName",
}
ARNS = {
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{place}:table/{name}",
    "AWS::SQS::Queue": "arn:aws:sqs:{place}:{name}",
    "AWS::Events::EventBus": "arn:aws:events:{place}:event-bus/{name}",
    "AWS::Serverless::StateMachine": "arn:aws:states:{place}:stateMachine:{name}",
    "AWS::Serverless::Function": "arn:aws:lambda:{place}:function:{name}",
    "AWS::SNS::Topic": "arn:aws:sns:{place}:{name}",
    "AWS::KMS::Key": "arn:aws:kms:{place}:key/{name}",
}


# ---------------------------------------------------------------- The judgement


def faults(lines: Iterable[Json], callers: dict[str, Json], stacks: Stacks) -> list[str]:
    """Return each call that the caller's policy does not allow, once.

    Calls of the launcher, sam and tests are ignored.
    """
    found = set()
    policies: dict[str, tuple[str, list[Json]]] = {}
    for line in lines:
        caller = callers.get(line["access_key"])
        if caller is None:
            continue
        if line["access_key"] not in policies:
            policies[line["access_key"]] = _policy(caller, stacks)
        name, statements = policies[line["access_key"]]
        try:
            asked = needs(line, stacks.region, stacks.account)
        except Unknown as unknown:
            found.add(f"{name}: can't judge {unknown}")
            continue
        found |= {
            f"{name}: {need.action} on {need.resource or 'the key'} is not allowed"
            for need in asked
            if not allows(statements, need)
        }
    return sorted(found)


def used(lines: Iterable[Json], callers: dict[str, Json], stacks: Stacks) -> dict[str, set[str]]:
    """Return the actions that each caller used: a test checks that the recording is not empty."""
    found: dict[str, set[str]] = {}
    for line in lines:
        if caller := callers.get(line["access_key"]):
            found.setdefault(_policy(caller, stacks)[0], set()).update(
                need.action for need in needs(line, stacks.region, stacks.account)
            )
    return found


def _policy(caller: Json, stacks: Stacks) -> tuple[str, list[Json]]:
    if caller["kind"] == "batch":
        return "render", stacks.statements_of_job(caller["name"])
    function = stacks.function_named(caller["name"])
    return function.name, stacks.statements_of_function(function)
