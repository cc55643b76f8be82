"""Which limit a stage reaches first at 500 videos an hour and 1,000 requests a second, computed on paper.

Part of docs/cost.md (`make costs`). Limits are read from the templates; what is needed is computed from the
assumptions below, which no load has measured.
"""

import re
import tomllib
from typing import Any, NamedTuple

from local import build
from local.settings import ROOT
from local.stages import preflight

PROD = ROOT / "stages" / "prod.toml"
VIDEOS_AN_HOUR, REQUESTS_A_SECOND = 500, 1_000
# One video: seconds of film, passages to speak, seconds that a call of the voice takes, and transitions.
FILM_SECONDS, PASSAGES, SPEECH_SECONDS, TRANSITIONS = 45, 6, 3, 60
# One request takes 80 ms, and half of them go to /videos.
REQUEST_SECONDS, SHARE_OF_VIDEOS = 0.08, 0.5
# A GPU renders a second of film in a quarter of it, after a start of four minutes; Fargate takes 1.2 of it.
GPU_SPEED, GPU_START_SECONDS, CPU_SPEED = 0.25, 240, 1.2
# A hub that comes back after a day sends everything again: so many notifications for 10,000 channels.
NOTIFICATIONS_AT_ONCE, NOTIFICATIONS_SECONDS, INTAKE_SECONDS = 20_000, 600, 0.05
# AWS's quotas: the account's Lambda concurrency after the first increase, Aurora's connections at one
# capacity unit, SubmitJob, Step Functions' transitions, EventBridge's PutEvents.
CONCURRENCY, CONNECTIONS, SUBMITS, TRANSITION_RATE, EVENTS = 1_000, 225, 50, 1_500, 10_000
EVENTS_OF_A_VIDEO = 12


class Limit(NamedTuple):
    """A limit, how much of it there is, how much is needed, and where it is raised."""

    what: str
    there: float
    needed: float
    unit: str
    raised_by: str

    @property
    def used(self) -> float:
        return self.needed / self.there


def number_of(resource: str, name: str, template: str) -> int:
    """Return the first number that a resource of a template has in prod for a property of this name."""
    found = re.search(rf"\b{name}: (?:(\d+)|!Ref (\w+))", build.block(resource, template))
    if found is None:
        raise LookupError(f"{resource} has no {name}")
    if found[1]:
        return int(found[1])
    given = production().get(found[2])
    return build.number_of_parameter(found[2], "Default", template) if given is None else int(given)


def production() -> dict[str, Any]:
    """Return the parameters of prod."""
    return tomllib.loads(PROD.read_text(encoding="utf-8"))


def connections() -> int:
    """Return how many connections the functions hold at most: one for each execution that may run at once."""
    total = 0
    for path in build.TEMPLATES.values():
        template = path.read_text(encoding="utf-8")
        for name in re.findall(r"^  (\w+):\n    Type: AWS::Serverless::Function", template, re.MULTILINE):
            if "VpcConfig:" in build.block(name, template):  # exactly those with a database (test_network.py)
                total += number_of(name, "ReservedConcurrentExecutions", template)
    return total


def limits() -> list[Limit]:
    """Return all limits, the one that is reached first on top."""
    template = build.TEMPLATES["application"].read_text(encoding="utf-8")
    per_second = VIDEOS_AN_HOUR / 3600
    videos = number_of("VideosFunction", "ReservedConcurrentExecutions", template)
    intake = number_of("FeedIntakeFunction", "MaximumConcurrency", template)
    gpu = sum(number_of(name, "MaxvCpus", template) for name in ("GpuSpot", "GpuOnDemand"))
    cpu = sum(number_of(name, "MaxvCpus", template) for name in ("CpuSpot", "CpuOnDemand"))
    vcpus = preflight.RENDER_VCPUS
    rows = [
        Limit(
            "Platform API: its throttle in prod",
            int(production()["PlatformRate"]),
            REQUESTS_A_SECOND,
            "requests a second",
            "`PlatformRate`, after the functions'",
        ),
        Limit(
            "`/videos`: executions at once",
            videos,
            REQUESTS_A_SECOND * SHARE_OF_VIDEOS * REQUEST_SECONDS,
            "executions",
            "`VideosConcurrency`, with the database's connections",
        ),
        Limit(
            "renders on GPUs",
            gpu,
            per_second * (FILM_SECONDS * GPU_SPEED + GPU_START_SECONDS) * vcpus,
            "vCPUs",
            "`MaxvCpus` and both G/VT quotas; instances that are kept (`RenderMinVcpus`) save the start",
        ),
        Limit(
            "renders on Fargate",
            cpu,
            per_second * FILM_SECONDS * CPU_SPEED * vcpus,
            "vCPUs",
            "`MaxvCpus` and the Fargate quota",
        ),
        Limit(
            "speech: calls at once",
            number_of("VoiceFunction", "ReservedConcurrentExecutions", template),
            per_second * PASSAGES * SPEECH_SECONDS,
            "calls",
            "the ElevenLabs plan, then `SpeechConcurrency`",
        ),
        Limit(
            "database: connections at one capacity unit",
            CONNECTIONS,
            connections(),
            "connections",
            "`DatabaseMaxCapacity`",
        ),
        Limit(
            "Lambda: executions that a stage reserves",
            CONCURRENCY,
            preflight.reserved() + preflight.UNRESERVED,
            "executions",
            "the account's quota",
        ),
        Limit(
            "notifications after a hub's outage, taken in within ten minutes",
            intake / INTAKE_SECONDS * NOTIFICATIONS_SECONDS,
            NOTIFICATIONS_AT_ONCE,
            "notifications",
            "`MaximumConcurrency` of FeedIntakeFunction's queue; they wait in the queue for 14 days",
        ),
        Limit("Batch: SubmitJob", SUBMITS, per_second, "a second", "nothing"),
        Limit(
            "Step Functions: transitions",
            TRANSITION_RATE,
            per_second * TRANSITIONS,
            "a second",
            "its quota",
        ),
        Limit("EventBridge: PutEvents", EVENTS, per_second * EVENTS_OF_A_VIDEO, "a second", "its quota"),
    ]
    return sorted(rows, key=lambda row: -row.used)


def section() -> list[str]:
    """Return the lines of the page."""
    rows = limits()
    over = sum(row.used > 1 for row in rows)
    return [
        (
            f"For {VIDEOS_AN_HOUR} videos of {FILM_SECONDS} seconds an hour and {REQUESTS_A_SECOND:,} "
            "requests a second. The limit that is reached first stands on top; "
            f"{over} of {len(rows)} are too low. Assumptions: [capacity.py](../local/stages/capacity.py); "
            "no load has been measured."
        ),
        "",
        "| limit | there is | needed | used | raised by |",
        "|---|---:|---:|---:|---|",
        *[
            f"| {row.what} | {row.there:,.0f} {row.unit} | {row.needed:,.1f} | {row.used:.0%} "
            f"| {row.raised_by} |"
            for row in rows
        ],
        "",
    ]
