"""`make check`: everything that can be checked without running the product.

Each check gets its own line with its seconds. All of them run, even after one failed.
"""

import concurrent.futures
import difflib
import re
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from local import build, processes
from local.settings import ROOT, Refused, local_environment, python_of

TEMPLATES = tuple(build.TEMPLATES.values())
EDGE = ROOT / "template.edge.yaml"
# The templates beside the code: who may do what, who is in the network, which queue has which reader.
TEMPLATE_CONTRACTS = ("template", "environment", "network", "policies_of_functions", "queues", "routes")

# Deploying and destroying a stage against an account that is played, its first admin, and a database that is
# asleep: a fault of the first deployment in each of them is found here.
DEPLOYMENT = (
    "tests/local/test_release.py::test_the_stage_s_file_and_what_the_stacks_say_meet_in_the_parameters",
    "tests/local/test_release.py::test_an_address_that_leads_nowhere_is_never_deployed",
    "tests/local/test_release.py::test_a_stage_is_made_in_order_and_protected_only_when_it_stands",
    "tests/local/test_release.py::test_a_first_deployment_that_never_stood_is_undone_and_made_again",
    "tests/local/test_release.py::test_a_second_run_changes_nothing",
    "tests/local/test_stages.py::test_deleted_data_leave_nothing_of_this_stage_and_all_of_others",
    "tests/database/test_waking.py::test_waiting_and_the_statement_after_it_fit_into_the_gateway_s_patience",
    "tests/functions/test_migrate_admin.py::test_run_again_it_changes_nothing_that_is_there",
)


def checks() -> dict[str, Callable[[], str]]:
    return {
        "format": lambda: dev("ruff", "format", "--check", "."),
        "lint": lambda: dev("ruff", "check", "."),
        "types": lambda: dev("mypy"),
        "imports": lambda: dev("lint-imports", "--no-cache"),
        "workflow": lambda: (
            dev("zizmor", "--offline", "--quiet", "--persona", "pedantic", ".github/workflows")
            + contract("test_workflow.py")
        ),
        "templates": lambda: dev("cfn-lint", "--", *TEMPLATES, EDGE),
        # Against the language's schema, and every state against its role and the retries and time limits that
        # it has to have.
        "state machines": lambda: contract("test_statemachine.py", "test_machine_roles.py"),
        # The templates after the SAM transform: every rule and value that protects a stage, and faults that
        # only a real account would show.
        "protections": lambda: contract("test_protections.py", "test_deployable.py", "test_alarms.py"),
        "template contracts": lambda: contract(*(f"test_{name}.py" for name in TEMPLATE_CONTRACTS)),
        "deployment": lambda: tests(*DEPLOYMENT),
        **{f"sam {template.name}": partial(sam_validate, template) for template in TEMPLATES},
    }


def check() -> int:
    failed = []
    wanted = checks()
    # Two at once, as small machines have cores; the slowest ones (sam, mypy) are single-threaded.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waiting = {pool.submit(timed, what): name for name, what in wanted.items()}
        for done in concurrent.futures.as_completed(waiting):
            seconds, trouble = done.result()
            print(
                f"  {'ok' if trouble is None else 'FAILED':<7} {waiting[done]:<24} {seconds:5.1f} s",
                flush=True,
            )
            if trouble is not None:
                failed.append(waiting[done])
                print("\n".join(f"      {line}" for line in trouble.splitlines()), flush=True)
    print(document_changes() or "  The OpenAPI documents are those of the last commit.", flush=True)
    if failed:
        raise Refused(
            f"{', '.join(failed)} failed; `.local/env/dev/bin/ruff check --fix .` and `ruff format .` mend "
            "what can be mended by a program",
            code=1,
        )
    return 0


def document_changes() -> str:
    """Return what differs between the OpenAPI documents of this tree and of the last commit, as a diff."""
    with tempfile.TemporaryDirectory(dir=ROOT / ".local") as folder:
        committed = Path(folder) / "committed"
        committed.mkdir()
        processes.call(
            [
                "git",
                "archive",
                "--format=tar",
                f"--output={folder}/tree.tar",
                "HEAD",
                "functions",
                "layers",
                "local",
            ],
            folder=ROOT,
        )
        processes.call(["tar", "-xf", f"{folder}/tree.tar", "-C", committed], folder=ROOT)
        for tree, name in ((committed, "before"), (ROOT, "after")):
            environment = {**local_environment(), "PYTHONPATH": str(tree / "layers" / "showrunner")}
            processes.call(
                [python_of("dev"), "-m", "local.openapi", Path(folder) / name],
                environment=environment,
                folder=tree,
            )
        found: list[str] = []
        for document in build.DOCUMENTS:
            before, after = (
                (Path(folder) / name / document).read_text(encoding="utf-8").splitlines()
                for name in ("before", "after")
            )
            found += difflib.unified_diff(
                before, after, f"last commit: {document}", f"this tree: {document}", n=1, lineterm=""
            )
    return "\n".join(found)


def timed(what: Callable[[], str]) -> tuple[float, str | None]:
    begun = time.monotonic()
    try:
        what()
        trouble = None
    except processes.CommandFailed as failure:
        trouble = re.sub(r"\x1b\[[0-9;]*m", "", failure.output).strip()
    return time.monotonic() - begun, trouble


def contract(*files: str) -> str:
    return tests(*(f"tests/contract/{name}" for name in files))


def tests(*wanted: str) -> str:
    """Run tests, by file or by name."""
    chosen = ("-m", "not slow and not stack")
    return dev("pytest", "-q", "-x", "-p", "no:cacheprovider", *chosen, *wanted)


def dev(tool: str, *arguments: str | Path) -> str:
    environment = {**local_environment(), "PYTHONPATH": str(ROOT / "layers" / "showrunner")}
    return processes.call(
        [python_of("dev").with_name(tool), *arguments], environment=environment, folder=ROOT
    )


def sam_validate(template: Path) -> str:
    """Run `sam validate --lint`. It looks at no account, so its credentials are made up."""
    environment = {
        **local_environment(),
        **{
            name: value
            for name, value in build.sam_environment().items()
            if name.startswith(("SAM", "__SAM", "PATH"))
        },
    }
    environment.pop("AWS_ENDPOINT_URL")
    return processes.call(
        [python_of("sam").with_name("sam"), "validate", "--lint", "--template-file", template],
        environment=environment,
        folder=ROOT,
    )
