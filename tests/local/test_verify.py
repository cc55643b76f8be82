"""make verify with an account in memory: what passes, and what each check finds."""

import json
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from local import openapi
from local.settings import ROOT, Refused
from local.stages import verify
from local.stages.stage import Stage
from tests.local.test_release import account, deploy

__all__ = ["account"]


@pytest.fixture
def answers(monkeypatch) -> dict[str, int]:
    """The statuses of addresses on the internet, by their beginning; tests change them."""
    statuses = {
        "https://p1.execute-api.us-east-1.amazonaws.com/health": 200,
        "https://i1.execute-api.us-east-1.amazonaws.com/health": 200,
        "https://media.s3.us-east-1.amazonaws.com/": 403,
        "http://media.s3.us-east-1.amazonaws.com/": 403,
    }

    def get(url: str, timeout: float) -> httpx.Response:
        (status,) = [value for start, value in statuses.items() if url.startswith(start)]
        return httpx.Response(status)

    monkeypatch.setattr(httpx, "get", get)
    return statuses


@pytest.fixture
def stage(account, answers) -> Stage:
    deploy()
    return Stage("dev")


def failed(stage: Stage) -> list[str]:
    return [what for what, check in verify.CHECKS.items() if not verify.passes(what, check, stage)]


def test_a_stage_that_was_just_deployed_passes(stage, capsys):
    verify.verify(stage, order_video=False)

    printed = capsys.readouterr().out
    assert printed.count("  ok ") == len(verify.CHECKS)
    assert "Only a person can:" in printed


def test_the_page_of_what_only_an_account_can_show_is_complete():
    page = (ROOT / "docs" / "account.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)[1:] == list(verify.CHECKS)
    assert re.findall(r"^- (.+)$", page, re.MULTILINE) == list(verify.FOR_A_PERSON)


def test_a_change_by_hand_is_named(account, stage, capsys):
    account.drifted = [
        ("showrunner-dev", "Notifications", "AWS::SQS::Queue", "/VisibilityTimeout"),
        ("showrunner-dev", "VideosFunctionAliaslive", "AWS::Lambda::Alias", "/FunctionVersion"),
    ]

    assert failed(stage) == ["nothing was changed by hand (drift)"]
    printed = capsys.readouterr().out
    assert "showrunner-dev Notifications is modified /VisibilityTimeout" in printed
    assert "Alias" not in printed, "CodeDeploy moves it"


@pytest.mark.parametrize(
    ("address", "check"),
    [
        ("https://p1.execute-api.us-east-1.amazonaws.com/health", "the APIs answer"),
        ("http://media.s3.us-east-1.amazonaws.com/", "the media bucket is closed"),
    ],
)
def test_an_address_that_answers_otherwise_fails(stage, answers, address, check):
    answers[address] = 200 if answers[address] == 403 else 503

    assert failed(stage) == [check]


def test_the_address_that_is_asked_without_a_token_is_public():
    for text in (openapi.platform_text(), openapi.ingestion_text()):
        assert json.loads(text)["paths"][verify.HEALTH]["get"]["security"] == []


@pytest.mark.parametrize(
    ("subscriptions", "told"),
    [
        ([], "nobody gets the alarms"),
        ([("PendingConfirmation", "ops@showrunner.tv")], "ops@showrunner.tv has not confirmed"),
    ],
)
def test_alarms_that_reach_nobody_fail(account, stage, subscriptions, told, capsys):
    account.subscriptions = subscriptions

    assert failed(stage) == ["alarms reach somebody"]
    assert told in capsys.readouterr().out


def test_an_alarm_of_either_stack_fails(account, stage, capsys):
    account.alarms = ["showrunner-dev-SweepStands-x", "showrunner-data-dev-NatFails-y", "showrunner-prod-z"]

    assert failed(stage) == ["no alarm is on"]
    printed = capsys.readouterr().out
    assert "showrunner-dev-SweepStands-x" in printed
    assert "showrunner-data-dev-NatFails-y" in printed
    assert "prod" not in printed


def test_a_backup_that_stands_still_fails(account, stage):
    account.restorable_at = datetime.now(UTC) - timedelta(hours=1)

    assert failed(stage) == ["database and state table can be restored"]


def test_a_check_that_cannot_ask_fails_with_its_reason_and_the_others_go_on(account, stage, capsys):
    del account.stacks["showrunner-dev"]

    with pytest.raises(Refused, match="checks failed: both stacks stand"):
        verify.verify(stage, order_video=False)

    assert "showrunner-dev: is not there; run make deploy" in capsys.readouterr().out
