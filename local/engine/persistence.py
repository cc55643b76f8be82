"""What outlives the engine, however it ends: objects, parameters, tables, keys, secrets. Stacks, functions and executions don't; they are deployed again.

MiniStack writes S3 objects to disk as they arrive, and everything else only at a clean end. Here the rest is written whenever it has changed:
after a kill, what was written in the last quarter of a second may be missing.
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

# Looking for changes takes milliseconds for what a developer has; a large state is looked at less often, so that it costs 5 % of one core at most.
EVERY_SECONDS = 0.25
SHARE_OF_A_CORE = 0.05
# A state cannot be copied while a request adds to it; the next try nearly always can.
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
            module.load_persisted_state(json.loads(content, object_hook=ministack_persistence._json_object_hook))
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
            except Exception:  # A full disk must be seen in the log, and saving must go on when there is room again.
                logger.exception("state could not be saved")
            pause = max(EVERY_SECONDS, (time.monotonic() - started) / SHARE_OF_A_CORE)

    def save(self) -> None:
        """Writes what has changed since it was last written; each file is replaced as a whole."""
        with self._lock:
            for name, module in MODULES.items():
                content = json.dumps(_copy(module.get_state), default=ministack_persistence._json_default, separators=(",", ":")).encode()
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
