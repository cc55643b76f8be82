"""The engine as a process: its address, its end, and what it says when it cannot start."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
import types
from pathlib import Path

import pytest

from local.engine.callers import access_key
from local.engine.expected import MinistackChanged, expect, expect_keys
from tests.local.conftest import ENVIRONMENTS, ROOT, Engine, free_port, wait_until


def test_it_listens_on_loopback_only_and_on_no_other_port(engine: Engine) -> None:
    links = [str(link.readlink()) for link in Path(f"/proc/{engine.process.pid}/fd").iterdir()]
    inodes = {link.removeprefix("socket:[").rstrip("]") for link in links if link.startswith("socket:")}
    listening = []
    for table in ("tcp", "tcp6"):
        rows = [
            line.split()
            for line in Path(f"/proc/{engine.process.pid}/net/{table}").read_text().splitlines()[1:]
        ]
        listening += [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]

    assert listening == [f"0100007F:{engine.port:04X}"]


def test_a_port_in_use_is_said_in_one_line_with_exit_status_2(engine: Engine) -> None:
    environment = {
        **os.environ,
        "ENGINE_PORT": str(engine.port),
        "SHOWRUNNER_HOME": str(engine.home / "other"),
    }
    second = subprocess.run(
        [str(ENVIRONMENTS / "engine/bin/python"), "-m", "local.engine"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert second.returncode == 2
    assert "ENGINE_PORT" in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_it_leaves_nothing_outside_its_home(tmp_path: Path) -> None:
    own = Engine(tmp_path, free_port())
    own.start()
    own.client("s3").create_bucket(Bucket="any")
    started = time.monotonic()

    assert own.kill(signal.SIGTERM) == 0
    assert time.monotonic() - started < 2
    assert sorted(path.name for path in (tmp_path / "engine").iterdir()) == ["s3", "state"]
    assert not Path(f"/tmp/ministack-{own.port}.pid").exists()
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # Connections that were closed still linger.
        probe.bind(("127.0.0.1", own.port))


def test_every_request_is_written_down_with_its_caller(engine: Engine, outputs: dict[str, str]) -> None:
    code = (
        "import boto3, os; "
        "boto3.client('ssm').put_parameter(Name='/from/job', Value='x', Type='String', Overwrite=True)"
    )
    batch = engine.client("batch")
    job_id = batch.submit_job(
        jobName="calls", jobQueue=outputs["Jobs"], jobDefinition=outputs["Job"], parameters={"what": code}
    )["jobId"]
    wait_until(lambda: batch.describe_jobs(jobs=[job_id])["jobs"][0]["status"] == "SUCCEEDED")

    name = outputs["Job"].rsplit("/", 1)[1].partition(":")[0]
    calls = [json.loads(line) for line in (engine.home / "calls.jsonl").read_text().splitlines()]
    (call,) = [call for call in calls if call["access_key"] == access_key(name)]
    assert (call["service"], call["target"], call["method"], call["status"]) == (
        "ssm",
        "AmazonSSM.PutParameter",
        "POST",
        200,
    )
    assert json.loads(call["body"])["Name"] == "/from/job"
    assert json.loads((engine.home / "engine" / "callers.json").read_text())[access_key(name)] == {
        "kind": "batch",
        "name": name,
    }


def test_a_web_page_of_another_origin_cannot_read_what_the_engine_holds(
    engine: Engine, outputs: dict[str, str]
) -> None:
    own, s3 = f"127.0.0.1:{engine.port}", engine.client("s3", signature_version="s3v4")
    s3.create_bucket(Bucket="pages")
    s3.put_object(Bucket="pages", Key="video", Body=b"video")
    signed = s3.generate_presigned_url("get_object", Params={"Bucket": "pages", "Key": "video"}).removeprefix(
        engine.url
    )
    api = f"/_aws/execute-api/{outputs['PlatformApiId']}/health"

    def status(path: str, **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", engine.port)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse().status
        connection.close()
        return answer

    assert status("/pages/video", Origin="https://evil.example") == 403
    assert status("/pages/video", Origin="null") == 403
    assert status("/pages/video", Host="evil.example") == 403
    assert status("/_ministack/health", Origin=f"http://{own}") == 200
    assert status(signed, Origin="http://localhost:5173") == 200
    assert status("/2015-03-31/functions/?X-Amz-Signature=made-up", Origin="https://evil.example") == 403
    assert status(api, Origin="https://evil.example") == 200
    assert status(api, Host="showrunner.example") == 200


def test_a_changed_ministack_is_named_at_start() -> None:
    module = types.ModuleType("ministack.services.example")
    module.call = lambda first, second: None
    module.TABLE = {"a": 1}

    assert expect(module, "call", "first") is module.call
    with pytest.raises(
        MinistackChanged, match=r"ministack changed: ministack.services.example.missing is gone"
    ):
        expect(module, "missing")
    with pytest.raises(MinistackChanged, match=r"takes \('first', 'second'\), expected \('renamed',\)"):
        expect(module, "call", "renamed")
    with pytest.raises(MinistackChanged, match="has no b"):
        expect_keys(module, "TABLE", "a", "b")


def test_a_changed_ministack_ends_the_start_with_that_line(tmp_path: Path) -> None:
    code = (
        "import ministack.services.batch as b; del b._now_ms; "
        "import runpy, sys; sys.argv = ['x']; runpy.run_module('local.engine', run_name='__main__')"
    )
    environment = {**os.environ, "ENGINE_PORT": str(free_port()), "SHOWRUNNER_HOME": str(tmp_path)}
    started = subprocess.run(
        [str(ENVIRONMENTS / "engine/bin/python"), "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.returncode == 1
    assert (
        started.stderr.strip()
        .splitlines()[-1]
        .startswith("ministack changed: ministack.services.batch._now_ms is gone")
    )
