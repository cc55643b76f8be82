"""`make deploy` and preflight with an account in memory: what is missing, and reruns after failures."""

import functools
import json
import os
import re
import subprocess

import pytest
from botocore.exceptions import BotoCoreError

from local import build, release
from local.settings import ROOT, Refused
from local.stages import destroy, edge, key, preflight, secrets
from local.stages import stage as stages
from local.stages.stage import Stage
from tests.local.account import Account, Stack

TOLD = {"AlarmEmail": "ops@showrunner.tv", "MailFrom": "hello@mail.showrunner.tv", "MonthlyBudget": "50"}
VERSION = functools.cache(build.version)
PLATFORM = "https://p1.execute-api.us-east-1.amazonaws.com"


@pytest.fixture
def account(monkeypatch, tmp_path) -> Account:
    """An account with every key and quota, a filled-in file of the stage, and built templates."""
    account = Account()
    for name in secrets.BROUGHT:
        account.secrets[f"/showrunner/dev/{name}"] = "key"
    use(monkeypatch, tmp_path, account)
    return account


def use(monkeypatch, tmp_path, account: Account, told: dict[str, str] = TOLD) -> None:
    (tmp_path / "stages").mkdir(exist_ok=True)
    (tmp_path / "stages" / "dev.toml").write_text(
        "".join(f"{name} = {json.dumps(value)}\n" for name, value in told.items())
    )
    for name in ("data", "application"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "template.yaml").write_text(build.TEMPLATES[name].read_text())
    monkeypatch.setattr(stages, "FILES", tmp_path / "stages")
    monkeypatch.setattr(stages, "ROOT", tmp_path)
    monkeypatch.setattr(release, "HOME", tmp_path)
    monkeypatch.setattr(stages, "POLL_SECONDS", 0)
    monkeypatch.setattr(Stage, "session", lambda self: account.session())
    monkeypatch.setattr(build, "build", lambda: tmp_path)
    # Nobody changes the sources meanwhile, and a test deploys up to 180 times.
    monkeypatch.setattr(build, "version", VERSION)
    monkeypatch.setattr(subprocess, "run", account.run)
    monkeypatch.setattr(preflight, "container_engine", lambda: "docker")
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")] + ["PLATFORM_URL"]:
        monkeypatch.delenv(name, raising=False)


def deploy(**options) -> None:
    release.release("dev", dry_run=False, confirm=None, **options)


# ---------------------------------------------------------------- Preflight


def test_everything_that_is_missing_is_listed_at_once_with_its_command(monkeypatch, tmp_path, capsys):
    account = Account(
        concurrency=10, verified=set(), production_mail=False, suppresses=False, quotas={"L-3032A538": 2.0}
    )
    use(monkeypatch, tmp_path, account, {"AlarmEmail": "", "MailFrom": "hello@mail.showrunner.tv"})

    with pytest.raises(Refused, match="5 of these"):
        deploy()

    told = capsys.readouterr().out
    for part in (
        "AlarmEmail (where alarms go) is empty",
        "keys of OpenAI, ElevenLabs, YouTube Data API are not in SSM",
        "make keys STAGE=dev",
        "Lambda allows 10 executions at once",
        (
            "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 "
            "--desired-value 1000"
        ),
        "may start no GPU instance",
        "--quota-code L-3819A6DF",
        "Fargate allows 2 vCPUs",
        "SES is in its sandbox",
        "aws sesv2 put-account-suppression-attributes --suppressed-reasons BOUNCE COMPLAINT",
        "aws sesv2 create-email-identity --email-identity hello@mail.showrunner.tv",
        "no login with Google",
    ):
        assert part in told, part
    assert account.deployed == []
    assert not [name for name in account.secrets if "password" in name], (
        "nothing is made before everything is there"
    )


def test_preflight_names_a_voice_that_the_account_of_elevenlabs_has_lost(
    account, monkeypatch, tmp_path, capsys, httpserver
):
    found = {"detail": {"code": "voice_not_found", "message": "A voice with this id was not found."}}
    httpserver.expect_request("/v1/voices/here").respond_with_json({"voice_id": "here"})
    httpserver.expect_request("/v1/voices/gone").respond_with_json(found, status=404)
    monkeypatch.setattr(preflight, "ELEVENLABS", httpserver.url_for(""))
    use(monkeypatch, tmp_path, account, {**TOLD, "Voices": "female1=here,male1=gone"})

    deploy()

    told = capsys.readouterr().out
    assert "the voice male1 (gone) can't be used: A voice with this id was not found." in told
    assert "the voice female1" not in told


def test_without_a_gpu_quota_videos_are_rendered_on_fargate_unless_somebody_insists(
    account, monkeypatch, tmp_path
):
    account.quotas.update({"L-3819A6DF": 0.0, "L-DB2E81BA": 0.0})
    deploy()
    assert account.stacks["showrunner-dev"].parameters["RenderPlatform"] == "cpu"

    use(monkeypatch, tmp_path, account, {**TOLD, "RenderPlatform": "gpu"})
    with pytest.raises(Refused, match="1 of these"):
        deploy()


def test_the_zones_are_those_that_have_the_instance_types_and_stay(account):
    deploy()
    chosen = account.stacks["showrunner-data-dev"].parameters
    assert (chosen["ZoneA"], chosen["ZoneB"]) == ("us-east-1a", "us-east-1d")

    account.zones["us-east-1e"] = ["t4g.micro", "g6.xlarge", "g5.xlarge", "g4dn.xlarge"]
    deploy()
    assert account.stacks["showrunner-data-dev"].parameters["ZoneA"] == "us-east-1a"


def test_a_region_without_two_usable_zones_is_refused(account):
    account.zones = {"us-east-1a": ["t4g.micro"], "us-east-1b": ["g6.xlarge"]}

    with pytest.raises(Refused, match="1 of these"):
        deploy()


@pytest.mark.parametrize(("role", "expected"), [(None, "make"), ("arn:aws:iam::1:role/of-somebody", "keep")])
def test_a_role_for_api_logs_that_the_account_has_is_left_alone(account, role, expected):
    account.api_logs = role
    deploy()
    account.api_logs = "arn:aws:iam::123456789012:role/ours"
    deploy()

    assert account.stacks["showrunner-data-dev"].parameters["ApiLogs"] == expected


def test_the_reserved_executions_are_those_of_the_templates():
    from tests.contract import template

    counts = [
        function.properties.get("ReservedConcurrentExecutions") for function in template.functions().values()
    ]

    assert preflight.reserved() == sum(template.largest(count) for count in counts if count)


# ---------------------------------------------------------------- Parameters


def test_the_stage_s_file_and_what_the_stacks_say_meet_in_the_parameters(account):
    deploy()

    data, application = (
        account.stacks["showrunner-data-dev"].parameters,
        account.stacks["showrunner-dev"].parameters,
    )
    assert data["AlarmEmail"] == TOLD["AlarmEmail"]
    assert data["CorsOrigins"] == application["CorsOrigins"] == application["PlatformUrl"] == PLATFORM
    assert application["IngestionUrl"] == "https://i1.execute-api.us-east-1.amazonaws.com"
    assert application["OAuthRedirects"] == f"{PLATFORM}/oauth"
    assert application["MailFrom"] == TOLD["MailFrom"]
    assert application["DatabaseHost"] == account.stacks["showrunner-data-dev"].outputs["DatabaseHost"]
    assert application["ImageUri"].endswith("/showrunner-dev-render@sha256:" + "0" * 64)
    assert "RenderPlatform" not in application


def test_every_parameter_without_a_default_is_given(account):
    deploy()

    for name, stack in (("data", "showrunner-data-dev"), ("application", "showrunner-dev")):
        text = build.TEMPLATES[name].read_text()
        section = re.search(r"^Parameters:\n(.*?)^\S", text, re.MULTILINE | re.DOTALL)[1]
        without = {
            each
            for each, body in re.findall(r"^  (\w+):(.*?)(?=^  \w|\Z)", section, re.MULTILINE | re.DOTALL)
            if "Default:" not in body
        }
        assert without <= account.stacks[stack].parameters.keys()


CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
WITH_DOMAINS = {
    **TOLD,
    "PlatformDomain": "api.showrunner.tv",
    "LiveDomain": "live.showrunner.tv",
    "CertificateArn": CERTIFICATE,
}


def test_a_domain_of_the_stage_s_own_is_the_issuer_from_the_first_moment_on(
    account, monkeypatch, tmp_path, capsys
):
    account.certificates = {CERTIFICATE: ("ISSUED", ["*.showrunner.tv"])}
    use(monkeypatch, tmp_path, account, {**WITH_DOMAINS, "CorsOrigins": "https://app.showrunner.tv"})
    deploy()

    printed = capsys.readouterr().out
    for name in ("api", "live"):
        assert f"DNS: {name}.showrunner.tv has to be a CNAME of d-" in printed
    assert account.stacks["showrunner-dev"].parameters["LiveUrl"] == "wss://live.showrunner.tv"

    urls = [values["PlatformUrl"] for name, values in account.deployed if name == "showrunner-dev"]
    assert set(urls) == {"https://api.showrunner.tv"}
    assert account.stacks["showrunner-data-dev"].parameters["CorsOrigins"] == "https://app.showrunner.tv"


@pytest.mark.parametrize(
    ("status", "names", "told"),
    [
        ("PENDING_VALIDATION", ["*.showrunner.tv"], "is PENDING_VALIDATION, not ISSUED"),
        ("ISSUED", ["api.showrunner.tv"], "doesn't cover live.showrunner.tv"),
        ("ISSUED", ["showrunner.tv", "*.tv"], "doesn't cover api.showrunner.tv, live.showrunner.tv"),
    ],
)
def test_a_certificate_that_serves_no_domain_is_found_before_the_deployment(
    account, monkeypatch, tmp_path, capsys, status, names, told
):
    account.certificates = {CERTIFICATE: (status, names)}
    use(monkeypatch, tmp_path, account, WITH_DOMAINS)

    with pytest.raises(Refused, match="have to be there first"):
        deploy()
    assert told in capsys.readouterr().out
    assert account.deployed == []


def test_domains_without_a_certificate_are_refused_with_the_command_for_one(
    account, monkeypatch, tmp_path, capsys
):
    use(monkeypatch, tmp_path, account, {**WITH_DOMAINS, "CertificateArn": ""})

    with pytest.raises(Refused, match="have to be there first"):
        deploy()
    assert (
        "aws acm request-certificate --validation-method DNS --domain-name api.showrunner.tv "
        "--subject-alternative-names live.showrunner.tv" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("http://localhost:5173", "no address of a real stage"),
        ("https://address.invalid", "no address of a real stage"),
        ("https://example.com", "no address of a real stage"),
        ("http://app.showrunner.tv", "use https"),
    ],
)
def test_an_address_that_leads_nowhere_is_never_deployed(account, monkeypatch, tmp_path, value, told):
    use(monkeypatch, tmp_path, account, {**TOLD, "CorsOrigins": value})

    with pytest.raises(Refused, match=told):
        deploy()
    assert account.deployed == []


def test_the_files_of_both_stages_name_parameters_of_the_templates_only():
    templates = (*build.TEMPLATES.values(), edge.TEMPLATE)
    declared = set().union(*(build.declared(path) for path in templates))
    for name in stages.NAMES:
        import tomllib

        told = tomllib.loads((ROOT / "stages" / f"{name}.toml").read_text())
        assert sorted(told.keys() - declared) == []
        assert set(preflight.WANTED) <= told.keys()


# ---------------------------------------------------------------- Convergence


def test_a_stage_is_made_in_order_and_protected_only_when_it_stands(account):
    deploy()

    assert [(name, values.get("Protected")) for name, values in account.deployed] == [
        ("showrunner-data-dev", "false"),
        ("showrunner-dev", None),
        ("showrunner-dev", None),
        ("showrunner-data-dev", "true"),
    ]
    assert account.deployed[1][1]["PlatformUrl"] == release.PENDING
    assert all(stack.protected for stack in account.stacks.values())


def test_whatever_call_fails_the_next_run_makes_it_good(monkeypatch, tmp_path, capsys):
    """Fail at each AWS call and command of the first deployment in turn, then run it until it succeeds."""

    def fresh() -> Account:
        account = Account()
        account.secrets |= {f"/showrunner/dev/{name}": "key" for name in secrets.BROUGHT}
        use(monkeypatch, tmp_path, account)
        return account

    clean = fresh()
    deploy()
    steps = clean.steps
    assert steps > 50

    most = 0
    for step in range(1, steps + 1):
        account = fresh()
        account.fail_at = step
        runs = 0
        while True:
            runs += 1
            try:
                deploy()
                break
            except (Refused, BotoCoreError):
                assert runs < 3, f"step {step} is not made good by the next run"
        assert account.fail_at is None, f"step {step} was never reached"
        assert account.summary() == clean.summary(), f"step {step}"
        most = max(most, runs)
    assert most == 2


@pytest.mark.parametrize(
    "status", ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"]
)
def test_a_first_deployment_that_never_stood_is_undone_and_made_again(account, status):
    account.stacks["showrunner-data-dev"] = Stack(status, {"Stage": "dev", "Protected": "false"}, {})

    deploy()

    assert account.stacks["showrunner-data-dev"].status == "UPDATE_COMPLETE"
    assert account.stacks["showrunner-data-dev"].parameters["Protected"] == "true"


@pytest.mark.parametrize(
    "status",
    [
        "UPDATE_ROLLBACK_FAILED",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
    ],
)
def test_a_stack_that_is_busy_or_stuck_is_waited_for_or_mended(account, status):
    deploy()
    account.stacks["showrunner-dev"].status = status

    deploy()

    assert account.stacks["showrunner-dev"].status == "UPDATE_COMPLETE"


def test_a_stack_that_somebody_began_to_delete_is_not_touched(account):
    deploy()
    account.stacks["showrunner-data-dev"].status = "DELETE_FAILED"

    with pytest.raises(Refused, match="somebody began to delete"):
        deploy()


def test_a_failed_deployment_says_which_resource_and_why(account):
    account.stack_failures = ["UPDATE_ROLLBACK_COMPLETE"]

    with pytest.raises(Refused, match="Database: no capacity"):
        deploy()


def test_a_second_run_changes_nothing(account):
    deploy()
    before = account.summary()
    deploy()

    assert account.summary() == before
    assert account.deployed[-1] == account.deployed[3]


def test_the_public_half_of_the_signing_key_is_made_again_from_the_private_one(account):
    deploy()
    jwks = account.secrets.pop("/showrunner/dev/auth/jwks")
    deploy()

    assert account.secrets["/showrunner/dev/auth/jwks"] == jwks


# ---------------------------------------------------------------- Releases and restores


KEY = "arn:aws:kms:us-east-1:123456789012:key/1"


def test_the_stages_key_is_there_before_its_first_secret(monkeypatch, tmp_path, capsys):
    account = Account()
    use(monkeypatch, tmp_path, account)

    secrets.make_missing(Stage("dev"))
    secrets.ask_all(Stage("dev"), lambda question: "" if "Enter to go on" in question else "key")
    asked = dict(account.secret_keys)
    deploy()

    assert asked
    assert set(asked.values()) == {KEY}
    assert account.secret_keys.keys() == account.secrets.keys()
    assert set(account.secret_keys.values()) == {KEY}
    assert "Encrypted" not in capsys.readouterr().out, "no secret was ever under another key"
    data = account.stacks["showrunner-data-dev"].parameters
    assert (data["Protected"], data["ZoneA"], data["ApiLogs"]) == ("true", "us-east-1a", "make")


def test_a_first_deployment_that_fails_leaves_the_key_and_can_be_undone(account):
    account.stack_failures = ["UPDATE_ROLLBACK_COMPLETE"]
    with pytest.raises(Refused):
        deploy()
    assert account.stacks["showrunner-data-dev"].outputs == {"StageKeyArn": KEY}

    deploy()

    assert [values["Protected"] for name, values in account.deployed if name == "showrunner-data-dev"] == [
        "false",
        "true",
    ]


def test_a_stage_that_has_only_its_key_can_be_destroyed(account, monkeypatch):
    key.make(Stage("dev"))

    destroy.destroy(
        Stage("dev"), "delete", lambda question: question.partition("Type '")[2].partition("'")[0]
    )

    assert (account.stacks, account.key_ends, account.secrets) == ({}, True, {})


def test_secrets_that_were_stored_by_hand_are_encrypted_with_the_stages_key(account, capsys):
    deploy()

    assert {account.secret_keys[name] for name in account.secrets} == {KEY}
    assert "Encrypted /showrunner/dev/openai/api_key with the stage's key" in capsys.readouterr().out

    deploy()
    assert "Encrypted" not in capsys.readouterr().out


def test_old_job_definitions_end_only_when_nothing_runs(account):
    account.revisions, account.running = [1, 2, 3], True
    deploy()
    assert account.deregistered == []

    account.running = False
    deploy()
    assert account.deregistered == ["showrunner-dev-render-gpu:1", "showrunner-dev-render-cpu:1"]


def test_all_versions_of_a_function_but_the_last_two_are_deleted(account):
    account.versions = ["$LATEST", "2", "9", "10", "11"]
    deploy()

    assert account.versions == ["$LATEST", "10", "11"]


def test_another_value_of_any_parameter_is_another_release(account):
    """A version of a function is frozen with its environment, so a changed parameter needs a new one too."""
    deploy()
    first = account.stacks["showrunner-dev"].parameters["Release"]
    deploy()
    same = account.stacks["showrunner-dev"].parameters["Release"]
    deploy(snapshot="before-the-mistake")  # the database gets another host
    restored = account.stacks["showrunner-dev"].parameters["Release"]

    assert first == same
    assert restored != first


def test_a_restore_deletes_again_what_was_deleted_on_request_since_the_snapshot(account):
    deploy()
    account.deletions = [{"thing": "user", "thing_id": "7", "organisation_id": None}]

    deploy(snapshot="before-the-mistake")

    assert account.deleted_again == account.deletions
    deploy(snapshot="before-the-mistake")
    assert account.deleted_again == account.deletions, "and only once"


def test_a_restore_frees_the_old_cluster_makes_another_and_hands_its_host_over(account):
    deploy()
    account.deployed.clear()

    deploy(snapshot="before-the-mistake")

    data = account.stacks["showrunner-data-dev"]
    assert (
        data.parameters["DatabaseSnapshot"],
        data.parameters["DatabaseGeneration"],
        data.parameters["Protected"],
    ) == ("before-the-mistake", "2", "true")
    assert account.stacks["showrunner-dev"].parameters["DatabaseHost"] == data.outputs["DatabaseHost"]
    assert [values["Protected"] for name, values in account.deployed if name == "showrunner-data-dev"] == [
        "false",
        "false",
        "true",
    ]

    deploy()  # the next release must not empty it again
    assert account.stacks["showrunner-data-dev"].parameters["DatabaseSnapshot"] == "before-the-mistake"
    assert account.stacks["showrunner-data-dev"].parameters["DatabaseGeneration"] == "2"


# ---------------------------------------------------------------- Dry run


@pytest.fixture
def rehearsed(monkeypatch, capsys) -> str:
    """Return what `make deploy STAGE=dev DRY_RUN=1` prints; to ask an account would fail the test."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name == "PLATFORM_URL"]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(Stage, "session", lambda self: pytest.fail("asked the account"))

    release.release("dev", dry_run=True, confirm=None)

    return capsys.readouterr().out


def test_a_rehearsal_prints_the_whole_order_and_asks_no_account(rehearsed):
    order = [
        "make preflight",
        "make keys",
        "make build",
        "showrunner-data-dev",
        "lambda invoke",
        "docker build",
        "docker push",
        "describe-images",
        "--stack-name showrunner-dev",
        "make admin",
        "make smoke",
    ]
    places = [rehearsed.index(part) for part in order]
    assert places == sorted(places)
    assert "ImageUri=$repository@$digest" in rehearsed


def deployment_steps() -> list[str]:
    """Return the steps of the README's list for a new account."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    chapter = text.partition("## Deploying to AWS")[2].partition("\n## ")[0]
    return re.findall(r"^\d+\. (.*(?:\n +.*)*)", chapter, re.MULTILINE)


def test_a_new_user_types_at_most_fifteen_commands_and_decisions():
    """Counted in the README's list, of which each item is one command or decision."""
    steps = deployment_steps()
    commands = [re.findall(r"`(make [a-z]+ STAGE=[^`]*|export [^`]*)`", step) for step in steps]

    assert 5 <= len(steps) <= 15
    assert [step for step, found in zip(steps, commands, strict=True) if len(found) > 1] == []


def test_the_readme_names_the_targets_that_a_rehearsal_names_in_its_order(rehearsed):
    told = [name for step in deployment_steps() for name in re.findall(r"^`make ([a-z]+) STAGE", step)]

    assert told == ["preflight", "keys", "deploy", "admin", "smoke"]
    # It is `make deploy` that rehearses.
    places = [rehearsed.index(f"make {name} STAGE") for name in told if name != "deploy"]
    assert places == sorted(places)
