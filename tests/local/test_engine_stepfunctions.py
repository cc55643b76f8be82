"""Step Functions on the engine: one small machine for each thing that the product's machines rely on."""

import concurrent.futures
import io
import itertools
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.local.conftest import Engine, wait_until

Json = dict[str, Any]
numbers = itertools.count()


class Machines:
    """Starts machines made of a few states, without a template around them."""

    def __init__(self, engine: Engine, outputs: dict[str, str]) -> None:
        self.engine, self.outputs = engine, outputs
        self.client = engine.client("stepfunctions")

    def create(self, states: Json, **top: Any) -> str:
        definition = {"StartAt": next(iter(states)), "States": states, **top}
        role = "arn:aws:iam::000000000000:role/any"
        return self.client.create_state_machine(
            name=f"machine-{next(numbers)}", definition=json.dumps(definition), roleArn=role
        )["stateMachineArn"]

    def start(self, states: Json, value: Any = None, **top: Any) -> str:
        return self.client.start_execution(
            stateMachineArn=self.create(states, **top), input=json.dumps(value if value is not None else {})
        )["executionArn"]

    def ended(self, arn: str, seconds: float = 20) -> Json:
        return wait_until(
            lambda: (
                (execution := self.client.describe_execution(executionArn=arn))["status"] != "RUNNING"
                and execution
            ),
            seconds,
        )

    def run(self, states: Json, value: Any = None, **top: Any) -> Json:
        return self.ended(self.start(states, value, **top))

    def output(self, states: Json, value: Any = None, **top: Any) -> Any:
        execution = self.run(states, value, **top)
        assert execution["status"] == "SUCCEEDED", (execution.get("error"), execution.get("cause"))
        return json.loads(execution["output"])

    def failure(self, states: Json, value: Any = None, **top: Any) -> tuple[str, str]:
        execution = self.run(states, value, **top)
        assert execution["status"] == "FAILED", execution
        return execution["error"], execution.get("cause", "")

    def behave(self, payload: Any = None, function: str = "Behave", **fields: Any) -> Json:
        parameters = {
            "FunctionName": self.outputs[function],
            **({"Payload": payload} if payload is not None else {"Payload.$": "$"}),
        }
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": parameters,
            "End": True,
            **fields,
        }

    def job(self, code: str, sync: str = ".sync", name: str = "from-machine", **fields: Any) -> Json:
        parameters = {
            "JobName": name,
            "JobQueue": self.outputs["Jobs"],
            "JobDefinition": self.outputs["Job"],
            "Parameters": {"what": code},
        }
        return {
            "Type": "Task",
            "Resource": f"arn:aws:states:::batch:submitJob{sync}",
            "Parameters": parameters,
            "End": True,
            **fields,
        }

    def running_job(self, name: str) -> str | None:
        jobs = self.engine.client("batch").list_jobs(jobQueue=self.outputs["Jobs"], jobStatus="RUNNING")[
            "jobSummaryList"
        ]
        return next((job["jobId"] for job in jobs if job["jobName"] == name), None)


@pytest.fixture(scope="module")
def machines(engine: Engine, outputs: dict[str, str]) -> Machines:
    # The engine looks at schedules every ten seconds: this one is made first and awaited last.
    at = time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 1))
    target = {
        "Arn": outputs["ScheduledArn"],
        "RoleArn": "arn:aws:iam::000000000000:role/any",
        "Input": '{"source": "schedule"}',
    }
    engine.client("scheduler").create_schedule(
        Name="once", ScheduleExpression=at, FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    return Machines(engine, outputs)


def events(
    machines: Machines, wanted: Callable[[Json], bool], until: Callable[[list[Json]], Any]
) -> list[Json]:
    """Events that reached the queue of the rule, in order."""
    queue, found = machines.engine.client("sqs"), []

    def look() -> Any:
        for message in queue.receive_message(
            QueueUrl=machines.outputs["Messages"], MaxNumberOfMessages=10
        ).get("Messages", []):
            queue.delete_message(
                QueueUrl=machines.outputs["Messages"], ReceiptHandle=message["ReceiptHandle"]
            )
            body = json.loads(message["Body"])
            if wanted(body):
                found.append(body)
        return until(found)

    wait_until(look)
    return found


def test_the_machine_of_the_template_runs_a_function_and_a_job(machines: Machines) -> None:
    arn = machines.client.start_execution(stateMachineArn=machines.outputs["Machine"], input="{}")[
        "executionArn"
    ]

    assert json.loads(machines.ended(arn)["output"]) == {"status": "SUCCEEDED", "exit": 0}


# ---------------------------------------------------------------- Batch
def test_a_finished_job_is_the_result_in_the_words_of_step_functions(machines: Machines) -> None:
    result = machines.output({"Run": machines.job("print(1)")})

    assert (result["Status"], result["JobName"], result["Container"]["ExitCode"]) == (
        "SUCCEEDED",
        "from-machine",
        0,
    )
    assert result["Parameters"] == {"what": "print(1)"}
    assert {"Name": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"} in result["Container"][
        "Environment"
    ]
    assert result["Attempts"][0]["Container"]["LogStreamName"]


def test_a_failed_job_is_states_task_failed_with_the_job_as_cause(machines: Machines) -> None:
    error, cause = machines.failure({"Run": machines.job("import sys; sys.exit(9)")})

    assert error == "States.TaskFailed"
    job = json.loads(cause)
    assert (job["Status"], job["StatusReason"], job["Container"]["ExitCode"]) == (
        "FAILED",
        "Essential container in task exited",
        9,
    )


def test_a_refused_job_is_an_error_of_batch(machines: Machines) -> None:
    wrong = machines.job("print(1)")
    wrong["Parameters"]["JobQueue"] = "none"

    assert machines.failure({"Run": wrong})[0] == "Batch.ClientException"


def test_without_sync_the_machine_goes_on_with_the_job_s_id(machines: Machines) -> None:
    assert set(machines.output({"Run": machines.job("print(1)", sync="")})) == {"JobId", "JobName", "JobArn"}


@pytest.mark.parametrize("how", ["stopped", "state", "machine"])
def test_a_job_ends_with_the_state_that_waits_for_it(machines: Machines, how: str) -> None:
    fields = {"TimeoutSeconds": 1} if how == "state" else {}
    run = machines.job("import time; time.sleep(300)", name=f"until-{how}", **fields)
    arn = machines.start({"Run": run}, **({"TimeoutSeconds": 1} if how == "machine" else {}))
    job_id = wait_until(lambda: machines.running_job(f"until-{how}"))
    if how == "stopped":
        machines.client.stop_execution(executionArn=arn, error="Cancelled", cause="by the user")

    execution = machines.ended(arn)
    assert (execution["status"], execution.get("error")) == {
        "stopped": ("ABORTED", "Cancelled"),
        "state": ("FAILED", "States.Timeout"),
        "machine": ("TIMED_OUT", "States.Timeout"),
    }[how]
    job = wait_until(
        lambda: (
            (job := machines.engine.client("batch").describe_jobs(jobs=[job_id])["jobs"][0])["status"]
            == "FAILED"
            and job
        )
    )
    assert job["isTerminated"]
    assert machines.client.describe_execution(executionArn=arn)["status"] == execution["status"]


# ---------------------------------------------------------------- other integrations
def test_results_of_the_simple_integrations(machines: Machines) -> None:
    outputs = machines.outputs
    branches = {
        "lambda:invoke": {"FunctionName": outputs["Behave"], "Payload": {"size": 1}},
        "sqs:sendMessage": {"QueueUrl": outputs["Messages"], "MessageBody": {"own": 1}},
        "sns:publish": {"TopicArn": outputs["Topic"], "Message": "published"},
        "dynamodb:putItem": {"TableName": outputs["Table"], "Item": {"pk": {"S": "from machine"}}},
        "events:putEvents": {
            "Entries": [
                {
                    "Source": "contract.test",
                    "DetailType": "probe",
                    "Detail": {"n": 1},
                    "EventBusName": "default",
                }
            ]
        },
        "aws-sdk:ssm:putParameter": {
            "Name": "/contract/machine",
            "Type": "String",
            "Value": "x",
            "Overwrite": True,
        },
        "aws-sdk:dynamodb:getItem": {"TableName": outputs["Table"], "Key": {"pk": {"S": "none"}}},
    }
    states = {
        name: {"Type": "Task", "Resource": f"arn:aws:states:::{name}", "Parameters": parameters, "End": True}
        for name, parameters in branches.items()
    }
    parallel = {
        "All": {
            "Type": "Parallel",
            "End": True,
            "Branches": [{"StartAt": name, "States": {name: state}} for name, state in states.items()],
        }
    }
    results = dict(zip(branches, machines.output(parallel), strict=True))

    assert (results["lambda:invoke"]["Payload"], results["lambda:invoke"]["StatusCode"]) == ("x", 200)
    assert results["sqs:sendMessage"]["MessageId"]
    assert results["sns:publish"]["MessageId"]
    assert results["events:putEvents"]["FailedEntryCount"] == 0
    assert machines.engine.client("dynamodb").get_item(
        TableName=outputs["Table"], Key={"pk": {"S": "from machine"}}
    )["Item"]
    assert machines.engine.client("ssm").get_parameter(Name="/contract/machine")["Parameter"]["Value"] == "x"
    seen = events(
        machines,
        lambda body: (
            body == {"own": 1} or body.get("Message") == "published" or body.get("source") == "contract.test"
        ),
        lambda found: len(found) >= 3,
    )
    assert [body["detail"] for body in seen if body.get("source")] == [{"n": 1}]


def test_a_machine_starts_another_and_waits_for_it(machines: Machines) -> None:
    inner = machines.create({"Out": {"Type": "Pass", "Result": {"inner": 1}, "End": True}})
    failing = machines.create({"Out": {"Type": "Fail", "Error": "Own", "Cause": "because"}})

    def nested(arn: str, suffix: str, **parameters: Any) -> Json:
        resource = f"arn:aws:states:::states:startExecution{suffix}"
        return {
            "Run": {
                "Type": "Task",
                "Resource": resource,
                "Parameters": {"StateMachineArn": arn, "Input": {}, **parameters},
                "End": True,
            }
        }

    assert machines.output(nested(inner, ".sync:2"))["Output"] == {"inner": 1}
    assert json.loads(machines.output(nested(inner, ".sync"))["Output"]) == {"inner": 1}
    assert machines.output(nested(inner, ""))["ExecutionArn"]
    error, cause = machines.failure(nested(failing, ".sync:2"))
    assert (error, json.loads(cause)["Error"], json.loads(cause)["Status"]) == (
        "States.TaskFailed",
        "Own",
        "FAILED",
    )
    machines.output(nested(inner, ".sync:2", Name="once"))
    assert (
        machines.failure(nested(inner, "", Name="once"))[0] == "StepFunctions.ExecutionAlreadyExistsException"
    )


# ---------------------------------------------------------------- errors, retries, limits
@pytest.mark.parametrize(("payload", "error"), [
    ({"raise": "QuotaExceeded"}, "QuotaExceeded"),
    ({"raise": "ValueError"}, "ValueError"),
    ({"exit": 1}, "Runtime.ExitError"),
])  # fmt: skip
def test_the_class_of_a_python_exception_is_the_name_of_the_error(
    machines: Machines, payload: Json, error: str
) -> None:
    name, cause = machines.failure({"Run": machines.behave(payload)})

    assert name == error
    assert json.loads(cause)["errorType"] == error


def test_retry_and_catch_match_by_class(machines: Machines, tmp_path: Path) -> None:
    retry = [
        {"ErrorEquals": ["Unrelated"], "MaxAttempts": 0},
        {
            "ErrorEquals": ["QuotaExceeded"],
            "MaxAttempts": 3,
            "IntervalSeconds": 1,
            "BackoffRate": 2,
            "MaxDelaySeconds": 1,
            "JitterStrategy": "FULL",
        },
    ]
    payload = {"fails_before": 2, "counter": str(tmp_path / "counter")}
    assert machines.output({"Run": machines.behave(payload, Retry=retry)})["Payload"] == {"attempts": 3}

    catch = [
        {"ErrorEquals": ["ValueError"], "Next": "Wrong"},
        {"ErrorEquals": ["QuotaExceeded"], "Next": "Right", "ResultPath": "$.error"},
    ]
    states = {
        "Run": machines.behave({"raise": "QuotaExceeded"}, Catch=catch),
        "Right": {"Type": "Pass", "End": True},
        "Wrong": {"Type": "Fail"},
    }
    caught = machines.output(states, {"kept": 1})
    assert (caught["kept"], caught["error"]["Error"]) == (1, "QuotaExceeded")


def test_a_function_without_free_concurrency_is_a_throttle(
    machines: Machines, outputs: dict[str, str]
) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        busy = pool.submit(
            machines.engine.client("lambda").invoke,
            FunctionName=outputs["OneAtATime"],
            Payload=json.dumps({"sleep": 1.2}),
        )
        time.sleep(0.3)
        assert (
            machines.failure({"Run": machines.behave({}, function="OneAtATime")})[0]
            == "Lambda.TooManyRequestsException"
        )
        retry = [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 1, "MaxAttempts": 5}]
        assert (
            machines.output({"Run": machines.behave({}, function="OneAtATime", Retry=retry)})["StatusCode"]
            == 200
        )
        busy.result()


def test_a_result_above_256_kib_ends_the_machine_past_states_all(machines: Machines) -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    states = {"Run": machines.behave({"size": 262_144}, Catch=catch), "Caught": {"Type": "Pass", "End": True}}
    assert machines.failure(states)[0] == "States.DataLimitExceeded"
    assert machines.output({"Run": machines.behave({"size": 200_000}, ResultSelector={"ok": True})}) == {
        "ok": True
    }

    grown = {"Join": {"Type": "Pass", "Parameters": {"a.$": "$.text", "b.$": "$.text"}, "End": True}}
    assert machines.failure(grown, {"text": "x" * 140_000})[0] == "States.DataLimitExceeded"


def test_a_state_that_takes_too_long_is_a_timeout_that_can_be_caught(machines: Machines) -> None:
    catch = [
        {"ErrorEquals": ["States.TaskFailed"], "Next": "Wrong"},
        {"ErrorEquals": ["States.Timeout"], "Next": "Right"},
    ]
    states = {
        "Run": machines.behave({"sleep": 4}, TimeoutSecondsPath="$.limit", Catch=catch),
        "Right": {"Type": "Pass", "Result": "in time", "End": True},
        "Wrong": {"Type": "Fail"},
    }
    started = time.monotonic()
    assert machines.output(states, {"limit": 1}) == "in time"
    assert time.monotonic() - started < 3


def test_a_callback_without_heartbeats_fails_and_one_with_them_goes_on(
    machines: Machines, outputs: dict[str, str]
) -> None:
    def waiting(**fields: Any) -> Json:
        parameters = {"QueueUrl": outputs["DeadLetters"], "MessageBody": {"token.$": "$$.Task.Token"}}
        return {
            "Run": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Parameters": parameters,
                "End": True,
                **fields,
            }
        }

    def token() -> str:
        queue = machines.engine.client("sqs")
        message = wait_until(
            lambda: queue.receive_message(QueueUrl=outputs["DeadLetters"], MaxNumberOfMessages=1).get(
                "Messages"
            )
        )[0]
        queue.delete_message(QueueUrl=outputs["DeadLetters"], ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])["token"]

    assert machines.failure(waiting(HeartbeatSeconds=1))[0] == "States.HeartbeatTimeout"
    token()
    arn = machines.start(waiting(HeartbeatSeconds=1, TimeoutSeconds=20))
    answer = token()
    for _ in range(4):
        time.sleep(0.4)
        machines.client.send_task_heartbeat(taskToken=answer)
    machines.client.send_task_success(taskToken=answer, output='{"done": 1}')
    assert json.loads(machines.ended(arn)["output"]) == {"done": 1}


def test_when_one_branch_fails_the_others_stop_before_their_next_state(
    machines: Machines, tmp_path: Path
) -> None:
    counter = tmp_path / "counter"
    paid = machines.behave({"fails_before": 0, "counter": str(counter)})
    branches = [
        {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "Next": "Pay"}, "Pay": paid}},
        {"StartAt": "Fail", "States": {"Fail": machines.behave({"raise": "QuotaExceeded"})}},
    ]
    started = time.monotonic()
    assert (
        machines.failure({"Both": {"Type": "Parallel", "Branches": branches, "End": True}})[0]
        == "QuotaExceeded"
    )
    assert time.monotonic() - started < 1.5
    time.sleep(1)
    assert not counter.exists()


def test_a_map_keeps_to_its_concurrency_and_its_order(machines: Machines) -> None:
    processor = {
        "ProcessorConfig": {"Mode": "INLINE"},
        "StartAt": "One",
        "States": {"One": machines.behave(ResultSelector={"got.$": "$.Payload.event.n"})},
    }
    selector = {"n.$": "$$.Map.Item.Index", "sleep": 0.3}
    each = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "ItemSelector": selector,
        "MaxConcurrency": 3,
        "ItemProcessor": processor,
        "End": True,
    }
    started = time.monotonic()

    assert machines.output({"Each": each}, {"items": ["a", "b", "c", "d"]}) == [{"got": n} for n in range(4)]
    assert 0.6 <= time.monotonic() - started < 2.5


# ---------------------------------------------------------------- executions
def test_a_name_starts_one_execution(machines: Machines) -> None:
    arn = machines.create({"Wait": {"Type": "Wait", "Seconds": 2, "End": True}})

    def start(text: str) -> str:
        return machines.client.start_execution(stateMachineArn=arn, name="video-1", input=text)[
            "executionArn"
        ]

    first = start('{"a": 1}')
    assert start('{ "a":1 }') == first
    with pytest.raises(machines.client.exceptions.ExecutionAlreadyExists):
        start('{"a": 2}')
    machines.client.stop_execution(executionArn=first)
    with pytest.raises(machines.client.exceptions.ExecutionAlreadyExists):
        start('{"a": 1}')


@pytest.mark.parametrize(("request_", "error"), [
    ({"name": "with spaces"}, "InvalidName"),
    ({"input": "not json"}, "InvalidExecutionInput"),
    ({"input": json.dumps("x" * 262_144)}, "ValidationException"),
])  # fmt: skip
def test_what_cannot_start_is_refused(machines: Machines, request_: Json, error: str) -> None:
    arn = machines.create({"Out": {"Type": "Succeed"}})
    with pytest.raises(machines.client.exceptions.ClientError) as refusal:
        machines.client.start_execution(stateMachineArn=arn, **request_)
    assert refusal.value.response["Error"]["Code"] == error


def test_every_end_of_an_execution_is_an_event(machines: Machines) -> None:
    wait = {"Wait": {"Type": "Wait", "Seconds": 30, "End": True}}
    arns = {
        "SUCCEEDED": machines.start({"Out": {"Type": "Pass", "Result": {"x": 1}, "End": True}}),
        "FAILED": machines.start({"Out": {"Type": "Fail", "Error": "Own", "Cause": "because"}}),
        "TIMED_OUT": machines.start(wait, TimeoutSeconds=1),
        "ABORTED": machines.start(wait, {"video": 7}),
    }
    machines.client.stop_execution(executionArn=arns["ABORTED"], error="Cancelled", cause="by the user")
    found = events(
        machines,
        lambda body: (
            body.get("source") == "aws.states"
            and body["detail"]["executionArn"] in arns.values()
            and body["detail"]["status"] != "RUNNING"
        ),
        lambda seen: len(seen) >= 4,
    )
    details = {body["detail"]["status"]: body["detail"] for body in found}

    assert {status: detail["executionArn"] for status, detail in details.items()} == arns
    assert {body["detail-type"] for body in found} == {"Step Functions Execution Status Change"}
    assert (details["SUCCEEDED"]["output"], details["SUCCEEDED"]["error"]) == ('{"x": 1}', None)
    assert (details["FAILED"]["error"], details["FAILED"]["cause"], details["FAILED"]["output"]) == (
        "Own",
        "because",
        None,
    )
    assert (
        details["TIMED_OUT"]["error"],
        details["TIMED_OUT"]["stopDate"] > details["TIMED_OUT"]["startDate"],
    ) == ("States.Timeout", True)
    assert (
        details["ABORTED"]["error"],
        json.loads(details["ABORTED"]["input"]),
        details["ABORTED"]["inputDetails"],
    ) == (
        "Cancelled",
        {"video": 7},
        {"included": True},
    )
    time.sleep(0.3)
    assert machines.client.describe_execution(executionArn=arns["ABORTED"])["status"] == "ABORTED"


def test_a_stopped_execution_starts_no_further_state(machines: Machines, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    states = {
        "First": machines.behave({"sleep": 1}, Next="Second"),
        "Second": machines.behave({"fails_before": 0, "counter": str(counter)}),
    }
    del states["First"]["End"]
    arn = machines.start(states)
    time.sleep(0.5)
    machines.client.stop_execution(executionArn=arn)
    time.sleep(1.5)

    assert not counter.exists()
    assert machines.client.describe_execution(executionArn=arn)["status"] == "ABORTED"


# ---------------------------------------------------------------- event sources
def test_messages_that_a_function_reports_as_failed_come_back_and_end_as_dead_letters(
    machines: Machines, outputs: dict[str, str]
) -> None:
    queue = machines.engine.client("sqs")
    for number in range(4):
        queue.send_message(
            QueueUrl=outputs["Work"], MessageBody=json.dumps({"n": number, "bad": number == 2})
        )

    def dead() -> Any:
        return queue.receive_message(QueueUrl=outputs["DeadLetters"]).get("Messages")

    assert json.loads(wait_until(dead, 30)[0]["Body"])["n"] == 2
    counts = queue.get_queue_attributes(
        QueueUrl=outputs["Work"],
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    assert set(counts.values()) == {"0"}


def test_a_new_object_is_an_event(machines: Machines) -> None:
    s3 = machines.engine.client("s3")
    s3.create_bucket(Bucket="drops")
    s3.put_bucket_notification_configuration(
        Bucket="drops", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    s3.put_object(Bucket="drops", Key="reports/a b.csv", Body=b"x")

    found = events(machines, lambda body: body.get("source") == "aws.s3", bool)
    assert (
        found[0]["detail-type"],
        found[0]["detail"]["bucket"]["name"],
        found[0]["detail"]["object"]["key"],
    ) == (
        "Object Created",
        "drops",
        "reports/a b.csv",
    )


# ---------------------------------------------------------------- JSONata
def test_what_a_state_assigns_is_computed_from_the_values_before_it(machines: Machines) -> None:
    states = {
        "First": {"Type": "Pass", "Assign": {"x": 3, "y": 6}, "Next": "Second"},
        "Second": {"Type": "Pass", "Assign": {"x": "{% $y %}", "y": "{% $x %}"}, "Next": "Third"},
        "Third": {"Type": "Pass", "Output": "{% [$x, $y] %}", "End": True},
    }

    assert machines.output(states, QueryLanguage="JSONata") == [6, 3]


def test_a_machine_in_jsonata_assigns_catches_and_fails_as_written(machines: Machines) -> None:
    run = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
    call = {"FunctionName": machines.outputs["Behave"]}
    failed = {"failure": "{% $states.errorOutput.Error %}"}
    states = {
        "Prepare": {
            **run,
            "Arguments": {**call, "Payload": {"n": "{% $states.input.n %}"}},
            "Assign": {"n": "{% $states.result.Payload.event.n %}", "limit": 1, "inner": "outside"},
            "Output": "{% $states.input %}",
            "Next": "Both",
        },
        "Both": {
            "Type": "Parallel",
            "Arguments": {"given": "{% $n + 1 %}"},
            "Branches": [
                {
                    "StartAt": "Assigns",
                    "States": {
                        "Assigns": {
                            "Type": "Pass",
                            "Assign": {"inner": "inside"},
                            "Output": "{% $n %}",
                            "End": True,
                        }
                    },
                },
                {
                    "StartAt": "Each",
                    "States": {
                        "Each": {
                            "Type": "Map",
                            "Items": "{% [1, 2, 3] %}",
                            "MaxConcurrency": "{% $limit %}",
                            "ItemSelector": {"item": "{% $states.context.Map.Item.Value %}"},
                            "ItemProcessor": {
                                "StartAt": "Add",
                                "States": {
                                    "Add": {
                                        "Type": "Pass",
                                        "Output": "{% $states.input.item + $n %}",
                                        "End": True,
                                    }
                                },
                            },
                            "End": True,
                        }
                    },
                },
                {
                    "StartAt": "Given",
                    "States": {"Given": {"Type": "Pass", "Output": "{% $states.input.given %}", "End": True}},
                },
            ],
            "Assign": {"both": "{% $states.result %}"},
            "Output": {"both": "{% $states.result %}", "inner": "{% $inner %}"},
            "Next": "Slow",
        },
        "Slow": {
            **run,
            "Arguments": {**call, "Payload": {"sleep": 4}},
            "TimeoutSeconds": "{% $limit %}",
            "Catch": [
                {
                    "ErrorEquals": ["States.Timeout"],
                    "Assign": failed,
                    "Output": "{% $states.input %}",
                    "Next": "Choose",
                }
            ],
            "End": True,
        },
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $failure = 'States.Timeout' %}", "Next": "Stop"}],
            "Default": "Wrong",
        },
        "Stop": {
            "Type": "Fail",
            "Error": "{% $failure %}",
            "Cause": "{% $string({'both': $both, 'input': $states.input}) %}",
        },
        "Wrong": {"Type": "Fail"},
    }
    error, cause = machines.failure(states, {"n": 10}, QueryLanguage="JSONata")

    assert error == "States.Timeout"
    assert json.loads(cause) == {
        "both": [10, [11, 12, 13], 11],
        "input": {"both": [10, [11, 12, 13], 11], "inner": "outside"},
    }


# Answers as the functions of the metrics machine do, by what the accounts are called.
COLLECTION = """
import os

def handler(event, context):
    if "run" in event:
        return {"batches": event["batches"], "bucket": "collections", "key": "batches.json"}
    if "accounts" not in event:
        return {"state": "loaded", "artists": 1, "runs": 3}
    name = event["accounts"][0]
    if name == "broken":
        raise ValueError("because")
    seen = "/tmp/" + event["key"]
    if name == "later" and not os.path.exists(seen):
        open(seen, "w").close()
        return {"state": "later", "wait_seconds": 1}
    return {"state": "skipped"} if name == "skipped" else {"state": "fetched", "key": event["key"]}
"""


@pytest.mark.parametrize(
    ("accounts", "status"),
    [(["fine", "later", "skipped"], "SUCCEEDED"), (["fine", "broken", "fine"], "FAILED"), ([], "SUCCEEDED")],
)
def test_a_collection_of_metrics_runs_its_batches_and_counts_those_that_failed(
    machines: Machines, accounts: list[str], status: str
) -> None:
    name = f"collection-{next(numbers)}"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("app.py", COLLECTION)
    function = machines.engine.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    batches = [
        {"platform": "youtube", "accounts": [each], "key": f"{name}-{number}"}
        for number, each in enumerate(accounts)
    ]
    machines.engine.client("s3").create_bucket(Bucket="collections")
    machines.engine.client("s3").put_object(
        Bucket="collections", Key="batches.json", Body=json.dumps(batches).encode()
    )
    definition = (ROOT / "statemachines" / "metrics.asl.json").read_text(encoding="utf-8")
    for substitution in ("Collect", "Youtube", "Spotify", "Social", "Load"):
        definition = definition.replace(f"${{{substitution}FunctionArn}}", function["FunctionArn"])
    machine = machines.client.create_state_machine(
        name=name, definition=definition, roleArn="arn:aws:iam::000000000000:role/any"
    )
    arn = machines.client.start_execution(
        stateMachineArn=machine["stateMachineArn"], input=json.dumps({"batches": len(accounts)})
    )["executionArn"]

    execution = machines.ended(arn, 60)

    assert execution["status"] == status, (execution.get("error"), execution.get("cause"))
    if accounts:
        [run] = machines.client.list_map_runs(executionArn=arn)["mapRuns"]
        children = machines.client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
        assert sorted(each["status"] for each in children).count("FAILED") == accounts.count("broken")
    if status == "FAILED":
        assert execution["error"] == "BatchesFailed"


def test_a_distributed_map_refuses_what_the_engine_lacks(machines: Machines) -> None:
    item = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
    state = {"Type": "Map", "ItemProcessor": item, "ItemSelector": {"n": "{% 1 %}"}, "End": True}

    error, cause = machines.failure({"Each": state}, [1], QueryLanguage="JSONata")

    assert (error, "ItemSelector" in cause) == ("States.Runtime", True)


def test_a_schedule_calls_its_target(machines: Machines, outputs: dict[str, str]) -> None:
    queue = machines.engine.client("sqs")

    messages = wait_until(lambda: queue.receive_message(QueueUrl=outputs["Scheduled"]).get("Messages"), 25)
    assert json.loads(messages[0]["Body"]) == {"source": "schedule"}
