"""`python -m local <command>`: the targets of the Makefile.

Starts on any Python 3.13 and continues in the launcher's own environment.
"""

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from local import processes, setup
from local.settings import BEGUN, LAYER, ROOT, STAGE, Refused, address, aws_environment, python_of

if TYPE_CHECKING:
    from local.stages.stage import Stage

Command = Callable[[argparse.Namespace], int | None]


def main() -> int:
    options = parser().parse_args()
    processes.interrupt_on_signals()
    os.environ.setdefault(BEGUN, str(time.time()))
    try:
        return int(options.do(options) or 0)
    except Refused as refusal:
        print(f"showrunner: {refusal}", file=sys.stderr)
        return refusal.code
    except processes.Interrupted as interrupted:
        print(f"\nshowrunner: ended by {interrupted}", file=sys.stderr)
        return interrupted.code


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="command")

    def command(name: str, do: Command, description: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=description)
        added.set_defaults(do=do)
        return added

    making = command("run", run, "make a video")
    making.add_argument(
        "--brief", type=Path, help="JSON file with the fields of POST /api/v1/videos/generate"
    )
    making.add_argument("--aspect", help="9:16, 16:9, 1:1, or several of them with commas")
    making.add_argument("--length", help="short, medium, long or seconds")
    making.add_argument("--publish", action="store_true", help="on the stand-in for YouTube too")
    importing = command(
        "run-cms", run_cms, "a month of a made-up content owner: reports, money, a change and its undo"
    )
    importing.add_argument("--rows", type=int, default=1_000)
    importing.add_argument("--seed", type=int, default=1)
    command("run-metrics", run_metrics, "collect three artists' figures for 14 days and draw them")
    command("up", up, "start the local stack and deploy to it")
    command("down", down, "stop the local stack")
    command("open", open_, "the addresses of the local stack")
    command("build", build, "build functions and layers")
    testing = command("test", test, "the test suite")
    testing.add_argument("--full", action="store_true", help="with the long tests")
    testing.add_argument("only", nargs="*", help="pytest arguments instead of everything")
    command("coverage", coverage, "the lines that the everyday tests run")
    command("check", check, "all that can be judged without running the product")
    command("costs", costs, "compute docs/cost.md")
    command("protections", protections, "write the values of the templates that protect a stage")
    command("record-release", record_release, "what executions and queues hold at this release")
    deploying = command("deploy", deploy, "deploy a stage to AWS")
    deploying.add_argument("--stage", required=True)
    deploying.add_argument("--dry-run", action="store_true")
    deploying.add_argument("--confirm")
    command("preflight", preflight, "what a deployment lacks").add_argument("--stage", required=True)
    asking = command("keys", make_keys, "the stage's own keys and the services' keys into SSM")
    asking.add_argument("--stage", required=True)
    asking.add_argument("--organisation")
    promoting = command("admin", admin, "the first platform admin of a stage")
    for name in ("--stage", "--email"):
        promoting.add_argument(name, required=True)
    promoting.add_argument("--organisation")
    command("orphans", orphans, "objects without a row, rows without objects").add_argument(
        "--stage", required=True
    )
    command("smoke", smoke, "a video of ten seconds from a stage").add_argument("--stage", required=True)
    command("verify", verify, "all that only a real account can show").add_argument("--stage", required=True)
    command("edge", edge, "CloudFront and WAF in front of a stage").add_argument("--stage", required=True)
    tracing = command("trace", trace, "the log lines of one request or video")
    for name in ("--stage", "--id"):
        tracing.add_argument(name, required=True)
    command("restore-drill", restore_drill, "back up, destroy and restore the local stack's data")
    restoring = command("restore", restore, "a stage's database from a snapshot")
    for name in ("--stage", "--snapshot"):
        restoring.add_argument(name, required=True)
    restoring.add_argument("--confirm")
    switching = command("switch", switch, "a restored copy in place of a stage's database")
    for name in ("--stage", "--database"):
        switching.add_argument(name, required=True)
    switching.add_argument("--confirm")
    restoring_keys = command("restore-keys", restore_keys, "a stage's secrets from a nightly copy")
    for name in ("--stage", "--source"):
        restoring_keys.add_argument(name, required=True)
    destroying = command("destroy", destroy, "take a stage down")
    for name in ("--stage", "--data"):
        destroying.add_argument(name, required=True)
    destroying.add_argument("--confirm")
    measuring = command("bench", bench, "a benchmark of tests/bench")
    measuring.add_argument("name")
    setting_up = command("setup", set_up, "make the virtual environments")
    setting_up.add_argument("groups", nargs="*", metavar="group", help=", ".join(setup.GROUPS))
    command("lock", lambda _: setup.lock(), "resolve the dependency groups again")
    recording = command("record", record, "save the shapes of a real service's responses")
    recording.add_argument("--service", required=True)
    command("prices", prices, "list prices that must be read again")
    command("clean", clean, "stop everything and remove all that was made")
    return top


def run(options: argparse.Namespace) -> None:
    from local import brief

    # Check the brief before setup: a wrong one is reported at once, not after minutes of downloads.
    brief.read(options.brief, options.aspect, options.length)
    refuse_used_ports()
    enter(setup.RUN)
    from local import run_video

    body = brief.read(options.brief, options.aspect, options.length)
    with local_stack():
        run_video.make(body, float(os.environ[BEGUN]), publish=options.publish)
    print(
        "\nThe local stack stays up: make open (addresses), make run (another video), make down (stop it).",
        flush=True,
    )


def run_cms(options: argparse.Namespace) -> None:
    if not 20 <= options.rows <= 1_000_000:
        raise Refused("ROWS is a number from 20 to 1000000 (make run-cms ROWS=1000)")
    refuse_used_ports()
    enter(setup.RUN)
    from local import run_cms

    with local_stack():
        run_cms.run(options.rows, options.seed)


def up(_: argparse.Namespace) -> None:
    refuse_used_ports()
    enter(setup.RUN)
    with local_stack():
        pass
    print(
        f"The local stack is up: Platform API {address('PLATFORM_PORT')}; make open for more, make down to "
        "stop it."
    )


def refuse_used_ports() -> None:
    from local import stack

    stack.refuse_used_ports()


def local_stack() -> contextlib.AbstractContextManager[None]:
    from local import stack

    return stack.deployed()


def down(_: argparse.Namespace) -> None:
    from local import stack

    ended = stack.down()
    print(f"Stopped {', '.join(ended)}." if ended else "Nothing was running.")


def open_(_: argparse.Namespace) -> None:
    enter(("local",))
    from local import addresses

    addresses.show()


def build(_: argparse.Namespace) -> None:
    enter(("local", "sam", "lambda"))
    from local import build

    print(build.build().relative_to(ROOT))


def test(options: argparse.Namespace) -> int:
    enter(setup.TEST)
    from local import suite

    return suite.run(options.only, full=options.full)


def coverage(_: argparse.Namespace) -> int:
    enter(setup.TEST)
    from local import suite

    return suite.coverage()


def check(_: argparse.Namespace) -> int:
    enter(("local", "sam", "lambda", "dev"))
    from local import check

    return check.check()


def costs(_: argparse.Namespace) -> None:
    enter(("local", "sam", "lambda", "dev"))
    from local import processes
    from local.settings import local_environment

    environment = {**local_environment(), "PYTHONPATH": str(LAYER)}
    print(
        processes.call(
            [python_of("dev"), "-m", "local.stages.cost"], environment=environment, folder=ROOT
        ).strip()
    )


def protections(_: argparse.Namespace) -> int:
    enter(("local", "sam", "lambda", "dev"))
    from local import suite

    os.environ["PROTECTIONS"] = "write"
    return suite.run(
        [
            "-q",
            "-s",
            "-p",
            "no:cacheprovider",
            "tests/contract/test_protections.py",
            "-k",
            "value_that_protects",
        ],
        full=False,
    )


def record_release(_: argparse.Namespace) -> int:
    enter(("local", "sam", "lambda", "dev"))
    from local import suite

    return suite.run(["-q", "-p", "no:cacheprovider", "tests/contract/in_flight/record.py"], full=False)


def deploy(options: argparse.Namespace) -> None:
    enter(("local", "sam", "lambda"))
    from local import release

    release.release(options.stage, dry_run=options.dry_run, confirm=options.confirm)


def preflight(options: argparse.Namespace) -> None:
    found = operated(options.stage)
    from local.stages import preflight

    preflight.require(found)
    print("Nothing is missing: make deploy STAGE=" + options.stage)


def make_keys(options: argparse.Namespace) -> None:
    """Make what nobody brings, then ask for the services' keys. Without a terminal they are listed."""
    found = operated(options.stage)
    from local.stages import secrets

    if options.organisation:
        secrets.ask_of_organisation(found, options.organisation)
        return
    secrets.make_missing(found)
    if sys.stdin.isatty():
        secrets.ask_all(found)
        return
    for line in secrets.wanted(found):
        print(line)


def admin(options: argparse.Namespace) -> None:
    found = operated(options.stage)
    from local.stages import admin

    admin.make_admin(found, options.email, options.organisation)


def orphans(options: argparse.Namespace) -> int:
    found = operated(options.stage)
    from local.stages import orphans

    return orphans.list_orphans(found)


def smoke(options: argparse.Namespace) -> None:
    found = operated(options.stage)
    from local.stages import smoke

    smoke.smoke(found)


def verify(options: argparse.Namespace) -> None:
    found = operated(options.stage)
    from local.stages import verify

    verify.verify(found)


def edge(options: argparse.Namespace) -> None:
    found = operated(options.stage)
    from local.stages import edge

    edge.deploy(found, edge.cloudformation(found))


def trace(options: argparse.Namespace) -> None:
    if options.stage == "local":
        enter(("local",))
        from local.stages import trace

        trace.trace_local(options.id)
        return
    found = operated(options.stage)
    from local.stages import trace

    trace.trace(found, options.id)


def restore_drill(_: argparse.Namespace) -> None:
    enter(("local",))
    from local.stages import drill

    drill.drill()


def restore(options: argparse.Namespace) -> None:
    enter(("local", "sam", "lambda"))
    from local import release

    release.release(options.stage, dry_run=False, confirm=options.confirm, snapshot=options.snapshot)


def switch(options: argparse.Namespace) -> None:
    found = operated(options.stage, confirm=options.confirm or "no")
    from local.stages import switch

    switch.switch(found, options.database)


def restore_keys(options: argparse.Namespace) -> None:
    if options.stage == STAGE:
        enter(("local",))
        from local.stages.stage import Stage

        os.environ.update(aws_environment())
        found = Stage(STAGE)
    else:
        found = operated(options.stage)
    from local.stages import restore_keys

    restore_keys.restore(found, options.source)


def destroy(options: argparse.Namespace) -> None:
    found = operated(options.stage, confirm=options.confirm or "no")
    from local.stages import destroy

    destroy.destroy(found, options.data)


def operated(name: str, *, confirm: str | None = None) -> "Stage":
    """Return the stage of a real account, in the environment that has the SDK.

    Commands that only look or add need no CONFIRM. Raises Refused without a region or credentials.
    """
    enter(("local", "sam", "lambda"))
    from local.stages.stage import Stage, refuse_unsafe

    refuse_unsafe(name, confirm or name)
    stage = Stage(name)
    stage.region()
    stage.caller()
    return stage


def bench(options: argparse.Namespace) -> int:
    enter((*setup.TEST, *setup.PEERS.get(options.name, ())))
    from local import suite

    return suite.bench(options.name)


def run_metrics(_: argparse.Namespace) -> int:
    enter(setup.TEST)
    from local import suite

    return suite.bench("metrics", "--draw")


def set_up(options: argparse.Namespace) -> None:
    unknown = [group for group in options.groups if group not in setup.GROUPS]
    if unknown:
        raise Refused(f"there is no environment {unknown[0]}; there are {', '.join(setup.GROUPS)}")
    setup.ensure(options.groups or setup.RUN)


def record(options: argparse.Namespace) -> None:
    enter(("local",))
    from local import record

    record.main(options.service)


def prices(_: argparse.Namespace) -> int:
    from local import prices

    return prices.main()


def clean(_: argparse.Namespace) -> None:
    from local import cleaning

    cleaning.clean()


def enter(groups: tuple[str, ...]) -> None:
    """Set up what the command needs, then continue in the `local` environment, where its packages are."""
    setup.ensure(groups)
    python = python_of("local")
    if Path(sys.prefix) != python.parent.parent:
        os.chdir(ROOT)
        os.execv(python, [str(python), "-m", "local", *sys.argv[1:]])  # noqa: S606 - the same program, in its own environment
    # The product's own code makes keys and tokens.
    sys.path.insert(0, str(LAYER))


if __name__ == "__main__":
    sys.exit(main())
