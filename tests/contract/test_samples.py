"""The sample events: each function has one, and tests use them."""

import ast
import json
import re
from pathlib import Path

from tests.conftest import PREFIXES
from tests.contract import code
from tests.contract.code import ROOT

EVENTS = ROOT / "events"


# `make run` turns briefs into requests; they are no events of a function.
BRIEF = EVENTS / "brief.json"


def samples() -> list[Path]:
    return [path for path in sorted(EVENTS.glob("*.json")) if path.name.split(".")[0] != "brief"]


def test_every_function_has_a_sample_event_and_every_sample_a_function(functions):
    assert sorted({path.name.split(".")[0] for path in samples()}) == sorted(functions)


def test_every_sample_is_named_function_dot_case_and_holds_an_object():
    for path in samples():
        assert re.fullmatch(r"[a-z_]+\.[a-z0-9_]+\.json", path.name), path.name
        assert isinstance(json.loads(path.read_text(encoding="utf-8")), dict), path.name


def test_every_sample_is_read_by_a_test():
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    named = {
        node.value
        for path in tests
        for node in code.walk(code.tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert [path.stem for path in samples() if path.stem not in named and path.name not in named] == []


def test_every_function_is_called_by_a_test(functions):
    """Check that a test imports the function, or that the client of conftest.py routes calls to it."""
    files = [path for path in (ROOT / "tests").rglob("*.py") if path.parent.name not in ("contract", "bench")]
    imported = {each.name for path in files for each in code.imports(path)}
    missing = [
        name
        for name in functions
        if code.app(name) not in imported and name not in {*PREFIXES.values(), "admin"}
    ]

    assert missing == []
