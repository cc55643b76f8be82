"""Keep objects, parameters, tables, keys and secrets when the engine ends, however it ends. Stacks, functions
and executions are not kept; they are deployed again.

MiniStack writes S3 objects to disk at once, and everything else only at a clean end. Here the rest is written
after each change: a kill loses the last quarter of a second at most.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core import persistence as ministack_persistence
from ministack.services import dynamodb, kms, s3, secretsmanager, ssm

from .expected import expect
from .settings import Settings

MODULES = {"dynamodb": dynamodb, "kms": kms, "s3": s3, "secretsmanager": secretsmanager, "ssm": ssm}
for module in MODULES.values():
    expect(module, "get_state")
    expect(module, "load_persisted_state", "data")
expect(ministack_persistence, "_json_default", "obj")
expect(ministack_persistence, "_json_object_hook", "obj")
expect(s3, "S3_PERSIST")

# A check takes milliseconds for a developer's state; a large state is checked less often, so that it costs 5
# % of one core at most.
EVERY_SECONDS = 0.25
SHARE_OF_A_CORE = 0.05
# The state cannot be copied while a request adds to it; the next try nearly always can.
COPY_TRIES = 20

logger = logging.getLogger("engine.persistence")


class Saver:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._written: dict[str, bytes] = {}
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def load(self) -> None:
        for name, module in MODULES.items():
            path = self.folder / f"{name}.json"
            if not path.exists():
                continue
            content = path.read_bytes()
            module.load_persisted_state(
                json.loads(content, object_hook=ministack_persistence._json_object_hook)
            )
            self._written[name] = hashlib.sha256(content).digest()

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._run, daemon=True, name="persistence").start()

    def _run(self) -> None:
        pause = EVERY_SECONDS
        while not self._stop.wait(pause):
            started = time.monotonic()
            try:
                self.save()
            except (
                Exception
            ):  # a full disk must be visible in the log, and saving must go on when there is space again
                logger.exception("state could not be saved")
            pause = max(EVERY_SECONDS, (time.monotonic() - started) / SHARE_OF_A_CORE)

    def save(self) -> None:
        """Write what has changed since the last save. Each file is replaced atomically."""
        with self._lock:
            for name, module in MODULES.items():
                content = json.dumps(
                    _copy(module.get_state),
                    default=ministack_persistence._json_default,
                    separators=(",", ":"),
                ).encode()
                digest = hashlib.sha256(content).digest()
                if self._written.get(name) != digest:
                    _replace(self.folder / f"{name}.json", content)
                    self._written[name] = digest

    def stop(self) -> None:
        self._stop.set()
        self.save()


def _copy(get_state: Callable[[], Any]) -> Any:
    for _ in range(COPY_TRIES):
        try:
            return get_state()
        except RuntimeError:
            time.sleep(0.01)
    return get_state()


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)


def install(settings: Settings) -> Saver:
    saver = Saver(settings.data / "state")
    saver.load()
    return saver
