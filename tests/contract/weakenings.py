"""Weakenings of a template, one at a time: something is removed, switched off, opened or widened.

They are made from what the templates hold, not from a list: every property is taken away, every switch
turned, every number made smaller and larger, every right widened, every way in opened; and each resource that
can be exposed gets the exposures of its kind.
"""

import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.contract.template import Json, listed
from tests.contract.values import NO_PROTECTION

Path = tuple[str | int, ...]

# What each of these values is weakened to.
WEAKER = {
    "aws:kms": "AES256",
    "KMS": "AES256",
    "IMMUTABLE": "MUTABLE",
    "required": "optional",
    "Enabled": "Suspended",
    "ENABLED": "DISABLED",
    "Active": "PassThrough",
    "BucketOwnerEnforced": "ObjectWriter",
    "Retain": "Delete",
    "RetainExceptOnCreate": "Delete",
    "Snapshot": "Delete",
    "OFF": "INFO",
    "ERROR": "OFF",
    "breaching": "notBreaching",
    "notBreaching": "ignore",
    "JSON": "Text",
    "tcp": "-1",
    "Deny": "Allow",
    "GreaterThanOrEqualToThreshold": "LessThanThreshold",
    "GreaterThanThreshold": "LessThanThreshold",
    "https-only": "allow-all",
    "TLSv1.2": "SSLv3",
    "TLSv1.2_2021": "TLSv1",
    "IP": "CONSTANT",
    "viewer-request": "viewer-response",
}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
OPEN = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}


class Weakening(NamedTuple):
    what: str
    apply: Callable[[Json], None]
    """Change a template in place."""

    def of(self, document: Json) -> Json:
        # As deepcopy does, in a twentieth of its time.
        changed: Json = pickle.loads(pickle.dumps(document))
        self.apply(changed)
        return changed


def at(document: Any, path: Path) -> Any:
    for part in path:
        document = document[part]
    return document


def paths(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Everything in a value but texts and names, each with the way to it. References are taken whole."""
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in items:
        # What a function is told is compared with what its code reads by test_template.py.
        if (
            key in NO_PROTECTION
            or key == "Environment"
            or (isinstance(key, str) and key.startswith("Fn::") and key != "Fn::If")
        ):
            continue
        yield (*path, key), inner
        yield from paths(inner, (*path, key))


def weakenings(document: Json) -> Iterator[Weakening]:
    for section in ("Globals", "Resources"):
        for identity, whole in (document.get(section) or {}).items():
            base: Path = (section, identity)
            for path, value in paths(whole):
                yield from _of_value((*base, *path), value)
            if section == "Resources":
                yield Weakening(
                    f"{identity}: taken away",
                    lambda changed, identity=identity: changed["Resources"].pop(identity),
                )
                yield from _exposures(identity, whole)
    yield Weakening(
        "Transform: another account's macro changes the template",
        lambda changed: changed.update(Transform=["AWS::Serverless-2016-10-31", "999999999999::Macro"]),
    )
    for identity, parameter in (document.get("Parameters") or {}).items():
        if parameter.get("NoEcho"):
            yield _set(("Outputs", "New"), {"Value": {"Ref": identity}}, f"shows {identity} to everybody")
        for key in ("AllowedPattern", "AllowedValues", "MinValue", "MaxValue", "NoEcho"):
            if key in parameter:
                yield _removal(("Parameters", identity, key))


def _name(path: Path) -> str:
    return f"{path[1]}: {'.'.join(map(str, path[2:]))}"


def _set(path: Path, value: Any, what: str) -> Weakening:
    def apply(document: Json) -> None:
        at(document, path[:-1])[path[-1]] = value

    return Weakening(f"{_name(path)} {what}", apply)


def _removal(path: Path) -> Weakening:
    def apply(document: Json) -> None:
        del at(document, path[:-1])[path[-1]]

    return Weakening(f"{_name(path)} taken away", apply)


def _of_value(path: Path, value: Any) -> Iterator[Weakening]:
    if path[-1] in ("Type", "Properties"):
        return
    yield _removal(path)
    if isinstance(value, bool):
        yield _set(path, not value, f"becomes {not value}")
    elif isinstance(value, int | float):
        for weaker in {0, 1, int(value) * 10, 1_000_000} - {value}:
            yield _set(path, weaker, f"becomes {weaker}")
    elif isinstance(value, str) and value in WEAKER:
        yield _set(path, WEAKER[value], f"becomes {WEAKER[value]}")
    elif isinstance(value, dict) and "Effect" in value:
        yield from _of_statement(path, value)
    elif isinstance(value, dict) and "SourceSecurityGroupId" in value:
        open_ = {key: each for key, each in value.items() if key != "SourceSecurityGroupId"} | {
            "CidrIp": "0.0.0.0/0"
        }
        yield _set(path, open_, "is open to everybody")
        yield _set(path, {**value, "FromPort": 0, "ToPort": 65535}, "opens every port")
    elif isinstance(value, list) and path[-1] in (
        "Statement",
        "InstanceTypes",
        "SecurityGroupIds",
        "EnableCloudwatchLogsExports",
    ):
        more = {"Statement": EVERYTHING, "InstanceTypes": "p5.48xlarge"}.get(str(path[-1]))
        yield _set(path, [*value, more] if more else [], f"gets {json.dumps(more)}" if more else "is emptied")


def _of_statement(path: Path, statement: Json) -> Iterator[Weakening]:
    actions = listed(statement.get("Action", []))
    for action in actions:
        if isinstance(action, str) and ":" in action and not action.endswith("*"):
            wide = [f"{action.partition(':')[0]}:*" if each == action else each for each in actions]
            yield _set(path, {**statement, "Action": wide}, f"allows {action.partition(':')[0]}:*")
    if statement.get("Effect") == "Allow" and statement.get("Resource") not in (None, "*"):
        yield _set(path, {**statement, "Resource": "*"}, "is for everything")
        for resource in listed(statement["Resource"]):
            if wider := _wider(resource):
                yield _set(path, {**statement, "Resource": wider}, f"is for {json.dumps(wider)[:80]}")
    if "Principal" in statement and statement["Effect"] == "Allow":
        yield _set(path, {**statement, "Principal": "*"}, "lets everybody in")
        yield _set(
            path,
            {**statement, "Principal": {"AWS": "arn:aws:iam::999999999999:root"}},
            "lets another account in",
        )


def _wider(resource: Any) -> Any:
    """An ARN with a star in place of its last part, or of the stage in it."""
    if not isinstance(resource, dict) or "Fn::Sub" not in resource:
        return None
    sub = resource["Fn::Sub"]
    text = sub[0] if isinstance(sub, list) else sub
    head, slash, _ = text.rstrip("*").rstrip("/").rpartition("/")
    wide = f"{head}{slash}*" if slash else text.rpartition(":")[0] + ":*"
    return None if wide == text else {"Fn::Sub": [wide, sub[1]] if isinstance(sub, list) else wide}


# Exposures by kind of resource: property (a path from Properties), value, what it is called.
EXPOSURES: dict[str, list[tuple[tuple[str, ...], Any, str]]] = {
    "AWS::Serverless::Function": [
        (("FunctionUrlConfig",), {"AuthType": "NONE"}, "gets an open address of its own"),
        (("Policies",), ["AdministratorAccess"], "becomes an administrator"),
        (("Role",), "arn:aws:iam::123456789012:role/Admin", "gets another role"),
        (("ReservedConcurrentExecutions",), 900, "takes every execution"),
        (("Layers",), ["arn:aws:lambda:us-east-1:999999999999:layer:x:1"], "loads another account's layer"),
        (("Runtime",), "python3.9", "runs on a Python that nobody patches"),
        (
            ("VpcConfig",),
            {"SubnetIds": [{"Ref": "PublicSubnetA"}], "SecurityGroupIds": []},
            "moves to a public subnet",
        ),
        (("LoggingConfig",), {"LogFormat": "Text"}, "logs to a group of Lambda's own"),
        (
            ("Environment",),
            {"Variables": {"HTTP_HOSTS": "*", "RATE_LIMIT_FACTOR": "1000000"}},
            "gets open settings",
        ),
    ],
    "AWS::EC2::SecurityGroup": [
        (("SecurityGroupIngress",), [OPEN], "opens SSH"),
        (("SecurityGroupEgress",), [{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}], "lets everything out"),
    ],
    "AWS::S3::Bucket": [
        (("AccessControl",), "PublicRead", "can be read by everybody"),
        (("WebsiteConfiguration",), {"IndexDocument": "index.html"}, "becomes a public website"),
        (("PublicAccessBlockConfiguration",), {}, "has an empty block"),
    ],
    "AWS::IAM::Role": [
        (("ManagedPolicyArns",), ["arn:aws:iam::aws:policy/AdministratorAccess"], "becomes an administrator"),
        (
            ("AssumeRolePolicyDocument",),
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
            },
            "is anybody's",
        ),
    ],
    "AWS::RDS::DBInstance": [(("PubliclyAccessible",), True, "gets a public address")],
    "AWS::RDS::DBCluster": [(("EnableHttpEndpoint",), True, "gets an HTTP endpoint")],
    "AWS::Batch::JobDefinition": [
        (("ContainerProperties", "Privileged"), True, "is Privileged"),
        (("ContainerProperties", "User"), "root", "is root"),
    ],
    "AWS::EC2::Subnet": [(("MapPublicIpOnLaunch",), True, "gives public addresses")],
    "AWS::Serverless::StateMachine": [
        (("Logging",), {"Level": "ALL", "IncludeExecutionData": True}, "logs what users wrote")
    ],
    "AWS::CloudWatch::Alarm": [(("ActionsEnabled",), False, "is switched off")],
    "AWS::CloudFront::Distribution": [
        (("DistributionConfig", "CacheBehaviors"), [{"PathPattern": "/api/*"}], "is open on one path"),
        (("DistributionConfig", "Origins"), [{"Id": "api"}], "leads everybody elsewhere"),
    ],
    "AWS::WAFv2::WebACL": [
        (("Rules",), [], "is open: no rule is left"),
        (("DefaultAction",), {"Count": {}}, "only counts"),
    ],
    "AWS::CloudFront::Function": [
        (
            ("FunctionCode",),
            "function handler(event) { return event.request; }",
            "lets anybody write addresses",
        )
    ],
}
for _api in ("AWS::Serverless::HttpApi", "AWS::Serverless::WebSocketApi"):
    EXPOSURES[_api] = [
        (("CorsConfiguration",), {"AllowOrigins": ["*"], "AllowCredentials": False}, "answers every origin"),
        (
            ("DefaultRouteSettings",),
            {"ThrottlingBurstLimit": 1_000_000, "ThrottlingRateLimit": 1_000_000},
            "has no limit",
        ),
    ]


def _exposures(identity: str, whole: Json) -> Iterator[Weakening]:
    for keys, value, what in EXPOSURES.get(whole["Type"], []):
        path: Path = ("Resources", identity, "Properties", *keys)
        unchanged = whole.get("Properties") or {}
        for key in keys:
            unchanged = unchanged.get(key) if isinstance(unchanged, dict) else None
        if unchanged != value:
            yield _set(path, value, what)


def additions() -> Iterator[Weakening]:
    """New resources that expose what is there."""
    new: dict[str, Json] = {
        "Open": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {"GroupId": "sg-1", **OPEN}},
        "Anybody": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {"Action": "lambda:InvokeFunction", "FunctionName": "x", "Principal": "*"},
        },
        "Address": {"Type": "AWS::Lambda::Url", "Properties": {"AuthType": "NONE", "TargetFunctionArn": "x"}},
        "Person": {"Type": "AWS::IAM::User", "Properties": {}},
        "Key": {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": "x"}},
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {}},
        "Machine": {"Type": "AWS::EC2::Instance", "Properties": {"InstanceType": "t3.large"}},
        "Database": {"Type": "AWS::RDS::DBInstance", "Properties": {"PubliclyAccessible": True}},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
    }
    for identity, whole in new.items():

        def apply(document: Json, identity: str = f"New{identity}", whole: Json = whole) -> None:
            document["Resources"][identity] = whole

        yield Weakening(f"New{identity}: {whole['Type']} is added", apply)
