"""docs/runbooks: every page has its three parts, and every command in it runs."""

import os
import re
import time
from pathlib import Path

import pytest

from tests.contract import awscli, cloudwatch, code, test_alarms, transformed
from tests.contract.code import ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"
HOUR = 3600

# What moto 5.2.5 answers to no one: these commands are checked against the services' own models only.
NOT_IN_MOTO = {
    ("lambda", "get-account-settings"),
    ("sqs", "start-message-move-task"),
    ("cloudtrail", "lookup-events"),
}


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.strip().splitlines()]


def test_every_runbook_says_what_it_means_where_to_look_and_what_to_do():
    for page in RUNBOOKS.glob("*.md"):
        if page.stem != "README":
            heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
            assert heads == [page.stem, "What it means", "Where to look", "What to do"]
            assert commands(page), page.stem


@pytest.fixture(scope="module")
def stage(aws: str) -> dict[str, str]:
    """Create what the runbooks' commands read, in moto and with the templates' names."""
    import boto3
    from moto.core import DEFAULT_ACCOUNT_ID

    def client(service: str):
        return boto3.client(service, endpoint_url=aws, region_name="us-east-1")

    for suffix in ("notifications", "hub-requests", "poll-requests", "report-drops"):
        dead = client("sqs").create_queue(QueueName=f"showrunner-test-{suffix}-dead")["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{DEFAULT_ACCOUNT_ID}:showrunner-test-{suffix}-dead"
        policy = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": "3"}}'
        client("sqs").create_queue(
            QueueName=f"showrunner-test-{suffix}", Attributes={"RedrivePolicy": policy}
        )
        assert dead
    client("sqs").create_queue(QueueName="showrunner-test-undelivered-events")
    for group in (
        "/showrunner/test/functions",
        "/showrunner/test/access",
        "/showrunner/test/render",
        "/aws/rds/cluster/showrunner-test-1/postgresql",
    ):
        client("logs").create_log_group(logGroupName=group)
    role = client("iam").create_role(RoleName="machine", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    definition = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'
    for machine in ("production", "publication", "rotation", "backup", "metrics", "changes", "streams"):
        client("stepfunctions").create_state_machine(
            name=f"showrunner-test-{machine}", definition=definition, roleArn=role
        )
    client("rds").create_db_cluster(
        DBClusterIdentifier="showrunner-test-1",
        Engine="aurora-postgresql",
        MasterUsername="showrunner",
        MasterUserPassword="x" * 12,
    )
    environment = client("batch").create_compute_environment(
        computeEnvironmentName="any", type="UNMANAGED", state="ENABLED", serviceRole=role
    )
    for name in ("gpu", "cpu"):
        order = [{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}]
        client("batch").create_job_queue(
            jobQueueName=f"showrunner-test-{name}", priority=1, state="ENABLED", computeEnvironmentOrder=order
        )
    target = {"Arn": "arn:aws:lambda:us-east-1:1:function:x", "RoleArn": role}
    for name in ("sweep", "channels", "feed-schedule", "retention", "backup"):
        window = {"Mode": "OFF"}
        client("scheduler").create_schedule(
            Name=f"showrunner-test-{name}",
            ScheduleExpression="rate(1 minute)",
            Target=target,
            FlexibleTimeWindow=window,
        )
    instance = client("ec2").run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0][
        "InstanceId"
    ]
    now = time.time()
    moments = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)) for moment in (now - 3 * HOUR, now)]
    names = {
        "STAGE": "test",
        "REGION": "us-east-1",
        "ACCOUNT": DEFAULT_ACCOUNT_ID,
        "API": "a1b2c3d4",
        "INSTANCE": instance,
        "GATEWAY": "nat-0123456789abcdef0",
    }
    return {**names, "START": moments[0], "END": moments[1], "endpoint": aws}


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_every_command_of_a_runbook_runs(page, stage):
    for line in commands(page):
        filled = re.sub(r"\$([A-Z]+)", lambda found: stage[found[1]], line)
        only_check = not runs(filled)
        answer = awscli.run(filled, stage["endpoint"], only_check=only_check)
        assert only_check or answer["ResponseMetadata"]["HTTPStatusCode"] == 200, line


@pytest.mark.parametrize(
    "line", ["ls", "aws sqs do-it", "aws sqs list-queues --colour red", "aws sqs purge-queue"]
)
def test_a_command_that_aws_would_refuse_is_refused(line, aws):
    from botocore.exceptions import ParamValidationError

    with pytest.raises((awscli.Wrong, ParamValidationError)):
        awscli.run(line, aws)


def runs(line: str) -> bool:
    return tuple(line.split()[1:3]) not in NOT_IN_MOTO


def table() -> str:
    """Return the table of all alarms: what triggers each in a test, and how its page's commands are tried."""
    rows = []
    for name, alarm in sorted(test_alarms.alarms().items()):
        points, _ = test_alarms.TRIGGERS[name]
        watched = sorted({f"{each['Namespace']} {each['MetricName']}" for each in cloudwatch.metrics(alarm)})
        lines = commands(RUNBOOKS / f"{name}.md")
        tried = f"{sum(map(runs, lines))} run"
        if checked := sum(not runs(line) for line in lines):
            tried += f", {checked} checked only"
        triggered = f"by datapoints: {len(points)}" if points else "by silence"
        rows.append(f"| [{name}]({name}.md) | {', '.join(watched)} | {triggered} | {tried} |")
    head = "| alarm | watches | triggered in a test | commands of its page |\n|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def test_the_table_of_alarms_is_the_computed_one():
    page = RUNBOOKS / "README.md"
    text = page.read_text(encoding="utf-8")
    before, heading, _ = text.partition("## All alarms\n\n")
    wanted = before + heading + table()
    if os.environ.get("RUNBOOKS") == "write":
        page.write_text(wanted, encoding="utf-8")

    assert heading
    assert page.read_text(encoding="utf-8") == wanted, (
        "RUNBOOKS=write pytest tests/contract/test_runbooks.py writes it anew"
    )


def test_every_function_of_a_runbook_s_names_exists():
    """A page that names a resource by the template's own word keeps up with it."""
    known = {each.id for each in transformed.resources()} | {"ERROR_CODE"}
    for page in RUNBOOKS.glob("*.md"):
        named = set(
            re.findall(r"\b([A-Z][a-z]+(?:[A-Z][a-z]+)*Function)\b", page.read_text(encoding="utf-8"))
        )
        assert sorted(named - known) == [], page.stem
    assert code.function_names()
