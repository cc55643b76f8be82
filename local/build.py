"""`sam build` of both templates into .local/build/<hash of their sources>, then what SAM leaves undone: trimming, and byte code for read-only disks."""

import concurrent.futures
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from local import processes, setup
from local.settings import ROOT, python_of

TEMPLATES = {"data": ROOT / "template.data.yaml", "application": ROOT / "template.yaml"}
BUILDS = ROOT / ".local" / "build"
SOURCES = ("functions", "layers", "statemachines")
# The render is an image, not a function; its sources don't enter what SAM builds.
NOT_BUILT = ("functions/render/",)
# The running stack uses one and the change being tried another; older ones are only disk space.
KEPT = 3


def build() -> Path:
    """The folder with `data/template.yaml` and `application/template.yaml` as built; what was built before from the same sources is found again."""
    folder = BUILDS / version()
    if folder.exists():
        os.utime(folder)
        return folder
    with setup.one_at_a_time(BUILDS / ".lock", "another build"):
        if not folder.exists():
            begun = time.monotonic()
            print("Building functions and layers ...", flush=True)
            build_into(folder)
            prune()
            print(f"Built in {time.monotonic() - begun:.0f} s.", flush=True)
    return folder


def version() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for file in sources():
        digest.update(f"{file.relative_to(ROOT)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def sources() -> Iterator[Path]:
    yield from TEMPLATES.values()
    for name in SOURCES:
        for file in sorted((ROOT / name).rglob("*")):
            relative = file.relative_to(ROOT).as_posix()
            if file.is_file() and "__pycache__" not in relative and not relative.startswith(NOT_BUILT):
                yield file


def build_into(folder: Path) -> None:
    """Into a folder beside it first: what has the final name is complete."""
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with concurrent.futures.ThreadPoolExecutor(len(TEMPLATES)) as pool:
        list(pool.map(lambda name: sam_build(name, partial / name), TEMPLATES))
    for name in TEMPLATES:
        finish(partial / name)
    partial.rename(folder)


def sam_build(name: str, folder: Path) -> None:
    """SAM keeps what it has downloaded beside its build folder, below the working folder: one for each template, or they remove each other's."""
    workplace = BUILDS / "sam" / name
    workplace.mkdir(parents=True, exist_ok=True)
    command = [python_of("sam").with_name("sam"), "build", "--template-file", TEMPLATES[name], "--cached", "--parallel"]
    processes.call(command, environment=sam_environment(), folder=workplace, log=BUILDS / f"{name}.log")
    # Links: SAM replaces its files and so do we, neither writes into one.
    built = workplace / ".aws-sam" / "build"
    shutil.copytree(built, folder, copy_function=os.link)
    settle(folder, os.path.relpath(ROOT, built))


def settle(folder: Path, way_to_root: str) -> None:
    """A built template names what SAM doesn't build by relative paths from where it was built. State machines come along, as they were at this build."""
    shutil.copytree(ROOT / "statemachines", folder / "statemachines")
    template = folder / "template.yaml"
    text = template.read_text().replace(f"{way_to_root}/statemachines/", "statemachines/").replace(f"{way_to_root}/", f"{os.path.relpath(ROOT, folder)}/")
    template.unlink()  # it is a link to SAM's own
    template.write_text(text)


def sam_environment() -> dict[str, str]:
    """SAM looks for python3.13 with pip on PATH: ours. Its own files stay under .local too."""
    path = os.pathsep.join([str(python_of("sam").parent), os.environ.get("PATH", os.defpath)])
    return {
        **os.environ,
        "PATH": path,
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(ROOT / ".local" / "sam"),
        "AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
    }


def finish(folder: Path) -> None:
    """Lambda's disk is read-only, so without byte code every cold start compiles every import again (2.3 to 3.5 times slower, measured)."""
    for artefact in sorted(path for path in folder.iterdir() if path.is_dir() and path.name != "statemachines"):
        trim(artefact)
        mounted = "/opt" if (artefact / "python").is_dir() else "/var/task"
        compile_all(artefact, mounted)


def trim(artefact: Path) -> None:
    """What no function can use at run time. Licences and metadata stay."""
    packages = artefact / "python" if (artefact / "python").is_dir() else artefact
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for pattern in ("*.pyi", "*.dist-info/RECORD"):
        for file in packages.rglob(pattern):
            file.unlink()
    for cache in list(packages.rglob("__pycache__")):
        shutil.rmtree(cache)


def compile_all(artefact: Path, mounted: str) -> None:
    """Unchecked: the loader trusts the byte code without looking at the source's time, which a zip changes. Paths in tracebacks are those of AWS."""
    options = ["--invalidation-mode", "unchecked-hash", "-s", artefact, "-p", mounted, "-j", "2"]
    # Some packages carry files for other Python versions, which don't compile: they are as unused then as before.
    processes.call([python_of("lambda"), "-m", "compileall", "-q", *options, artefact])


def prune() -> None:
    finished = sorted((path for path in BUILDS.iterdir() if (path / "application").is_dir() and not path.suffix), key=lambda path: path.stat().st_mtime)
    for old in finished[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def declared(template: Path) -> set[str]:
    """Names of a template's parameters; by lines, since CloudFormation's tags are not plain YAML."""
    section = re.search(r"^Parameters:\n((?:[ #].*\n|\n)*)", template.read_text(), re.MULTILINE)
    return set(re.findall(r"^  (\w+):", section.group(1), re.MULTILINE)) if section else set()


def render_version() -> str:
    """What the render's image is made from: the tag under which it is pushed."""
    digest = hashlib.sha256()
    for file in sorted(path for path in (ROOT / "functions" / "render").rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(f"{file.relative_to(ROOT).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
