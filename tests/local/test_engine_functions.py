"""Functions on the engine: what they see, what they answer, and what becomes of them when they end badly."""

import concurrent.futures
import json
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.local.conftest import Engine, wait_until

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
RESERVED = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "PATH",
    "TZ",
}
# What the engine adds: how SDKs find it, and folders that are not the developer's.
OURS = {"AWS_ENDPOINT_URL", "AWS_DISABLE_HOST_PREFIX_INJECTION", "HOME", "TMPDIR"}


def invoke(engine: Engine, function: str, event: Any = None) -> tuple[Any, str | None]:
    answer = engine.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event or {}))
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def failure(engine: Engine, function: str, event: Any) -> dict[str, Any]:
    answer, kind = invoke(engine, function, event)
    assert kind == "Unhandled"
    return answer


def log(engine: Engine, function: str) -> list[str]:
    logs, group = engine.client("logs"), f"/aws/lambda/{function.rsplit(':', 1)[-1]}"
    streams = [
        stream["logStreamName"] for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]
    ]
    return [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]
    ]


def test_the_environment_is_aws_s_and_the_function_s_own_and_nothing_else(
    engine: Engine, outputs: dict[str, str]
) -> None:
    environment = invoke(engine, outputs["Behave"])[0]["environment"]

    assert set(environment) == RESERVED | OURS | {"OWN", "AWS_REGION_LOOKALIKE"}
    assert environment["AWS_ENDPOINT_URL"] == engine.url
    assert environment["AWS_REGION"] == "us-east-1"
    assert os.environ["HOME"] != environment["HOME"]


def test_code_comes_before_layers_and_both_before_the_runtime(
    engine: Engine, outputs: dict[str, str]
) -> None:
    path = invoke(engine, outputs["Behave"])[0]["path"]

    assert path[0] == invoke(engine, outputs["Behave"])[0]["environment"]["LAMBDA_TASK_ROOT"]
    assert path[-1].endswith("site-packages")


def test_a_module_of_the_function_hides_one_of_its_layer_and_later_layers_hide_earlier_ones(
    engine: Engine,
) -> None:
    functions = engine.client("lambda")
    layers = [
        functions.publish_layer_version(LayerName=name, Content={"ZipFile": zipped(files)})["LayerVersionArn"]
        for name, files in (
            (
                "first",
                {
                    "python/both.py": "WHO = 'first'",
                    "python/layered.py": "WHO = 'first'",
                    "bin/tool": "#!/bin/sh\necho from opt",
                },
            ),
            (
                "second",
                {
                    "python/both.py": "WHO = 'second'",
                    "python/layered.py": "WHO = 'second'",
                    "python/lib/python3.13/site-packages/deep.py": "WHO = 'deep'",
                },
            ),
        )
    ]
    code = """
import both, deep, layered, subprocess
def handler(e, c):
    return [both.WHO, layered.WHO, deep.WHO, subprocess.check_output('tool').decode().strip()]
"""
    create(engine, "layered", {"app.py": code, "both.py": "WHO = 'function'"}, Layers=layers)

    assert invoke(engine, "layered") == (["function", "second", "deep", "from opt"], None)


def zipped(files: dict[str, str]) -> bytes:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if name.startswith("bin/") else 0o644) << 16
            archive.writestr(entry, text)
    return packed.getvalue()


def create(engine: Engine, name: str, files: dict[str, str], **settings: Any) -> None:
    engine.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="app.handler",
        Code={"ZipFile": zipped(files)},
        **settings,
    )


def test_what_the_runtime_of_aws_lacks_cannot_be_imported(engine: Engine) -> None:
    create(engine, "undeclared", {"app.py": "import pydantic"})

    answer = failure(engine, "undeclared", {})
    assert answer["errorType"] == "Runtime.ImportModuleError"
    assert answer["errorMessage"] == "Unable to import module 'app': No module named 'pydantic'"


def test_boto3_reaches_the_engine_without_being_told_where_it_is(engine: Engine) -> None:
    create(
        engine,
        "asks",
        {
            "app.py": (
                "import boto3\ndef handler(e, c): return boto3.client('sts').get_caller_identity()['Account']"
            )
        },
        Timeout=30,
    )

    assert invoke(engine, "asks") == ("000000000000", None)


def test_a_link_that_a_function_signed_works_for_anybody_until_the_end_of_its_time(engine: Engine) -> None:
    code = """
import boto3
from botocore.config import Config
s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
def handler(event, context):
    what = {"Bucket": "links", "Key": "ä b.mp4"}
    get = {**what, "ResponseContentDisposition": 'attachment; filename="video.mp4"'}
    put = s3.generate_presigned_url("put_object", Params=what)
    return put, s3.generate_presigned_url("get_object", Params=get, ExpiresIn=event["seconds"])
"""
    engine.client("s3").create_bucket(Bucket="links")
    create(engine, "signs", {"app.py": code}, Timeout=30)
    (put, get), _ = invoke(engine, "signs", {"seconds": 60})

    with urllib.request.urlopen(urllib.request.Request(put, b"video", method="PUT")) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(get) as answer:
        assert (answer.read(), answer.headers["content-disposition"]) == (
            b"video",
            'attachment; filename="video.mp4"',
        )
    expired = invoke(engine, "signs", {"seconds": 1})[0][1]
    time.sleep(2.1)
    for refused in (get.replace("video.mp4%22", "other.mp4%22"), expired):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(refused)


@pytest.mark.parametrize(("event", "error", "message"), [
    ({"raise": "QuotaExceeded"}, "QuotaExceeded", "because"),
    ({"exit": 3}, "Runtime.ExitError", "Runtime exited with error: exit status 3"),
    ({"exit": 0}, "Runtime.ExitError", "Runtime exited without providing a reason"),
    ({"kill": 9}, "Runtime.ExitError", "Runtime exited with error: signal: killed"),
    ({"size": 6_291_557}, "Function.ResponseSizeTooLarge", "exceeded maximum allowed payload size"),
])  # fmt: skip
def test_a_failure_has_the_name_that_aws_gives_it_and_the_next_call_works(
    engine: Engine, outputs: dict[str, str], event: Any, error: str, message: str
) -> None:
    answer = failure(engine, outputs["Behave"], event)

    assert answer["errorType"] == error
    assert message in answer["errorMessage"]
    assert invoke(engine, outputs["Behave"])[1] is None


def test_a_function_that_takes_too_long_is_ended_at_its_timeout(engine: Engine) -> None:
    create(engine, "slow", {"app.py": "import time\ndef handler(e, c): time.sleep(60)"}, Timeout=1)

    started = time.monotonic()
    answer = failure(engine, "slow", {})
    assert time.monotonic() - started < 3
    assert answer["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in answer["errorMessage"]


def test_a_killed_worker_is_replaced(engine: Engine, outputs: dict[str, str]) -> None:
    pid = invoke(engine, outputs["Behave"])[0]["pid"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(invoke, engine, outputs["Behave"], {"sleep": 4})
        time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        answer, kind = running.result(10)

    assert (kind, answer["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert invoke(engine, outputs["Behave"])[0]["pid"] != pid


def test_workers_are_reused_when_idle_and_several_run_at_once(
    engine: Engine, outputs: dict[str, str]
) -> None:
    assert invoke(engine, outputs["Behave"])[0]["pid"] == invoke(engine, outputs["Behave"])[0]["pid"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        started = time.monotonic()
        pids = {
            answer["pid"]
            for answer, _ in pool.map(lambda _: invoke(engine, outputs["Behave"], {"sleep": 0.7}), range(4))
        }
    assert len(pids) == 4
    assert time.monotonic() - started < 2.5


def test_reserved_concurrency_turns_the_second_call_away(engine: Engine, outputs: dict[str, str]) -> None:
    functions = engine.client("lambda")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(invoke, engine, outputs["OneAtATime"], {"sleep": 1})
        time.sleep(0.4)
        with pytest.raises(functions.exceptions.TooManyRequestsException):
            functions.invoke(FunctionName=outputs["OneAtATime"])
        assert running.result()[1] is None


def test_a_request_above_six_megabytes_is_refused(engine: Engine, outputs: dict[str, str]) -> None:
    functions = engine.client("lambda")
    with pytest.raises(functions.exceptions.RequestTooLargeException):
        functions.invoke(FunctionName=outputs["Behave"], Payload=json.dumps("x" * 6_291_456))


def test_the_log_tells_what_the_function_printed_between_start_end_and_report(engine: Engine) -> None:
    create(
        engine,
        "prints",
        {
            "app.py": (
                "import logging, sys\n"
                "def handler(e, c):\n"
                " print('out')\n"
                " print('err', file=sys.stderr)\n"
                " logging.getLogger().error('logged')"
            )
        },
    )
    invoke(engine, "prints")

    start, out, err, logged, end, report = log(engine, "prints")
    assert start.startswith("START RequestId: ")
    assert (out, err) == ("out", "err")
    assert logged.startswith("[ERROR]\t")
    assert logged.endswith("\tlogged")
    file = Path(engine.home, "logs", "functions", "prints.log")
    assert file.read_text().splitlines()[:3] == [start, out, err]
    assert end.startswith("END RequestId: ")
    assert "Memory Size: 128 MB" in report
    assert "Init Duration: " in report


def test_what_a_function_started_ends_with_its_worker(engine: Engine, outputs: dict[str, str]) -> None:
    answer, _ = invoke(engine, outputs["Slow"], {"spawn": True})
    failure(engine, outputs["Slow"], {"exit": 1})

    wait_until(lambda: not alive(answer))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_new_code_is_what_runs_after_an_update(engine: Engine) -> None:
    create(engine, "changes", {"app.py": "def handler(e, c): return 1"})
    assert invoke(engine, "changes")[0] == 1
    engine.client("lambda").update_function_code(
        FunctionName="changes", ZipFile=zipped({"app.py": "def handler(e, c): return 2"})
    )
    assert invoke(engine, "changes")[0] == 2


PUBLISHED = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Release: {Type: String}, Answer: {Type: String}}
Resources:
  Moved:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      InlineCode: |
        import os
        def handler(event, context):
            return [os.environ["ANSWER"], context.function_version]
      Environment: {Variables: {ANSWER: !Ref Answer}}
      AutoPublishAlias: live
      AutoPublishCodeSha256: !Ref Release
      DeploymentPreference: {Type: Canary10Percent5Minutes}
Outputs: {Alias: {Value: !Ref MovedAliaslive}}
"""


def test_an_alias_gives_the_version_of_the_last_release(engine: Engine, tmp_path: Path) -> None:
    """CodeDeploy does nothing here: the alias moves at once, but only when the release is another one."""
    template = tmp_path / "published.yaml"
    template.write_text(PUBLISHED)
    alias = engine.deploy("published", template, Release="a", Answer="first")["Alias"]
    assert invoke(engine, alias)[0] == ["first", "1"]

    engine.deploy("published", template, Release="a", Answer="ignored by the version")
    assert invoke(engine, alias)[0] == ["first", "1"]

    engine.deploy("published", template, Release="b", Answer="second")
    assert invoke(engine, alias)[0] == ["second", "2"]


def test_a_function_in_a_network_deploys_and_runs(engine: Engine, outputs: dict[str, str]) -> None:
    assert invoke(engine, outputs["InVpc"])[1] is None


def test_an_asynchronous_call_is_tried_again_after_an_error(
    engine: Engine, outputs: dict[str, str], tmp_path: Any
) -> None:
    counter = tmp_path / "counter"
    engine.client("lambda").invoke(
        FunctionName=outputs["Behave"],
        InvocationType="Event",
        Payload=json.dumps({"fails_before": 1, "counter": str(counter)}),
    )

    wait_until(lambda: counter.exists() and counter.read_text() == "2", 20)
