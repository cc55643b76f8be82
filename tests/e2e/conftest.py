"""The whole product on this machine: the real templates on the local engine, called over HTTP."""

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from local import deploy, suite
from showrunner.production import progress
from showrunner.publishing import calendar

ROOT = Path(__file__).resolve().parents[2]
# A production of ten seconds takes 20 to 40 s here; a cold machine with one core busy takes three times that.
PRODUCTION_SECONDS = 240
# The schedule of all channels runs every minute: planning and ordering take two runs.
SCHEDULE_SECONDS = 270

STEPS = list(progress.BEGUN)
PASSWORD = "Correct-horse-7-battery"


class Stack:
    """Start a stack with its own state and ports, separate from the developer's."""

    def __init__(self) -> None:
        # The tests poll the status several times a second; the rate limits have their own tests.
        self.environment = {**suite.environment(), "RATE_LIMIT_FACTOR": "100"}
        self.home = Path(self.environment["SHOWRUNNER_HOME"])
        # Record every AWS call of the functions, to check it against their policies: the engine enforces
        # none.
        self.calls = self.home / "calls.jsonl"
        self.calls.unlink(missing_ok=True)
        self.environment["ENGINE_CALLS"] = str(self.calls)

    def command(self, *arguments: str) -> str:
        """Run `python -m local …` and return its output.

        Fails the test with that output if the command fails.
        """
        done = subprocess.run(
            [sys.executable, "-m", "local", *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> None:
        self.command("up")
        self.command("open")
        token = (self.home / "keys" / "token").read_text()
        self.api = httpx.Client(
            base_url=f"{self.address('PLATFORM')}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        channels = self.api.get("/channels").raise_for_status().json()["channels"]
        # The launcher's, not one that another test has made.
        self.channel = next(each["id"] for each in channels if each["name"] == deploy.CHANNEL)

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.environment[f'{name}_PORT']}"

    def aws(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.address("ENGINE"),
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def pid(self, name: str) -> int:
        return int(json.loads((self.home / "run" / f"{name}.json").read_text())["pid"])

    def paid_calls(self) -> dict[str, int]:
        return {name: self.paid_calls_of(name) for name in ("LANGUAGE", "VOICE")}

    def paid_calls_of(self, name: str) -> int:
        """Return the requests that the language or the voice server received so far and that cost money."""
        counts = httpx.get(f"{self.address(name)}/stats", timeout=10).json()["by_endpoint"]
        return sum(count for path, count in counts.items() if "responses" in path or "text-to-speech" in path)

    def generate(self, key: str | None = None, **brief: Any) -> str:
        body = {
            "channel_id": self.channel,
            "style": "educational",
            "length_seconds": 10,
            "voice": "female1",
            "aspect": ["9:16"],
            **brief,
        }
        answer = self.api.post(
            "/videos/generate", json=body, headers={"Idempotency-Key": key or str(uuid.uuid4())}
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["video_id"])

    def status(self, video_id: str) -> dict[str, Any]:
        return dict(self.api.get(f"/videos/{video_id}/status").raise_for_status().json())

    def wait(self, video_id: str, *until: str, seconds: float = PRODUCTION_SECONDS) -> dict[str, Any]:
        """Poll until the status or the step is one of these (or a later step); by default until the end."""
        wanted = set(until) or {"completed", "failed", "cancelled"}
        reached = {step for name in wanted & set(STEPS) for step in STEPS[STEPS.index(name) :]}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.status(video_id)
            if status["status"] in wanted or status["current_step"] in reached:
                return status
            assert status["status"] not in ("failed", "cancelled"), status
            time.sleep(0.3)
        raise AssertionError(f"{video_id} is not {wanted} after {seconds} s: {status}")

    def files(self, video_id: str, folder: Path) -> dict[str, Path]:
        """Download the files of the first output by their signed links."""
        links = self.api.get(f"/videos/{video_id}/download").raise_for_status().json()["outputs"][0]
        found = {}
        for name in ("video", "thumbnail", "srt", "vtt"):
            found[name] = folder / f"{name}.{ {'video': 'mp4', 'thumbnail': 'jpg'}.get(name, name) }"
            found[name].write_bytes(httpx.get(links[name], timeout=60).raise_for_status().content)
        return found

    def product(self, video_id: str, name: str) -> Any:
        """Read a JSON object from the video's folder."""
        bucket = next(
            each["Name"] for each in self.aws("s3").list_buckets()["Buckets"] if "media" in each["Name"]
        )
        keys = [
            each["Key"]
            for page in self.aws("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
            for each in page.get("Contents", [])
        ]
        key = next(key for key in keys if key.endswith(f"videos/{video_id}/{name}"))
        return json.loads(self.aws("s3").get_object(Bucket=bucket, Key=key)["Body"].read())

    def resources(self) -> dict[str, str]:
        """Return physical names by logical names of both stacks."""
        stacks = ("showrunner-data-local", "showrunner-local")
        found = (
            self.aws("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
            for stack in stacks
        )
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"] for resources in found for each in resources
        }

    def executions(self, video_id: str) -> list[str]:
        """Return the names of all executions of the video."""
        client = self.aws("stepfunctions")
        machine = next(
            each["stateMachineArn"]
            for each in client.list_state_machines()["stateMachines"]
            if each["name"].endswith("-production")
        )
        return [
            each["name"]
            for page in client.get_paginator("list_executions").paginate(stateMachineArn=machine)
            for each in page["executions"]
            if video_id in each["name"]
        ]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    running = Stack()
    running.up()
    yield running
    running.command("down")


@pytest.fixture(scope="session", autouse=True)
def ordered(stack: Stack) -> Iterator[Future[tuple[dict[str, Any], list[str]]]]:
    """Start a channel that runs itself, and wait for its first order beside the other tests: the schedule
    takes two to three minutes in which the machine has nothing to do.

    The result is the slot when its video was ordered, with the channel's id, and the video's executions.
    """
    # The first run of the schedule must come before the production is due, 90 to 150 s from now, or the first
    # slot is tomorrow's.
    at = datetime.now(UTC) + calendar.DEFAULT_LEAD + timedelta(seconds=150)
    settings = {"publish_times": [at.strftime("%H:%M")], "topics": ["How bees build hives", "Honey"]}
    body = {"name": "Bees", "niche": "Insects", "settings": settings}
    channel = stack.api.post("/channels", json=body).raise_for_status().json()["channel"]["id"]
    ended = threading.Event()

    def wait() -> tuple[dict[str, Any], list[str]]:
        deadline = time.monotonic() + SCHEDULE_SECONDS
        slot: dict[str, Any] = {"state": None, "topic": None, "reason": "there is no slot"}
        while slot["state"] in (None, "planned") and time.monotonic() < deadline and not ended.wait(2):
            slots = stack.api.get(f"/channels/{channel}/calendar").raise_for_status().json()["slots"]
            slot = slots[0] if slots else slot
        executions: list[str] = []
        # The execution begins after the slot is committed.
        while slot.get("video_id") and not executions and time.monotonic() < deadline and not ended.wait(0.5):
            executions = stack.executions(slot["video_id"])
        # At once: another test counts the calls that cost money.
        if executions:
            stack.api.post(f"/videos/{slot['video_id']}/cancel").raise_for_status()
        stack.api.post(f"/channels/{channel}/pause").raise_for_status()
        return {**slot, "channel_id": channel}, executions

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(wait)
        ended.set()


@pytest.fixture
def admin(stack: Stack) -> Iterator[httpx.Client]:
    """Return a client of the stage's first platform admin, made as `make admin` does."""
    email = f"{uuid.uuid4().hex[:12]}@label.example"
    event = {
        "command": "admin",
        "email": email,
        "organisation": "Label",
        "by": "arn:aws:iam::1:user/e2e",
    }
    resources = stack.aws("cloudformation").describe_stacks(StackName="showrunner-data-local")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in resources["Outputs"]}
    answer = stack.aws("lambda").invoke(
        FunctionName=outputs["MigrateFunction"], Payload=json.dumps(event).encode()
    )
    made = json.load(answer["Payload"])
    reset = {"token": made["password_token"], "password": PASSWORD}
    stack.api.post("/auth/password/reset", json=reset).raise_for_status()
    login = {"email": event["email"], "password": PASSWORD}
    token = stack.api.post("/auth/login", json=login).raise_for_status().json()["access_token"]
    with httpx.Client(
        base_url=stack.api.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as client:
        yield client
