"""Run a function in a child process, because a GPU driver that does not match can crash its process."""

import multiprocessing
from collections.abc import Callable
from typing import Any

# Compiling all OpenCL kernels takes a minute on a simulated device. Longer is a driver that hangs.
TIMEOUT_S = 120


class Failed(Exception):
    """The function raised, crashed or timed out. The message says how."""


def attempt(function: Callable[..., Any], *arguments: Any, timeout_s: float = TIMEOUT_S) -> Any:
    """Call `function(*arguments)` in a forked process and return its result.

    The result must be picklable. Raises Failed if the function raises, if its process ends, or if there is no
    result within `timeout_s` seconds.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_result, args=(sender, function, *arguments))
    process.start()
    sender.close()
    try:
        timed_out = (False, f"no result within {timeout_s:g} s")
        succeeded, answer = receiver.recv() if receiver.poll(timeout_s) else timed_out
    except EOFError:
        process.join()
        succeeded, answer = False, f"its process crashed (exit code {process.exitcode})"
    if process.is_alive():
        process.kill()
    process.join()
    if not succeeded:
        raise Failed(answer)
    return answer


def _send_result(sender: Any, function: Callable[..., Any], *arguments: Any) -> None:
    try:
        sender.send((True, function(*arguments)))
    except Exception as failure:  # noqa: BLE001 - any error means "does not work here"; the report says why
        sender.send((False, str(failure).strip()[:200]))
