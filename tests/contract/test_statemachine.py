"""The state machines agree with template.yaml, errors.py and the functions."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cfnlint.api import lint_all
from jsonata import Jsonata

from functions.prepare import app as prepare
from render.errors import EXIT_CLIPS, EXIT_GPU, EXIT_HOST
from showrunner import errors
from tests.contract import code, template
from tests.contract.code import ROOT
from tests.contract.template import APPLICATION, DATA, listed, load, references, resources, walk

FILES = sorted((ROOT / "statemachines").glob("*.asl.json"))
LAMBDA = "arn:aws:states:::lambda:invoke"
BATCH = "arn:aws:states:::batch:submitJob.sync"

# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
OF_STEP_FUNCTIONS = {
    "States.ALL",
    "States.Timeout",
    "States.TaskFailed",
    "States.Permissions",
    "States.HeartbeatTimeout",
    "States.DataLimitExceeded",
}
# A Task that invokes a function retries these: https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
TRANSIENT = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
}
# Lambda.Unknown: the function ended without an answer (memory, crash), on the page above.
# Lambda.TooManyRequestsException: Invoke's own error for throttling. A worker that crashed or timed out:
# Lambda.Unknown in older runtimes, separate errors in newer ones.
OF_LAMBDA = TRANSIENT | {
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
}
# https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html (Errors), and what Step Functions
# calls an error of Batch that is not among its modelled ones, throttling included:
# https://github.com/ASFHyP3/hyp3/issues/911
OF_BATCH = {
    "Batch.ServerException",
    "Batch.ClientException",
    "Batch.TooManyRequestsException",
    "Batch.AWSBatchException",
}
SDK = "arn:aws:states:::aws-sdk:"
# Cleans up after a failed attempt; if that fails, the video must not fail.
CLEANS_UP = {"FindGpuJob", "EndGpuJobs"}
# Raised by our own Fail states.
OF_MACHINES = {"BatchesFailed", "VisualsFailed"}
OURS = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.ShowrunnerError)
}

Json = dict[str, Any]


class State(NamedTuple):
    name: str
    body: Json
    siblings: Json
    """The states of the same machine or branch."""
    around: tuple["State", ...]
    """The Map and Parallel states around it, outermost first."""


def states(machine: Json, around: tuple[State, ...] = ()) -> Iterator[State]:
    for name, body in machine["States"].items():
        state = State(name, body, machine["States"], around)
        yield state
        for inner in processors(body):
            yield from states(inner, (*around, state))


def processors(body: Json) -> list[Json]:
    return [*body.get("Branches", ()), *([body["ItemProcessor"]] if "ItemProcessor" in body else [])]


def machines(machine: Json) -> Iterator[Json]:
    """Yield the machine and the machines inside its Map and Parallel states."""
    yield machine
    for body in machine["States"].values():
        for inner in processors(body):
            yield from machines(inner)


def onward(body: Json) -> list[str]:
    """Return the states that may follow a state that does not fail."""
    return [body[key] for key in ("Next", "Default") if key in body] + [
        choice["Next"] for choice in body.get("Choices", ())
    ]


def caught(body: Json) -> list[str]:
    return [catch["Next"] for catch in body.get("Catch", ())]


def reached(all_states: Json, start: str, *, stop: str | None = None, catches: bool = True) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen or name == stop:
            continue
        seen.add(name)
        waiting += onward(all_states[name]) + (caught(all_states[name]) if catches else [])
    return seen


def tasks(machine: Json, resource: str = "") -> list[State]:
    return [
        state
        for state in states(machine)
        if state.body["Type"] == "Task" and state.body["Resource"].startswith(resource)
    ]


def is_fail_step(state: State) -> bool:
    """Return whether a state is the Task that records a failure: the Fail state follows it."""
    return [state.siblings[name]["Type"] for name in onward(state.body)] == ["Fail"]


def expressions(value: Any) -> list[str]:
    return [inner for inner in walk(value) if isinstance(inner, str) and ("{%" in inner or "%}" in inner)]


def resource_of(path: Path) -> Json:
    """Return the template's state machine that this file defines."""
    return next(
        each
        for each in resources(load(APPLICATION), "AWS::Serverless::StateMachine").values()
        if each["DefinitionUri"] == f"statemachines/{path.name}"
    )


def targets(value: Any) -> set[str]:
    """Return the resources that a value refers to, in this template or through an export of the other."""
    if isinstance(value, dict) and "Fn::ImportValue" in value:
        exports = [each for each in load(DATA)["Outputs"].values() if "Export" in each]
        return next(
            references(each["Value"])
            for each in exports
            if each["Export"]["Name"] == value["Fn::ImportValue"]
        )
    return references(value)


def function_of(state: State, path: Path) -> template.Function:
    """Return the function that a Task invokes."""
    name = re.fullmatch(r"\$\{(\w+)\}", state.body["Arguments"]["FunctionName"])
    assert name, f"{state.name}: FunctionName is no substitution"
    (logical_id,) = targets(resource_of(path)["DefinitionSubstitutions"][name[1]])
    return next(function for function in template.functions().values() if function.id == logical_id)


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def path(request) -> Path:
    return request.param


@pytest.fixture
def machine(path) -> Json:
    return json.loads(path.read_text(encoding="utf-8"))


def test_definitions_and_machines_of_the_template_match():
    uris = [
        each["DefinitionUri"]
        for each in resources(load(APPLICATION), "AWS::Serverless::StateMachine").values()
    ]

    assert sorted(uris) == [f"statemachines/{path.name}" for path in FILES]
    assert FILES


def test_a_definition_is_valid_amazon_states_language(machine):
    """cfn-lint checks only definitions inside a template, so build a template around this one."""

    def numbered(body: Any) -> Any:
        # cfn-lint's schema allows no expression there, though JSONata states accept one:
        # https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html
        if isinstance(body, dict):
            return {
                name: 1 if name == "TimeoutSeconds" and isinstance(value, str) else numbered(value)
                for name, value in body.items()
            }
        return [numbered(each) for each in body] if isinstance(body, list) else body

    properties = {"RoleArn": "arn:aws:iam::123456789012:role/machine", "Definition": numbered(machine)}
    document = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}},
    }

    assert [
        f"{match.rule.id} {match.message}"
        for match in lint_all(json.dumps(document))
        if not match.rule.id.startswith("I")
    ] == []


def test_every_state_is_reachable_and_every_target_exists(machine):
    for each in machines(machine):
        targets = {name for body in each["States"].values() for name in onward(body) + caught(body)} | {
            each["StartAt"]
        }
        assert sorted(targets - each["States"].keys()) == []

        assert sorted(each["States"].keys() - reached(each["States"], each["StartAt"])) == []


def test_every_task_has_a_timeout_a_retry_with_full_jitter_and_a_bound(machine):
    for state in tasks(machine):
        assert "TimeoutSeconds" in state.body, state.name
        assert state.body.get("Retry"), state.name
        for retry in state.body["Retry"]:
            assert retry.get("JitterStrategy") == "FULL", state.name
            assert retry.get("MaxDelaySeconds", 0) > retry.get("IntervalSeconds", 1), state.name
            assert 1 <= retry.get("MaxAttempts", 3) <= 20, state.name
            assert "States.ALL" not in retry["ErrorEquals"], (
                f"{state.name}: an error that a retry cannot fix is not retried"
            )


def test_every_lambda_task_retries_lambdas_transient_errors(machine):
    for state in tasks(machine, LAMBDA):
        retried = {name for retry in state.body["Retry"] for name in retry["ErrorEquals"]}

        assert TRANSIENT | {"Lambda.TooManyRequestsException"} <= retried, state.name


def test_every_failure_is_caught_except_those_of_the_fail_step(machine):
    for state in tasks(machine):
        catches = [catch for each in (*state.around, state) for catch in each.body.get("Catch", ())]

        assert is_fail_step(state) or any("States.ALL" in catch["ErrorEquals"] for catch in catches), (
            state.name
        )


def test_every_failure_path_ends_in_a_fail_state(machine):
    """Follow each Catch to its end.

    A way back to the failed state (another platform) is a second attempt, not an end.
    """
    for state in states(machine):
        if state.name in CLEANS_UP:
            continue
        for target in caught(state.body):
            ends = [
                name
                for name in reached(state.siblings, target, stop=state.name, catches=False)
                if not onward(state.siblings[name])
            ]

            assert {state.siblings[name]["Type"] for name in ends} == {"Fail"}, (
                f"{state.name} → {target} ends in {ends}"
            )


def test_the_last_catch_of_a_state_is_for_everything(machine):
    for state in states(machine):
        if "Catch" in state.body:
            assert state.body["Catch"][-1]["ErrorEquals"] == ["States.ALL"], state.name


def test_every_error_name_is_one_of_our_classes_or_of_aws(machine):
    names = {
        name
        for state in states(machine)
        for each in (*state.body.get("Retry", ()), *state.body.get("Catch", ()))
        for name in each["ErrorEquals"]
    }

    assert sorted(names - OURS - OF_STEP_FUNCTIONS - OF_LAMBDA - OF_BATCH) == []


def test_every_retried_error_can_be_raised_by_the_tasks_function(machine, path):
    """A retry for an error that the function cannot raise never happens, or was forgotten in a change."""
    for state in tasks(machine, LAMBDA):
        function = function_of(state, path).name
        possible = {
            node.id
            for _, top in code.nodes(function)
            for node in code.walk(top)
            if isinstance(node, ast.Name)
        }
        named = {name for retry in state.body["Retry"] for name in retry["ErrorEquals"]} & OURS

        assert sorted(named - possible) == [], f"{state.name} → functions/{function}"


def test_a_task_that_uses_the_database_waits_for_a_paused_one(machine, path):
    for state in tasks(machine, LAMBDA):
        if "showrunner.database.db" in code.closure(code.app(function_of(state, path).name)):
            retried = {name for retry in state.body["Retry"] for name in retry["ErrorEquals"]}

            assert "DatabaseUnavailable" in retried, state.name


def test_errors_of_fail_states_are_known(machine):
    invented = {
        state.body["Error"]
        for state in states(machine)
        if state.body["Type"] == "Fail" and "{%" not in state.body["Error"]
    }

    assert invented <= OF_MACHINES


def test_every_substitution_is_given_and_used(machine, path):
    wanted = set(re.findall(r"\$\{(\w+)\}", json.dumps(machine)))

    assert sorted(wanted) == sorted(resource_of(path).get("DefinitionSubstitutions", {}))


def test_a_task_waits_at_least_as_long_as_its_function_may_run(machine, path):
    for state in tasks(machine, LAMBDA):
        function = function_of(state, path)

        assert state.body["TimeoutSeconds"] >= function.properties["Timeout"], state.name


def test_the_machines_timeout_exceeds_its_longest_wait_and_the_sweeper_waits_longer():
    """Waiting for a GPU, then a day on the CPU.

    The sweeper stops a video past its deadline, so the machine must end before.
    """
    machine = json.loads((ROOT / "statemachines" / "production.asl.json").read_text(encoding="utf-8"))
    render = next(
        each["Timeout"]["AttemptDurationSeconds"]
        for each in resources(load(APPLICATION), "AWS::Batch::JobDefinition").values()
    )

    assert (
        prepare.FALL_BACK_SECONDS + prepare.RENDER_SECONDS
        < machine["TimeoutSeconds"]
        <= prepare.DEADLINE_SECONDS
    )
    assert render < prepare.RENDER_SECONDS


def test_the_machines_role_allows_what_its_states_call(machine, path):
    resource = resource_of(path)
    statements = [statement for policy in resource["Policies"] for statement in listed(policy["Statement"])]

    def allowed(action: str) -> set[str]:
        return {
            name
            for statement in statements
            if action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
            for name in targets(resource)
        }

    invoked = {function_of(state, path).id for state in tasks(machine, LAMBDA)}
    assert sorted(invoked) == sorted(allowed("lambda:InvokeFunction"))
    if tasks(machine, BATCH):
        queues = {
            name for value in resource["DefinitionSubstitutions"].values() for name in references(value)
        } & resources(load(APPLICATION), "AWS::Batch::JobQueue").keys()
        assert queues
        assert queues <= allowed("batch:SubmitJob")
        # https://docs.aws.amazon.com/step-functions/latest/dg/connect-batch.html
        actions = {action for statement in statements for action in listed(statement["Action"])}
        assert {
            "batch:DescribeJobs",
            "batch:TerminateJob",
            "events:PutTargets",
            "events:PutRule",
            "events:DescribeRule",
        } <= actions


def test_the_machine_may_do_what_its_direct_calls_do(machine, path):
    """aws-sdk:<service>:<operation> needs the action of the same name: https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html"""
    statements = [
        statement for policy in resource_of(path)["Policies"] for statement in listed(policy["Statement"])
    ]
    allowed = {action for statement in statements for action in listed(statement["Action"])}
    for state in tasks(machine, SDK):
        service, operation = state.body["Resource"].removeprefix(SDK).split(":")
        assert f"{service}:{operation[0].upper()}{operation[1:]}" in allowed, state.name


# How a machine writes its log and its trace.
LOGS = ("logs:", "xray:")
# What `.sync` does beside submitting: https://docs.aws.amazon.com/step-functions/latest/dg/connect-batch.html
SYNC = {
    "batch:SubmitJob",
    "batch:DescribeJobs",
    "batch:TerminateJob",
    "events:PutTargets",
    "events:PutRule",
    "events:DescribeRule",
}


# What a distributed Map does beside running its states:
# https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
DISTRIBUTED = {
    *("s3:GetObject", "kms:Decrypt"),
    *("states:StartExecution", "states:DescribeExecution", "states:StopExecution"),
}


def test_the_machines_role_allows_nothing_that_no_state_does(machine, path):
    statements = [
        statement for policy in resource_of(path)["Policies"] for statement in listed(policy["Statement"])
    ]
    granted = {action for statement in statements for action in listed(statement["Action"])}
    needed = {"lambda:InvokeFunction"} | (SYNC if tasks(machine, BATCH) else set())
    if any("ItemReader" in state.body for state in states(machine)):
        needed |= DISTRIBUTED
    for state in tasks(machine, SDK):
        service, operation = state.body["Resource"].removeprefix(SDK).split(":")
        needed.add(f"{service}:{operation[0].upper()}{operation[1:]}")

    assert {action for action in granted if not action.startswith(LOGS)} == needed


def test_a_cause_that_is_missing_breaks_no_failure_path(machine):
    """Only Error is always there: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html.

    Reading what is missing fails the execution."""
    for text in expressions(machine):
        bare = text.replace("$exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : ''", "")
        assert "errorOutput.Cause" not in bare, text


def test_a_gpu_job_that_came_too_late_is_ended_before_the_cpu_takes_over(machine, path):
    if path.name != "production.asl.json":
        return
    on_the_way = reached(machine["States"], "CapacityMissing", stop="RenderOnCpu")

    assert machine["States"]["CapacityMissing"]["Choices"][0]["Next"] == "FindGpuJob"
    assert {"FindGpuJob", "EndGpuJobs"} <= on_the_way
    (target,) = [state for state in tasks(machine) if state.name == "EndGpuJob"]
    assert target.body["Resource"] == f"{SDK}batch:terminateJob"


def test_the_ids_of_a_late_job_are_read_from_every_answer(machine, path):
    """With no job, one and several: JSONata turns a list of one into a single value unless told otherwise."""
    if path.name != "production.asl.json":
        return
    expression = machine["States"]["FindGpuJob"]["Assign"]["left"][2:-2]
    for statuses, expected in (
        (["RUNNABLE"], ["0"]),
        ([], []),
        (["SUCCEEDED"], []),
        (["RUNNING", "FAILED", "STARTING"], ["0", "2"]),
    ):
        answer = {
            "JobSummaryList": [
                {"JobId": str(number), "Status": status} for number, status in enumerate(statuses)
            ]
        }
        assert (
            list(Jsonata(expression.replace("$states.result", "result")).evaluate({"result": answer}) or [])
            == expected
        ), statuses


@pytest.mark.parametrize(
    ("platform", "exit_code", "expected"),
    [
        ("gpu", EXIT_GPU, "RenderOnCpu"),
        ("cpu", EXIT_GPU, "FailProduction"),
        ("gpu", 3, "FailProduction"),
        ("gpu", 55, "FailProduction"),
        ("gpu", None, "FailProduction"),
        ("gpu", EXIT_CLIPS, "ReplaceClips"),
        ("cpu", EXIT_CLIPS, "ReplaceClips"),
        ("cpu", 66, "FailProduction"),
    ],
)
def test_a_failed_render_goes_on_by_its_exit_code(machine, path, platform, exit_code, expected):
    if path.name != "production.asl.json":
        return
    states = machine["States"]
    (catch,) = [each for each in states["RenderVideo"]["Catch"] if each["ErrorEquals"] == ["States.ALL"]]
    choice = states[catch["Next"]]
    ended = {
        "Container": {} if exit_code is None else {"ExitCode": exit_code, "LogStreamName": "x"},
        "Status": "FAILED",
    }
    for cause in (json.dumps(ended), json.dumps(ended, separators=(",", ":")), ""):
        known = {"job": {"platform": platform}, "failure": {"cause": cause}}
        taken = [
            option["Next"]
            for option in choice["Choices"]
            if Jsonata(
                option["Condition"][2:-2].replace("$job", "job").replace("$failure", "failure")
            ).evaluate(known)
        ]
        assert [*taken, choice["Default"]][0] == (expected if cause else "FailProduction")


def test_the_queue_and_the_alarm_know_the_renders_exit_codes():
    application = load(APPLICATION)
    rule = application["Resources"]["GpuEncoderFailed"]["Properties"]["EventPattern"]["detail"]
    retried = resources(application, "AWS::Batch::JobDefinition")["GpuJobDefinition"]["RetryStrategy"][
        "EvaluateOnExit"
    ]

    assert rule["container"] == {"exitCode": [EXIT_GPU]}
    assert str(EXIT_HOST) in {each.get("OnExitCode") for each in retried if each["Action"] == "RETRY"}
    assert {str(EXIT_GPU), str(EXIT_CLIPS)}.isdisjoint(each.get("OnExitCode") for each in retried)
    failed = application["Resources"]["RenderJobFailed"]["Properties"]["EventPattern"]["detail"]
    assert failed["container"] == {"exitCode": [{"exists": False}, {"anything-but": [EXIT_CLIPS]}]}


def test_every_expression_parses(machine):
    for text in expressions(machine):
        assert re.fullmatch(r"\{%.*%\}", text, re.DOTALL), f"an expression must fill its whole string: {text}"
        Jsonata(text[2:-2])


def test_every_variable_is_assigned_before_it_is_read(machine):
    """Assigned somewhere in the machine, in the state's own scope or one around it.

    Step Functions provides $states.
    """
    assigned = {
        name
        for state in states(machine)
        for each in (state.body, *state.body.get("Catch", ()))
        for name in each.get("Assign", {})
    }
    read = {
        name for text in expressions(machine) for name in re.findall(r"\$([A-Za-z_]\w*)\b(?!\s*\()", text)
    }

    assert sorted(read - assigned - {"states"}) == []
    assert sorted(assigned - read) == []


PASSED = {
    *("step", "scene", "video_id", "organisation_id", "attempt", "folder", "request_id"),
    *("amount_usd", "platform"),
    *("started_at", "stopped_at"),  # of a render job that ended, in milliseconds
    "key",  # of an archived answer in S3
    "disconnected",  # ids of an artist's account, a time, and a sentence of at most 400 characters
    *("name", "kind", "error", "rotation_id", "outcome"),  # of a rotation: which secret, never its value
    *("command", "database", "migrations"),  # of a restore: numbers of the migrations
}


def test_a_machine_passes_only_ids_and_references(machine):
    """Users' texts and growing lists stay out, so that inputs and results stay far below 256 KiB."""
    for state in tasks(machine, LAMBDA):
        payload = state.body["Arguments"]["Payload"]
        if isinstance(payload, dict):
            assert payload.keys() <= PASSED, state.name


def test_a_sample_event_has_the_fields_that_the_machine_sends(machine, path):
    for state in tasks(machine, LAMBDA):
        payload, function = state.body["Arguments"]["Payload"], function_of(state, path).name
        samples = [
            json.loads(each.read_text(encoding="utf-8"))
            for each in (ROOT / "events").glob(f"{function}.*.json")
        ]
        if isinstance(payload, dict):
            assert any(sample.keys() == payload.keys() for sample in samples), (
                f"{state.name}: no sample of {function} has {sorted(payload)}"
            )


def test_the_steps_shown_to_users_are_the_machines_states(machine, path):
    from showrunner.production import progress

    if path.name == "production.asl.json":
        states_ = {state.name for state in tasks(machine) if not is_fail_step(state)}

        assert sorted(progress.STEP_OF_STATE) == sorted(states_)
        assert set(progress.STEP_OF_STATE.values()) == set(progress.BEGUN)


def test_every_failure_names_a_step_shown_to_users(machine, path):
    from showrunner.production import progress

    if path.name == "production.asl.json":
        steps = {
            catch["Assign"]["failure"]["step"]
            for state in states(machine)
            for catch in state.body.get("Catch", ())
            if "failure" in catch.get("Assign", {})
        }
        named = {
            name
            for step in steps
            for name in ([step] if "{%" not in step else re.findall(r"[?:] '(\w+)'", step))
        }

        assert named <= set(progress.BEGUN)
        assert named


def test_a_rotation_collects_its_steps_and_names_the_one_that_failed():
    machine = json.loads((ROOT / "statemachines" / "rotation.asl.json").read_text(encoding="utf-8"))
    found, steps = machine["States"], machine["States"]["Begin"]["Assign"]["steps"]

    def evaluated(expression: str, **variables: Any) -> Any:
        text = expression[2:-2]
        for name in variables:
            text = text.replace(f"${name}", name)
        return Jsonata(text).evaluate(variables)

    done = ({"step": "create"}, {"step": "publish"}, {"do": "database", "command": "admit_login"})
    for state in done:
        task = found["Database" if "command" in state else "Work"]
        steps = evaluated(task["Assign"]["steps"], steps=steps, state=state)
    assert steps == "create, publish, admit_login"
    failed = {"error": "PlatformUnavailable", "step": "finish"}
    recorded = {"ids": {"name": "database/password"}, "state": {}, "steps": steps}
    payload = found["RecordFailure"]["Arguments"]["Payload"]
    assert evaluated(payload, **recorded, failure=failed) == {
        "name": "database/password",
        "outcome": "failed",
        "error": "PlatformUnavailable",
        "steps": steps,
        "failed_step": "finish",
    }
    payload = found["Record"]["Arguments"]["Payload"]
    assert evaluated(payload, **recorded)["steps"] == steps


def test_every_paid_state_of_a_production_follows_its_reservation():
    """Record reserves money; the paid states get it, or are entered only from Record."""
    (machine,) = (
        each for each in (json.loads(path.read_text()) for path in FILES) if "WriteScript" in each["States"]
    )
    found = machine["States"]

    assert "'reserved_usd': $reserved_usd" in found["WriteScript"]["Arguments"]["Payload"]
    assert found["Prepare"]["Assign"]["reserved_usd"] == "0"
    assert found["ReserveScript"]["Next"] == "WriteScript"
    entered = {
        "NarrateAndIllustrate": ["ScriptRecorded"],
        "ScriptRecorded": ["RecordScript"],
        "RenderVideo": ["RecordTimeline", "RenderOnCpu"],
    }
    for name, sources in entered.items():
        assert [source for source, body in found.items() if f'"{name}"' in json.dumps(body)] == sources
    assert "$render_seconds" in found["RenderVideo"]["Arguments"]["Timeout"]["AttemptDurationSeconds"]
