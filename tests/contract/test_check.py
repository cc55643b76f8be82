"""`make check` is as strict as it was reviewed: nothing exempts itself, and a failure is a failure."""

import re
import subprocess
from pathlib import PurePath

import pytest

from local import check
from local.settings import Refused
from tests.contract import settings
from tests.contract.code import ROOT

# Files that a tool would read instead of pyproject.toml, or beside it.
OF_TOOLS = {
    *("mypy.ini", ".mypy.ini", "ruff.toml", ".ruff.toml", ".importlinter", "setup.cfg", "tox.ini"),
    *("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", ".coveragerc", ".cfnlintrc"),
    *(".cfnlintrc.yaml", ".cfnlintrc.yml", "zizmor.yml", "zizmor.yaml", ".hadolint.yml", ".hadolint.yaml"),
}
# What switches a check off for a whole file or template.
EXEMPTIONS = {
    "*.py": re.compile(r"^#\s*(mypy|ruff|flake8|isort|type):", re.MULTILINE),
    "template*.yaml": re.compile(r"^\s*cfn-lint:|\bcfn-lint: \{", re.MULTILINE),
    "*.yml": re.compile(r"#\s*zizmor: ignore"),
}


def test_each_tool_reads_its_settings_from_pyproject_alone():
    assert other_settings(files()) == []


def test_settings_in_a_file_of_their_own_are_found():
    found = ["mypy.ini", "functions/ruff.toml", "layers/showrunner/pyproject.toml"]

    assert other_settings([*found, "pyproject.toml", "docs/services.md"]) == found


def other_settings(names: list[str]) -> list[str]:
    """Return the paths of files with settings of tools, but for pyproject.toml itself."""
    return [
        name
        for name in names
        if PurePath(name).name in OF_TOOLS or (name != "pyproject.toml" and name.endswith("/pyproject.toml"))
    ]


def test_no_file_exempts_itself_from_a_check():
    texts = {
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in files()
        if name.endswith((".py", ".yml", ".yaml")) and (ROOT / name).is_file()
    }

    assert exempt(texts) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("local/check.py", "# mypy: ignore-errors\nimport json\n"),
        ("local/check.py", '"""Check."""\n# ruff: noqa: S, B\n'),
        ("template.yaml", "Metadata: {cfn-lint: {config: {ignore_checks: [E]}}}\n"),
        (".github/workflows/check.yml", "    environment: dev # zizmor: ignore[x]\n"),
    ],
)
def test_a_file_that_exempts_itself_is_found(name, text):
    assert exempt({name: text, "local/other.py": "import json  # type: ignore[import-untyped]\n"}) == [name]


LEFT_OUT = re.compile(r"\bmark\.(skip|skipif|xfail)\b|^pytestmark\b|^collect_ignore", re.MULTILINE)


def test_no_test_of_make_check_is_left_out():
    """Only a test that is slow may be, one by one; `pytestmark` would take a whole file with it."""
    words = [word for commands in check.checks().values() for command in commands for word in command]
    run = {word.partition("::")[0] for word in words if word.startswith("tests/")}
    folders = {str(PurePath(name).parent) for name in run} | {"tests"}
    conftests = {f"{folder}/conftest.py" for folder in folders if (ROOT / folder / "conftest.py").exists()}

    assert len(run) > 15
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in sorted(run | conftests)}
    assert [name for name, text in texts.items() if LEFT_OUT.search(text)] == []
    assert [name for name in sorted(run) if "\ndef test_" not in texts[name]] == []


@pytest.mark.parametrize(
    "line",
    [
        "@pytest.mark." + "skip(reason='x')",
        "pytestmark = [pytest.mark.slow]",
        "collect_ignore_glob = []",
    ],
)
def test_a_test_that_is_left_out_is_found(line):
    assert LEFT_OUT.search(f"import pytest\n\n{line}\n")
    assert not LEFT_OUT.search('@pytest.mark.slow\ndef test_a():\n    pytest.skip("nft is missing")\n')


def exempt(texts: dict[str, str]) -> list[str]:
    return [
        name
        for name, text in texts.items()
        for pattern, exemption in EXEMPTIONS.items()
        if PurePath(name).match(pattern) and exemption.search(text)
    ]


def files() -> list[str]:
    """Return the paths of all files that git doesn't ignore, new ones included."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.splitlines()


def test_one_check_that_fails_fails_them_all(capsys):
    wanted = {"good": [["ruff", "--version"]], "bad": [["ruff", "--version"], ["ruff", "no-such-command"]]}

    with pytest.raises(Refused, match=r"^bad failed"):
        check.run_all(wanted)
    printed = capsys.readouterr().out
    assert "ok      good" in printed
    assert "unrecognized subcommand 'no-such-command'" in printed
    check.run_all({"good": wanted["good"]})


@pytest.mark.parametrize(
    ("strict", "weaker"),
    [
        ("strict = true", "strict = false"),
        ('"S", "SIM"', '"SIM"'),
        ("max-complexity = 10", "max-complexity = 100"),
        ("exhaustive = true", "exhaustive = false"),
        (
            'name = "A function imports no other function"\ntype = "independence"',
            'name = "A"\ntype = "layers"',
        ),
        ("timeout = 120", "timeout = 0"),
        ("product = 95", "product = 50"),
        ('omit = ["functions/render/check/gpu_test.py"]', 'omit = ["functions/*"]'),
    ],
)
def test_a_weaker_setting_of_a_tool_is_another_line(strict, weaker):
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert strict in project

    assert settings.of_tools(project.replace(strict, weaker)) != settings.of_tools(project)


@pytest.mark.parametrize(
    ("key", "weaker"),
    [
        ("TimeoutSeconds", 86_400),
        ("MaxConcurrency", 1_000),
        ("Retry", []),
        ("Catch", []),
        ("Choices", [{"Condition": "{% true %}", "Next": "B"}]),
    ],
)
def test_a_weaker_limit_of_a_state_is_another_line(key, weaker):
    retry = {"ErrorEquals": ["States.Timeout"], "MaxAttempts": 3}
    limits = {"TimeoutSeconds": 60, "MaxConcurrency": 3, "Retry": [retry]}
    catch = {"ErrorEquals": ["States.ALL"], "Next": "B", "Assign": {"failure": "x"}}
    choices = [{"Condition": "{% $attempts < 3 %}", "Next": "B"}]
    state = {"Type": "Map", **limits, "Catch": [catch], "Choices": choices}
    around = {"Type": "Map", "ItemProcessor": {"States": {"A": state}}}
    before = list(settings.of_machine("x", {"States": {"Around": around}}))

    around["ItemProcessor"]["States"]["A"] = {**state, key: weaker}

    assert list(settings.of_machine("x", {"States": {"Around": around}})) != before
    assert before[0] == "x Around A TimeoutSeconds = 60"
