"""An AWS account in memory that answers boto3, as strict as AWS about names and states of stacks.

Calls go through botocore's own parameter check, and answers through its output shapes, so neither side can
invent a field. `fail_at` breaks the n-th call.
"""

import base64
import io
import json
import re
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.validate import ParamValidator

Json = dict[str, Any]
ACCOUNT, REGION = "123456789012", "us-east-1"
MOMENT = datetime(2026, 11, 28, tzinfo=UTC)
ROLE = f"arn:aws:iam::{ACCOUNT}:user/operator"


def refused(code: str, message: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@dataclass
class Stack:
    status: str
    parameters: dict[str, str]
    outputs: dict[str, str]
    protected: bool = False
    events: list[Json] = field(default_factory=list)


class Interrupted(Exception):
    """The injected failure of a command that is no call of boto3's."""


@dataclass
class Account:
    """A simulated AWS account. `steps` counts everything that could fail: AWS calls and commands."""

    fail_at: int | None = None
    steps: int = 0
    secrets: dict[str, str] = field(default_factory=dict)
    secret_keys: dict[str, str] = field(default_factory=dict)
    """By parameter: the key that it was encrypted with when it was put."""
    stacks: dict[str, Stack] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    migrated: int = 0
    quotas: dict[str, float] = field(
        default_factory=lambda: {
            "L-3819A6DF": 64.0,
            "L-DB2E81BA": 32.0,
            "L-3032A538": 64.0,
            "L-0263D0A3": 5.0,
        }
    )
    concurrency: int = 1000
    verified: set[str] = field(default_factory=lambda: {"mail.showrunner.tv"})
    production_mail: bool = True
    suppresses: bool = True
    api_logs: str | None = None
    running: bool = False
    voice_checks: int = 0
    revisions: list[int] = field(default_factory=lambda: [1])
    certificates: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    """By ARN: status and names."""
    drifted: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Stack, logical id, type and property of what somebody changed by hand."""
    subscriptions: list[tuple[str, str]] = field(
        default_factory=lambda: [("arn:aws:sns:us-east-1:123456789012:alarms:1", "ops@showrunner.tv")]
    )
    alarms: list[str] = field(default_factory=list)
    restorable_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    deletions: list[Json] = field(default_factory=list)
    """Requests to delete that the database's audit log has."""
    deleted_again: list[Json] = field(default_factory=list)
    commands_of_migrate: list[Json] = field(default_factory=list)
    answers: dict[str, Json] = field(default_factory=dict)
    """Answers of the migrate function, by command."""
    manifests: list[Json] = field(default_factory=list)
    """Manifests of the backups that the backup bucket holds."""
    versions: list[str] = field(default_factory=lambda: ["$LATEST", "1"])
    deregistered: list[str] = field(default_factory=list)
    zones: dict[str, list[str]] = field(
        default_factory=lambda: {
            "us-east-1a": ["t4g.micro", "g6.xlarge", "g5.xlarge"],
            "us-east-1b": ["t4g.micro", "g4dn.xlarge"],
            "us-east-1c": ["g6.xlarge"],
            "us-east-1d": ["t4g.micro", "g6.xlarge", "g5.xlarge", "g4dn.xlarge"],
        }
    )
    deployed: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)
    objects: list[str] | None = field(
        default_factory=lambda: ["organisations/1/a.mp4", "organisations/1/b.mp4"]
    )
    table: bool = True
    snapshots: list[str] = field(
        default_factory=lambda: ["showrunner-dev-1-final", "showrunner-prod-1-final"]
    )
    key_ends: bool = False
    queries: list[str] = field(default_factory=list)
    lines: list[Json] = field(default_factory=list)
    stack_failures: list[str] = field(default_factory=list)
    """States in which the next `sam deploy` leaves its stack instead of completing it."""

    # ------------------------------------------------------------ boto3

    def session(self) -> "Session":
        Session.account = self
        return Session()

    def answer(self, model: Any, asked: Json) -> Json:
        self.step(f"{model.service_model.service_name}:{model.name}")
        name = f"{model.service_model.service_name.replace('-', '_')}_{model.name}"
        result = getattr(self, name)(asked)
        if model.output_shape is not None:
            plain = {key: value for key, value in result.items() if key not in ("Payload", "Body")}
            report = ParamValidator().validate(plain, model.output_shape)
            assert not report.has_errors(), f"{name}: {report.generate_report()}"
        return {**result, "ResponseMetadata": {"HTTPStatusCode": 200}}

    def step(self, what: str) -> None:
        self.steps += 1
        if self.fail_at == self.steps:
            self.fail_at = None
            if ":" in what:
                raise EndpointConnectionError(endpoint_url=f"https://{what}")
            raise Interrupted(what)

    # ------------------------------------------------------------ Commands

    def run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """In place of subprocess.run: `sam deploy` and the container engine."""
        parts = [str(part) for part in command]
        self.commands.append(parts)
        tool = Path(parts[0]).name
        if parts[1] == "info":
            return subprocess.CompletedProcess(parts, 0)
        try:
            self.step(tool)
        except Interrupted:
            if tool == "sam":
                self.sam_deploy(parts, breaks=True)
            return subprocess.CompletedProcess(parts, 1, "", "interrupted")
        if tool == "sam":
            return subprocess.CompletedProcess(parts, self.sam_deploy(parts), "", "")
        if parts[1] == "push":
            self.images.add(parts[-1].rpartition(":")[2])
        return subprocess.CompletedProcess(parts, 0, "", "")

    def sam_deploy(self, parts: list[str], *, breaks: bool = False) -> int:
        name = parts[parts.index("--stack-name") + 1]
        values = dict(each.partition("=")[::2] for each in parts[parts.index("--parameter-overrides") + 1 :])
        stack = self.stacks.get(name)
        if stack and not stack.status.endswith("_COMPLETE"):
            return 1
        if stack and stack.status == "ROLLBACK_COMPLETE":
            return 1  # "can not be updated"
        kept = {**(stack.parameters if stack else {}), **values}
        if breaks or self.stack_failures:
            failed = (
                self.stack_failures.pop(0)
                if self.stack_failures
                else ("UPDATE_ROLLBACK_COMPLETE" if stack else "ROLLBACK_COMPLETE")
            )
            event = {
                "EventId": str(len(self.deployed)),
                "LogicalResourceId": "Database",
                "ResourceStatus": "CREATE_FAILED",
                "ResourceStatusReason": "no capacity",
            }
            fallen = Stack(
                failed,
                stack.parameters if stack else kept,
                stack.outputs if stack else {},
                bool(stack and stack.protected),
                [event],
            )
            self.stacks[name] = fallen
            return 1
        if (
            stack is not None
            and name == "showrunner-data-dev"
            and kept.get("DatabaseSnapshot", "") != stack.parameters.get("DatabaseSnapshot", "")
        ):
            assert stack.parameters.get("Protected") == "false", (
                "the cluster that is replaced can't be deleted"
            )
            assert kept["DatabaseGeneration"] != stack.parameters.get("DatabaseGeneration", "1"), (
                "a cluster of that name is there"
            )
        self.deployed.append((name, values))
        self.stacks[name] = Stack(
            "UPDATE_COMPLETE" if stack else "CREATE_COMPLETE",
            kept,
            self.outputs(name, kept),
            bool(stack and stack.protected),
        )
        return 0

    def outputs(self, name: str, parameters: dict[str, str]) -> dict[str, str]:
        if name.startswith("showrunner-data-"):
            host = f"showrunner-dev-{parameters.get('DatabaseGeneration', '1')}.cluster.rds.amazonaws.com"
            return {
                "MigrateFunction": "migrate",
                "RenderRepository": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/showrunner-dev-render",
                "DatabaseHost": host,
                "AlarmsTopic": f"arn:aws:sns:{REGION}:{ACCOUNT}:showrunner-dev-alarms",
                "MediaBucket": "media",
                "BackupBucket": "backups",
                "StateTable": "state",
                "StageKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
                "DatabaseCluster": f"showrunner-dev-{parameters.get('DatabaseGeneration', '1')}",
            }
        machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:showrunner-dev-production"
        hosts = {
            "PlatformApiUrl": "https://p1.execute-api.us-east-1.amazonaws.com",
            "IngestionApiUrl": "https://i1.execute-api.us-east-1.amazonaws.com",
        }
        targets = {
            f"{name}Target": f"d-{name.lower()}.execute-api.{REGION}.amazonaws.com"
            for name in ("PlatformDomain", "IngestionDomain", "LiveDomain")
            if parameters.get(name)
        }
        names = {"ProductionMachineArn": machine, "VoiceCheckFunction": "voice-check"}
        return {**hosts, **targets, **names}

    # ------------------------------------------------------------ Services

    def sts_GetCallerIdentity(self, asked: Json) -> Json:  # noqa: N802 - AWS's names
        return {"Account": ACCOUNT, "Arn": ROLE, "UserId": "x"}

    def ssm_GetParameters(self, asked: Json) -> Json:  # noqa: N802
        assert len(asked["Names"]) <= 10
        found = [
            {"Name": name, "Value": self.secrets[name], "Type": "SecureString"}
            for name in asked["Names"]
            if name in self.secrets
        ]
        missing = [name for name in asked["Names"] if name not in self.secrets]
        return {"Parameters": found, **({"InvalidParameters": missing} if missing else {})}

    def ssm_GetParameter(self, asked: Json) -> Json:  # noqa: N802
        if asked["Name"] not in self.secrets:
            raise refused("ParameterNotFound", "", "GetParameter")
        return {
            "Parameter": {"Name": asked["Name"], "Value": self.secrets[asked["Name"]], "Type": "SecureString"}
        }

    def ssm_PutParameter(self, asked: Json) -> Json:  # noqa: N802
        if asked["Name"] in self.secrets and not asked.get("Overwrite"):
            raise refused("ParameterAlreadyExists", "The parameter already exists.", "PutParameter")
        self.secrets[asked["Name"]] = asked["Value"]
        self.secret_keys[asked["Name"]] = asked.get("KeyId", "alias/aws/ssm")
        return {"Version": 1}

    def ssm_DescribeParameters(self, asked: Json) -> Json:  # noqa: N802
        (path,) = asked["ParameterFilters"][0]["Values"]
        return {
            "Parameters": [
                {"Name": name, "Type": "SecureString", "KeyId": self.secret_keys.get(name, "alias/aws/ssm")}
                for name in self.secrets
                if name.startswith(f"{path}/")
            ]
        }

    def ssm_DeleteParameters(self, asked: Json) -> Json:  # noqa: N802
        assert len(asked["Names"]) <= 10
        for name in asked["Names"]:
            self.secrets.pop(name, None)
        return {"DeletedParameters": asked["Names"]}

    def ssm_GetParametersByPath(self, asked: Json) -> Json:  # noqa: N802
        found = [
            {"Name": name, "Value": value, "Type": "SecureString"}
            for name, value in self.secrets.items()
            if name.startswith(asked["Path"])
        ]
        return {"Parameters": found}

    def cloudformation_DescribeStacks(self, asked: Json) -> Json:  # noqa: N802
        stack = self.stacks.get(asked["StackName"])
        if stack is None:
            raise refused(
                "ValidationError", f"Stack with id {asked['StackName']} does not exist", "DescribeStacks"
            )
        if stack.status == "DELETE_IN_PROGRESS":
            del self.stacks[asked["StackName"]]
        elif stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
            now, stack.status = (
                stack.status,
                stack.status.replace("_COMPLETE_CLEANUP_IN_PROGRESS", "_COMPLETE").replace(
                    "_IN_PROGRESS", "_COMPLETE"
                ),
            )
            return {"Stacks": [self._shown(asked["StackName"], stack, now)]}
        return {"Stacks": [self._shown(asked["StackName"], stack, stack.status)]}

    @staticmethod
    def _shown(name: str, stack: Stack, status: str) -> Json:
        return {
            "StackName": name,
            "StackStatus": status,
            "CreationTime": MOMENT,
            "EnableTerminationProtection": stack.protected,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in stack.parameters.items()
            ],
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in stack.outputs.items()],
        }

    def cloudformation_DescribeStackEvents(self, asked: Json) -> Json:  # noqa: N802
        stack = self.stacks.get(asked["StackName"])
        if stack is None:
            raise refused(
                "ValidationError", f"Stack [{asked['StackName']}] does not exist", "DescribeStackEvents"
            )
        return {
            "StackEvents": [
                {"StackId": "x", "StackName": asked["StackName"], "Timestamp": MOMENT, **event}
                for event in stack.events
            ]
        }

    def cloudformation_CreateStack(self, asked: Json) -> Json:  # noqa: N802
        if asked["StackName"] in self.stacks:
            raise refused("AlreadyExistsException", "already exists", "CreateStack")
        given = {each["ParameterKey"]: each["ParameterValue"] for each in asked["Parameters"]}
        declared = asked["TemplateBody"].partition("Parameters:\n")[2].partition("Resources:\n")[0]
        assert given.keys() == set(re.findall(r"^  (\w+):", declared, re.MULTILINE))
        self.stacks[asked["StackName"]] = Stack(
            "CREATE_IN_PROGRESS", given, {"StageKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"}
        )
        return {"StackId": "x"}

    def cloudformation_DeleteStack(self, asked: Json) -> Json:  # noqa: N802
        stack = self.stacks[asked["StackName"]]
        if stack.protected:
            raise refused(
                "ValidationError",
                "Stack cannot be deleted while TerminationProtection is enabled",
                "DeleteStack",
            )
        if asked["StackName"] == "showrunner-data-dev" and "showrunner-dev" in self.stacks:
            raise refused("ValidationError", "Export is in use by showrunner-dev", "DeleteStack")
        if stack.parameters.get("Protected") == "true":
            stack.status = "DELETE_FAILED"
            return {}
        stack.status = "DELETE_IN_PROGRESS"
        return {}

    def cloudformation_UpdateStack(self, asked: Json) -> Json:  # noqa: N802
        stack = self.stacks[asked["StackName"]]
        assert set(asked["Capabilities"]) == {
            "CAPABILITY_IAM",
            "CAPABILITY_NAMED_IAM",
            "CAPABILITY_AUTO_EXPAND",
        }
        given = {
            each["ParameterKey"]: each["ParameterValue"]
            for each in asked["Parameters"]
            if not each.get("UsePreviousValue")
        }
        if all(stack.parameters.get(name) == value for name, value in given.items()):
            raise refused("ValidationError", "No updates are to be performed.", "UpdateStack")
        stack.parameters = {**stack.parameters, **given}
        stack.status = "UPDATE_IN_PROGRESS"
        return {"StackId": "x"}

    def cloudformation_ContinueUpdateRollback(self, asked: Json) -> Json:  # noqa: N802
        assert self.stacks[asked["StackName"]].status == "UPDATE_ROLLBACK_FAILED"
        self.stacks[asked["StackName"]].status = "UPDATE_ROLLBACK_IN_PROGRESS"
        return {}

    def cloudformation_UpdateTerminationProtection(self, asked: Json) -> Json:  # noqa: N802
        self.stacks[asked["StackName"]].protected = asked["EnableTerminationProtection"]
        return {}

    def lambda_GetAccountSettings(self, asked: Json) -> Json:  # noqa: N802
        return {"AccountLimit": {"ConcurrentExecutions": self.concurrency}}

    def lambda_Invoke(self, asked: Json) -> Json:  # noqa: N802
        if asked["FunctionName"] == "voice-check":
            assert asked["InvocationType"] == "Event"
            self.voice_checks += 1
            return {"StatusCode": 202, "Payload": io.BytesIO(b"")}
        event = json.loads(asked.get("Payload", b"{}"))
        if "command" in event:
            self.commands_of_migrate.append(event)
            known = {
                "deletions": {"deletions": self.deletions},
                "delete": {"deleted": len(self.deletions)},
                **self.answers,
            }
            self.deleted_again += event.get("deletions", [])
            payload = json.dumps(known[event["command"]]).encode()
            return {"StatusCode": 200, "Payload": io.BytesIO(payload)}
        self.migrated += 1
        told = {"applied": ["0001_initial"] if self.migrated == 1 else []}
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(told).encode())}

    def service_quotas_GetServiceQuota(self, asked: Json) -> Json:  # noqa: N802
        if asked["QuotaCode"] not in self.quotas:
            raise refused("NoSuchResourceException", "", "GetServiceQuota")
        return {"Quota": {"Value": self.quotas[asked["QuotaCode"]]}}

    def service_quotas_GetAWSDefaultServiceQuota(self, asked: Json) -> Json:  # noqa: N802
        return {"Quota": {"Value": 0.0}}

    def sesv2_GetAccount(self, asked: Json) -> Json:  # noqa: N802
        reasons = ["BOUNCE", "COMPLAINT"] if self.suppresses else []
        return {
            "ProductionAccessEnabled": self.production_mail,
            "SuppressionAttributes": {"SuppressedReasons": reasons},
        }

    def sesv2_GetEmailIdentity(self, asked: Json) -> Json:  # noqa: N802
        if asked["EmailIdentity"] not in self.verified:
            raise refused("NotFoundException", "", "GetEmailIdentity")
        return {"VerifiedForSendingStatus": True}

    def ec2_DescribeInstanceTypeOfferings(self, asked: Json) -> Json:  # noqa: N802
        wanted = set(asked["Filters"][0]["Values"])
        rows = [
            {"InstanceType": kind, "LocationType": "availability-zone", "Location": zone}
            for zone, kinds in self.zones.items()
            for kind in kinds
            if kind in wanted
        ]
        return {"InstanceTypeOfferings": rows}

    def ec2_DescribeAddresses(self, asked: Json) -> Json:  # noqa: N802
        return {"Addresses": []}

    def apigateway_GetAccount(self, asked: Json) -> Json:  # noqa: N802
        return {"cloudwatchRoleArn": self.api_logs} if self.api_logs else {}

    def ecr_GetAuthorizationToken(self, asked: Json) -> Json:  # noqa: N802
        return {"authorizationData": [{"authorizationToken": base64.b64encode(b"AWS:password").decode()}]}

    def ecr_DescribeImages(self, asked: Json) -> Json:  # noqa: N802
        tag = asked["imageIds"][0]["imageTag"]
        if tag not in self.images:
            raise refused("ImageNotFoundException", "", "DescribeImages")
        return {"imageDetails": [{"imageDigest": "sha256:" + "0" * 64}]}

    def stepfunctions_ListExecutions(self, asked: Json) -> Json:  # noqa: N802
        row = {
            "executionArn": "e",
            "stateMachineArn": asked["stateMachineArn"],
            "name": "n",
            "status": "RUNNING",
            "startDate": MOMENT,
        }
        return {"executions": [row] if self.running else []}

    def batch_DescribeJobDefinitions(self, asked: Json) -> Json:  # noqa: N802
        name = asked["jobDefinitionName"]
        gone = set(self.deregistered)
        rows = [(f"{name}:{number}", number) for number in self.revisions if f"{name}:{number}" not in gone]
        return {
            "jobDefinitions": [
                {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": number, "type": "container"}
                for arn, number in rows
            ]
        }

    def batch_DeregisterJobDefinition(self, asked: Json) -> Json:  # noqa: N802
        self.deregistered.append(asked["jobDefinition"])
        return {}

    def cloudformation_ListStackResources(self, asked: Json) -> Json:  # noqa: N802
        functions = "arn:aws:lambda:us-east-1:123456789012:function"
        row = {"LastUpdatedTimestamp": MOMENT, "ResourceStatus": "UPDATE_COMPLETE"}
        return {
            "StackResourceSummaries": [
                row
                | {
                    "LogicalResourceId": "VideosFunction",
                    "ResourceType": "AWS::Lambda::Function",
                    "PhysicalResourceId": f"{asked['StackName']}-VideosFunction-x",
                },
                row
                | {
                    "LogicalResourceId": "VideosFunctionAliaslive",
                    "ResourceType": "AWS::Lambda::Alias",
                    "PhysicalResourceId": f"{functions}:{asked['StackName']}-VideosFunction-x:live",
                },
            ]
        }

    def acm_DescribeCertificate(self, asked: Json) -> Json:  # noqa: N802
        status, names = self.certificates[asked["CertificateArn"]]
        row = {"DomainName": names[0], "SubjectAlternativeNames": names, "Status": status}
        return {"Certificate": row | {"CertificateArn": asked["CertificateArn"]}}

    def cloudformation_DetectStackDrift(self, asked: Json) -> Json:  # noqa: N802
        return {"StackDriftDetectionId": asked["StackName"]}

    def cloudformation_DescribeStackDriftDetectionStatus(self, asked: Json) -> Json:  # noqa: N802
        return {
            "StackId": asked["StackDriftDetectionId"],
            "StackDriftDetectionId": asked["StackDriftDetectionId"],
            "DetectionStatus": "DETECTION_COMPLETE",
            "Timestamp": MOMENT,
        }

    def cloudformation_DescribeStackResourceDrifts(self, asked: Json) -> Json:  # noqa: N802
        rows = [
            {
                "StackId": asked["StackName"],
                "LogicalResourceId": identity,
                "ResourceType": kind,
                "StackResourceDriftStatus": "MODIFIED",
                "PropertyDifferences": [
                    {
                        "PropertyPath": path,
                        "ExpectedValue": "1",
                        "ActualValue": "2",
                        "DifferenceType": "NOT_EQUAL",
                    }
                ],
                "Timestamp": MOMENT,
            }
            for stack, identity, kind, path in self.drifted
            if stack == asked["StackName"]
        ]
        return {"StackResourceDrifts": rows}

    def sns_ListSubscriptionsByTopic(self, asked: Json) -> Json:  # noqa: N802
        return {
            "Subscriptions": [
                {"SubscriptionArn": arn, "Endpoint": endpoint, "TopicArn": asked["TopicArn"]}
                for arn, endpoint in self.subscriptions
            ]
        }

    def cloudwatch_DescribeAlarms(self, asked: Json) -> Json:  # noqa: N802
        return {
            "MetricAlarms": [
                {"AlarmName": name, "StateValue": "ALARM", "StateReason": "Threshold Crossed"}
                for name in self.alarms
                if name.startswith(asked["AlarmNamePrefix"])
            ]
        }

    def dynamodb_DescribeContinuousBackups(self, asked: Json) -> Json:  # noqa: N802
        points = {"PointInTimeRecoveryStatus": "ENABLED", "LatestRestorableDateTime": self.restorable_at}
        return {
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": points,
            }
        }

    def rds_DescribeDBClusters(self, asked: Json) -> Json:  # noqa: N802
        row = {"DBClusterIdentifier": asked["DBClusterIdentifier"], "DeletionProtection": True}
        return {"DBClusters": [row | {"LatestRestorableTime": self.restorable_at}]}

    def lambda_ListVersionsByFunction(self, asked: Json) -> Json:  # noqa: N802
        name = asked["FunctionName"]
        assert not name.endswith(":live"), "versions belong to a function, not to its alias"
        return {"Versions": [{"Version": each, "FunctionArn": f"{name}:{each}"} for each in self.versions]}

    def lambda_DeleteFunction(self, asked: Json) -> Json:  # noqa: N802
        assert asked["Qualifier"] not in ("$LATEST", self.versions[-1]), "the current version was deleted"
        self.versions.remove(asked["Qualifier"])
        return {}

    def s3_ListObjectVersions(self, asked: Json) -> Json:  # noqa: N802
        if self.objects is None:
            raise refused("NoSuchBucket", "", "ListObjectVersions")
        return {"Versions": [{"Key": key, "VersionId": "1"} for key in self.objects]} if self.objects else {}

    def s3_ListObjectsV2(self, asked: Json) -> Json:  # noqa: N802
        assert (asked["Bucket"], asked["Prefix"]) == ("backups", "manifests/")
        return {"Contents": [{"Key": f"manifests/{each['id']}.json"} for each in self.manifests]}

    def s3_GetObject(self, asked: Json) -> Json:  # noqa: N802
        (found,) = [each for each in self.manifests if asked["Key"] == f"manifests/{each['id']}.json"]
        return {"Body": io.BytesIO(json.dumps(found).encode())}

    def s3_DeleteObjects(self, asked: Json) -> Json:  # noqa: N802
        gone = {each["Key"] for each in asked["Delete"]["Objects"]}
        self.objects = [key for key in self.objects or [] if key not in gone]
        return {}

    def s3_DeleteBucket(self, asked: Json) -> Json:  # noqa: N802
        if self.objects is None:
            raise refused("NoSuchBucket", "", "DeleteBucket")
        if self.objects:
            raise refused("BucketNotEmpty", "", "DeleteBucket")
        self.objects = None
        return {}

    def dynamodb_DeleteTable(self, asked: Json) -> Json:  # noqa: N802
        if not self.table:
            raise refused("ResourceNotFoundException", "", "DeleteTable")
        self.table = False
        return {}

    def rds_DescribeDBClusterSnapshots(self, asked: Json) -> Json:  # noqa: N802
        return {
            "DBClusterSnapshots": [
                {
                    "DBClusterSnapshotIdentifier": name,
                    "DBClusterIdentifier": name.removesuffix("-final"),
                    "SnapshotCreateTime": MOMENT,
                }
                for name in self.snapshots
            ]
        }

    def rds_DeleteDBClusterSnapshot(self, asked: Json) -> Json:  # noqa: N802
        self.snapshots.remove(asked["DBClusterSnapshotIdentifier"])
        return {}

    def kms_ScheduleKeyDeletion(self, asked: Json) -> Json:  # noqa: N802
        if self.key_ends:
            raise refused("KMSInvalidStateException", "", "ScheduleKeyDeletion")
        self.key_ends = True
        return {}

    def logs_StartQuery(self, asked: Json) -> Json:  # noqa: N802
        self.queries.append(asked["queryString"])
        return {"queryId": str(len(self.queries))}

    def logs_GetQueryResults(self, asked: Json) -> Json:  # noqa: N802
        rows = [
            row
            for row in self.lines
            if re.search('like "([^"]+)"', self.queries[int(asked["queryId"]) - 1])[1] in row["@message"]
        ]
        return {
            "status": "Complete",
            "results": [[{"field": name, "value": value} for name, value in row.items()] for row in rows],
        }

    def stepfunctions_DescribeExecution(self, asked: Json) -> Json:  # noqa: N802
        if not asked["executionArn"].endswith("-1"):
            raise refused("ExecutionDoesNotExist", "", "DescribeExecution")
        return {
            "executionArn": asked["executionArn"],
            "stateMachineArn": "m",
            "status": "FAILED",
            "startDate": MOMENT,
            "error": "States.Timeout",
        }

    def summary(self) -> Json:
        """Return the final state of the account. It is the same, whatever failed on the way."""
        stacks = {
            name: (
                stack.status.startswith(("CREATE", "UPDATE")),
                stack.parameters,
                stack.outputs,
                stack.protected,
            )
            for name, stack in self.stacks.items()
        }
        return {
            "stacks": stacks,
            "secrets": sorted(self.secrets),
            "images": sorted(self.images),
            "migrated": bool(self.migrated),
            "voices are checked": bool(self.voice_checks),
        }


class Session:
    """In place of boto3.Session.

    Clients are real and shared by all accounts of a test run, because making one takes longer than using it.
    """

    account: Account
    region_name = REGION
    clients: ClassVar[dict[str, Any]] = {}

    def client(self, service: str, **_: Any) -> Any:
        if service not in self.clients:
            session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name=REGION)
            session.events.register("before-parameter-build", _remember)
            session.events.register("before-call", _answer)
            self.clients[service] = session.client(service)
        return self.clients[service]


def _remember(params: Json, model: Any, context: Json, **_: Any) -> None:
    context["asked"] = params


def _answer(model: Any, params: Json, context: Json, **_: Any) -> Any:
    try:
        return FakeResponse(200), Session.account.answer(model, context["asked"])
    except ClientError as error:  # botocore makes the service's own exception class of it
        return FakeResponse(400), {"Error": error.response["Error"], "ResponseMetadata": {}}


class FakeResponse:
    def __init__(self, status: int) -> None:
        self.status_code = status
        self.headers: Json = {}
