"""One stage of a real account: its names, its stacks, its secrets, and the file of its parameters."""

import json
import os
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from local.settings import LAYER, ROOT, Refused

NAMES = ("dev", "prod")
FILES = ROOT / "stages"
# The layer carries RDS's root certificates of each region; a function in another region could not verify its
# database.
CERTIFICATES = LAYER / "showrunner" / "rds"
# How often CloudFormation is asked about a stack, and for how long: the slowest first deployment (Aurora,
# Batch) took AWS about 20 minutes.
POLL_SECONDS = 10
LONGEST_SECONDS = 3600

# A first deployment that failed: nothing of it was ever in use, and CloudFormation lets such a stack only be
# deleted.
NEVER_STOOD = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS")
STANDS = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_FAILED",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)


def refuse_unsafe(stage: str, confirm: str | None) -> None:
    """Refuse an unknown stage, production without its name typed, and an environment that is not AWS's."""
    if stage not in NAMES:
        raise Refused(
            f"STAGE={stage}: a stage is {' or '.join(NAMES)} (make deploy STAGE=dev); the local one comes "
            "up with make up"
        )
    if stage == "prod" and confirm != "prod":
        raise Refused(
            "this would change production; add CONFIRM=prod to say so (make deploy STAGE=prod CONFIRM=prod)"
        )
    elsewhere = sorted(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL"))
    if elsewhere:
        raise Refused(
            f"{', '.join(elsewhere)} would send this to another place than AWS; unset it and run it again"
        )


def refuse_region(region: str) -> None:
    """Refuse a region whose RDS certificates the layer lacks, before a function fails at its database.

    Raises Refused with the command that fetches them from AWS.
    """
    path = CERTIFICATES / f"{region}.pem"
    if not path.exists():
        known = ", ".join(sorted(each.stem for each in CERTIFICATES.glob("*.pem")))
        source = f"https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem"
        raise Refused(
            f"the layer has no RDS certificates of {region}; fetch them (curl --fail --output "
            f"{path.relative_to(ROOT)} {source}), or deploy to one of {known}"
        )


@dataclass
class Stage:
    """A stage by name, with clients of the account that the caller's credentials lead to."""

    name: str
    clients: dict[str, Any] = field(default_factory=dict)

    @property
    def data_stack(self) -> str:
        return f"showrunner-data-{self.name}"

    @property
    def application_stack(self) -> str:
        return f"showrunner-{self.name}"

    # ------------------------------------------------------------ The account

    def session(self) -> Any:
        import boto3

        # The SDK for Python reads AWS_DEFAULT_REGION only; every other tool reads this one too.
        return boto3.Session(region_name=os.environ.get("AWS_REGION"))

    def aws(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = self.session().client(service)
        return self.clients[service]

    def region(self) -> str:
        region = self.session().region_name
        if not region:
            raise Refused(
                "no AWS region is set; set AWS_REGION, or a region in the profile that AWS_PROFILE names"
            )
        return str(region)

    def caller(self) -> dict[str, str]:
        """Return account and ARN of the credentials in use. Raises Refused if there are none."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self.aws("sts").get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            raise Refused(
                f"AWS credentials are missing or refused ({error}); set AWS_PROFILE or log in, and run it "
                "again"
            ) from error
        return {"account": str(answer["Account"]), "arn": str(answer["Arn"])}

    # ------------------------------------------------------------ The stage's parameters

    def parameters(self) -> dict[str, str]:
        """Return the parameters that stages/<stage>.toml fills in, as text.

        Raises Refused for a file that can't be read or an address that leads nowhere.
        """
        path = FILES / f"{self.name}.toml"
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise Refused(
                f"{path.relative_to(ROOT)} doesn't exist; copy stages/dev.toml and fill it in"
            ) from error
        except tomllib.TOMLDecodeError as error:
            raise Refused(f"{path.relative_to(ROOT)} is not TOML: {error}") from error
        values = {
            name: ",".join(value) if isinstance(value, list) else str(value) for name, value in given.items()
        }
        values |= {"PlatformUrl": os.environ["PLATFORM_URL"]} if os.environ.get("PLATFORM_URL") else {}
        for name, scheme in (("Platform", "https"), ("Ingestion", "https"), ("Live", "wss")):
            if domain := values.get(f"{name}Domain"):
                values[f"{name}Url"] = f"{scheme}://{domain}"
        refuse_placeholders(values, str(path.relative_to(ROOT)))
        return {name: value for name, value in values.items() if value}

    # ------------------------------------------------------------ Secrets

    def parameter_name(self, secret: str) -> str:
        return f"/showrunner/{self.name}/{secret}"

    def secrets_there(self, names: list[str]) -> dict[str, str]:
        """Return the values of those names that are in SSM."""
        found: dict[str, str] = {}
        for start in range(0, len(names), 10):  # SSM takes ten names a call
            asked = {self.parameter_name(name): name for name in names[start : start + 10]}
            answer = self.aws("ssm").get_parameters(Names=list(asked), WithDecryption=True)
            found |= {asked[each["Name"]]: str(each["Value"]) for each in answer["Parameters"]}
        return found

    def put_secret(self, name: str, value: str, *, overwrite: bool = False) -> None:
        """Store a SecureString under the stage's key. Raises Refused before that is made (key.make)."""
        self.aws("ssm").put_parameter(
            Name=self.parameter_name(name),
            Value=value,
            Type="SecureString",
            Overwrite=overwrite,
            KeyId=self.output(self.data_stack, "StageKeyArn"),
        )

    def secrets_under_other_keys(self) -> list[str]:
        """Return the names of the secrets that aren't encrypted with the stage's key."""
        key, path = self.output(self.data_stack, "StageKeyArn"), self.parameter_name("")
        pages = self.aws("ssm").get_paginator("describe_parameters")
        filters = [{"Key": "Path", "Option": "Recursive", "Values": [path.rstrip("/")]}]
        return [
            each["Name"].removeprefix(path)
            for page in pages.paginate(ParameterFilters=filters)
            for each in page["Parameters"]
            if each["Type"] == "SecureString" and each.get("KeyId") != key
        ]

    # ------------------------------------------------------------ Stacks

    def stack(self, name: str) -> dict[str, Any] | None:
        """Return CloudFormation's description of a stack, or None if there is none."""
        from botocore.exceptions import ClientError

        try:
            found: dict[str, Any] = self.aws("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return found

    def status(self, name: str) -> str | None:
        found = self.stack(name)
        return None if found is None else str(found["StackStatus"])

    def outputs(self, name: str) -> dict[str, str]:
        found = self.stack(name) or {}
        return {output["OutputKey"]: str(output["OutputValue"]) for output in found.get("Outputs", [])}

    def output(self, name: str, key: str) -> str:
        value = self.outputs(name).get(key)
        if value is None:
            raise Refused(
                f"stack {name} has no output {key}; its deployment did not end well: run make deploy "
                f"STAGE={self.name} again",
                code=1,
            )
        return value

    def deployed(self, name: str) -> dict[str, str]:
        """Return the parameters that a stack was deployed with."""
        found = self.stack(name) or {}
        return {
            each["ParameterKey"]: str(each.get("ParameterValue", "")) for each in found.get("Parameters", [])
        }

    def has_data_stack(self) -> bool:
        """Return True if the data stack was deployed, not only begun with the stage's key (key.py)."""
        return "MigrateFunction" in self.outputs(self.data_stack)

    def settle(self, name: str) -> None:
        """Bring a stack into a state that CloudFormation can update.

        Waits for what is under way, deletes a stack whose creation failed, finishes a rollback that is stuck.

        Raises Refused for what only a person may decide: a stack that somebody began to delete.
        """
        deadline = time.monotonic() + LONGEST_SECONDS
        while (status := self.status(name)) is not None and status not in STANDS:
            if time.monotonic() > deadline:
                raise Refused(
                    f"stack {name} has been in {status} for an hour; look at its events in the console, "
                    "then run it again",
                    code=1,
                )
            self._mend(name, status)

    def _mend(self, name: str, status: str) -> None:
        client = self.aws("cloudformation")
        if status in NEVER_STOOD:
            print(
                f"Stack {name} is in {status}: nothing of it was ever in use, so it is deleted and made "
                "again.",
                flush=True,
            )
            client.delete_stack(StackName=name)
            self.wait(name)
        elif status == "UPDATE_ROLLBACK_FAILED":
            print(f"Stack {name} could not undo its last update; that is tried again.", flush=True)
            client.continue_update_rollback(StackName=name)
            self.wait(name, leaving=status)
        elif status == "DELETE_FAILED":
            reasons = "".join(f"\n    {reason}" for reason in self.failures(name)) or " (no reason given)"
            raise Refused(
                f"somebody began to delete stack {name}, and it failed: {reasons}\nmake destroy "
                f"STAGE={self.name} goes on with it",
                code=1,
            )
        elif status.endswith("_IN_PROGRESS"):
            print(f"Stack {name} is in {status}; waiting for it to end ...", flush=True)
            self.wait(name)
        else:
            raise Refused(
                f"stack {name} is in {status}, which this program doesn't know; look at it in the console",
                code=1,
            )

    def wait(self, name: str, *, leaving: str | None = None) -> str | None:
        """Wait until the stack has left the status `leaving` and nothing is under way; print its events.

        Returns its status, or None once it is gone.
        """
        deadline, seen = time.monotonic() + LONGEST_SECONDS, self.event_ids(name)
        while True:
            status = self.status(name)
            for event in self.new_events(name, seen):
                print(f"  {event}", flush=True)
            busy = status is not None and (
                status == leaving or (status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS")
            )
            if not busy:
                return status
            if time.monotonic() > deadline:
                raise Refused(
                    f"stack {name} has been in {status} for an hour; look at its events in the console, "
                    "then run it again",
                    code=1,
                )
            time.sleep(POLL_SECONDS)

    def events(self, name: str) -> list[dict[str, Any]]:
        from botocore.exceptions import ClientError

        try:
            found: list[dict[str, Any]] = self.aws("cloudformation").describe_stack_events(StackName=name)[
                "StackEvents"
            ]
        except ClientError as error:
            if "does not exist" in str(error):
                return []
            raise
        return found

    def event_ids(self, name: str) -> set[str]:
        return {event["EventId"] for event in self.events(name)}

    def physical_ids(self, name: str, kind: str) -> list[str]:
        """Return the physical ids of a stack's resources of this type."""
        pages = self.aws("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
        return [
            each["PhysicalResourceId"]
            for page in pages
            for each in page["StackResourceSummaries"]
            if each["ResourceType"] == kind
        ]

    def new_events(self, name: str, seen: set[str]) -> Iterator[str]:
        for event in reversed(self.events(name)):
            if event["EventId"] not in seen:
                seen.add(event["EventId"])
                reason = event.get("ResourceStatusReason", "")
                yield f"{event['ResourceStatus']:<28} {event['LogicalResourceId']} {reason}".rstrip()

    def failures(self, name: str) -> list[str]:
        """Return the reasons of the resources that failed, newest first.

        Resources that CloudFormation only cancelled because another one failed are left out.
        """
        failed = [
            event for event in self.events(name) if str(event.get("ResourceStatus", "")).endswith("_FAILED")
        ]
        return [
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in failed
            if "cancelled" not in event.get("ResourceStatusReason", "cancelled").lower()
        ][:5]

    def invoke_migrate(self, event: dict[str, Any], timeout_s: int) -> dict[str, Any]:
        """Call the data stack's function that works as the database's owner.

        Raises Refused with its own words when it failed.
        """
        return self.invoke(self.data_stack, "MigrateFunction", event, timeout_s)

    def invoke(self, stack: str, output: str, event: dict[str, Any], timeout_s: int) -> dict[str, Any]:
        """Call the function that a stack's output names. Raises Refused with its own words when it failed."""
        from botocore.config import Config

        name = self.output(stack, output)
        client = self.session().client(
            "lambda", config=Config(read_timeout=timeout_s, retries={"total_max_attempts": 1})
        )
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        result: dict[str, Any] = json.load(answer["Payload"])
        if answer.get("FunctionError"):
            raise Refused(str(result.get("errorMessage", result)), code=1)
        return result


def refuse_placeholders(values: dict[str, str], where: str) -> None:
    """Refuse addresses that lead to nobody, in whose name a stage would answer, and those without TLS."""
    for name, value in values.items():
        for part in ("localhost", "127.0.0.1", ".invalid", "example.com", "example.org"):
            if part in value:
                raise Refused(f"{name} is {value}, which is no address of a real stage; change it in {where}")
        if "http://" in value:
            raise Refused(f"{name} is {value}, where keys and tokens could be read on their way; use https")
