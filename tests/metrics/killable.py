"""Fetch and load a batch in a process of its own, which stops at one step and waits to be killed there.

    python tests/metrics/killable.py <step or none> <batch as JSON>

It prints `held` when it has reached the step, and `done` at the end.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from functions.load import app as load
from functions.youtube import app as youtube
from showrunner.database import db
from showrunner.metrics import archive
from showrunner.platforms.http import Sender
from showrunner.store.metrics import accounts

# Step -> owner and name of a function, and whether the process stops before or after it.
STEPS: dict[str, tuple[Any, str, str]] = {
    "asking": (Sender, "send", "before"),
    "answered": (Sender, "send", "after"),
    "archived": (archive, "write", "after"),
    "loading": (archive, "read", "after"),
    "written": (accounts, "save_checked", "after"),
    "committed": (db.transaction, "__exit__", "after"),
}


def stop(owner: Any, name: str, moment: str) -> None:
    """Let the process stop at a function."""
    real: Callable[..., Any] = getattr(owner, name)

    def held(*given: Any, **named: Any) -> Any:
        if moment == "before":
            hold()
        answer = real(*given, **named)
        hold()
        return answer

    setattr(owner, name, held)


def hold() -> None:
    """Say that the step is reached, and wait."""
    print("held", flush=True)
    time.sleep(600)


def main() -> None:
    step, batch = sys.argv[1], json.loads(sys.argv[2])
    if step in STEPS:
        stop(*STEPS[step])
    fetched = youtube.handler(batch, None)
    load.handler({"key": fetched["key"]}, None)
    print("done", flush=True)


if __name__ == "__main__":
    main()
