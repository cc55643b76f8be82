"""`make check`: everything that can be checked without running the product.

Each check gets its own line with its seconds. All of them run, even after one failed.
"""

import concurrent.futures
import difflib
import re
import tempfile
import time
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
    "tests/local/test_launcher.py::test_every_lock_file_has_hashes_and_names_no_registry",
    "tests/local/test_release.py::test_everything_that_is_missing_is_listed_at_once_with_its_command",
    "tests/local/test_release.py::test_a_region_without_two_usable_zones_is_refused",
    "tests/local/test_release.py::test_a_role_for_api_logs_that_the_account_has_is_left_alone",
    "tests/local/test_release.py::test_the_files_of_both_stages_name_parameters_of_the_templates_only",
    "tests/local/test_release.py::test_old_job_definitions_end_only_when_nothing_runs",
    "tests/local/test_release.py::test_a_restore_frees_the_old_cluster_makes_another_and_hands_its_host_over",
    "tests/local/test_release.py::test_the_stage_s_file_and_what_the_stacks_say_meet_in_the_parameters",
    "tests/local/test_release.py::test_an_address_that_leads_nowhere_is_never_deployed",
    "tests/local/test_release.py::test_a_stage_is_made_in_order_and_protected_only_when_it_stands",
    "tests/local/test_release.py::test_a_first_deployment_that_never_stood_is_undone_and_made_again",
    "tests/local/test_release.py::test_a_second_run_changes_nothing",
    "tests/local/test_stages.py::test_each_missing_key_is_asked_for_tried_and_stored",
    "tests/local/test_stages.py::test_deleted_data_leave_nothing_of_this_stage_and_all_of_others",
    "tests/database/test_waking.py::test_waiting_and_the_statement_after_it_fit_into_the_gateway_s_patience",
    "tests/functions/test_migrate_admin.py::test_the_first_admin_sets_a_password_opens_admin_routes_and_the_ingestion_api",
    "tests/functions/test_migrate_admin.py::test_run_again_it_changes_nothing_that_is_there",
)


Command = list[str]


def checks() -> dict[str, list[Command]]:
    """Return the commands of each check. tests/contract/protections.txt lists them all."""
    return {
        "format": [["ruff", "format", "--check", "."]],
        "lint": [["ruff", "check", "."]],
        "types": [["mypy"]],
        "imports": [["lint-imports", "--no-cache"]],
        "workflow": [
            ["zizmor", "--offline", "--quiet", "--persona", "pedantic", ".github/workflows"],
            contract("workflow"),
        ],
        "templates": [["cfn-lint", "--", *(path.name for path in (*TEMPLATES, EDGE))]],
        # Rules about the code that no tool knows, and what keeps the tools themselves strict.
        "architecture": [contract("architecture", "check")],
        # Against the language's schema, and every state against its role and the retries and time limits that
        # it has to have.
        "state machines": [contract("statemachine", "machine_roles")],
        # The templates after the SAM transform: every rule and value that protects a stage, and faults that
        # only a real account would show.
        "protections": [contract("protections", "deployable", "alarms")],
        "template contracts": [contract(*TEMPLATE_CONTRACTS)],
        "deployment": [tests(*DEPLOYMENT)],
        **{
            f"sam {path.name}": [["sam", "validate", "--lint", "--template-file", path.name]]
            for path in TEMPLATES
        },
    }


def check() -> int:
    try:
        run_all(checks())
    finally:
        print(document_changes() or "  The OpenAPI documents are those of the last commit.", flush=True)
    return 0


def run_all(wanted: dict[str, list[Command]]) -> None:
    """Run all checks and print a line for each, with its output if it failed. Raises Refused if one did."""
    failed = []
    # Two at once, as small machines have cores; the slowest ones (sam, mypy) are single-threaded.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waiting = {pool.submit(timed, commands): name for name, commands in wanted.items()}
        for done in concurrent.futures.as_completed(waiting):
            seconds, trouble = done.result()
            print(
                f"  {'ok' if trouble is None else 'FAILED':<7} {waiting[done]:<24} {seconds:5.1f} s",
                flush=True,
            )
            if trouble is not None:
                failed.append(waiting[done])
                print("\n".join(f"      {line}" for line in trouble.splitlines()), flush=True)
    if failed:
        raise Refused(
            f"{', '.join(failed)} failed; `.local/env/dev/bin/ruff check --fix .` and `ruff format .` mend "
            "what can be mended by a program",
            code=1,
        )


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


def timed(commands: list[Command]) -> tuple[float, str | None]:
    """Run the commands of a check. Returns its seconds, and the output of the one that failed, else None."""
    begun = time.monotonic()
    trouble = None
    try:
        for command in commands:
            run(command)
    except processes.CommandFailed as failure:
        trouble = re.sub(r"\x1b\[[0-9;]*m", "", failure.output).strip()
    return time.monotonic() - begun, trouble


def contract(*names: str) -> Command:
    return tests(*(f"tests/contract/test_{name}.py" for name in names))


def tests(*wanted: str) -> Command:
    """Return the command that runs tests, by file or by name."""
    return ["pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not slow and not stack", *wanted]


def run(command: Command) -> None:
    """Run a tool of the environment `dev`, or sam of its own. Raises CommandFailed.

    sam looks at no account, so its credentials are made up.
    """
    tool, *arguments = command
    environment = {**local_environment(), "PYTHONPATH": str(ROOT / "layers" / "showrunner")}
    if tool == "sam":
        own = build.sam_environment().items()
        environment = local_environment() | {
            name: value for name, value in own if name.startswith(("SAM", "__SAM", "PATH"))
        }
        environment.pop("AWS_ENDPOINT_URL")
    group = "sam" if tool == "sam" else "dev"
    processes.call([python_of(group).with_name(tool), *arguments], environment=environment, folder=ROOT)
