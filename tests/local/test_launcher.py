"""The first meeting with the launcher: help, refused briefs, complete environments, failures."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from local import access, brief, build, check, deploy, release, run_video, setup, stack, suite
from local.processes import Supervisor
from local.settings import PORTS, ROOT, Refused
from tests.local.conftest import free_port


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAKE", "AWS_", "SHOWRUNNER"))
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# make


def test_make_alone_lists_every_target_with_its_help():
    told = make()
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert told.returncode == 0
    for target in (
        "run",
        "test",
        "test-full",
        "check",
        "up",
        "down",
        "open",
        "build",
        "deploy",
        "lock",
        "clean",
    ):
        assert target in targets
        assert re.search(rf"^  make {target} +\S", told.stdout, re.MULTILINE)


def test_a_benchmark_is_listed_only_when_it_is_there():
    told = make().stdout

    for name in ("render", "api", "cold", "ingest"):
        assert (f"make bench-{name} " in told) == (ROOT / "tests" / "bench" / f"{name}.py").exists()


def test_a_missing_python_is_one_line_with_the_remedy(tmp_path):
    # A PATH with make's own needs and no Python.
    for tool in ("make", "sh", "awk", "env"):
        (tmp_path / tool).symlink_to(shutil.which(tool))

    told = make("run", PATH=str(tmp_path))

    assert told.returncode == 2
    assert "Python 3.13 was not found; install it and put python3.13 on PATH" in told.stderr
    assert len([line for line in told.stderr.splitlines() if line.startswith("showrunner:")]) == 1


def test_make_run_tells_a_malformed_brief_before_it_sets_anything_up(tmp_path):
    file = tmp_path / "brief.json"
    file.write_text('{"topic": "a",}')

    told = make("run", f"BRIEF={file}")

    assert told.returncode == 2
    assert f"the brief {file} is not JSON" in told.stderr
    assert "line 1, column" in told.stderr
    assert told.stdout == ""


def test_a_port_that_is_no_number_and_two_equal_ones_are_told_in_one_line():
    for environment, told in (
        ({"PLATFORM_PORT": "eight"}, "PLATFORM_PORT=eight is no port; give a number from 1 to 65535"),
        ({"VOICE_PORT": "70000"}, "VOICE_PORT=70000 is no port"),
    ):
        done = make("down", **environment)
        assert done.returncode == 2
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_two_servers_with_one_port_are_refused(monkeypatch):
    monkeypatch.setattr(stack, "PORTS", {"PLATFORM_PORT": 9000, "ENGINE_PORT": 9000})

    with pytest.raises(Refused, match="PLATFORM_PORT and ENGINE_PORT are both 9000"):
        stack.refuse_shared_ports()


# briefs


def written(tmp_path: Path, body: object) -> Path:
    file = tmp_path / "brief.json"
    file.write_text(body if isinstance(body, str) else json.dumps(body))
    return file


def test_make_up_and_make_run_tell_a_used_port_before_they_set_anything_up(tmp_path):
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        port = used.getsockname()[1]
        ports = {name: str(free_port()) for name in PORTS} | {"PLATFORMS_PORT": str(port)}
        for command in ("up", "run"):
            done = subprocess.run(
                [sys.executable, "-m", "local", command],
                cwd=ROOT,
                env={**os.environ, **ports, "SHOWRUNNER_HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )

            assert done.returncode != 0
            assert f"port {port} for platforms is in use" in done.stdout + done.stderr
            assert "PLATFORMS_PORT" in done.stdout + done.stderr
            assert not (tmp_path / "env").exists()


def test_servers_that_ended_are_named_with_their_log_and_the_remedy(tmp_path, monkeypatch):
    supervisor = Supervisor(tmp_path)
    monkeypatch.setattr(stack, "supervisor", supervisor)
    monkeypatch.delenv("ELEVENLABS_API_KEY", raising=False)
    status = {"status": "failed", "errors": [], "current_step": "voice"}

    told = run_video.failure("v-1", status)

    assert f"voice (log: {tmp_path / 'logs' / 'voice.log'})" in told
    assert "make up starts them again" in told
    monkeypatch.setattr(supervisor, "find", lambda name: name)
    assert stack.ended() == ""


def test_the_sample_brief_is_accepted():
    assert brief.read(None)["topic"]


def test_aspect_and_length_go_before_what_the_brief_says(tmp_path):
    file = written(tmp_path, {"topic": "a", "length": "short", "aspect": "9:16"})

    assert brief.read(file, "16:9, 1:1", "30") == {
        "topic": "a",
        "length_seconds": 30,
        "aspect": ["16:9", "1:1"],
    }
    assert brief.read(file, None, "long") == {"topic": "a", "length": "long", "aspect": "9:16"}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("null", "is not a JSON object"),
        ({}, "topic is missing"),
        ({"topic": "  "}, "topic is missing"),
        ({"topic": None, "source_text": ""}, "topic is missing"),
        ({"topic": 3}, "topic is a text, not a number"),
        ({"source_text": ["a"]}, "source_text is a text, not a list"),
        ({"manual_script": {"a": 1}}, "manual_script is a text, not an object"),
        ({"topic": True}, "topic is a text, not true or false"),
    ],
)
def test_a_wrong_brief_is_refused_with_field_and_reason(tmp_path, body, told):
    with pytest.raises(Refused, match=told) as refused:
        brief.read(written(tmp_path, body))

    assert refused.value.code == 2
    assert "\n" not in str(refused.value)


def test_a_missing_brief_a_folder_and_other_bytes_are_refused(tmp_path):
    (tmp_path / "latin.json").write_bytes(b'{"topic": "caf\xe9"}')

    for file, told in (
        (tmp_path / "none.json", "doesn't exist"),
        (tmp_path, "is a folder"),
        (tmp_path / "latin.json", "not UTF-8"),
    ):
        with pytest.raises(Refused, match=told):
            brief.read(file)


@pytest.mark.parametrize("length", ["9", "3601", "-5", "abc", "1e2", "٣٠", "30.5", "shortish"])
def test_a_length_out_of_range_is_refused(length):
    with pytest.raises(Refused, match=f"LENGTH={re.escape(length)}: a length is"):
        brief.lengths(length)


def test_an_unknown_aspect_is_refused():
    with pytest.raises(Refused, match="4:3 is none of 9:16, 16:9, 1:1"):
        brief.aspects("16:9,4:3")


# environments


@pytest.fixture
def environments(tmp_path, monkeypatch):
    """Locks and environments of their own; an environment is only a folder here."""
    monkeypatch.setattr(setup, "ENVIRONMENTS", tmp_path / "env")
    monkeypatch.setattr(setup, "LOCKS", tmp_path / "lock")
    monkeypatch.setattr(setup, "python_of", lambda group: tmp_path / "env" / group / "bin" / "python")
    (tmp_path / "lock").mkdir()
    for names, _ in setup.GROUPS.values():
        for name in names:
            (tmp_path / "lock" / f"{name}.txt").write_text(f"{name}==1\n")
    return tmp_path


def made(environments: Path, group: str) -> None:
    python = environments / "env" / group / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    setup._stamp_of(group).write_text(setup._version(group, setup._locks_of(group)))


def test_an_environment_is_made_again_when_its_lock_file_changes(environments):
    made(environments, "models")
    assert setup.is_current("models")

    (environments / "lock" / "models-data.txt").write_text("models-data==2\n")

    assert not setup.is_current("models")


def test_an_environment_is_made_again_when_its_interpreter_is_gone_or_its_folder_moved(
    environments, monkeypatch
):
    made(environments, "local")
    made(environments, "lambda")
    setup.python_of("lambda").unlink()
    assert not setup.is_current("lambda")

    (environments / "env").rename(environments / "elsewhere")
    monkeypatch.setattr(setup, "ENVIRONMENTS", environments / "elsewhere")
    monkeypatch.setattr(
        setup, "python_of", lambda group: environments / "elsewhere" / group / "bin" / "python"
    )

    assert not setup.is_current("local")


def test_a_link_to_the_environments_of_another_checkout_needs_no_set_up(environments, monkeypatch):
    made(environments, "local")
    (environments / "link").symlink_to(environments / "env", target_is_directory=True)

    monkeypatch.setattr(setup, "ENVIRONMENTS", environments / "link")

    assert setup.is_current("local")


def test_what_is_up_to_date_is_not_touched_and_says_nothing(environments, capsys):
    made(environments, "local")

    setup.ensure(("local",))

    assert capsys.readouterr().out == ""


def test_too_little_disk_is_told_with_what_is_needed(monkeypatch):
    monkeypatch.setattr(
        setup.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12, 5 * 10**8)
    )

    with pytest.raises(Refused, match=r"about \d\.\d GB of free disk are needed .* there are 0\.5 GB"):
        setup.refuse_little_disk(setup.RUN)


def test_make_run_installs_no_test_tools():
    assert "dev" not in setup.RUN
    assert set(setup.TEST) == {*setup.RUN, "dev"}
    assert not {group for groups in setup.PEERS.values() for group in groups} & set(setup.TEST)


def test_every_lock_file_has_hashes_and_names_no_registry():
    for names, _ in setup.GROUPS.values():
        for name in names:
            text = (ROOT / "local" / "lock" / f"{name}.txt").read_text()
            assert "://" not in text
            requirements = [line for line in text.splitlines() if re.match(r"^[a-z0-9]", line)]
            assert requirements
            assert all(" \\" in line for line in requirements)
            assert text.count("--hash=sha256:") >= len(requirements)


# keys


def test_the_signing_key_is_made_once_and_readable_by_its_owner_only(tmp_path):
    first = access.signing_key(tmp_path)

    assert stat.S_IMODE((tmp_path / "keys" / "signing.json").stat().st_mode) == 0o600
    assert access.signing_key(tmp_path) == first
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["signing.json"]


# what the local stage is given


def test_with_keys_of_ones_own_the_real_services_are_used(tmp_path, monkeypatch):
    (tmp_path / "postgres").mkdir()
    monkeypatch.setattr(deploy, "HOME", tmp_path)
    for name in ("OPENAI_API_KEY", "ELEVENLABS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    key = access.signing_key(tmp_path)
    assert deploy.parameters()["OpenAiBaseUrl"].startswith("http://127.0.0.1:")
    assert deploy.parameters()["Demo"] == "true"
    assert deploy.secrets(key)["openai/api_key"] == "local"

    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("ELEVENLABS_API_KEY", "el-1")

    assert deploy.parameters()["OpenAiBaseUrl"] == "https://api.openai.com/v1"
    assert deploy.parameters()["ElevenLabsBaseUrl"] == "https://api.elevenlabs.io"
    assert deploy.parameters()["Demo"] == "false"
    assert deploy.secrets(key)["openai/api_key"] == "sk-1"


def test_the_suite_uses_other_ports_and_no_real_keys(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")

    told = suite.environment()

    assert "OPENAI_API_KEY" not in told
    assert told["SHOWRUNNER_HOME"] == str(ROOT / ".local" / "test")
    assert int(told["PLATFORM_PORT"]) >= suite.PORT_OFFSET


def test_parameters_are_read_from_the_templates_themselves():
    assert {"Stage", "DatabaseHost", "Egress"} <= build.declared(build.TEMPLATES["data"])
    assert {"Stage", "PlatformUrl", "ImageUri", "Demo"} <= build.declared(build.TEMPLATES["application"])
    # What the local stage is given exists in one template or the other; a renamed parameter shows here, not
    # as a default in use.
    known = build.declared(build.TEMPLATES["data"]) | build.declared(build.TEMPLATES["application"])
    assert set(deploy.parameters()) - known <= {"IngestionUrl", "LiveUrl"}


# answers


def answer(status: int, body: object) -> httpx.Response:
    return httpx.Response(
        status, json=body, request=httpx.Request("POST", "http://127.0.0.1/api/v1/videos/generate")
    )


def test_the_apis_own_error_is_told_with_its_fields():
    error = {
        "code": "VALIDATION_ERROR",
        "message": "The body is wrong.",
        "details": [{"field": "style", "message": "Input should be 'news'"}],
        "request_id": "r-1",
    }

    with pytest.raises(
        deploy.ApiRefused,
        match=(
            r"400 .*VALIDATION_ERROR: The body is wrong\. \(request r-1\)\n"
            r"    style: Input should be 'news'"
        ),
    ) as refused:
        deploy.answered(answer(400, {"error": error}))

    assert refused.value.code == 2


def test_an_answer_that_is_not_the_apis_own_is_told_as_it_is():
    with pytest.raises(deploy.ApiRefused, match="503") as refused:
        deploy.answered(answer(503, {"message": "Service Unavailable"}))

    assert refused.value.code == 1


def test_a_failed_video_names_step_reason_and_logs():
    status = {
        "status": "failed",
        "current_step": "voice",
        "errors": [
            {"step": "voice", "code": "QuotaExceeded", "message": "The account has used up its quota."}
        ],
    }

    told = run_video.failure("v-1", status)

    assert "video v-1 failed at voice: The account has used up its quota. (QuotaExceeded)" in told
    assert "logs" in told


# checks and releases


def test_each_check_of_the_design_is_there():
    assert {
        "format",
        "lint",
        "types",
        "imports",
        "templates",
        "state machines",
        "sam template.yaml",
        "sam template.data.yaml",
    } <= set(check.checks())


@pytest.mark.parametrize(
    ("stage", "confirm", "environment", "told"),
    [
        ("", None, {}, "a stage is dev or prod"),
        ("local", None, {}, "make up"),
        ("prod", None, {}, "CONFIRM=prod"),
        (
            "dev",
            None,
            {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"},
            "AWS_ENDPOINT_URL_S3 would send this to another place",
        ),
    ],
)
def test_an_unsafe_release_is_refused(monkeypatch, stage, confirm, environment, told):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(Refused, match=told):
        release.release(stage, dry_run=True, confirm=confirm)
