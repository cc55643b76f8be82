"""The code of the release before works with the database of this one.

`make deploy` migrates first, and until the new code is there (minutes, or for good if CodeDeploy takes it
back) the old code runs with the new schema. Tests of the release before, at its own commit, run here with
this release's migrations. tests/contract/in_flight/release.txt names the commit; `make record-release`
records it.
"""

import os
import subprocess
import sys
import tarfile

import pytest

from tests.contract.code import ROOT
from tests.contract.in_flight.record import RELEASE

MIGRATIONS = "functions/migrate/sql"
# They write and read most tables. The whole suite would take a quarter of an hour.
FILES = (
    "tests/accounts/test_login.py",
    "tests/accounts/test_organisations.py",
    "tests/accounts/test_registration.py",
    "tests/channels",
    "tests/feed/test_intake.py",
    "tests/feed/test_lists.py",
    "tests/functions/test_retention.py",
    "tests/videos/test_budgets.py",
    "tests/videos/test_lists.py",
    "tests/videos/test_ordering.py",
)


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)


@pytest.fixture
def before(tmp_path):
    """The files of the release before, with this release's migrations."""
    commit = RELEASE.read_text(encoding="utf-8").strip()
    if git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        # A shallow clone, as CI makes one. Only this commit is fetched.
        git("fetch", "--quiet", "--depth", "1", "origin", commit)
    archive = tmp_path / "release.tar"
    if git("archive", "--output", str(archive), commit).returncode:
        pytest.skip(f"the release before ({commit[:7]}) is not in this clone, and origin does not give it")
    folder = tmp_path / "release"
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    for path in (ROOT / MIGRATIONS).glob("*.sql"):
        (folder / MIGRATIONS / path.name).write_bytes(path.read_bytes())
    return folder


def run(folder, *files: str) -> subprocess.CompletedProcess[str]:
    """Run test files of the release before in a process of their own."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files]
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_release_before_works_with_the_new_schema(before):
    done = run(before, *FILES)

    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_migration_that_takes_a_column_away_is_detected(before):
    sql = "ALTER TABLE accounts.users DROP COLUMN company;"
    (before / MIGRATIONS / "9999_contract.sql").write_text(sql, encoding="utf-8")

    done = run(before, "tests/accounts/test_registration.py")

    assert done.returncode == 1
    assert "company" in done.stdout
