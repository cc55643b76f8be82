"""The names of a video's S3 objects: one module has them, and the template and the renderer use the same."""

import ast
import re
from pathlib import Path

import pytest

from showrunner.aws import s3
from showrunner.production import files
from showrunner.store import retention
from tests.contract import code, template

ROOT = Path(__file__).parents[2]
FOLDER = files.video_folder("0b9d6a52-3c1f-4f0e-8d55-6f1e2a7c9b10", "5f0a3c5e-8f0e-4a6b-9c43-0d7a1c9e5b21")
NAMES = re.compile(
    r"(job|script|timeline|progress|report|error)\.json|\.(voice|visual)\.json|/(charges|products|videos|render)/"
)


def strings(path: Path) -> list[str]:
    """String constants of a module without its docstrings."""
    tree = ast.parse(path.read_text())
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    ]


def test_only_one_module_names_the_objects_of_a_video():
    paths = [*(ROOT / "layers/showrunner/showrunner").rglob("*.py"), *(ROOT / "functions").glob("*/app.py")]
    named = {
        str(path.relative_to(ROOT))
        for path in paths
        for text in strings(path)
        if NAMES.search(text) and not text.startswith("/api/")
    }

    assert named == {"layers/showrunner/showrunner/production/files.py"}


def test_the_renderer_writes_the_names_that_we_read():
    written = {text for text in strings(ROOT / "functions/render/job.py") if re.fullmatch(r"\w+\.json", text)}

    assert written == {files.PROGRESS_NAME, files.REPORT_NAME, files.ERROR_NAME}


def lifecycle() -> dict[str, dict]:
    """Return the rules of the media bucket by their id."""
    bucket = template.load(template.DATA)["Resources"]["MediaBucket"]["Properties"]
    return {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}


def test_the_bucket_deletes_products_and_unfinished_uploads_and_moves_films():
    rules = lifecycle()
    parameters = template.load(template.DATA)["Parameters"]

    (tag,) = rules["products"]["TagFilters"]
    assert f"{tag['Key']}={tag['Value']}" == s3.PRODUCT
    assert parameters[rules["products"]["ExpirationInDays"]["Ref"]]["MinValue"] > retention.REMOVED_DAYS
    assert rules["parts"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    (move,) = rules["films"]["Transitions"]
    assert move["StorageClass"] == "STANDARD_IA"
    assert parameters[move["TransitionInDays"]["Ref"]] | {"Description": ""} == {
        "Type": "Number",
        "Default": 30,
        "MinValue": 30,
        "Description": "",
    }
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}


def test_only_products_are_stored_with_their_tag():
    layer = ROOT / "layers/showrunner/showrunner"
    calls = {
        (path.parent.name, ast.unparse(call.args[0]))
        for path in (*(ROOT / "functions").glob("*/app.py"), *layer.glob("videos/*.py"))
        for call in code.calls(code.tree(path), "s3", ("put_product", "put_product_json"))
    }

    assert {name for name, _ in calls} == {"script", "voice", "videos"}
    assert len(calls) == 8


def test_the_rule_of_the_live_function_matches_the_progress_key():
    text = (ROOT / "template.yaml").read_text()
    (suffix,) = re.findall(r"object: \{key: \[\{suffix: (\S+)\}\]\}", text)

    assert files.progress_key(FOLDER).endswith(suffix)
    assert files.parse_progress_key(files.progress_key(FOLDER)) == tuple(FOLDER.split("/")[1::2])
    assert files.parse_progress_key(files.report_key(FOLDER)) is None


@pytest.mark.parametrize(
    "key",
    [
        files.job_key(FOLDER),
        files.script_key(FOLDER),
        files.voice_key(FOLDER, 0),
        files.visual_key(FOLDER, 0),
        files.timeline_key(FOLDER),
        files.charge_key(FOLDER, "voice:1"),
        files.report_key(FOLDER),
    ],
)
def test_the_policies_of_the_template_cover_each_object(key):
    text = (ROOT / "template.yaml").read_text()
    patterns = {
        found.replace("*", "[^:]*") for found in re.findall(r"s3:::\$\{Bucket\}/(organisations/\S+)", text)
    }

    assert any(re.fullmatch(pattern, key) for pattern in patterns)
