"""The imports of each function at its start, measured in its own process: a user waits for that time."""

import ast
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from tests.contract import code, template
from tests.contract.code import FUNCTIONS, LAYER

# The most expensive imports, and which functions may have them.
AI = {"openai", "elevenlabs"}
GOOGLE = {"googleapiclient", "google"}
HEAVY = {"numpy", "scipy", "pandas", "PIL", "moto", "pytest", "hypothesis"}
AWS = {"boto3", "botocore"}

PROGRAM = """
import json, resource, sys
sys.path[:0] = sys.argv[1:]
before = resource.getrusage(resource.RUSAGE_SELF)
import app
after = resource.getrusage(resource.RUSAGE_SELF)
seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"modules": sorted(sys.modules), "seconds": seconds, "handler": callable(app.handler)}))
"""


class Loaded(NamedTuple):
    modules: set[str]
    """Top-level names."""
    seconds: float
    has_handler: bool


def load(function: str) -> Loaded:
    # Lambda's own variables are set when AWS imports the function; ours must not be read before the first
    # event.
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_REGION": "us-east-1",
        "POWERTOOLS_METRICS_DISABLED": "true",
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, str(FUNCTIONS / function), str(LAYER)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{function} can't be imported without an event:\n{done.stderr[-2000:]}"
    report = json.loads(done.stdout)
    return Loaded({name.split(".")[0] for name in report["modules"]}, report["seconds"], report["handler"])


@pytest.fixture(scope="module")
def loaded() -> dict[str, Loaded]:
    names = code.function_names()
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(load, names), strict=True))


def behind_an_api() -> set[str]:
    return {
        name
        for name, each in template.functions().items()
        if any(event["Type"] == "HttpApi" for event in (each.properties.get("Events") or {}).values())
    }


def holds_database(function: str) -> bool:
    return "showrunner.database.db" in code.closure(code.app(function))


def forbidden(function: str) -> dict[str, str]:
    """Return module -> why this function must not import it at its start."""
    found = dict.fromkeys(GOOGLE, "a second of CPU; only where YouTube is called")
    found |= dict.fromkeys(HEAVY, "nothing in a Lambda needs it")
    if function != "script":
        found["openai"] = "half a second of a whole core; only WriteScript calls it"
    if function != "voice":
        found["elevenlabs"] = "half a second of a whole core; only NarrateScene calls it"
    if function in behind_an_api():
        found |= dict.fromkeys(AWS, "300 ms, and few routes call AWS: imported where it is called")
        found["requests"] = "100 ms, and no route calls a platform"
    if holds_database(function):
        found["requests"] = "who holds the database talks to nobody outside"
    else:
        found["pg8000"] = "it has no database"
    return found


def test_every_function_can_be_imported_before_its_first_event(loaded):
    assert [name for name, each in loaded.items() if not each.has_handler] == []


def test_no_function_imports_a_forbidden_package_at_its_start(loaded, record_property):
    for name, each in loaded.items():
        record_property(f"import_cpu_ms_{name}", round(each.seconds * 1000))
    print(
        "\n".join(
            f"{name:<12} {each.seconds * 1000:5.0f} ms of CPU, {len(each.modules)} packages"
            for name, each in sorted(loaded.items())
        )
    )

    wrong = {
        name: {module: why for module, why in forbidden(name).items() if module in each.modules}
        for name, each in loaded.items()
    }

    assert {name: modules for name, modules in wrong.items() if modules} == {}


def test_packages_that_every_request_needs_are_imported_at_the_start(loaded):
    """Lambda gives the start more CPU; an import during the first request delays that user."""
    for name, each in loaded.items():
        if holds_database(name):
            assert "pg8000" in each.modules, name


def test_every_imported_package_is_in_the_functions_layers(loaded):
    """Every imported package is in the standard library, Lambda's runtime, or the layers' requirements."""
    provided = {
        "AiLayer": {"openai", "elevenlabs"},
        "TextLayer": {"sentencex", "icu4py", "markdown_it"},
        "GoogleLayer": {"googleapiclient", "httplib2"},
        "PicturesLayer": {"PIL"},
        "DocsLayer": {"swagger_ui_bundle"},
    }
    for name, each in template.functions().items():
        layers = {reference["Ref"] for reference in each.properties["Layers"]}
        imported = {
            found.name.split(".")[0]
            for module in code.closure(code.app(name))
            if (path := code.path_of(module))
            for found in code.imports(path)
        }
        needed = {layer for layer, packages in provided.items() if imported & packages}
        assert layers - {"SharedLayer", "MigrateLayer"} == needed, f"{name}: layers and imports differ"


def test_every_package_that_the_product_imports_is_required_by_a_layer():
    lines = [
        line
        for path in LAYER.parent.glob("*/requirements.txt")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    requirements = {line.split("==")[0].strip().lower() for line in lines}
    # Import name -> distribution; httpx and urllib3 are what the openai SDK and requests raise errors from.
    names = {
        "markdown_it": "markdown-it-py",
        "aws_lambda_powertools": "aws-lambda-powertools",
        "googleapiclient": "google-api-python-client",
        "email_validator": "email-validator",
        "swagger_ui_bundle": "swagger-ui-bundle-v2",
        "httpx": "openai",
        "PIL": "pillow",
        "pydantic_core": "pydantic",
        "urllib3": "requests",
    }
    # In Lambda's own runtime, and our own.
    there = {"boto3", "botocore", "showrunner", *sys.stdlib_module_names}
    files = [*code.layer_files(), *code.function_files()]
    imported = {each.name.split(".")[0] for path in files for each in code.imports(path)} - there

    assert sorted(name for name in imported if names.get(name, name).lower() not in requirements) == []


def test_no_handler_file_does_work_when_it_is_imported():
    """The top level has only imports, constants, definitions and routes: no loop, no unassigned call."""
    for name in code.function_names():
        for node in code.tree(FUNCTIONS / name / "app.py").body[1:]:
            if isinstance(node, ast.Expr) and ast.unparse(node).startswith("app.include("):
                continue
            assert not isinstance(node, ast.Expr | ast.For | ast.While | ast.With | ast.Try), (
                f"functions/{name}/app.py:{node.lineno}"
            )
