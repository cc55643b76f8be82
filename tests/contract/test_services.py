"""docs/services.md names a test for each finding about foreign services."""

import re

from tests.contract.code import ROOT

TABLE = "## What these services once broke"


def test_every_finding_names_tests_that_exist():
    table = (ROOT / "docs" / "services.md").read_text(encoding="utf-8").partition(TABLE)[2]
    findings = dict(re.findall(r"^\| (\d+)\. (.*) \|$", table, re.MULTILINE))
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    written = set(re.findall(r"^def (test_\w+)\(", sources, re.MULTILINE))

    assert sorted(map(int, findings)) == list(range(1, 17))
    for number, text in findings.items():
        named = set(re.findall(r"`(test_\w+)`", text))
        assert named, f"finding {number} names no test"
        assert named <= written, f"finding {number}: {sorted(named - written)}"
