"""Batch on the engine: a job definition's command really runs, in the environment the product needs."""

import itertools
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.local.conftest import Engine, free_port, wait_until

FINAL = ("SUCCEEDED", "FAILED")


def submit(engine: Engine, outputs: dict[str, str], code: str | None = None, **settings: Any) -> str:
    parameters = {"parameters": {"what": code}} if code is not None else {}
    request = {
        "jobName": "test",
        "jobQueue": outputs["Jobs"],
        "jobDefinition": outputs["Job"],
        **parameters,
        **settings,
    }
    return engine.client("batch").submit_job(**request)["jobId"]


def describe(engine: Engine, job_id: str) -> dict[str, Any]:
    return engine.client("batch").describe_jobs(jobs=[job_id])["jobs"][0]


def ended(engine: Engine, job_id: str, seconds: float = 20) -> dict[str, Any]:
    return wait_until(lambda: (job := describe(engine, job_id))["status"] in FINAL and job, seconds)


def running(engine: Engine, job_id: str) -> dict[str, Any]:
    return wait_until(lambda: (job := describe(engine, job_id))["status"] == "RUNNING" and job)


def log(engine: Engine, job: dict[str, Any]) -> list[str]:
    events = engine.client("logs").get_log_events(
        logGroupName="/aws/batch/job", logStreamName=job["container"]["logStreamName"]
    )["events"]
    return [event["message"] for event in events]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_parameters_fill_the_command_and_its_output_is_in_the_log(
    engine: Engine, outputs: dict[str, str]
) -> None:
    default, own = submit(engine, outputs), submit(engine, outputs, "print('own')\nprint('two')")

    assert log(engine, ended(engine, default)) == ["default"]
    job = ended(engine, own)
    assert log(engine, job) == ["own", "two"]
    assert (job["status"], job["container"]["exitCode"], job["statusReason"]) == (
        "SUCCEEDED",
        0,
        "Essential container in task exited",
    )
    assert job["attempts"][0]["container"]["exitCode"] == 0
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]


def test_the_environment_is_clean_and_overrides_win_over_the_definition(
    engine: Engine, outputs: dict[str, str]
) -> None:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    overrides = {"environment": [{"name": "OVERRIDDEN", "value": "request"}, {"name": "OWN", "value": "1"}]}
    job = ended(engine, submit(engine, outputs, code, containerOverrides=overrides))

    environment = json.loads(log(engine, job)[0])
    assert "LEAK" not in environment
    assert (environment["FROM_DEFINITION"], environment["OVERRIDDEN"], environment["OWN"]) == (
        "1",
        "request",
        "1",
    )
    assert environment["AWS_ENDPOINT_URL"] == engine.url
    assert (environment["AWS_BATCH_JOB_ID"], environment["AWS_BATCH_JOB_ATTEMPT"]) == (job["jobId"], "1")
    assert environment["HOME"] != os.environ["HOME"]
    allowed = {
        "FROM_DEFINITION",
        "OVERRIDDEN",
        "OWN",
        "PATH",
        "HOME",
        "TMPDIR",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
    }
    assert {name for name in environment if not name.startswith("AWS_")} <= allowed


def test_the_interpreter_finds_the_modules_of_its_path(engine: Engine, outputs: dict[str, str]) -> None:
    (engine.jobs / "rendering.py").write_text("import sys; print('argument', sys.argv[1])")

    job = ended(
        engine,
        submit(engine, outputs, containerOverrides={"command": ["python", "-m", "rendering", "Ref::what"]}),
    )
    assert log(engine, job) == ['argument print("default")']


def test_lines_are_in_the_log_while_the_job_runs(engine: Engine, outputs: dict[str, str]) -> None:
    job_id = submit(engine, outputs, "import time; print('50 %'); time.sleep(30)")
    job = running(engine, job_id)

    wait_until(lambda: log(engine, job) == ["50 %"])
    engine.client("batch").terminate_job(jobId=job_id, reason="seen enough")
    assert ended(engine, job_id)["statusReason"] == "seen enough"


def test_an_exit_code_that_may_be_retried_is_and_another_is_not(
    engine: Engine, outputs: dict[str, str], tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    code = (
        f"import pathlib, sys; f = pathlib.Path({str(flag)!r}); "
        "first = not f.exists(); f.touch(); sys.exit(7 if first else 0)"
    )
    job = ended(engine, submit(engine, outputs, code))
    assert (job["status"], [attempt["container"]["exitCode"] for attempt in job["attempts"]]) == (
        "SUCCEEDED",
        [7, 0],
    )

    job = ended(engine, submit(engine, outputs, "import sys; sys.exit(1)"))
    assert (job["status"], len(job["attempts"]), job["container"]["exitCode"]) == ("FAILED", 1, 1)


def test_a_job_that_never_succeeds_is_tried_as_often_as_its_strategy_says(
    engine: Engine, outputs: dict[str, str]
) -> None:
    job = ended(engine, submit(engine, outputs, "import sys; sys.exit(1)", retryStrategy={"attempts": 2}))

    assert (job["status"], len(job["attempts"])) == ("FAILED", 2)


def test_a_job_above_its_time_is_ended_with_all_it_started_and_not_tried_again(
    engine: Engine, outputs: dict[str, str]
) -> None:
    code = "import subprocess, time; print(subprocess.Popen(['sleep', '300']).pid); time.sleep(300)"
    job = ended(engine, submit(engine, outputs, code, timeout={"attemptDurationSeconds": 1}))

    assert (job["status"], job["statusReason"], len(job["attempts"])) == (
        "FAILED",
        "Job attempt duration exceeded timeout",
        1,
    )
    assert gone(int(log(engine, job)[0]))


def test_termination_asks_first_and_kills_what_does_not_listen(
    engine: Engine, outputs: dict[str, str]
) -> None:
    listens = (
        "import signal, sys, time\n"
        "signal.signal(15, lambda *_: (print('cleaned up'), sys.exit(143)))\n"
        "print('ready')\n"
        "time.sleep(300)"
    )
    deaf = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('ready')\ntime.sleep(300)"
    for code, exit_code, lines in ((listens, 143, ["ready", "cleaned up"]), (deaf, 137, ["ready"])):
        job_id = submit(engine, outputs, code)
        job = running(engine, job_id)
        wait_until(lambda job=job: log(engine, job))
        engine.client("batch").terminate_job(jobId=job_id, reason="cancelled")
        job = ended(engine, job_id)
        assert (job["status"], job["statusReason"], job["container"]["exitCode"], len(job["attempts"])) == (
            "FAILED",
            "cancelled",
            exit_code,
            1,
        )
        assert log(engine, job) == lines


def test_a_cancelled_job_never_starts_and_a_running_one_goes_on(
    engine: Engine, outputs: dict[str, str]
) -> None:
    first = submit(engine, outputs, "import time; time.sleep(1)")
    second = submit(engine, outputs)
    running(engine, first)
    batch = engine.client("batch")
    batch.cancel_job(jobId=second, reason="changed my mind")
    batch.cancel_job(jobId=first, reason="too late")

    assert ended(engine, second)["statusReason"] == "changed my mind"
    assert "startedAt" not in describe(engine, second)
    assert ended(engine, first)["status"] == "SUCCEEDED"


def test_a_job_waits_for_those_it_depends_on_and_fails_with_them(
    engine: Engine, outputs: dict[str, str]
) -> None:
    good = submit(engine, outputs, "import time; time.sleep(0.5)")
    after_good = submit(engine, outputs, dependsOn=[{"jobId": good}])
    bad = submit(engine, outputs, "import sys; sys.exit(1)")
    after_bad = submit(engine, outputs, dependsOn=[{"jobId": bad}])

    assert describe(engine, after_good)["status"] == "PENDING"
    assert ended(engine, after_good)["startedAt"] >= describe(engine, good)["stoppedAt"]
    assert ended(engine, after_bad)["statusReason"] == "Dependent Job failed"


def test_one_slot_runs_one_job_at_a_time_in_the_order_of_shares_and_priorities(
    engine: Engine, outputs: dict[str, str]
) -> None:
    blocker = submit(engine, outputs, "import time; time.sleep(1)")
    running(engine, blocker)
    shared = {"jobQueue": outputs["SharedJobs"]}
    normal = submit(engine, outputs)
    low = submit(
        engine,
        outputs,
        "import time; time.sleep(0.2)",
        shareIdentifier="orgA",
        schedulingPriorityOverride=1,
        **shared,
    )
    high = submit(
        engine,
        outputs,
        "import time; time.sleep(0.2)",
        shareIdentifier="orgA",
        schedulingPriorityOverride=3,
        **shared,
    )
    other = submit(engine, outputs, shareIdentifier="orgB", schedulingPriorityOverride=1, **shared)
    assert [
        job["jobId"] for job in engine.client("batch").list_jobs(jobQueue=outputs["Jobs"])["jobSummaryList"]
    ] == [blocker]
    assert {describe(engine, job)["status"] for job in (normal, low, high, other)} == {"RUNNABLE"}

    jobs = [ended(engine, job) for job in (high, other, low, normal)]
    assert jobs == sorted(jobs, key=lambda job: job["startedAt"])
    for earlier, later in itertools.pairwise(jobs):
        assert earlier["stoppedAt"] <= later["startedAt"]


def test_a_command_that_cannot_be_started_says_so(engine: Engine, outputs: dict[str, str]) -> None:
    job = ended(engine, submit(engine, outputs, containerOverrides={"command": ["no-such-program"]}))

    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert job["container"]["reason"].startswith("CannotStartContainerError")


@pytest.mark.parametrize(
    "change",
    [
        {"jobQueue": "none"},
        {"jobDefinition": "none"},
        {"jobName": "no spaces"},
        {"shareIdentifier": "x"},
        {"arrayProperties": {"size": 2}},
    ],
)
def test_what_batch_would_refuse_is_refused(
    engine: Engine, outputs: dict[str, str], change: dict[str, Any]
) -> None:
    with pytest.raises(engine.client("batch").exceptions.ClientException):
        submit(engine, outputs, **change)


def test_every_change_of_status_is_an_event(engine: Engine, outputs: dict[str, str]) -> None:
    job_id = submit(engine, outputs)
    ended(engine, job_id)
    queue, seen = engine.client("sqs"), []

    def all_seen() -> bool:
        messages = queue.receive_message(QueueUrl=outputs["Messages"], MaxNumberOfMessages=10).get(
            "Messages", []
        )
        events = [json.loads(message["Body"]) for message in messages]
        seen.extend(
            event["detail"]["status"]
            for event in events
            if event["source"] == "aws.batch" and event["detail"]["jobId"] == job_id
        )
        return "SUCCEEDED" in seen

    wait_until(all_seen)
    assert seen == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


def test_an_update_makes_a_new_revision_and_retires_the_old_one(
    engine: Engine, outputs: dict[str, str], tmp_path: Path
) -> None:
    template = tmp_path / "batch.yaml"
    template.write_text("""
Parameters: {Value: {Type: String}}
Resources:
  Job:
    Type: AWS::Batch::JobDefinition
    Properties:
      Type: container
      ContainerProperties:
        Image: any
        Command: [python, -c, !Ref Value]
        ResourceRequirements: [{Type: VCPU, Value: '1'}, {Type: MEMORY, Value: '512'}]
  Environment: {Type: AWS::Batch::ComputeEnvironment, Properties: {Type: UNMANAGED}}
  Queue:
    Type: AWS::Batch::JobQueue
    Properties:
      JobQueueName: own
      Priority: 1
      ComputeEnvironmentOrder: [{Order: 1, ComputeEnvironment: !Ref Environment}]
Outputs: {Job: {Value: !Ref Job}, Queue: {Value: !GetAtt Queue.JobQueueArn}}
""")
    first = engine.deploy("batch-own", template, Value="print(1)")
    second = engine.deploy("batch-own", template, Value="print(2)")

    assert first["Job"].endswith(":1")
    assert second["Job"].endswith(":2")
    definitions = engine.client("batch").describe_job_definitions(
        jobDefinitions=[first["Job"], second["Job"]]
    )["jobDefinitions"]
    assert [definition["revision"] for definition in definitions] == [2]
    assert log(engine, ended(engine, submit(engine, {"Jobs": second["Queue"], "Job": second["Job"]}))) == [
        "2"
    ]
    engine.client("cloudformation").delete_stack(StackName="batch-own")
    wait_until(lambda: engine.client("batch").describe_job_queues(jobQueues=["own"])["jobQueues"] == [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_running_when_the_engine_ends(tmp_path: Path, number: signal.Signals) -> None:
    own = Engine(tmp_path, free_port())
    own.start()
    batch = own.client("batch")
    environment = batch.create_compute_environment(computeEnvironmentName="e", type="UNMANAGED")[
        "computeEnvironmentArn"
    ]
    batch.create_job_queue(
        jobQueueName="q",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment}],
    )
    deaf = "import os, signal, subprocess, time\nsignal.signal(15, signal.SIG_IGN)\n"
    code = deaf + "print(os.getpid(), subprocess.Popen(['sleep', '300']).pid)\ntime.sleep(300)"
    batch.register_job_definition(
        jobDefinitionName="d",
        type="container",
        containerProperties={"image": "any", "command": ["python", "-c", code]},
    )
    job_id = batch.submit_job(jobName="j", jobQueue="q", jobDefinition="d")["jobId"]
    job = running(own, job_id)
    pids = [int(pid) for pid in wait_until(lambda: log(own, job))[0].split()]
    children = subprocess.run(
        ["pgrep", "-P", str(own.process.pid)], capture_output=True, text=True, check=False
    ).stdout.split()

    started = time.monotonic()
    status = own.kill(number)
    if number == signal.SIGTERM:
        assert status == 0
        assert time.monotonic() - started < 2
    wait_until(lambda: all(gone(pid) for pid in [*pids, *map(int, children)]), 5)
