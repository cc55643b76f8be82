"""README.md agrees with functions/, the Makefile and the files."""

import re
from pathlib import Path

import pytest

from tests.contract import code
from tests.contract.code import ROOT

README = ROOT / "README.md"


@pytest.fixture(scope="module")
def text() -> str:
    return README.read_text(encoding="utf-8")


def listed_functions(text: str) -> list[str]:
    """Return the first column of the table whose header begins with Function."""
    table = re.search(
        r"^\|\s*\**Function\**\s*\|.*\n\|[-:| ]+\|\n((?:\|.*\n?)+)", text, re.MULTILINE | re.IGNORECASE
    )
    return re.findall(r"^\|\s*`([a-z_]+)`", table[1], re.MULTILINE) if table else []


def targets() -> set[str]:
    return set(
        re.findall(r"^([a-z][a-z-]*):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )


def links(text: str) -> list[str]:
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


def test_the_table_of_functions_is_complete(text):
    assert sorted(set(listed_functions(text)) - code.CONTAINERS) == code.function_names()


def test_the_code_map_names_every_package_of_the_layer(text):
    package = ROOT / "layers/showrunner/showrunner"
    packages = [f"{path.name}/" for path in package.iterdir() if (path / "__init__.py").is_file()]
    modules = [path.name for path in package.glob("*.py") if path.name != "__init__.py"]

    assert [name for name in (*packages, *modules) if f"`{name}`" not in text] == []


def test_every_file_that_answers_a_question_exists(text):
    (table,) = re.findall(r"^\| question \| where \|\n.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    named = re.findall(r"`([\w./]+)`", table)
    roots = (ROOT, ROOT / "layers/showrunner/showrunner")

    assert len(named) > 12
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


def test_every_make_target_in_the_readme_exists(text):
    # Only in code: in prose `make` is also an ordinary word.
    named = {
        name
        for block in re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
        for name in re.findall(r"\bmake ([a-z][a-z-]*)", block)
    }

    assert named
    assert sorted(named - targets()) == []


def test_every_link_in_the_readme_resolves(text):
    files = [target.partition("#") for target in links(text)]

    assert [file for file, _, _ in files if file and not (ROOT / file).exists()] == []
    assert [anchor for file, _, anchor in files if not file and anchor not in anchors(text)] == []


def test_every_make_target_has_a_help_line():
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    silent = [line for line in lines if re.match(r"[a-z][a-z-]*:(?!=)", line) and "##" not in line]

    assert silent == []


def test_no_path_or_host_of_one_machine_is_in_the_repository(text):
    """Other machines have other folders."""
    for path in (
        README,
        ROOT / "Makefile",
        *ROOT.glob("*.toml"),
        *ROOT.glob("*.yaml"),
        *sorted((ROOT / "events").glob("*.json")),
    ):
        assert not re.search(r"/(root|home|work|Users)/|/tmp/[a-z]+/", path.read_text(encoding="utf-8")), (
            path.name
        )


@pytest.mark.parametrize(
    ("sample", "found"),
    [
        ("| Function | Trigger |\n|---|---|\n| `videos` | x |\n| `render` | y |\n", ["videos", "render"]),
        ("| Target | What |\n|---|---|\n| `run` | x |\n", []),
    ],
)
def test_the_table_is_found_by_its_header(sample, found):
    assert listed_functions(sample) == found


def test_a_dead_link_is_detected():
    assert links("[a](docs/a.md#x) [b](https://example.com) [c](#here) ![d](picture.png)") == [
        "docs/a.md#x",
        "#here",
        "picture.png",
    ]
    assert anchors("# What it does\n## Run it: `make run`") == {"what-it-does", "run-it-make-run"}
    assert isinstance(README, Path)


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "NOTICE", "CHANGELOG.md"])
def test_every_path_that_a_document_names_exists(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    package = ROOT / "layers/showrunner/showrunner"
    named = set(re.findall(r"[`(\s]((?:[\w.-]+/)+[\w.*-]*)", text))
    local = {path.rstrip(".") for path in named if not path.startswith(("api/", ".local/"))}

    found = {path for path in local if list(ROOT.glob(path)) or list(package.glob(path))}

    assert len(text) > 500
    assert sorted(local - found) == []
