"""`make trace STAGE=dev ID=...`: every log line of one request or video, over all log groups, by time."""

import re
import time
from collections.abc import Iterator
from typing import Any

from local.settings import HOME, Refused
from local.stages.stage import Stage

GROUPS = ("functions", "access", "render", "migrate")
DAYS = 30
LINES = 1000
QUERY_SECONDS = 60
ID = re.compile(r"[A-Za-z0-9_-]{6,100}")
# A request's lines name the video that it was about; the machine, Batch and the queues know only that.
VIDEO = re.compile(r'"video_id": ?"([0-9a-f-]{36})"')


def trace(stage: Stage, wanted: str) -> None:
    """Print the lines with this id, and those of the videos that they name.

    Raises Refused for what is no id, and when nothing is found.
    """
    refuse_no_id(wanted)
    lines = query(stage, wanted)
    for video in sorted({found for _, _, text in lines for found in VIDEO.findall(text)} - {wanted}):
        lines += query(stage, video)
    for when, group, text in sorted(set(lines)):
        print(f"{when}  {group:<10} {text.strip()}")
    for line in executions(
        stage, {wanted, *(found for _, _, text in lines for found in VIDEO.findall(text))}
    ):
        print(line)
    if not lines:
        raise Refused(
            f"no line of the last {DAYS} days has {wanted}; ids are in the x-request-id of an answer, and "
            "in the address of a video",
            code=1,
        )


def refuse_no_id(wanted: str) -> None:
    if not ID.fullmatch(wanted):
        raise Refused(
            f"ID={wanted}: an id is the x-request-id of an answer or a video's id (make trace STAGE=dev "
            "ID=...)"
        )


def query(stage: Stage, wanted: str) -> list[tuple[str, str, str]]:
    """Return (time, group, line) of each line that Logs Insights finds."""
    client = stage.aws("logs")
    now = int(time.time())
    started = client.start_query(
        logGroupNames=[f"/showrunner/{stage.name}/{group}" for group in GROUPS],
        startTime=now - DAYS * 86_400,
        endTime=now,
        queryString=(
            "fields @timestamp, @log, @message"
            f' | filter @message like "{wanted}" or @logStream like "{wanted}"'
            f" | sort @timestamp | limit {LINES}"
        ),
    )
    deadline = time.monotonic() + QUERY_SECONDS
    while True:
        answer = client.get_query_results(queryId=started["queryId"])
        if answer["status"] not in ("Scheduled", "Running"):
            break
        if time.monotonic() > deadline:
            raise Refused(f"Logs Insights has not answered for {QUERY_SECONDS} s; run it again", code=1)
        time.sleep(1)
    if answer["status"] != "Complete":
        raise Refused(f"Logs Insights ended the query as {answer['status']}; run it again", code=1)
    rows = [{each["field"]: each["value"] for each in row} for row in answer["results"]]
    return [(row["@timestamp"], row["@log"].rpartition("/")[2], row["@message"]) for row in rows]


def executions(stage: Stage, ids: set[str]) -> Iterator[str]:
    """Return a line for each execution of these videos (<video>-<attempt>)."""
    machine = stage.outputs(stage.application_stack).get("ProductionMachineArn", "")
    client = stage.aws("stepfunctions")
    for video in sorted(each for each in ids if re.fullmatch(r"[0-9a-f-]{36}", each)):
        for attempt in range(1, 10):
            arn = f"{machine.replace(':stateMachine:', ':execution:')}:{video}-{attempt}"
            try:
                found: dict[str, Any] = client.describe_execution(executionArn=arn)
            except client.exceptions.ExecutionDoesNotExist:
                break
            yield f"execution {video}-{attempt}: {found['status']} {found.get('error', '')}".rstrip()


def trace_local(wanted: str) -> None:
    """Print the same for the stack on this machine, from its processes' log files."""
    refuse_no_id(wanted)
    files = sorted((HOME / "logs").rglob("*.log"))
    texts = [
        (path.stem, line)
        for path in files
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
    ]
    ids = {wanted, *(video for _, line in texts if wanted in line for video in VIDEO.findall(line))}
    found = [(stem, line) for stem, line in texts if any(each in line for each in ids)]
    for stem, line in found:
        print(f"{stem:<10} {line.strip()}")
    if not found:
        raise Refused(f"no log under {HOME / 'logs'} has {wanted}", code=1)
