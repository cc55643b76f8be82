"""Load a dropped file in a process of its own, which stops at one step and waits to be killed there.

    python tests/rights/killable.py <step or none> <message as JSON>

It prints `held` when it has reached the step, and `done` at the end.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from showrunner.aws import events
from showrunner.database import db
from showrunner.reports.rows import Rows
from showrunner.rights import loading
from showrunner.rights.messages import ReportDropped
from showrunner.store.rights import reports, snapshots


def hold() -> None:
    """Say that the step is reached, and wait."""
    print("held", flush=True)
    time.sleep(600)


def reading() -> None:
    """Stop in the middle of reading the file, before a row goes to the database."""
    real = Rows._records

    def records(self: Rows) -> Iterator[Any]:
        yield from real(self)
        hold()

    Rows._records = records  # type: ignore[method-assign]


def loading_rows() -> None:
    """Stop in the middle of a COPY that takes the report's rows."""
    real = db.copy_in

    def copy_in(tx: db.Transaction, sql: str, blocks: Any) -> int:
        def until_first() -> Iterator[bytes]:
            for block in blocks:
                yield block
                if "digest" in sql or "rights.money" in sql:
                    hold()

        return real(tx, sql, until_first())

    db.copy_in = copy_in


def diffing() -> None:
    """Stop between the history of what changes and the change itself."""
    _before(snapshots, "_update")


def swapping() -> None:
    """Stop when all is written and nothing is committed."""
    real = reports.finish

    def finish(*arguments: Any, **named: Any) -> None:
        real(*arguments, **named)
        hold()

    reports.finish = finish


def announcing() -> None:
    """Stop after the commit, before anybody is told."""
    _before(events, "put")


def _before(module: Any, name: str) -> None:
    real: Callable[..., Any] = getattr(module, name)

    def held(*arguments: Any, **named: Any) -> Any:
        hold()
        return real(*arguments, **named)

    setattr(module, name, held)


STEPS = {
    "reading": reading,
    "loading": loading_rows,
    "diffing": diffing,
    "swapping": swapping,
    "announcing": announcing,
}


def main() -> None:
    step, message = sys.argv[1], json.loads(sys.argv[2])
    if step in STEPS:
        STEPS[step]()
    loading.load(ReportDropped(**message | {"dropped_at": datetime.fromisoformat(message["dropped_at"])}))
    print("done", flush=True)


if __name__ == "__main__":
    main()
