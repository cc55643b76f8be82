"""The local AWS on 127.0.0.1:$ENGINE_PORT, until SIGTERM or SIGINT.

    python -m local.engine      in the environment `engine`, from the repository's root;
                                ready when /_ministack/health answers 200

Environment, all with defaults:
    ENGINE_PORT 4566; SHOWRUNNER_HOME .local (data in its folder `engine`, emails in `outbox`);
    LAMBDA_PYTHON .local/env/lambda/bin/python; BATCH_PYTHON .local/env/render/bin/python;
    BATCH_PYTHONPATH functions; BATCH_SLOTS 1 (jobs at a time);
    BATCH_STOP_SECONDS 30 (from SIGTERM to SIGKILL);
    ENGINE_CALLS (a file to record every request in; unset: none)
"""

import asyncio
import os
import shutil
import signal
import socket
import sys
from typing import TYPE_CHECKING

from . import settings as settings_module

if TYPE_CHECKING:
    from .assembly import Engine


def main() -> None:
    settings = settings_module.from_environment()
    _refuse_a_port_in_use(settings.port)
    settings_module.tell_ministack(settings)
    # Imported here: MiniStack reads its environment at import.
    from .expected import MinistackChanged

    try:
        from .assembly import Engine
    except MinistackChanged as change:
        sys.exit(str(change))
    asyncio.run(_serve(Engine(settings), settings))


def _refuse_a_port_in_use(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as failure:
            print(
                f"engine: port {port} on 127.0.0.1 cannot be used ({failure.strerror}); stop what listens "
                "there or set ENGINE_PORT",
                file=sys.stderr,
            )
            sys.exit(2)


async def _serve(engine: "Engine", settings: settings_module.Settings) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    config = Config()
    config.bind = [f"127.0.0.1:{settings.port}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    # Requests still open at shutdown wait for something that stops at the same time.
    config.graceful_timeout = 0.2
    config.shutdown_timeout = 1.0

    async def until_stopped() -> None:
        await stop.wait()
        engine.stop()

    await serve(engine, config, shutdown_trigger=until_stopped)
    engine.saver.stop()  # open requests have ended by now
    shutil.rmtree(settings.scratch, ignore_errors=True)
    sys.stdout.flush()
    # Threads may still wait for something that will not come; they hold nothing that must be saved.
    os._exit(0)


if __name__ == "__main__":
    main()
