"""Trying something out in a process of its own, because a driver that doesn't fit can take its process down."""

import multiprocessing
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 60


class Failed(Exception):
    """With the complaint of what was tried."""


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """What it returns. Raises Failed when it raises, ends its process or gives no answer in time."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answered, args=(sender, function, *arguments))
    process.start()
    sender.close()
    try:
        succeeded, answer = receiver.recv() if receiver.poll(TIMEOUT_S) else (False, f"no answer within {TIMEOUT_S} s")
    except EOFError:
        process.join()
        succeeded, answer = False, f"it took its process down (exit code {process.exitcode})"
    if process.is_alive():
        process.kill()
    process.join()
    if not succeeded:
        raise Failed(answer)
    return answer


def _answered(sender: Any, function: Callable[..., Any], *arguments: Any) -> None:
    try:
        sender.send((True, function(*arguments)))
    except Exception as failure:  # noqa: BLE001 - whatever it is, this doesn't work here, and the report says why
        sender.send((False, str(failure).strip()[:200]))
