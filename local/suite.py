"""`make test` and the benchmarks, on a home and ports of their own: a running stack is not disturbed."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from xml.etree import ElementTree

from local.settings import PORTS, ROOT, Refused, local_environment, python_of

HOME = ROOT / ".local" / "test"
# Far from the default ports, and below those that the kernel assigns (32768 and up).
PORT_OFFSET = 10_000
NO_TESTS = 5
# With real keys, tests would call real services at the person's cost.
OWN = {
    *(
        "OPENAI_API_KEY",
        "ELEVENLABS_API_KEY",
        "PEXELS_API_KEY",
        "PIXABAY_API_KEY",
        "GOOGLE_CLIENT_ID",
        "GOOGLE_CLIENT_SECRET",
    ),
    *("OPENAI_BASE_URL", "ELEVENLABS_BASE_URL", "GOOGLE_URL", "AWS_ENDPOINT_URL", "RATE_LIMIT_FACTOR"),
}


def run(only: list[str], *, full: bool) -> int:
    """Run the everyday tests on all cores, the tests of a file together (they share servers); then, one at a
    time, those that need the machine for themselves. Returns the exit code.
    """
    if only:
        return pytest(*only).returncode
    size = "" if full else "not slow and "
    reports = [HOME / "reports" / name for name in ("everyday.xml", "stack.xml")]
    statuses = [
        pytest(
            "-n",
            "2",
            "--dist",
            "loadfile",
            "--no-loadscope-reorder",
            "-m",
            f"{size}not stack",
            f"--junitxml={reports[0]}",
        ).returncode,
        pytest("-m", f"{size}stack", f"--junitxml={reports[1]}").returncode,
    ]
    stop_left_behind()
    totals = total(reports)
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped", flush=True)
    return 0 if totals["passed"] and all(status in (0, NO_TESTS) for status in statuses) else 1


def pytest(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    (HOME / "reports").mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [python_of("dev"), "-m", "pytest", *arguments], env=environment(), cwd=ROOT, check=False
    )


def environment() -> dict[str, str]:
    ports = {name: str(port + PORT_OFFSET) for name, port in PORTS.items()}
    inherited = local_environment()
    return (
        {name: value for name, value in inherited.items() if name not in OWN}
        | ports
        | {"SHOWRUNNER_HOME": str(HOME)}
    )


def coverage() -> int:
    """Run the everyday tests and print their coverage. Returns 1 if they fail or a share is too low."""
    folder = HOME / "coverage"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    measured = _coverage(
        *("run", "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"),
        *("-m", "not slow and not stack"),
    )
    stop_left_behind()
    _coverage("combine", "--quiet")
    is_low = below_floors()
    return 1 if measured or is_low else 0


def below_floors() -> bool:
    """Print the measured coverage and return whether a share is below its floor in pyproject.toml."""
    floors = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["showrunner"]["coverage"]
    renderer = "functions/render/*"
    product = _coverage("report", f"--omit={renderer}", f"--fail-under={floors['product']}")
    return bool(product | _coverage("report", f"--include={renderer}", f"--fail-under={floors['renderer']}"))


def _coverage(*arguments: str) -> int:
    command: list[str | Path] = [python_of("dev"), "-m", "coverage", *arguments]
    return subprocess.run(command, env=environment(), cwd=ROOT, check=False).returncode


def total(reports: list[Path]) -> dict[str, int]:
    counted = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for report in filter(Path.exists, reports):
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):  # noqa: S314 - written by our own test runner
            for name in counted:
                counted[name] += int(suite.get(name, 0))
    failed = counted["failures"] + counted["errors"]
    return {
        "passed": counted["tests"] - failed - counted["skipped"],
        "failed": failed,
        "skipped": counted["skipped"],
    }


def stop_left_behind() -> None:
    from local.processes import Supervisor

    Supervisor(HOME).stop_all()


def bench(name: str, *options: str) -> int:
    """Run a benchmark with its options. Returns its exit status."""
    script = ROOT / "tests" / "bench" / f"{name}.py"
    if not script.exists():
        raise Refused(f"there is no benchmark {name}: {script.relative_to(ROOT)} doesn't exist")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["functions", "layers/showrunner", "."])}
    return subprocess.run(
        [python_of("dev"), script, *options], cwd=ROOT, env=environment, check=False
    ).returncode
