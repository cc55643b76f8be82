"""The readers in tests/contract/code.py, on small sources in every form that the product uses."""

import pytest

from tests.contract import code


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Return a function that writes a small product of one layer and one function for the readers."""
    monkeypatch.setattr(code, "LAYER", tmp_path / "layer")
    monkeypatch.setattr(code, "FUNCTIONS", tmp_path / "functions")
    monkeypatch.setattr(code, "ROOT", tmp_path)

    def write(**files: str) -> None:
        for name, text in files.items():
            path = tmp_path / (
                "functions/f/app.py" if name == "app" else f"layer/showrunner/{name.replace('__', '/')}.py"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for package in (path for path in (tmp_path / "layer").rglob("*") if path.is_dir()):
            (package / "__init__.py").touch()
        code.forget()

    yield write
    code.forget()


def test_reach_follows_modules_classes_and_imports_inside_functions(source):
    source(
        app="""
from showrunner import api
class Walk:
    def step(self):
        from showrunner import blobs
        return blobs.get("k")
handler = api.handler(Walk)
""",
        api="""
from showrunner import config
def handler(app): return config.setting('ISSUER', 'x')
def other(): return config.setting('NEVER')
""",
        blobs="""
from showrunner import config
def get(key): return _client().get_object(Key=key) if False else sdk.client("s3").get_object(Key=key)
def put(key): return sdk.client("s3").put_object(Key=key)
def _client(): return None
""",
        config="",
    )

    assert code.settings("f") == {code.SettingRead("ISSUER", optional=True)}
    assert code.operations("f") == {("s3", "get_object")}


def test_operations_include_clients_in_variables_signed_urls_and_signed_calls(source):
    source(
        app="""
from showrunner import rpc, sdk, sigv4
def start():
    client = sdk.client("stepfunctions")
    client.start_execution(name="x")
def link():
    return sdk.client("s3").generate_presigned_url("put_object", Params={})
def item():
    rpc.call("dynamodb", "GetItem", {})
def fetch():
    return sigv4.presign("get_object", "b", "k", 60)
handler = [start, link, item, fetch]
""",
        config="",
        rpc="def call(service, action, payload): ...",
    )

    assert code.operations("f") == {
        ("stepfunctions", "start_execution"),
        ("s3", "put_object"),
        ("s3", "get_object"),
        ("dynamodb", "get_item"),
    }


def test_statements_that_run_at_import_count(source):
    source(
        app="from showrunner import first\nhandler = first.use",
        first="from showrunner import second\ndef use(): ...",
        second="from showrunner import config\nX = config.setting('EARLY')\nconfig.setting('BARE')",
        config="",
    )

    assert {read.name for read in code.settings("f")} == {"EARLY", "BARE"}


def test_reading_a_secret_needs_ssm_and_the_stage(source):
    source(
        app="""
from showrunner import config
def handler(event, context):
    ssm.secrets(['a/b', 'c/d'])
    ssm.secret('e/f', default=' ')
""",
        config="",
    )

    assert {(read.name, read.optional) for read in code.secrets("f")} == {
        ("a/b", False),
        ("c/d", False),
        ("e/f", True),
    }
    assert code.operations("f") == {("ssm", "get_parameters"), ("dynamodb", "update_item")}
    assert code.settings("f") == {code.SettingRead("STAGE", optional=False)}


@pytest.mark.parametrize(
    "line",
    [
        "config.setting(name)",
        "ssm.secret(f'{name}/key')",
        "ssm.secrets(names)",
        "sdk.client(name).get()",
        "keep(sdk.client('s3'))",
    ],
)
def test_code_that_the_readers_cannot_follow_is_refused(source, line):
    source(app=f"from showrunner import config\ndef handler(name, names):\n    {line}", config="")

    with pytest.raises(TypeError, match="no check can see"):
        code.settings("f"), code.operations("f")


def test_imports_for_type_checkers_are_ignored(source):
    source(
        app="""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import boto3
def handler():
    import json
""",
        config="",
    )

    assert [(each.name, each.at_top) for each in code.imports(code.FUNCTIONS / "f" / "app.py")] == [
        ("typing", True),
        ("json", False),
    ]


def test_a_function_or_method_that_nothing_mentions_is_unused(source):
    source(
        app="""
from showrunner import first
from showrunner.second import taken
def handler(event, context):
    return first.called() + taken().used()
""",
        first="""
def called(): return _helper()
def _helper(): ...
def dead(): return dead()
def taken(): ...
""",
        second="""
class Thing:
    def used(self): ...
    def unused(self): ...
    def __len__(self): ...
def taken() -> Thing: ...
@app.get("/x")
def route(): ...
""",
    )

    assert code.unused() == [
        "layer/showrunner/first.py: dead",
        "layer/showrunner/first.py: taken",
        "layer/showrunner/second.py: Thing.unused",
    ]
