"""Values beside the templates that protect a stage, or that keep a check strict, a line for each.

They are read from the state machines, the render image, `sam deploy`'s settings, the GitHub workflow, the
tools' settings in pyproject.toml, and the commands of `make check`. protections.txt lists them with the
templates' values, so that none is weakened without a line that changes.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import yaml

from local import check
from tests.contract.code import ROOT
from tests.contract.values import counted, lines

Json = dict[str, Any]
# How long a state may take, how often it runs at once and again, who takes over when it fails.
LIMITS = ("TimeoutSeconds", "HeartbeatSeconds", "MaxConcurrency", "ItemBatcher", "ProcessorConfig")
LIMITS += ("ToleratedFailurePercentage", "ToleratedFailureCount", "Credentials")
# Tools of `make check`, `make test` and `make coverage`.
TOOLS = ("ruff", "mypy", "importlinter", "pytest", "coverage", "showrunner")


def facts() -> list[str]:
    """Return all lines."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    told = (ROOT / "samconfig.toml").read_text(encoding="utf-8")
    image = (ROOT / "functions" / "render" / "Dockerfile").read_text(encoding="utf-8")
    flows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    return [
        *(
            line
            for path in sorted((ROOT / "statemachines").glob("*.asl.json"))
            for line in of_machine(path.name, json.loads(path.read_text(encoding="utf-8")))
        ),
        *(f"Dockerfile {line}" for line in instructions(image)),
        *of_parts("samconfig.toml", tomllib.loads(told)),
        *(line for path in flows for line in of_workflow(path.name, path.read_text(encoding="utf-8"))),
        *of_tools(project),
        *recipes((ROOT / "Makefile").read_text(encoding="utf-8")),
        *(line for name, made in check.checks().items() for each in made for line in of_command(name, each)),
    ]


def of_parts(name: str, document: Json) -> list[str]:
    return counted([line for part, body in document.items() for line in lines(name, str(part), body)])


def of_machine(name: str, machine: Json) -> Iterator[str]:
    """Yield the limits of a machine and of each of its states, with their retries, catches and choices."""
    for limit in LIMITS:
        if limit in machine:
            yield f"{name} {limit} = {json.dumps(machine[limit])}"
    for state, body in machine["States"].items():
        yield from _of_state(f"{name} {state}", body)
        inner = [*body.get("Branches", ()), *([body["ItemProcessor"]] if "ItemProcessor" in body else [])]
        for each in inner:
            yield from of_machine(f"{name} {state}", each)


def _of_state(head: str, body: Json) -> Iterator[str]:
    for limit in LIMITS:
        if limit in body:
            yield f"{head} {limit} = {json.dumps(body[limit], sort_keys=True)}"
    for number, retry in enumerate(body.get("Retry", ())):
        kept = {key: value for key, value in retry.items() if key != "Comment"}
        yield f"{head} Retry.{number} = {json.dumps(kept, sort_keys=True)}"
    for number, catch in enumerate(body.get("Catch", ())):
        yield f"{head} Catch.{number} = {json.dumps([catch['ErrorEquals'], catch['Next']])}"
    for number, choice in enumerate(body.get("Choices", ())):
        yield f"{head} Choices.{number} = {json.dumps([choice['Condition'], choice['Next']])}"
    if "Default" in body:
        yield f"{head} Default = {json.dumps(body['Default'])}"


def instructions(dockerfile: str) -> list[str]:
    """Return the instructions of a Dockerfile, and what hadolint is told to ignore."""
    joined = re.sub(r"\\\n", " ", dockerfile)
    return [
        re.sub(r"\s+", " ", line).strip()
        for line in joined.splitlines()
        if line.strip() and not (line.startswith("#") and "hadolint" not in line)
    ]


def of_workflow(name: str, text: str) -> list[str]:
    return of_parts(name, yaml.safe_load(text))


def of_command(name: str, command: list[str]) -> list[str]:
    """Return a line for a command of `make check`, and one for each test that it runs."""
    tests = [word for word in command if word.startswith("tests/")]
    plain = " ".join(word for word in command if word not in tests)
    return [f"make check {name} = {plain}", *(f"make check {name} runs {test}" for test in tests)]


def recipes(makefile: str) -> list[str]:
    """Return what each target does that the GitHub workflow calls, or that measures coverage."""
    found = re.findall(
        r"^(check|test|test-full|coverage|deploy|smoke):.*\n((?:\t.*\n)+)", makefile, re.MULTILINE
    )
    return [f"make {name} does {' '.join(recipe.split())}" for name, recipe in found]


def of_tools(project: str) -> list[str]:
    """Return the lines of the tools' settings in the text of pyproject.toml."""
    tools = tomllib.loads(project)["tool"]
    return of_parts("pyproject.toml", {name: tools[name] for name in TOOLS})
