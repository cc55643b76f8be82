"""The protections of a stage: rules for each kind of resource of the templates, and a file of values.

A rule says what is right for a kind of resource (every queue is encrypted). How large a timeout is, which
object a role may read, how many failures an alarm waits for, no rule can know: protections.txt has a line for
each, and a change of the templates that changes one has to change that line, too, where a reviewer sees it.
`make protections` writes the file.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.contract import settings, transformed, values
from tests.contract.code import ROOT
from tests.contract.template import EDGE, FILES, Json, listed, load, references, walk
from tests.contract.transformed import Resource

FILE = ROOT / "tests" / "contract" / "protections.txt"
TEMPLATES = (*FILES, EDGE)

# Sections of a template that `facts` reads part by part, and those that only describe it.
LOOKED_AT = {"Parameters", "Conditions", "Globals", "Resources", "Outputs"}
LOOKED_AT |= {"AWSTemplateFormatVersion", "Description", "Metadata"}


# ---------------------------------------------------------------- Values


def facts(document: Json, name: str) -> list[str]:
    """A line for every value of a template that may protect: resource, path, value.

    Globals count where they are written.
    """
    found = []
    for kind in ("Parameters", "Conditions"):
        for identity, body in (document.get(kind) or {}).items():
            found += values.lines(name, f"{kind} {identity}", body)
    found += values.lines(name, "Globals", document.get("Globals") or {})
    # A macro can change everything else, and a section that is new may, too.
    for kind in document.keys() - LOOKED_AT:
        found += values.lines(name, kind, document[kind])
    for identity, whole in document["Resources"].items():
        kept = {key: value for key, value in whole.items() if key != "Properties"}
        found += values.lines(name, identity, {**kept, **(whole.get("Properties") or {})})
    for identity, output in (document.get("Outputs") or {}).items():
        found += values.lines(name, f"Outputs {identity}", output)
    found += _variables(document, name)
    return values.counted(found)


def _variables(document: Json, name: str) -> set[str]:
    """Return a line for each variable of the functions and its value. Who has it follows the code."""
    functions = [(document.get("Globals") or {}).get("Function") or {}]
    functions += [whole.get("Properties") or {} for whole in document["Resources"].values()]
    return {
        f"{name} Variables {variable} = {json.dumps(value, sort_keys=True)}"
        for properties in functions
        if isinstance(environment := properties.get("Environment"), dict)
        for variable, value in (environment.get("Variables") or {}).items()
    }


def all_facts(documents: dict[str, Json] | None = None) -> list[str]:
    """Return the lines of these templates; by default of all, and of the settings beside them."""
    return [
        fact
        for name, document in (documents or {path.name: load(path) for path in TEMPLATES}).items()
        for fact in facts(document, name)
    ] + ([] if documents else settings.facts())


def written(path: Path = FILE) -> set[str]:
    return {
        line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    }


def write(path: Path = FILE) -> int:
    """Write the file anew from the templates. Returns the number of lines."""
    head = (
        "# Values that protect a stage, one a line, as tests/contract/protections.py and settings.py read\n"
        "# them from the templates, state machines, image, workflow and the tools of `make check`.\n"
        "# `make protections` writes this file: a line that changes is a protection that changes.\n"
    )
    found = all_facts()
    path.write_text(head + "\n".join(sorted(found)) + "\n", encoding="utf-8")
    return len(found)


def differences(found: list[str], known: set[str]) -> list[str]:
    return [f"- {line}" for line in sorted(known - set(found))] + [
        f"+ {line}" for line in sorted(set(found) - known)
    ]


# ---------------------------------------------------------------- Rules

Rule = Callable[[Resource], Iterator[str]]
RULES: dict[str, list[Rule]] = {}


def rule(*kinds: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        for kind in kinds:
            RULES.setdefault(kind, []).append(function)
        return function

    return register


def faults(resources: list[Resource]) -> list[str]:
    """Return the faults in the protection of resources, by the rules of their kinds."""
    found = []
    for each in resources:
        if each.type not in KNOWN:
            found.append(
                f"{each.id}: nobody has said how {each.type} is protected; add it to KNOWN with rules of "
                "its own"
            )
        for check in RULES.get(each.type, []):
            found += [f"{each.id}: {fault}" for fault in check(each)]
    return found


KEY = ("StageKey", "showrunner-${Stage}-StageKeyArn")


def _is_stage_key(value: Any) -> bool:
    return any(part in json.dumps(value) for part in KEY) if value else False


@rule("AWS::KMS::Key")
def keys(each: Resource) -> Iterator[str]:
    if each.properties.get("EnableKeyRotation") is not True:
        yield "the key doesn't rotate"
    if "PendingWindowInDays" in each.properties and each.properties["PendingWindowInDays"] < 7:
        yield "a key that is deleted by mistake can't be brought back"
    for statement in each.properties["KeyPolicy"]["Statement"]:
        yield from _resource_statement(statement, each.id)


@rule("AWS::S3::Bucket")
def buckets(each: Resource) -> Iterator[str]:
    properties = each.properties
    rules = (properties.get("BucketEncryption") or {}).get("ServerSideEncryptionConfiguration", [])
    default = [inner.get("ServerSideEncryptionByDefault", {}) for inner in rules]
    if not default or any(
        inner.get("SSEAlgorithm") != "aws:kms" or not _is_stage_key(inner.get("KMSMasterKeyID"))
        for inner in default
    ):
        yield "objects are not sealed with the stage's key"
    block = properties.get("PublicAccessBlockConfiguration") or {}
    if [
        block.get(name)
        for name in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    ] != [True] * 4:
        yield "public access is not blocked in all four ways"
    if (properties.get("OwnershipControls") or {}).get("Rules") != [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]:
        yield "access control lists are not switched off"
    for cors in [
        inner for inner in walk(properties) if isinstance(inner, dict) and "AllowedOrigins" in inner
    ]:
        if cors["AllowedOrigins"] != {"Ref": "CorsOrigins"} or not set(cors["AllowedMethods"]) <= {
            "GET",
            "HEAD",
            "PUT",
        }:
            yield "pages of others may use the bucket"
    if any(name in properties for name in ("WebsiteConfiguration", "AccessControl")):
        yield "a bucket is neither a website nor has access control lists"
    yield from _outlives(each, "Retain")


@rule(
    "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::Events::EventBusPolicy"
)
def resource_policies(each: Resource) -> Iterator[str]:
    statements = [inner for inner in walk(each.properties) if isinstance(inner, dict) and "Effect" in inner]
    for statement in statements:
        yield from _resource_statement(statement, each.id)
    if each.type == "AWS::S3::BucketPolicy":
        tls = [
            s
            for s in statements
            if s["Effect"] == "Deny" and s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        ]
        wanted = {"Action": "s3:*", "Principal": "*"}
        if not [
            s
            for s in tls
            if {name: s.get(name) for name in wanted} == wanted and len(listed(s["Resource"])) == 2
        ]:
            yield "requests without TLS are not denied"


def _resource_statement(statement: Json, identity: str) -> Iterator[str]:
    """Yield faults of a resource policy's statement: it names who it lets in, services with our account."""
    if statement["Effect"] == "Deny":
        return
    principal = statement.get("Principal")
    if "NotPrincipal" in statement or "NotAction" in statement:
        yield "a policy that names whom it leaves out lets everybody else in"
    if principal == "*" or (isinstance(principal, dict) and "*" in json.dumps(principal)):
        yield "everybody is let in"
        return
    named = principal if isinstance(principal, dict) else {}
    root = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
    if "AWS" in named and named["AWS"] != root:
        yield "another account is let in"
    if "Service" in named and not re.search(
        r"aws:SourceAccount|aws:SourceArn|kms:EncryptionContext|kms:ViaService",
        json.dumps(statement.get("Condition", {})),
    ):
        yield f"a service is let in for any account ({json.dumps(named['Service'])})"


def _outlives(each: Resource, kept: str) -> Iterator[str]:
    wanted = "RetainExceptOnCreate" if kept == "Retain" else kept
    if each.whole.get("DeletionPolicy") != wanted or each.whole.get("UpdateReplacePolicy") != kept:
        yield "its data would go with the stack, or with a replacement"


@rule("AWS::KMS::Key")
def kept_keys(each: Resource) -> Iterator[str]:
    yield from _outlives(each, "Retain")


@rule("AWS::DynamoDB::Table")
def tables(each: Resource) -> Iterator[str]:
    sealed = each.properties.get("SSESpecification") or {}
    if (
        sealed.get("SSEEnabled") is not True
        or sealed.get("SSEType") != "KMS"
        or not _is_stage_key(sealed.get("KMSMasterKeyId"))
    ):
        yield "items are not sealed with the stage's key"
    if (each.properties.get("PointInTimeRecoverySpecification") or {}).get(
        "PointInTimeRecoveryEnabled"
    ) is not True:
        yield "no point of time can be restored"
    if not each.properties.get("TimeToLiveSpecification", {}).get("Enabled"):
        yield "items never expire"
    yield from _outlives(each, "Retain")


@rule("AWS::RDS::DBCluster")
def clusters(each: Resource) -> Iterator[str]:
    properties = each.properties
    if properties.get("StorageEncrypted") is not True or not _is_stage_key(properties.get("KmsKeyId")):
        yield "storage is not sealed with the stage's key"
    if (
        not isinstance(properties.get("BackupRetentionPeriod"), int)
        or properties["BackupRetentionPeriod"] < 14
    ):
        yield "backups are kept for less than two weeks"
    if properties.get("DeletionProtection") != {"Fn::If": ["IsProtected", True, False]}:
        yield "it can be deleted"
    if "postgresql" not in properties.get("EnableCloudwatchLogsExports", []):
        yield "its log is not kept"
    if "DBClusterParameterGroupName" not in properties or not properties.get("VpcSecurityGroupIds"):
        yield "it has no parameters (TLS) or no security group of ours"
    yield from _outlives(each, "Snapshot")


@rule("AWS::RDS::DBClusterParameterGroup")
def parameters(each: Resource) -> Iterator[str]:
    if str((each.properties.get("Parameters") or {}).get("rds.force_ssl")) != "1":
        yield "connections without TLS are accepted"


@rule("AWS::RDS::DBInstance")
def instances(each: Resource) -> Iterator[str]:
    if each.properties.get("PubliclyAccessible") is not False:
        yield "it has a public address"


@rule("AWS::RDS::DBSubnetGroup")
def subnet_groups(each: Resource) -> Iterator[str]:
    if any("Public" in name for name in references(each.properties.get("SubnetIds"))):
        yield "it lies in a public subnet"


@rule("AWS::SQS::Queue")
def queues(each: Resource) -> Iterator[str]:
    if each.properties.get("SqsManagedSseEnabled") is not True and not _is_stage_key(
        each.properties.get("KmsMasterKeyId")
    ):
        yield "messages are not encrypted"
    if each.properties.get("MessageRetentionPeriod") != 1_209_600:
        yield "messages are not kept for 14 days"


@rule("AWS::SNS::Topic")
def topics(each: Resource) -> Iterator[str]:
    if not _is_stage_key(each.properties.get("KmsMasterKeyId")):
        yield "messages are not sealed with the stage's key"


@rule("AWS::SNS::Subscription")
def subscriptions(each: Resource) -> Iterator[str]:
    if each.properties.get("Protocol") not in ("email", "https") or not isinstance(
        each.properties.get("Endpoint"), dict
    ):
        yield "alarms leave by another way than a mail or https, to an address that no parameter gives"


# Groups that the stage's key can't seal: Step Functions' log delivery, and the one that RDS writes.
UNSEALED = {"MachineLogs", "DatabaseLogs"}


@rule("AWS::Logs::LogGroup")
def log_groups(each: Resource) -> Iterator[str]:
    days = each.properties.get("RetentionInDays")
    if not isinstance(days, int) or not 30 <= days <= 400:
        yield "lines are kept for less than a month, or for ever"
    if each.id not in UNSEALED and not _is_stage_key(each.properties.get("KmsKeyId")):
        yield "lines are not sealed with the stage's key"


@rule("AWS::ECR::Repository")
def repositories(each: Resource) -> Iterator[str]:
    if each.properties.get("ImageTagMutability") != "IMMUTABLE":
        yield "a tag can be moved to another image"
    if (each.properties.get("ImageScanningConfiguration") or {}).get("ScanOnPush") is not True:
        yield "images are not scanned"
    if "RepositoryPolicyText" in each.properties:
        yield "other accounts may be let in"


# ---------------------------------------------------------------- Network


@rule("AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress")
def security_groups(each: Resource) -> Iterator[str]:
    """In only from groups of ours and on one port; out only by TCP to named ports."""
    inward = (
        listed(each.properties.get("SecurityGroupIngress", []))
        if each.type == "AWS::EC2::SecurityGroup"
        else []
    )
    outward = (
        listed(each.properties.get("SecurityGroupEgress", []))
        if each.type == "AWS::EC2::SecurityGroup"
        else []
    )
    inward += [each.properties] if each.type == "AWS::EC2::SecurityGroupIngress" else []
    outward += [each.properties] if each.type == "AWS::EC2::SecurityGroupEgress" else []
    for opened in [*inward, *outward]:
        if (
            opened.get("IpProtocol") != "tcp"
            or opened.get("FromPort") is None
            or opened.get("FromPort") != opened.get("ToPort")
        ):
            yield "more than one TCP port is open"
    for opened in inward:
        if "SourceSecurityGroupId" not in opened or any(
            name.startswith("Cidr") or name.endswith("PrefixListId") for name in opened
        ):
            yield "it is open to addresses instead of to a group of ours"
    for opened in outward:
        if opened.get("FromPort") not in (443, 80, {"Ref": "DatabasePort"}) or (
            opened.get("FromPort") == 80 and each.id != "NatSecurityGroup"
        ):
            yield "a way out is open that nothing takes"
    if (
        each.type == "AWS::EC2::SecurityGroup"
        and not outward
        and each.id in ("FunctionSecurityGroup", "RenderSecurityGroup", "NatSecurityGroup")
    ):
        yield "without a rule of its own every way out is open"


@rule("AWS::EC2::Subnet")
def subnets(each: Resource) -> Iterator[str]:
    if bool(each.properties.get("MapPublicIpOnLaunch")) != each.id.startswith("Public"):
        yield "what lies in it has a public address, or none where it needs one"


@rule("AWS::EC2::SubnetRouteTableAssociation")
def associations(each: Resource) -> Iterator[str]:
    names = {name[:6] for name in references(each.properties)}
    if names not in ({"Public"}, {"Privat"}):
        yield "a private subnet leads straight to the internet"


@rule("AWS::EC2::Route")
def routes(each: Resource) -> Iterator[str]:
    if "PrivateRoutes" in references(each.properties["RouteTableId"]) and "GatewayId" in each.properties:
        yield "private subnets lead straight to the internet"


@rule("AWS::EC2::Instance", "AWS::EC2::LaunchTemplate")
def machines(each: Resource) -> Iterator[str]:
    data = each.properties.get("LaunchTemplateData", each.properties)
    if (data.get("MetadataOptions") or {}).get("HttpTokens") != "required":
        yield "whoever makes it ask its own address gets its role"
    if (
        each.type == "AWS::EC2::LaunchTemplate"
        and data["MetadataOptions"].get("HttpPutResponseHopLimit") != 1
    ):
        yield "containers reach the instance's role"
    volumes = [inner["Ebs"] for inner in walk(data) if isinstance(inner, dict) and "Ebs" in inner]
    if not volumes or any(volume.get("Encrypted") is not True for volume in volumes):
        yield "its disk is not encrypted"
    if "KeyName" in data:
        yield "somebody can log in"


# ---------------------------------------------------------------- Rights

SERVICES = {
    "lambda.amazonaws.com",
    "states.amazonaws.com",
    "scheduler.amazonaws.com",
    "apigateway.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "ec2.amazonaws.com",
}
SERVICES |= {"events.amazonaws.com", "codedeploy.amazonaws.com"}
MANAGED = {
    *(
        "AWSLambdaBasicExecutionRole",
        "AWSXrayWriteOnlyAccess",
        "AWSLambdaVPCAccessExecutionRole",
        "AWSXRayDaemonWriteAccess",
        "AmazonECSTaskExecutionRolePolicy",
    ),
    *(
        "AmazonEC2ContainerServiceforEC2Role",
        "AmazonAPIGatewayPushToCloudWatchLogs",
        "AWSLambdaSQSQueueExecutionRole",
        "AWSCodeDeployRoleForLambdaLimited",
    ),
}
# Actions that AWS knows no resource for: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
WITHOUT_RESOURCE = {
    *(
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
    ),
    *(
        "logs:DescribeResourcePolicies",
        "logs:DescribeLogGroups",
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
        "batch:DescribeJobs",
    ),
    *("batch:ListJobs", "batch:TerminateJob", "cloudwatch:DescribeAlarms"),
    *("ses:ListSuppressedDestinations", "ses:DeleteSuppressedDestination", "ssm:DescribeParameters"),
}
# Where a wildcard in an ARN is right: everything before it is the stage's, or names a thing of ours.
WILDCARDS = (
    r"arn:\$\{AWS::Partition\}:s3:::\$\{Bucket\}/organisations/\*/(assets|videos|products|backups)/.*",
    r"arn:\$\{AWS::Partition\}:s3:::\$\{Bucket\}/organisations/\*",
    r"arn:\$\{AWS::Partition\}:s3:::\$\{Bucket\}/archive/(public|connected)/.*",
    r"arn:\$\{AWS::Partition\}:s3:::\$\{Bucket\}/cache/public/\*",
    r"arn:\$\{AWS::Partition\}:[a-z0-9-]+:\$\{AWS::Region\}:\$\{AWS::AccountId\}:.*\$\{(Stage|LiveApi|\w+Machine\.Name)\}.*\*.*",
    r"arn:\$\{AWS::Partition\}:s3:::\$\{Bucket\}/(manifests|tables|changes|streams)/\*",
    r"arn:\$\{AWS::Partition\}:s3:::\$\{Bucket\}/drops/\*(/(uploads|api)/\*)?",
    r"arn:\$\{AWS::Partition\}:s3:::\$\{Bucket\}/keys/\$\{Stage\}/\*",
    r"arn:\$\{AWS::Partition\}:appsync:\$\{AWS::Region\}:\$\{AWS::AccountId\}:/v1/apis/\$\{AppSyncApiId\}/apikeys/\*",
    r"arn:\$\{AWS::Partition\}:ses:\$\{AWS::Region\}:\$\{AWS::AccountId\}:identity/\*",
)


@rule("AWS::IAM::Role")
def roles(each: Resource) -> Iterator[str]:
    for statement in each.properties["AssumeRolePolicyDocument"]["Statement"]:
        principal = statement.get("Principal")
        if (
            not isinstance(principal, dict)
            or set(principal) != {"Service"}
            or not set(listed(principal["Service"])) <= SERVICES
        ):
            yield "somebody else than a service of AWS may take this role"
    for arn in each.properties.get("ManagedPolicyArns", []):
        name = json.dumps(arn).rstrip('"}').rpartition("/")[2]
        if name not in MANAGED:
            yield f"{name} is no policy that a role of ours needs"
    for policy in each.properties.get("Policies", []):
        for statement in listed(policy["PolicyDocument"]["Statement"]):
            yield from _role_statement(statement)


def _role_statement(statement: Json) -> Iterator[str]:
    if statement["Effect"] != "Allow":
        return
    if "NotAction" in statement or "NotResource" in statement or "Resource" not in statement:
        yield "a statement that says what it leaves out allows all else"
        return
    actions = [action for action in listed(statement["Action"]) if isinstance(action, str)]
    if wide := [action for action in actions if "*" in action or "?" in action]:
        yield f"{', '.join(wide)} is more than one action"
    for resource in listed(statement["Resource"]):
        text = _arn(resource)
        if text == "*":
            if more := [action for action in actions if action not in WITHOUT_RESOURCE]:
                yield f"{', '.join(more)} on everything"
        elif "*" in text and not any(re.fullmatch(pattern, text) for pattern in WILDCARDS):
            yield f"{', '.join(actions)} on {text}, which is more than the stage's own"


def _arn(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and "Fn::Sub" in value:
        return str(value["Fn::Sub"][0] if isinstance(value["Fn::Sub"], list) else value["Fn::Sub"])
    return json.dumps(value)


@rule("AWS::Lambda::Permission")
def permissions(each: Resource) -> Iterator[str]:
    principal = each.properties.get("Principal")
    if principal not in (
        "apigateway.amazonaws.com",
        "events.amazonaws.com",
        "scheduler.amazonaws.com",
        "sns.amazonaws.com",
        "s3.amazonaws.com",
    ):
        yield "somebody else than a service of AWS may call the function"
    if "SourceArn" not in each.properties and "SourceAccount" not in each.properties:
        yield "any account's service may call the function"
    if "FunctionUrlAuthType" in each.properties:
        yield "the function has an address of its own"


@rule("AWS::IAM::InstanceProfile")
def profiles(each: Resource) -> Iterator[str]:
    if references(each.properties.get("Roles")) != {"RenderInstanceRole"}:
        yield "instances have another role than the one for ECS"


# ---------------------------------------------------------------- Functions and APIs


@rule("AWS::Lambda::Function")
def functions(each: Resource) -> Iterator[str]:
    properties = each.properties
    if properties.get("TracingConfig") != {"Mode": "Active"} and each.template == "template.yaml":
        yield "calls are not traced"
    if (
        "LogGroup" not in properties.get("LoggingConfig", {})
        or properties["LoggingConfig"].get("LogFormat") != "JSON"
    ):
        yield "it logs to a group that keeps lines for ever, or not as JSON"
    if "Timeout" not in properties or properties["Timeout"] > 900 or properties["Timeout"] < 10:
        yield "it may not run, or run for ever"
    if "VpcConfig" in properties and not (
        {"SubnetIds", "SecurityGroupIds"} <= properties["VpcConfig"].keys()
    ):
        yield "it has no subnet or no security group"
    if "VpcConfig" in properties and "Public" in json.dumps(properties["VpcConfig"]):
        yield "it lies in a public subnet"
    if properties.get("Runtime") != "python3.13":
        yield "it runs on another Python than the one that was tested"
    if any(not isinstance(layer, dict) or set(layer) != {"Ref"} for layer in properties.get("Layers", [])):
        yield "it loads a layer that is not of this template"


# Variables whose value is no stage's own.
LITERALS = {"POWERTOOLS_LOG_LEVEL"}


@rule("AWS::Lambda::Function")
def variables(each: Resource) -> Iterator[str]:
    for name, value in each.properties.get("Environment", {}).get("Variables", {}).items():
        if not references(value) and name not in LITERALS:
            yield f"{name} is the same in every stage"
        if "{{resolve:" in json.dumps(value):
            yield f"{name} shows a stored value in the function's settings; its code has to read it"


@rule("AWS::Lambda::EventSourceMapping")
def readers(each: Resource) -> Iterator[str]:
    if each.properties.get("Enabled") is False:
        yield "nobody reads the queue"
    if "ScalingConfig" not in each.properties:
        yield "a full queue takes every execution that the account has"
    if "ReportBatchItemFailures" not in each.properties.get("FunctionResponseTypes", []):
        yield "one bad message repeats its whole batch"


@rule("AWS::Lambda::EventInvokeConfig")
def destinations(each: Resource) -> Iterator[str]:
    if "OnFailure" not in each.properties.get("DestinationConfig", {}):
        yield "what fails for good is gone"


@rule("AWS::Scheduler::Schedule")
def schedules(each: Resource) -> Iterator[str]:
    if each.properties.get("State") != {"Ref": "Schedules"}:
        yield "it can't be switched with the stage's schedules"
    target = each.properties.get("Target", {})
    if "DeadLetterConfig" not in target or "RetryPolicy" not in target:
        yield "a call that couldn't be made is gone"


@rule("AWS::Events::Rule")
def event_rules(each: Resource) -> Iterator[str]:
    if each.properties.get("State", "ENABLED") != "ENABLED":
        yield "nobody hears of its events"
    for target in each.properties.get("Targets", []):
        if "DeadLetterConfig" not in target or "RetryPolicy" not in target:
            yield "an event that couldn't be delivered is gone"


def _most(value: Any) -> int:
    """Return the largest number that a value can be: itself, or the maximum of its parameter."""
    if not isinstance(value, dict):
        return int(value)
    parameters = load(ROOT / "template.yaml")["Parameters"]
    return int(parameters[value["Ref"]].get("MaxValue", 0))


@rule("AWS::ApiGatewayV2::Stage")
def stages(each: Resource) -> Iterator[str]:
    settings = each.properties.get("DefaultRouteSettings", {})
    if not (
        0 < _most(settings.get("ThrottlingBurstLimit", 0)) <= 2000
        and 0 < _most(settings.get("ThrottlingRateLimit", 0)) <= 1000
    ):
        yield "calls are not throttled"
    if settings.get("DataTraceEnabled") or settings.get("LoggingLevel", "OFF") != "OFF":
        yield "requests are logged with their tickets"
    access = each.properties.get("AccessLogSettings", {})
    if "AccessLogs" not in references(access.get("DestinationArn")):
        yield "calls are not logged"
    if re.search(
        r"\$context\.(path\b|authorizer|requestOverride)|querystring|\$request\.|header",
        str(access.get("Format")),
    ):
        yield "the access log holds tokens"
    if not {
        "$context.requestId",
        "$context.status",
        "$context.identity.sourceIp",
        "$context.routeKey",
    } <= set(re.findall(r"\$context[\w.]+", str(access.get("Format")))):
        yield "the access log doesn't say who called what, and how it ended"
    if each.properties.get("RouteSettings"):
        yield "a route has limits of its own"


CERTIFICATE = {"CertificateArn", "AWS::NoValue"}


@rule("AWS::ApiGatewayV2::DomainName")
def domains(each: Resource) -> Iterator[str]:
    for configuration in each.properties["DomainNameConfigurations"]:
        if configuration.get("SecurityPolicy") != "TLS_1_2":
            yield "it accepts TLS older than 1.2"
        # Without a certificate there is no domain either: the second is what the condition leaves out.
        if not {"CertificateArn"} <= references(configuration.get("CertificateArn")) <= CERTIFICATE:
            yield "it has another certificate than the stage's"


@rule("AWS::ApiGatewayV2::ApiMapping")
def domain_mappings(each: Resource) -> Iterator[str]:
    if references(each.properties.get("ApiId")) != {each.id.replace("DomainMapping", "Api")}:
        yield "the domain leads to another API"


@rule("AWS::ApiGatewayV2::Api")
def apis(each: Resource) -> Iterator[str]:
    body = each.properties.get("Body", {})
    cors = body.get("x-amazon-apigateway-cors") or each.properties.get("CorsConfiguration")
    if cors:
        yield "the gateway answers for other origins instead of the functions, which know which ones may"
    for path, methods in body.get("paths", {}).items():
        for method, operation in methods.items():
            if "Function" not in json.dumps(operation.get("x-amazon-apigateway-integration", {})):
                yield f"{method} {path} does not lead to a function of ours, which checks tokens"


@rule("AWS::StepFunctions::StateMachine")
def state_machines(each: Resource) -> Iterator[str]:
    logging = each.properties.get("LoggingConfiguration", {})
    if (
        logging.get("Level") not in ("ERROR", "ALL")
        or logging.get("IncludeExecutionData") is not False
        or not logging.get("Destinations")
    ):
        yield "failures are not logged, or with what users wrote"
    if each.properties.get("TracingConfiguration") != {"Enabled": True}:
        yield "executions are not traced"


# ---------------------------------------------------------------- Batch


@rule("AWS::Batch::JobDefinition")
def jobs(each: Resource) -> Iterator[str]:
    container = each.properties["ContainerProperties"]
    if container.get("ReadonlyRootFilesystem") is not True:
        yield "a job may change its own program"
    if (
        container.get("Privileged")
        or container.get("User") in ("root", "0")
        or container.get("LinuxParameters")
    ):
        yield "a job may do what its host may"
    if "JobRoleArn" not in container or "ExecutionRoleArn" not in container:
        yield "a job has no role of its own"
    if any("SourcePath" in json.dumps(volume) for volume in container.get("Volumes", [])):
        yield "a job sees the disk of its host"
    if not 0 < each.properties.get("Timeout", {}).get("AttemptDurationSeconds", 0) <= 86_400:
        yield "a job may run for ever"
    if not 1 < each.properties.get("RetryStrategy", {}).get("Attempts", 0) <= 3:
        yield "a job that lost its host is not tried again, or for ever"
    if container["Image"] != {"Ref": "ImageUri"}:
        yield "it runs another image than the one that was pushed"


@rule("AWS::Batch::ComputeEnvironment")
def environments(each: Resource) -> Iterator[str]:
    maximum = each.properties["ComputeResources"].get("MaxvCpus", 0)
    if not 0 < maximum <= 64:
        yield "nothing bounds what it costs"
    if each.properties.get("State") != "ENABLED" or each.properties["ComputeResources"].get(
        "SecurityGroupIds"
    ) in (None, []):
        yield "it is off, or has no security group of ours"


@rule("AWS::Batch::JobQueue")
def job_queues(each: Resource) -> Iterator[str]:
    if each.properties.get("State") != "ENABLED" or "SchedulingPolicyArn" not in each.properties:
        yield "it is off, or one organisation can take it all"


# ---------------------------------------------------------------- Alarms


@rule("AWS::CloudWatch::Alarm")
def alarms(each: Resource) -> Iterator[str]:
    topic = json.dumps(each.properties.get("AlarmActions", []))
    if "AlarmsTopic" not in topic and '"Alarms"' not in topic:
        yield "nobody is told"
    if each.properties.get("ActionsEnabled") is False:
        yield "it is switched off"
    if each.properties.get("TreatMissingData") not in ("notBreaching", "breaching"):
        yield "nobody has said what silence means"


# ---------------------------------------------------------------- CloudFront and WAF


@rule("AWS::CloudFront::Distribution")
def distributions(each: Resource) -> Iterator[str]:
    config = each.properties.get("DistributionConfig") or {}
    if config.get("WebACLId") != {"Fn::GetAtt": ["WebAcl", "Arn"]}:
        yield "no WAF looks at its calls"
    behaviors = [config.get("DefaultCacheBehavior") or {}, *config.get("CacheBehaviors", [])]
    if any(behavior.get("ViewerProtocolPolicy") != "https-only" for behavior in behaviors):
        yield "calls without TLS are answered"
    if any(behavior.get("CachePolicyId") != NEVER_CACHED for behavior in behaviors):
        yield "an answer may be shown to another caller"
    if any(behavior.get("OriginRequestPolicyId") != ALL_BUT_HOST for behavior in behaviors):
        yield "the API doesn't see the caller's headers, or can't be found"
    if any("ViewerAddress" not in references(behavior.get("FunctionAssociations")) for behavior in behaviors):
        yield "a caller can write the address that limits count"
    certificate = config.get("ViewerCertificate") or {}
    if "TLSv1.2_2021" not in json.dumps(certificate.get("MinimumProtocolVersion")):
        yield "it accepts TLS older than 1.2"


@rule("AWS::CloudFront::Distribution")
def origins(each: Resource) -> Iterator[str]:
    origins = (each.properties.get("DistributionConfig") or {}).get("Origins") or []
    if len(origins) != 1:
        yield "calls lead elsewhere than to the API"
    for origin in origins:
        custom = origin.get("CustomOriginConfig") or {}
        if custom.get("OriginProtocolPolicy") != "https-only" or custom.get("OriginSSLProtocols") != [
            "TLSv1.2"
        ]:
            yield "the way to the API has no TLS, or an old one"
        if {"HeaderName": "x-origin-secret", "HeaderValue": {"Ref": "OriginSecret"}} not in origin.get(
            "OriginCustomHeaders", []
        ):
            yield "the APIs can't tell its calls from those around it"


# AWS's managed policies CachingDisabled and AllViewerExceptHostHeader:
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
NEVER_CACHED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
# What WAF must refuse: too many calls, known bad addresses, attacks on known faults, and the usual attacks.
WAF_RULES = {"rate-per-address", "reputation", "known-bad-inputs", "common"}


@rule("AWS::WAFv2::WebACL")
def web_acls(each: Resource) -> Iterator[str]:
    rules = {inner.get("Name"): inner for inner in each.properties.get("Rules") or []}
    if set(rules) != WAF_RULES or each.properties.get("Scope") != "CLOUDFRONT":
        yield "a rule is missing, or one is there that nobody has reviewed"
    for name, inner in rules.items():
        if name == "rate-per-address":
            rate = (inner.get("Statement") or {}).get("RateBasedStatement") or {}
            if "Block" not in inner.get("Action", {}) or rate.get("AggregateKeyType") != "IP":
                yield "too many calls from one address are not refused"
            if rate.get("Limit") != {"Ref": "EdgeRate"}:
                yield "the stage's rate is not the one that counts"
        elif inner.get("OverrideAction") != {"None": {}}:
            yield f"{name} only counts what it should refuse"
    if "Allow" not in (each.properties.get("DefaultAction") or {}):
        yield "nobody gets through"


@rule("AWS::CloudFront::Function")
def viewer_functions(each: Resource) -> Iterator[str]:
    if "request.headers['x-viewer-address'] = {value: event.viewer.ip}" not in each.properties.get(
        "FunctionCode", ""
    ):
        yield "a caller can write the address that limits count"
    if (each.properties.get("FunctionConfig") or {}).get("Runtime") != "cloudfront-js-2.0":
        yield "it has no runtime, or one that its code wasn't written for"
    if each.properties.get("AutoPublish") is not True:
        yield "CloudFront goes on with the code before it"


WITHOUT_RULES = {
    *(
        "AWS::KMS::Alias",
        "AWS::ApiGateway::Account",
        "AWS::EC2::VPC",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::EC2::RouteTable",
    ),
    *(
        "AWS::EC2::VPCEndpoint",
        "AWS::EC2::EIP",
        "AWS::EC2::NatGateway",
        "AWS::Budgets::Budget",
        "AWS::Lambda::LayerVersion",
        "AWS::Events::EventBus",
    ),
    *(
        # SAM makes the first four for a function with an alias.
        "AWS::CodeDeploy::Application",
        "AWS::CodeDeploy::DeploymentGroup",
        "AWS::Lambda::Alias",
        "AWS::Lambda::Version",
        "AWS::Logs::MetricFilter",
        "AWS::ApiGatewayV2::Route",
        "AWS::ApiGatewayV2::Integration",
        "AWS::Batch::SchedulingPolicy",
        "AWS::CloudWatch::Dashboard",
        "AWS::Logs::QueryDefinition",
    ),
}
KNOWN = {*RULES, *WITHOUT_RULES}


def rule_faults(documents: dict[str, Json]) -> list[str]:
    """Faults of templates before the transform, by name."""
    rows = [(name, transformed.transform(document)) for name, document in documents.items()]
    return faults(list(transformed.resources(*rows)))
