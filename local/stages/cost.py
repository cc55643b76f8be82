"""`make costs`: compute docs/cost.md from the templates, the product's prices and the list prices below.

Runs in the environment `dev`, which has what the product's cost rules import.
"""

import re
from decimal import Decimal
from pathlib import Path

from local import build
from local.settings import ROOT
from local.stages import capacity
from showrunner.keys.inventory import SECRETS
from showrunner.models import Usage
from showrunner.production import costs, prices
from showrunner.production.costs import Charge

FILE = ROOT / "docs" / "cost.md"
EDGE = ROOT / "template.edge.yaml"
HOURS, DAYS = Decimal(730), Decimal(30)
# A brief of 45 seconds: words spoken, and tokens of one script.
SECONDS, CHARACTERS, TOKENS_IN, TOKENS_OUT = 45, 660, 6000, 3000
STATES, STEPS, STORED_BYTES = 60, 14, 40_000_000
# An answer of the API with its headers. Larger things (films, pictures) come from S3 by signed addresses.
ANSWER_BYTES = 4_000
# Signing key and its public half, database, OpenAI, ElevenLabs, Pexels.
PRODUCTION_KEYS = 6
# Followed channels are looked at this often when the hub says nothing.
POLL_MINUTES = 45

# USD, us-east-1, list prices without discounts. Those of models, voices, renders and storage are in
# showrunner.production.prices with a source each.
AWS = {
    "t4g.micro an hour": Decimal("0.0084"),
    "public IPv4 address an hour": Decimal("0.005"),
    "gp3 a GB and month": Decimal("0.08"),
    "NAT gateway an hour": Decimal("0.045"),
    "KMS key a month": Decimal("1.00"),
    "alarm metric a month": Decimal("0.10"),
    "custom metric a month": Decimal("0.30"),
    "log line ingestion a GB": Decimal("0.50"),
    "ECR a GB and month": Decimal("0.10"),
    "Aurora capacity unit an hour": Decimal("0.12"),
    "Aurora storage a GB and month": Decimal("0.10"),
    "Lambda a GB-second": Decimal("0.0000166667"),
    "Lambda a million requests": Decimal("0.20"),
    "SQS a million requests": Decimal("0.40"),
    "DynamoDB a million writes": Decimal("0.625"),
    "Step Functions a thousand transitions": Decimal("0.025"),
    "WAF web ACL a month": Decimal("5.00"),
    "WAF rule a month": Decimal("1.00"),
    "WAF a million requests": Decimal("0.60"),
    "CloudFront a million HTTPS requests": Decimal("1.00"),
    "CloudFront a GB to the internet": Decimal("0.085"),
    "CloudFront Functions a million invocations": Decimal("0.10"),
}
SOURCES = (
    "aws.amazon.com/{ec2,vpc,ebs,kms,cloudwatch,ecr,rds/aurora,lambda,sqs,dynamodb,step-functions}/pricing; "
    "as known in 2025, not read again since; aws.amazon.com/{waf,cloudfront}/pricing: copies of these pages "
    "and of pages about them, read on 2026-11-29"
)


def count(kind: str) -> int:
    return sum(
        len(re.findall(rf"^    Type: {re.escape(kind)}$", path.read_text(encoding="utf-8"), re.MULTILINE))
        for path in build.TEMPLATES.values()
    )


def alarm_metrics() -> int:
    """Return how many metrics the alarms watch: they are paid by metric.

    Of the data stack's two alarms for a way out, only one exists.
    """
    texts = [path.read_text(encoding="utf-8") for path in build.TEMPLATES.values()]
    of_expressions = sum(text.count("ReturnData: false, MetricStat") for text in texts)
    expressions = sum(text.count("(FILL(METRICS(), 0))'") for text in texts)
    return count("AWS::CloudWatch::Alarm") - expressions - 1 + of_expressions


def idle(*, schedules: bool) -> dict[str, Decimal]:
    """Return what a stage that makes nothing costs in a month, by item."""
    items = {
        "NAT instance (`Egress`): t4g.micro": AWS["t4g.micro an hour"] * HOURS,
        "its public address": AWS["public IPv4 address an hour"] * HOURS,
        "its disk, 8 GB": AWS["gp3 a GB and month"] * 8,
        f"alarms, {alarm_metrics()} metrics": AWS["alarm metric a month"] * alarm_metrics(),
        "the stage's key": AWS["KMS key a month"] * count("AWS::KMS::Key"),
        "render image, 3 GB": AWS["ECR a GB and month"] * 3,
        "database: storage, 1 GB": AWS["Aurora storage a GB and month"],
    }
    if schedules:
        # Two functions each minute; four times a day one of them looks into the database, which then stays
        # awake for a quarter of an hour.
        runs = 2 * HOURS * 60
        items["schedules (`Schedules`): two functions a minute"] = runs * (
            AWS["Lambda a GB-second"] / 20 + AWS["Lambda a million requests"] / 1_000_000
        )
        items["their metrics, 4"] = AWS["custom metric a month"] * 4
        # The nightly copy reads each, and the metric of a name is paid in the hours in which it is sent.
        names = len(SECRETS)
        items[f"reads of keys, {names} names for an hour a day"] = _reads(names, DAYS)
        items["database: awake for an hour a day"] = AWS["Aurora capacity unit an hour"] / 2 * DAYS
    return items


def _reads(names: int, hours: Decimal | int) -> Decimal:
    """Return what counting the reads of so many keys costs, with the alarm that looks at each."""
    return (AWS["custom metric a month"] + AWS["alarm metric a month"]) * names * hours / HOURS


def video(platform: str) -> list[Charge]:
    """Return what one video of 45 seconds costs by the product's own rules."""
    rendering = SECONDS / 4 + 240 if platform == "gpu" else SECONDS * 1.2
    return [
        costs.language_charge("x", "gpt-6-luna", Usage(TOKENS_IN, 0, 0, TOKENS_OUT)),
        costs.speech_charge("x", "eleven_multilingual_v2", CHARACTERS, None),
        costs.render_charge(1, platform, rendering),
        costs.storage_charge(STORED_BYTES),
    ]


def videos(number: int, platform: str = "cpu") -> dict[str, Decimal]:
    """Return what so many videos cost in a month, beside what the stage costs idle."""
    items = {f"{charge.step}, {charge.provider}": charge.amount_usd * number for charge in video(platform)}
    transitions = AWS["Step Functions a thousand transitions"] * STATES / 1000
    functions = STEPS * (AWS["Lambda a GB-second"] * 2 + AWS["Lambda a million requests"] / 1_000_000)
    items["machine and functions"] = (transitions + functions) * number
    awake = min(HOURS, Decimal(number) * 15 / 60)
    units = Decimal("0.5") if number <= 1000 else Decimal(1)
    items[f"reads of keys, {PRODUCTION_KEYS} names"] = _reads(PRODUCTION_KEYS, awake)
    items[f"database: awake for {awake:.0f} hours, {units} units"] = (
        AWS["Aurora capacity unit an hour"] * units * awake
    )
    return items


def channels(number: int) -> dict[str, Decimal]:
    """Return what so many followed channels cost in a month."""
    polls = number * DAYS * 24 * 60 / POLL_MINUTES
    units = Decimal("0.5") if number <= 1000 else Decimal(2)
    return {
        f"database: always awake, {units} units": AWS["Aurora capacity unit an hour"] * units * HOURS,
        f"polls, {polls:,.0f}: functions": polls
        / 5
        * (AWS["Lambda a GB-second"] * 4 + AWS["Lambda a million requests"] / 1_000_000),
        "queues, four requests a poll": polls * 4 * AWS["SQS a million requests"] / 1_000_000,
        "state table, two writes a poll": polls * 2 * AWS["DynamoDB a million writes"] / 1_000_000,
    }


def edge(requests: int) -> dict[str, Decimal]:
    """Return what CloudFront and WAF (template.edge.yaml) cost in a month with so many requests."""
    text = EDGE.read_text(encoding="utf-8")
    acls, rules = text.count("Type: AWS::WAFv2::WebACL"), len(re.findall(r"^ +- Name: ", text, re.MULTILINE))
    millions = Decimal(requests) / 1_000_000
    asked = {
        "CloudFront: requests": AWS["CloudFront a million HTTPS requests"],
        "CloudFront: the function that tells the caller's address": AWS[
            "CloudFront Functions a million invocations"
        ],
        "CloudFront: answers": AWS["CloudFront a GB to the internet"] * ANSWER_BYTES / 1000,
        "WAF: requests": AWS["WAF a million requests"],
    }
    return {
        "WAF: the access list": AWS["WAF web ACL a month"] * acls,
        f"WAF: {rules} rules": AWS["WAF rule a month"] * rules,
        **({f"{name}, {requests:,}": price * millions for name, price in asked.items()} if requests else {}),
    }


def table(items: dict[str, Decimal]) -> list[str]:
    rows = [
        f"| {name} | {amount:,.2f} |" for name, amount in sorted(items.items(), key=lambda item: -item[1])
    ]
    return [
        "| what | USD a month |",
        "|---|---:|",
        *rows,
        f"| **together** | **{sum(items.values()):,.2f}** |",
        "",
    ]


def text() -> str:
    gpu, cpu = (sum(charge.amount_usd for charge in video(platform)) for platform in ("gpu", "cpu"))
    parts = [
        "# What a stage costs",
        "",
        (
            "Computed by `make costs`; a test compares this page with what it would write. USD, us-east-1, "
            "list prices without discounts and without free tiers."
        ),
        (
            f"AWS: {SOURCES}. Models, voices, renders: "
            "[prices.py](../layers/showrunner/showrunner/production/prices.py), each with its source and day."
        ),
        "",
        "## Idle, schedules off",
        "",
        *table(idle(schedules=False)),
        "## Idle, schedules on",
        "",
        *table(idle(schedules=True)),
        f"## Videos of {SECONDS} seconds",
        "",
        (
            f"One costs {cpu:.3f} rendered on Fargate and {gpu:.3f} on a GPU that is started for it alone. "
            f"Counted with {CHARACTERS} characters, "
            f"{TOKENS_IN} and {TOKENS_OUT} tokens, 1.2 seconds of Fargate for a second of video, on a GPU "
            "a quarter and four minutes. Beside what it "
            "costs idle:"
        ),
        "",
        *[
            line
            for number in (100, 1_000, 10_000)
            for line in (f"### {number:,} a month, on Fargate", "", *table(videos(number)))
        ],
        "## Followed channels",
        "",
        "Beside what the stage costs idle; the hub's notifications come on top and cost less than the polls.",
        "",
        *[line for number in (100, 10_000) for line in (f"### {number:,}", "", *table(channels(number)))],
        "## CloudFront and WAF",
        "",
        (
            "Only for stages with `make edge`; beside what the stage costs idle. An answer is counted with "
            f"{ANSWER_BYTES:,} bytes; films come from S3."
        ),
        "",
        *[
            line
            for number in (0, 1_000_000, 10_000_000)
            for line in (f"### {number:,} requests a month", "", *table(edge(number)))
        ],
        "## The largest items, and what to switch off",
        "",
        '- Voice is most of a video: `ElevenLabsModel = "eleven_flash_v2_5"` halves it.',
        (
            "- The database that never sleeps: `DatabaseMinCapacity = 0`, no followed channels, `Schedules = "
            '"DISABLED"`.'
        ),
        (
            "- The way out: `make destroy DATA=keep` takes it away with the application; a NAT gateway costs "
            f"{(AWS['NAT gateway an hour'] + AWS['public IPv4 address an hour']) * HOURS:.0f} instead of "
            f"{(AWS['t4g.micro an hour'] + AWS['public IPv4 address an hour']) * HOURS:.0f}."
        ),
        '- CloudFront and WAF: `make edge` is a choice; `Edge = "off"` and `make destroy` end it.',
        '- Metrics of each route: `DetailedMetrics = "false"`, as it is by default.',
        "",
        "## Capacity on paper",
        "",
        *capacity.section(),
    ]
    return "\n".join(parts)


def write(path: Path = FILE) -> None:
    path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write()
    print(
        f"{FILE.relative_to(ROOT)} is written; prices of {len(AWS)} AWS items and {len(prices.TOKENS)} "
        "models went in."
    )
