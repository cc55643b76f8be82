"""make keys, admin, trace and destroy with an account in memory: what they print; running them again."""

import json
import os

import pytest
from botocore.exceptions import BotoCoreError
from pytest_httpserver import HTTPServer

from local import __main__ as main
from local.settings import Refused
from local.stages import admin, destroy, key, secrets, smoke, switch, trace
from local.stages.stage import Stage, refuse_unsafe
from showrunner.keys import trials
from showrunner.keys.inventory import BY_NAME
from tests.local.account import Account, Stack
from tests.local.test_release import account, deploy, use

__all__ = ["account"]

VIDEO = "5f0a6b52-0000-4000-8000-000000000001"


@pytest.fixture
def stage() -> Stage:
    return Stage("dev")


# ---------------------------------------------------------------- make keys


@pytest.fixture
def services(httpserver: HTTPServer, monkeypatch) -> HTTPServer:
    """The services' real requests, sent to a server of this test's that knows one key."""

    def answer(request):
        from werkzeug import Response

        given = [
            value.removeprefix("Bearer ")
            for name, value in request.headers.items()
            if name.lower() in ("authorization", "xi-api-key", "x-goog-api-key")
        ]
        # Pixabay takes its key as a parameter of the address.
        given += [request.args["key"]] if "key" in request.args else []
        return Response(status=200 if given == ["right"] else 401)

    for path in ("/v1/models", "/v1/user/subscription", "/youtube/v3/videos", "/v1/search", "/api/"):
        httpserver.expect_request(path).respond_with_handler(answer)
    here = {
        name: trial._replace(
            address=httpserver.url_for("/v1" if name.startswith("openai") else "").rstrip("/")
        )
        for name, trial in trials.TRIALS.items()
    }
    monkeypatch.setattr(trials, "TRIALS", here)
    return httpserver


def test_each_missing_key_is_asked_for_tried_and_stored(monkeypatch, tmp_path, services, stage, capsys):
    account = Account()
    use(monkeypatch, tmp_path, account)
    key.make(stage)

    skipped = ("Google", "Second", "Spotify", "TikTok", "Instagram", "Airtable")
    secrets.ask_all(stage, lambda question: "" if question.startswith(skipped) else "right")

    assert sorted(account.secrets) == [
        f"/showrunner/dev/{name}"
        for name in (
            "elevenlabs/api_key",
            "openai/api_key",
            "pexels/api_key",
            "pixabay/api_key",
            "youtube/api_key",
        )
    ]
    said = capsys.readouterr().out
    assert said.count(": works") == 5
    assert "right" not in said


def test_a_key_that_is_refused_is_not_kept_and_those_before_it_stay(monkeypatch, tmp_path, services, stage):
    account = Account()
    use(monkeypatch, tmp_path, account)
    key.make(stage)

    with pytest.raises(Refused, match="ElevenLabs refuses this key"):
        secrets.ask_all(stage, lambda question: "wrong" if "ElevenLabs" in question else "right")
    assert sorted(account.secrets) == ["/showrunner/dev/openai/api_key"]

    asked = []
    secrets.ask_all(
        stage, lambda question: asked.append(question) or ("" if "Enter to go on" in question else "right")
    )
    assert not any("OpenAI" in question for question in asked)


def test_what_a_person_must_supply_is_listed_with_where_to_get_it(monkeypatch, tmp_path, services, stage):
    use(monkeypatch, tmp_path, Account())
    secrets.make_missing(stage)
    stage.put_secret("openai/api_key", "right")

    listed = secrets.wanted(stage)
    assert [line.partition(":")[0] for line in listed] == [
        *("elevenlabs/api_key", "youtube/api_key", "pexels/api_key"),
        *("tiktok/client_key", "tiktok/client_secret", "instagram/client_id", "instagram/client_secret"),
        *("spotify/client_id", "spotify/client_secret", "pixabay/api_key", "speech/api_key"),
        *("google/client_id", "google/client_secret", "google/service_account", "airtable/token"),
    ]
    assert "https://elevenlabs.io/app/settings/api-keys" in listed[0]
    assert "(without it: no stock pictures)" in listed[2]


def test_without_a_key_that_every_video_needs_nothing_goes_on(monkeypatch, tmp_path, services, stage):
    use(monkeypatch, tmp_path, Account())

    with pytest.raises(Refused, match="no video can be made without a key of OpenAI"):
        secrets.ask_all(stage, lambda _: "")


def test_a_service_that_is_away_doesnt_keep_anybody_from_going_on(monkeypatch):
    away = {"pexels/api_key": trials.TRIALS["pexels/api_key"]._replace(address="http://127.0.0.1:9")}
    monkeypatch.setattr(trials, "TRIALS", away)

    assert "stored without a trial: Pexels doesn't answer" in secrets.tried(BY_NAME["pexels/api_key"], "key")


# ---------------------------------------------------------------- make admin, smoke


def test_the_first_admin_is_told_what_is_shown_once(account, stage, monkeypatch, capsys):
    deploy()
    told = {"user_id": "u", "organisation_id": "o", "password_token": "TOKEN", "ingestion_key": "sr_KEY"}
    asked = []
    monkeypatch.setattr(Stage, "invoke_migrate", lambda self, event, _: asked.append(event) or told)

    admin.make_admin(stage, "you@label.com", "My label")

    said = capsys.readouterr().out
    assert asked == [
        {
            "command": "admin",
            "email": "you@label.com",
            "organisation": "My label",
            "by": "arn:aws:iam::123456789012:user/operator",
        }
    ]
    assert "https://p1.execute-api.us-east-1.amazonaws.com/api/v1/auth/password/reset" in said
    assert "TOKEN" in said
    assert "sr_KEY" in said
    assert account.secrets["/showrunner/dev/operator/organisation"] == "o"
    assert not [value for value in account.secrets.values() if value in ("TOKEN", "sr_KEY")]


def test_what_is_no_address_is_refused_before_anything_is_asked(stage):
    with pytest.raises(Refused, match="EMAIL=nobody"):
        admin.make_admin(stage, "nobody", None)


def test_smoke_says_which_step_is_missing(account, stage):
    with pytest.raises(Refused, match="make deploy STAGE=dev"):
        smoke.smoke(stage)
    deploy()
    with pytest.raises(Refused, match="make admin STAGE=dev"):
        smoke.smoke(stage)


# ---------------------------------------------------------------- make trace


def line(when: str, group: str, **fields: str) -> dict[str, str]:
    return {
        "@timestamp": when,
        "@log": f"123456789012:/showrunner/dev/{group}",
        "@message": json.dumps(fields),
    }


def test_one_id_leads_from_the_request_to_the_render(account, stage, capsys):
    deploy()
    account.lines = [
        line("2026-11-28 10:00:09", "render", video_id=VIDEO, message="encoded"),
        line("2026-11-28 10:00:01", "functions", request_id="request-1", video_id=VIDEO),
        line("2026-11-28 10:00:00", "access", request_id="request-1"),
        line("2026-11-28 10:00:05", "functions", request_id="another"),
    ]

    trace.trace(stage, "request-1")

    said = capsys.readouterr().out.splitlines()
    assert [text.split()[2] for text in said if text.startswith("2026")] == ["access", "functions", "render"]
    assert said[-1] == f"execution {VIDEO}-1: FAILED States.Timeout"


@pytest.mark.parametrize("wanted", ["", "a b", 'x" or 1=1', "short"])
def test_what_is_no_id_reaches_no_query(account, stage, wanted):
    with pytest.raises(Refused):
        trace.trace(stage, wanted)
    assert account.queries == []


def test_the_local_stack_s_logs_are_searched_in_the_same_way(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(trace, "HOME", tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "gateway.log").write_text("GET / request-1\nGET / another\n")
    (tmp_path / "logs" / "engine.log").write_text(
        f'{{"request_id": "request-1", "video_id": "{VIDEO}"}}\n{{"video_id": "{VIDEO}", "step": "render"}}\n'
    )

    trace.trace_local("request-1")

    assert len(capsys.readouterr().out.splitlines()) == 3


# ---------------------------------------------------------------- make switch

COPY = "showrunner_restore_01990e1f2b407a5d8c6e1f3b5d7f9a2c"


@pytest.fixture
def backup(account, stage, monkeypatch):
    """A stage with one backup that was restored into COPY. Its state can be changed before the switch."""
    deploy()
    restored = {"database": COPY, "status": "identical"}
    account.manifests = [{"id": "1", "started_at": "2026-11-28T01:00:00+00:00", "restore": restored}]
    account.answers["switch"] = {
        "database": "showrunner",
        "before": f"{COPY[:-1]}d",
        "applied": [],
        "deleted": 2,
    }
    return restored


def test_a_switch_says_what_goes_aside_and_how_to_go_back(account, stage, backup, capsys):
    switch.switch(stage, COPY, confirmed)

    told = capsys.readouterr().out
    assert account.commands_of_migrate == [
        {"command": "switch", "database": COPY, "by": "arn:aws:iam::123456789012:user/operator"}
    ]
    assert f"{COPY} holds the rows of 2026-11-28T01:00:00+00:00" in told
    assert f"make switch STAGE=dev DATABASE={COPY[:-1]}d" in told


@pytest.mark.parametrize("status", ["running", "different", "failed"])
def test_a_copy_that_is_not_its_backup_is_refused(account, stage, backup, status):
    backup["status"] = status

    with pytest.raises(Refused, match="GET /api/v1/backups"):
        switch.switch(stage, COPY, confirmed)
    assert account.commands_of_migrate == []


@pytest.mark.parametrize("name", ["", "showrunner"])
def test_a_name_that_is_no_copys_is_refused_before_anything_is_asked(stage, name):
    with pytest.raises(Refused, match="GET /api/v1/backups has it"):
        switch.switch(stage, name)


def test_a_switch_needs_its_sentence_and_goes_back_without_a_backup(account, stage, backup, capsys):
    with pytest.raises(Refused, match="nothing was switched"):
        switch.switch(stage, COPY, lambda _: "yes")

    switch.switch(stage, f"{COPY[:-1]}d", confirmed)

    assert "No backup names" in capsys.readouterr().out
    assert len(account.commands_of_migrate) == 1


# ---------------------------------------------------------------- make destroy


def confirmed(question: str) -> str:
    return question.partition("Type '")[2].partition("'")[0]


def test_nothing_goes_without_the_sentence(account, stage):
    deploy()
    for data, answer in (("keep", "yes"), ("delete", "destroy dev"), ("maybe", "")):
        with pytest.raises(Refused):
            destroy.destroy(stage, data, lambda _, answer=answer: answer)
    assert len(account.stacks) == 2


def test_kept_data_rest_and_can_be_deployed_again(account, stage):
    deploy()

    destroy.destroy(stage, "keep", confirmed)

    assert list(account.stacks) == ["showrunner-data-dev"]
    assert account.stacks["showrunner-data-dev"].parameters["Egress"] == "none"
    assert account.objects
    deploy()
    assert len(account.stacks) == 2
    assert account.stacks["showrunner-data-dev"].parameters["Egress"] == "instance"


def test_deleted_data_leave_nothing_of_this_stage_and_all_of_others(account, stage):
    deploy()
    account.secrets["/showrunner/prod/openai/api_key"] = "theirs"

    destroy.destroy(stage, "delete", confirmed)

    assert account.stacks == {}
    assert (account.objects, account.table, account.key_ends) == (None, False, True)
    assert account.snapshots == ["showrunner-prod-1-final"]
    assert list(account.secrets) == ["/showrunner/prod/openai/api_key"]


def test_whatever_call_of_a_destruction_fails_the_next_run_goes_on(monkeypatch, tmp_path, stage):
    def fresh() -> Account:
        account = Account()
        account.secrets |= {f"/showrunner/dev/{name}": "key" for name in secrets.BROUGHT}
        use(monkeypatch, tmp_path, account)
        deploy()
        account.steps = 0
        stage.clients.clear()
        return account

    clean = fresh()
    destroy.destroy(stage, "delete", confirmed)
    for step in range(1, clean.steps + 1):
        account = fresh()
        account.fail_at = step
        with pytest.raises((BotoCoreError, Refused)):
            destroy.destroy(stage, "delete", confirmed)
        destroy.destroy(stage, "delete", confirmed)
        assert (account.stacks, account.secrets, account.objects, account.table) == ({}, {}, None, False), (
            f"step {step}"
        )


def test_a_stack_that_cannot_be_deleted_says_why(account, stage):
    deploy()
    account.stacks["showrunner-dev"] = Stack("UPDATE_COMPLETE", {"Protected": "true"}, {}, events=[])

    with pytest.raises(Refused, match="could not be deleted"):
        destroy.destroy(stage, "keep", confirmed)


def test_production_is_destroyed_only_by_its_name():
    with pytest.raises(Refused, match="CONFIRM=prod"):
        refuse_unsafe("prod", "no")


# ---------------------------------------------------------------- Without an account


@pytest.mark.parametrize("region", [None, "us-east-1"])
@pytest.mark.parametrize("command", ["keys", "orphans", "smoke", "edge", "verify"])
def test_every_command_says_what_the_shell_lacks(monkeypatch, tmp_path, command, region):
    """A new user forgets the region or the login: that is a sentence, not a traceback."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if region:
        monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setattr(main, "enter", lambda groups: None)  # this process has the SDK already
    options = main.parser().parse_args([command, "--stage", "dev"])

    with pytest.raises(Refused, match="AWS_PROFILE"):
        options.do(options)
