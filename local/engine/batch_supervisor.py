"""Run one command as a container does: all its processes end when the main one ends, on SIGTERM, or with the
engine.

`batch_supervisor.py STOP_SECONDS COMMAND…`; standard input is a pipe whose other end only the engine holds
(EOF means that the engine has ended). SIGTERM asks the whole group to end and kills it after STOP_SECONDS.
Exits like the command: 128 + n for signal n, 127 if the command cannot be started.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
CANNOT_START = 127


def start(command: list[str]) -> int:
    """Start the command in a process group of its own. Returns its pid."""
    child = os.fork()
    if child:
        return child
    os.setpgid(0, 0)
    # If this supervisor is killed, nobody watches the pipe any more: have the kernel end the command.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        os.execvp(command[0], command)
    except OSError as failure:
        os.write(2, f"CannotStartContainerError: {command[0]}: {failure.strerror}\n".encode())
        os._exit(CANNOT_START)


def signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def watch(child: int, wakeup: int, stop_seconds: float) -> int:
    """Wait for the command. Returns its wait status."""
    kill_at = None
    while True:
        timeout = None if kill_at is None else max(0.0, kill_at - time.monotonic())
        ready, _, _ = select.select([0, wakeup], [], [], timeout)
        numbers = os.read(wakeup, 512) if wakeup in ready else b""
        if signal.SIGTERM in numbers and kill_at is None:
            kill_at = time.monotonic() + stop_seconds
            signal_group(child, signal.SIGTERM)
        engine_gone = 0 in ready and not os.read(0, 1)
        if engine_gone or not ready:
            signal_group(child, signal.SIGKILL)
            return os.waitpid(child, 0)[1]
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status


def main() -> None:
    wakeup, notify = os.pipe()
    os.set_blocking(notify, False)
    signal.set_wakeup_fd(notify)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    child = start(sys.argv[2:])
    # Also set here, so that the group exists before anyone signals it. Fails if the child has run exec
    # already, which has set it.
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    code = os.waitstatus_to_exitcode(watch(child, wakeup, float(sys.argv[1])))
    signal_group(child, signal.SIGKILL)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
