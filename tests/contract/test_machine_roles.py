"""Every AWS call that a state of a machine makes is allowed by the machine's role, and nothing else is.

test_statemachine.py compares actions; here each call has its resource, both as they are in a deployed stage.
The functions' own calls: tests/conftest.py (least_privilege).
"""

import functools
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from showrunner.metrics import archive
from showrunner.rights import change_files, stream_tasks
from tests.contract import policies
from tests.contract.policies import Need
from tests.contract.template import APPLICATION, listed, load, resources
from tests.contract.test_statemachine import BATCH, FILES, LAMBDA, SDK, SYNC, resource_of, states

Json = dict[str, Any]
ACCOUNT, REGION, STAGE = "123456789012", "eu-central-1", "dev"
PLACE = f"{REGION}:{ACCOUNT}"
# What each list of a distributed Map is called, by the code that writes it.
LISTS = {
    "metrics.asl.json": archive.plan_key("2026-11-29T10-youtube"),
    "changes.asl.json": change_files.plan_key("0b9d6a52-3c1f-4f0e-8d55-6f1e2a7c9b10", 1),
    "streams.asl.json": stream_tasks.plan_key("2026-11-29"),
}
# How .sync learns of a job's end: https://docs.aws.amazon.com/step-functions/latest/dg/connect-batch.html
SYNC_RULE = f"arn:aws:events:{PLACE}:rule/StepFunctionsGetEventsForBatchJobsRule"
# Logs and traces of the machine itself, for which IAM knows no resource.
LOGS = ("logs:", "xray:")


@functools.cache
def stacks() -> policies.Stacks:
    """Return both stacks; a Ref to a queue or a job definition is its ARN, as in CloudFormation."""
    application, arns = load(APPLICATION), {}
    made = policies.Stacks({"Stage": STAGE}, account=ACCOUNT, region=REGION)
    for kind, name, path in (
        ("AWS::Batch::JobQueue", "JobQueueName", "job-queue/{}"),
        ("AWS::Batch::JobDefinition", "JobDefinitionName", "job-definition/{}:7"),
    ):
        for identity, properties in resources(application, kind).items():
            called = made.text(properties[name], application)
            arns[identity] = f"arn:aws:batch:{PLACE}:{path.format(called)}"
    return policies.Stacks({"Stage": STAGE}, physical=arns, account=ACCOUNT, region=REGION)


def statements(path: Path) -> list[Json]:
    """Return the resolved statements of the machine's role."""
    found = [each for policy in resource_of(path)["Policies"] for each in listed(policy["Statement"])]
    return [stacks().statement(each, load(APPLICATION)) for each in found]


def filled(text: str, path: Path) -> list[str]:
    """Return what an argument may be: each resource that it names."""
    given, application = resource_of(path)["DefinitionSubstitutions"], load(APPLICATION)
    return [stacks().text(given[name], application) for name in re.findall(r"\$\{(\w+)\}", text)]


def needs(machine: Json, path: Path) -> Iterator[Need]:
    """Yield what the machine's role must allow for each state."""
    own = stacks().text(resource_of(path)["Name"], load(APPLICATION))
    for state in states(machine):
        if "Resource" in state.body:
            yield from needs_of_task(state.body, path)
        if "ItemReader" in state.body:
            assert state.body["ItemReader"]["Resource"] == "arn:aws:states:::s3:getObject"
            yield Need("s3:GetObject", f"{media_bucket()}/{LISTS[path.name]}")
            yield Need("kms:Decrypt", None, via="s3")
        if state.body.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
            yield Need("states:StartExecution", f"arn:aws:states:{PLACE}:stateMachine:{own}")
            for action in ("DescribeExecution", "StopExecution"):
                child = f"{state.body['Label']}:0b9d6a52"
                yield Need(f"states:{action}", f"arn:aws:states:{PLACE}:execution:{own}/{child}")


def needs_of_task(body: Json, path: Path) -> Iterator[Need]:
    resource, arguments = body["Resource"], body["Arguments"]
    if resource == LAMBDA:
        (function,) = filled(arguments["FunctionName"], path)
        yield Need("lambda:InvokeFunction", function)
    elif resource == BATCH:
        for each in (*filled(arguments["JobQueue"], path), *filled(arguments["JobDefinition"], path)):
            yield Need("batch:SubmitJob", each)
        for action in SYNC - {"batch:SubmitJob"}:
            yield Need(action, SYNC_RULE if action.startswith("events:") else any_resource(action))
    else:
        assert resource.startswith(f"{SDK}batch:"), f"say here what {resource} needs"
        action = resource.removeprefix(f"{SDK}batch:")
        yield Need(f"batch:{action[0].upper()}{action[1:]}", any_resource(action))


def any_resource(action: str) -> str:
    """Return a resource that only * matches: Batch knows none for this action.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbatch.html
    """
    return f"arn:aws:batch:{PLACE}:job/no-{action}-knows-one"


def media_bucket() -> str:
    name = {"Fn::ImportValue": {"Fn::Sub": "showrunner-${Stage}-MediaBucket"}}
    return f"arn:aws:s3:::{stacks().text(name, load(APPLICATION))}"


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def path(request) -> Path:
    return request.param


@pytest.fixture
def machine(path) -> Json:
    return json.loads(path.read_text(encoding="utf-8"))


def faults(machine: Json, path: Path, allowed: list[Json]) -> set[str]:
    return {
        f"{need.action} on {need.resource}"
        for need in needs(machine, path)
        if not policies.allows(allowed, need)
    }


def test_every_call_of_a_state_is_allowed_on_its_resource(machine, path):
    assert list(needs(machine, path))
    assert faults(machine, path, statements(path)) == set()


def test_no_action_is_allowed_on_a_resource_that_no_state_uses(machine, path):
    wanted = list(needs(machine, path))
    unused = [
        f"{action} on {resource}"
        for statement in statements(path)
        for action, resource in itertools.product(statement["Action"], statement["Resource"])
        if not action.startswith(LOGS)
        and not any(
            need.action == action and (need.resource is None or policies.matches(resource, need.resource))
            for need in wanted
        )
    ]

    assert unused == []


def test_a_right_that_is_taken_away_or_narrowed_is_missed(machine, path):
    """Without any one of its resources, or with another stage's, a state would fail in AWS."""
    allowed = statements(path)
    for number, statement in enumerate(allowed):
        if all(action.startswith(LOGS) for action in statement["Action"]):
            continue
        for resource in statement["Resource"]:
            for other in ([], [resource.replace(f"-{STAGE}", "-prod")] if f"-{STAGE}" in resource else []):
                left = [each for each in statement["Resource"] if each != resource] + other
                changed = [*allowed[:number], {**statement, "Resource": left}, *allowed[number + 1 :]]
                if statement["Action"] == ["kms:Decrypt"]:
                    continue  # a request for an object names no key
                assert faults(machine, path, changed), f"{statement['Action']} without {resource}"


def test_every_machine_may_write_its_log_and_its_trace(path):
    """https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy"""
    delivery = ("Create", "Get", "Update", "Delete")
    wanted = {f"logs:{verb}LogDelivery" for verb in delivery} | {"logs:ListLogDeliveries"}
    wanted |= {"logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"}
    wanted |= {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}

    allowed = statements(path)
    assert {each for each in wanted if not policies.allows(allowed, Need(each, "any"))} == set()
