"""`python -m local <command>`: what the Makefile's targets call. Starts on any Python 3.13 and goes on in the launcher's own environment."""

import argparse
import os
import sys
from pathlib import Path

from local import processes, setup
from local.settings import ROOT, Refused, python_of


def main() -> int:
    options = parser().parse_args()
    processes.interrupt_on_signals()
    try:
        return int(options.do(options) or 0)
    except Refused as refusal:
        print(f"showrunner: {refusal}", file=sys.stderr)
        return refusal.code
    except processes.Interrupted as interrupted:
        print(f"\nshowrunner: ended by {interrupted}", file=sys.stderr)
        return interrupted.code
    except BrokenPipeError:
        return 141


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="command")

    def command(name: str, do, help_: str) -> argparse.ArgumentParser:  # type: ignore[no-untyped-def]
        added = commands.add_parser(name, help=help_)
        added.set_defaults(do=do)
        return added

    setting_up = command("setup", lambda options: setup.ensure(options.groups or setup.RUN), "make the virtual environments")
    setting_up.add_argument("groups", nargs="*", choices=[*setup.GROUPS, []], metavar="group")
    command("up", up, "start the local stack and deploy to it")
    command("down", down, "stop the local stack")
    return top


def up(options: argparse.Namespace) -> int:
    enter(setup.RUN)
    from local import stack  # noqa: PLC0415

    stack.up()
    return 0


def down(options: argparse.Namespace) -> int:
    from local import stack  # noqa: PLC0415

    ended = stack.down()
    print(f"Stopped {', '.join(ended)}." if ended else "Nothing was running.")
    return 0


def enter(groups: tuple[str, ...]) -> None:
    """Sets up what the command needs, then goes on in the `local` environment, where its packages are."""
    setup.ensure(groups)
    python = python_of("local")
    if Path(sys.prefix) != python.parent.parent:
        os.chdir(ROOT)
        os.execv(python, [str(python), "-m", "local", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
