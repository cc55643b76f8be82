"""`make clean`: stop what runs from this checkout and delete everything that its targets made.

Standard library only: the environments are deleted too.
"""

import shutil
from pathlib import Path

from local.processes import Supervisor
from local.settings import HOME, ROOT, Refused

CACHES = (".aws-sam", ".hypothesis", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".import_linter_cache")
# Our folders in a home outside the checkout. Everything else there belongs to others and stays.
HOME_FOLDERS = ("bench", "engine", "footage", "keys", "logs", "out", "outbox", "postgres", "run")


def clean() -> None:
    inside = ROOT / ".local"
    for home in {HOME, inside, inside / "test"}:
        Supervisor(home).stop_all()
    for folder in [*(ROOT / name for name in CACHES), *(HOME / name for name in HOME_FOLDERS), inside]:
        remove(folder)
    for cache in ROOT.glob("*/**/__pycache__"):
        remove(cache)
    print("Removed all that make had made here.")


def remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except PermissionError as error:
        raise Refused(f"{error.filename} belongs to another user; remove {folder} as that user") from error
