"""Run `sam build` for both templates into .local/build/<hash of their sources>, then trim the result and
compile it to byte code for read-only disks.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from local import processes, setup
from local.settings import ROOT, python_of

TEMPLATES = {"data": ROOT / "template.data.yaml", "application": ROOT / "template.yaml"}
BUILDS = ROOT / ".local" / "build"
SOURCES = ("functions", "layers", "statemachines")
# The render is a container image; its sources are not part of what SAM builds.
NOT_BUILT = (ROOT / "functions" / "render",)
# Tests write it into the source tree too.
GENERATED = "openapi.json"
# OpenAPI document -> the function that serves it.
DOCUMENTS = {"platform.json": "AdminFunction", "ingestion.json": "FeedFunction"}
# The running stack uses one build and the change being tried another; older ones only cost disk space.
KEPT = 3


def build() -> Path:
    """Build, or find the finished build of the same sources. Returns the folder that contains
    `data/template.yaml` and `application/template.yaml`.
    """
    folder = BUILDS / version()
    if folder.exists():
        os.utime(folder)
        return folder
    with setup.one_at_a_time(BUILDS / ".lock", "another build"):
        if not folder.exists():
            started_at = time.monotonic()
            print("Building functions and layers ...", flush=True)
            build_into(folder)
            prune()
            print(f"Built in {time.monotonic() - started_at:.0f} s.", flush=True)
    return folder


def version() -> str:
    """Return a digest of the names and contents of all sources."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for file in sources():
        digest.update(f"{str(file).removeprefix(str(ROOT))}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def release_of(parameters: Mapping[str, str]) -> str:
    """Return a digest of the sources and of the parameters that they are deployed with."""
    digest = hashlib.sha256(version().encode())
    digest.update(json.dumps(dict(parameters), sort_keys=True).encode())
    return digest.hexdigest()[:16]


def sources() -> Iterator[Path]:
    """Yield the files that a build is made of, in an order that is the same on every machine."""
    yield from TEMPLATES.values()
    for name in SOURCES:
        # Not Path.rglob and relative_to: a release asks for this twice, and they take half a second.
        for folder, inner, files in os.walk(ROOT / name):
            inner[:] = sorted(
                each for each in inner if each != "__pycache__" and Path(folder, each) not in NOT_BUILT
            )
            yield from (Path(folder, file) for file in sorted(files) if file != GENERATED)


def build_into(folder: Path) -> None:
    """Build into a temporary folder and rename it: a folder with the final name is complete."""
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with concurrent.futures.ThreadPoolExecutor(len(TEMPLATES)) as pool:
        list(pool.map(lambda name: sam_build(name, partial / name), TEMPLATES))
    write_documents(partial / "application")
    for name in TEMPLATES:
        finish(partial / name)
    partial.rename(folder)


def sam_build(name: str, folder: Path) -> None:
    """Run SAM with one working folder per template: SAM keeps downloads beside its build folder, and two
    builds in one folder delete each other's.
    """
    workplace = BUILDS / "sam" / name
    workplace.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        python_of("sam").with_name("sam"),
        "build",
        "--template-file",
        TEMPLATES[name],
        "--cached",
        "--parallel",
    ]
    processes.call(command, environment=sam_environment(), folder=workplace, log=BUILDS / f"{name}.log")
    # Links are safe: SAM replaces its files, as we do; neither writes into one.
    built = workplace / ".aws-sam" / "build"
    shutil.copytree(built, folder, copy_function=os.link)
    settle(folder, os.path.relpath(ROOT, built))


def settle(folder: Path, path_to_root: str) -> None:
    """Make a built template independent of where it was built. It names files that SAM does not build by
    relative path; the state machines are copied, as they were at this build.
    """
    shutil.copytree(ROOT / "statemachines", folder / "statemachines")
    template = folder / "template.yaml"
    text = (
        template.read_text()
        .replace(f"{path_to_root}/statemachines/", "statemachines/")
        .replace(f"{path_to_root}/", f"{os.path.relpath(ROOT, folder)}/")
    )
    template.unlink()  # a link to SAM's own file
    template.write_text(text)


def write_documents(application: Path) -> None:
    """Write each OpenAPI document into the function that serves it.

    The built layer makes them from the routes of this source tree.
    """
    layer = next(path for path in sorted(application.glob("*/python")) if (path / "showrunner").is_dir())
    folder = application.with_name("openapi")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(layer), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    processes.call([python_of("lambda"), "-m", "local.openapi", folder], environment=environment, folder=ROOT)
    for document, function in DOCUMENTS.items():
        shutil.move(folder / document, application / function / GENERATED)
    folder.rmdir()


def sam_environment() -> dict[str, str]:
    """Return an environment in which SAM finds our python3.13 with pip, and keeps its files under .local."""
    path = os.pathsep.join([str(python_of("sam").parent), os.environ.get("PATH", os.defpath)])
    return {
        **os.environ,
        "PATH": path,
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(ROOT / ".local" / "sam"),
        "AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
    }


def finish(folder: Path) -> None:
    """Compile to byte code. Lambda's disk is read-only: without byte code every cold start compiles all
    imports (2.3 to 3.5 times slower, measured).
    """
    for artefact in sorted(
        path for path in folder.iterdir() if path.is_dir() and path.name != "statemachines"
    ):
        trim(artefact)
        mounted = "/opt" if (artefact / "python").is_dir() else "/var/task"
        compile_all(artefact, mounted)


def trim(artefact: Path) -> None:
    """Delete files that no function can use at run time. Licences and metadata stay."""
    packages = artefact / "python" if (artefact / "python").is_dir() else artefact
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for pattern in ("*.pyi", "*.dist-info/RECORD"):
        for file in packages.rglob(pattern):
            file.unlink()
    # Google's client carries the documents of 600 APIs, a hundred megabytes; one is used.
    for file in (packages / "googleapiclient" / "discovery_cache" / "documents").glob("*.json"):
        if file.name != "youtube.v3.json":
            file.unlink()
    # Two files of Swagger UI are served. Its package has two versions with source maps, and wants jinja2.
    if (packages / "swagger_ui_bundle").is_dir():
        for file in (packages / "swagger_ui_bundle" / "vendor").rglob("*.*"):
            if file.is_file() and file.name not in ("swagger-ui-bundle.js", "swagger-ui.css"):
                file.unlink()
        for name in ("jinja2", "markupsafe"):
            shutil.rmtree(packages / name)
    for cache in list(packages.rglob("__pycache__")):
        shutil.rmtree(cache)


def compile_all(artefact: Path, mounted: str) -> None:
    """Compile unchecked: the loader does not compare the source's time, which a zip changes. Tracebacks show
    AWS's paths.
    """
    options: list[str | Path] = [
        "--invalidation-mode",
        "unchecked-hash",
        "-s",
        artefact,
        "-p",
        mounted,
        "-j",
        "2",
    ]
    # Some packages contain files for other Python versions, which do not compile. They are unused anyway.
    processes.call([python_of("lambda"), "-m", "compileall", "-q", *options, artefact])


def prune() -> None:
    finished = sorted(
        (path for path in BUILDS.iterdir() if (path / "application").is_dir() and not path.suffix),
        key=lambda path: path.stat().st_mtime,
    )
    for old in finished[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def declared(template: Path) -> set[str]:
    """Return the names of a template's parameters. Parsed by line, since CloudFormation's tags are not plain
    YAML.
    """
    section = re.search(r"^Parameters:\n((?:[ #].*\n|\n)*)", template.read_text(), re.MULTILINE)
    return set(re.findall(r"^  (\w+):", section.group(1), re.MULTILINE)) if section else set()


def block(name: str, template: str) -> str:
    """Return what is written below a resource or parameter of a template. Raises LookupError."""
    found = re.search(rf"^  {name}:\n((?:   .*\n|\s*\n)*)", template, re.MULTILINE)
    if found is None:
        raise LookupError(f"there is no {name}")
    return found[1]


def number_of_parameter(name: str, key: str, template: str) -> int:
    """Return a number that the text of a template gives for a parameter: its Default or its MaxValue."""
    found = re.search(rf"^  {name}:\n(?:    .*\n)*?    {key}: (\d+)", template, re.MULTILINE)
    if found is None:
        raise LookupError(f"the parameter {name} has no {key}")
    return int(found[1])


def render_version() -> str:
    """Return a hash of the render's sources: the tag of its image."""
    digest = hashlib.sha256()
    sources = sorted(
        path
        for path in (ROOT / "functions" / "render").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    for file in [*sources, ROOT / "local" / "lock" / "render.txt"]:
        digest.update(f"{file.relative_to(ROOT).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
