"""The engine of this test run: own process, port and home, with tests/local/engine's application deployed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = Path(__file__).parent / "engine"
ENVIRONMENTS = ROOT / ".local" / "env"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], seconds: float = 15, every: float = 0.05) -> Any:
    """The first true value of `condition`; fails the test when there is none in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(every)
    pytest.fail(f"not within {seconds} s: {condition}")


class Engine:
    """A running engine, which can be killed and started again on the same port and home."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.jobs = home / "jobs"
        self.jobs.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        command = [str(ENVIRONMENTS / "engine" / "bin" / "python"), "-m", "local.engine"]
        with (self.home / "engine.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment(), stdout=log, stderr=log)
        wait_until(self.healthy, 120)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "ENGINE_PORT": str(self.port),
            "SHOWRUNNER_HOME": str(self.home),
            "LAMBDA_PYTHON": str(ENVIRONMENTS / "lambda" / "bin" / "python"),
            "BATCH_PYTHON": sys.executable,
            "BATCH_PYTHONPATH": str(self.jobs),
            "BATCH_STOP_SECONDS": "1",
            "ENGINE_CALLS": str(self.home / "calls.jsonl"),
            "LEAK": "must not be seen by functions and jobs",
        }

    def healthy(self) -> bool:
        assert self.process is None or self.process.poll() is None, (self.home / "engine.log").read_text()[
            -2000:
        ]
        try:
            with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2) as response:
                return response.status == 200
        except OSError:
            return False

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """The exit status."""
        self.process.send_signal(number)
        return self.process.wait(10)

    def client(self, service: str, **configuration: Any) -> Any:
        settings = Config(retries={"total_max_attempts": 1}, read_timeout=70, **configuration)
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            aws_session_token=None,
            config=settings,
        )

    def deploy(self, stack: str, template: Path, **parameters: str) -> dict[str, str]:
        """Creates or updates the stack; its outputs."""
        formation = self.client("cloudformation")
        change = {
            "StackName": stack,
            "TemplateBody": template.read_text(),
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "CAPABILITY_NAMED_IAM"],
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        }
        try:
            formation.describe_stacks(StackName=stack)
            formation.update_stack(**change)
        except formation.exceptions.ClientError as error:
            if "does not exist" not in str(error):
                raise
            formation.create_stack(**change)

        def settled() -> Any:
            described = formation.describe_stacks(StackName=stack)["Stacks"][0]
            return None if described["StackStatus"].endswith("_IN_PROGRESS") else described

        described = wait_until(settled, 60)
        if described["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            events = formation.describe_stack_events(StackName=stack)["StackEvents"]
            pytest.fail(
                json.dumps(
                    [
                        (e["LogicalResourceId"], e.get("ResourceStatusReason"))
                        for e in events
                        if "FAILED" in e["ResourceStatus"]
                    ],
                    indent=1,
                )
            )
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    running = Engine(tmp_path_factory.mktemp("engine"), free_port())
    running.start()
    yield running
    with contextlib.suppress(ProcessLookupError):
        running.kill(signal.SIGTERM)


@pytest.fixture(scope="session")
def outputs(engine: Engine) -> dict[str, str]:
    return engine.deploy("contract", TEMPLATES / "application.yaml")
