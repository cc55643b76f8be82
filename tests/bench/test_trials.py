"""The benchmarks still run: each makes all its requests once, on a stage of its own."""

import os
import subprocess
import sys

import pytest

from tests.contract.template import ROOT


# Each starts a stage and takes about ten seconds of CPU, which a busy machine gives it in minutes.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["api", "cold", "metrics", "reports"])
def test_every_request_of_a_benchmark_gets_a_good_answer(name):
    # As `make bench-…` has it: what the tests' own fixtures set must not help.
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    environment = {**inherited, "PYTHONPATH": os.pathsep.join(["functions", "layers/showrunner", "."])}
    trial = subprocess.run(
        [sys.executable, f"tests/bench/{name}.py", "--try"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert trial.returncode == 0, trial.stderr[-3000:]
    # A line of a thread's log may follow it.
    assert [line for line in trial.stdout.splitlines() if "answered" in line], trial.stdout[-3000:]
