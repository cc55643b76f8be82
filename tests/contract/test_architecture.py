"""Rules about the code that no tool checks by itself.

Who may import whom is in pyproject.toml, [tool.importlinter].
"""

import ast
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.contract import code
from tests.contract.code import FUNCTIONS, LAYER, PACKAGE, ROOT

# Module names that say nothing about what the module holds.
VAGUE_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "services",
    "managers",
    "interfaces",
    "misc",
    "lib",
    "core",
    "base",
}
# What a function's folder may contain besides app.py.
BESIDE_APP = {"migrate": {"sql"}}
# The build writes it, and so do the tests; git ignores it.
GENERATED = "openapi.json"
# These compose SQL from constants of the stores and from integers. The lists' tests try to inject text; the
# retention's statements have no value of a caller, and the backups' quoted names come from the catalogue.
# Those of rights are constants, also of reports/tables.py: a file's own column names never reach them.
COMPOSES_SQL = {
    "showrunner.database.pages",
    "showrunner.database.title_search",
    "showrunner.store.backups",
    "showrunner.store.feed.lists",
    "showrunner.store.retention",
    "showrunner.store.rights.catalogue",
    "showrunner.store.rights.periods",
    "showrunner.store.rights.snapshots",
}
STATEMENT = re.compile(r"\b(SELECT\s.*\sFROM|INSERT INTO|UPDATE\s.*\sSET|DELETE FROM)\b", re.DOTALL)
QUERIES = {"one", "rows", "value", "run"}


def product() -> list[Path]:
    return [*code.layer_files(), *code.function_files()]


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


# ---------------------------------------------------------------- Environment and AWS


def reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) in ("os.environ", "os.getenv", "os.environb", "os.putenv")
    return (
        isinstance(node, ast.ImportFrom)
        and node.module == "os"
        and bool({alias.name for alias in node.names} & {"environ", "getenv", "environb", "putenv"})
    )


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ('os.environ["STAGE"]', True),
        ('os.getenv("STAGE")', True),
        ("from os import environ as e", True),
        ("from os import path", False),
        ('config.setting("STAGE")', False),
    ],
)
def test_a_reader_of_the_environment_is_detected(line, is_found):
    assert any(reads_environment(node) for node in code.walk(ast.parse(line))) == is_found


def test_only_config_reads_the_environment():
    config = LAYER / PACKAGE / "config.py"
    found = [
        where(path, node)
        for path in product()
        if path != config
        for node in code.walk(code.tree(path))
        if reads_environment(node)
    ]

    assert found == []
    assert any(reads_environment(node) for node in code.walk(code.tree(config)))


def test_only_aws_sdk_makes_botocore_clients():
    sdk = LAYER / PACKAGE / "aws" / "sdk.py"
    found = [
        f"{path.relative_to(ROOT)}:{each.line}"
        for path in product()
        if path != sdk
        for each in code.imports(path)
        if each.name.startswith(("boto3", "botocore.session"))
    ]

    assert found == []
    assert [each for each in code.imports(sdk) if each.name == "botocore.session" and not each.at_top], (
        "it costs 200 ms and is imported where it is used"
    )


# ---------------------------------------------------------------- One way to do it

# Modules that open connections. AWS is called with signatures, everything else through platforms/http.
CONNECTS = {"requests", "urllib3", "http.client", "urllib.request", "httpx", "aiohttp"}
SENDERS = {"platforms/http.py": {"requests", "urllib3"}, "aws/rpc.py": {"http.client"}}
SENDERS |= {"aws/objects.py": {"http.client"}}
# ElevenLabs' SDK sends by httpx: speech.py catches its errors.
SENDERS |= {"platforms/speech.py": {"httpx"}}


def connects(tree: ast.Module) -> set[str]:
    """Return which of CONNECTS a module imports, in whatever form."""
    names = set()
    for node in code.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {package for package in CONNECTS if any(f"{name}.".startswith(f"{package}.") for name in names)}


def test_only_one_module_sends_requests_to_foreign_services():
    found = {
        str(path.relative_to(LAYER / PACKAGE if path.is_relative_to(LAYER) else ROOT)): names
        for path in product()
        if (names := connects(code.tree(path)))
    }

    assert found == SENDERS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import requests", {"requests"}),
        ("import requests.adapters", {"requests"}),
        ("def call():\n    from urllib import request", {"urllib.request"}),
        ("from http.client import HTTPSConnection as Connection", {"http.client"}),
        ("from urllib.parse import urlsplit\nfrom http import HTTPStatus\nimport requests_of_ours", set()),
    ],
)
def test_a_module_that_opens_connections_is_detected(text, found):
    assert connects(ast.parse(text)) == found


def kinds(tree: ast.Module) -> Iterator[str]:
    """Yield the `kind` of every class of a message or an event."""
    for node in code.walk(tree):
        if isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and ast.unparse(field.target) == "kind" and field.value:
                    value = ast.literal_eval(field.value)
                    if value is not None:  # the default of an optional field, which names no class
                        yield value


def repeated(trees: Iterable[ast.Module]) -> list[str]:
    """Return the kinds of messages and events that several classes have."""
    counts = Counter(kind for tree in trees for kind in kinds(tree))
    return [kind for kind, count in counts.items() if count > 1]


def test_a_message_has_one_class_that_sender_and_receiver_import():
    """That `queues.send` and `events.put` get such a class is checked by mypy: they take no dict."""
    trees = [code.tree(path) for path in product()]

    assert repeated(trees) == []
    assert {"notification", "hub_request"} & {kind for tree in trees for kind in kinds(tree)}


def test_a_second_class_of_a_message_is_detected():
    sender = 'class Report(NamedTuple):\n    at: str\n    kind: Literal["report"] = "report"'
    receiver = 'class Received:\n    kind: str = "report"\nclass Other:\n    kind: str | None = None'

    assert repeated([ast.parse(sender), ast.parse(receiver)]) == ["report"]
    assert repeated([ast.parse(sender)]) == []


def limits(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the limit of every call that reserves units of a quota."""
    for call in code.calls(tree, "quotas", ("spend", "reserve")):
        named = [each.value for each in call.keywords if each.arg == "limit"]
        yield (named or call.args[3:])[0]


def foreign_limits(tree: ast.Module) -> list[str]:
    """Return the limits that are no constant of quotas.py."""
    found = [ast.unparse(limit) for limit in limits(tree)]
    return [limit for limit in found if not re.fullmatch(r"quotas\.[A-Z_]+", limit)]


def test_one_module_has_all_limits_of_foreign_quotas():
    trees = [code.tree(path) for path in product()]

    assert trees
    assert [limit for tree in trees for limit in foreign_limits(tree)] == []


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ('quotas.spend("pexels", "all", 1, 200)', ["200"]),
        ('quotas.reserve("youtube", "insert", 1, limit=MOST)', ["MOST"]),
        ('quotas.reserve("youtube", "insert", 1, quotas.INSERTS_A_DAY, holder)', []),
    ],
)
def test_a_limit_outside_the_table_is_detected(call, found):
    assert foreign_limits(ast.parse(f"def work():\n    {call}")) == found


def generated(paths: Iterable[str]) -> list[str]:
    """Return the paths of files that the build or Python makes."""
    return [path for path in paths if path.endswith((f"/{GENERATED}", ".pyc"))]


def test_generated_files_are_not_committed():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert generated(tracked.splitlines()) == []


def test_a_generated_file_is_detected():
    committed = ["functions/admin/openapi.json", "local/__pycache__/check.cpython-313.pyc", "local/check.py"]

    assert generated(committed) == committed[:2]


def test_types_are_checked_in_all_product_code():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]

    assert settings["strict"]
    assert {"layers/showrunner/showrunner", "functions", "local"} <= set(settings["files"])


# ---------------------------------------------------------------- Files


def test_a_function_is_one_file():
    for name in code.function_names():
        found = {
            path.name for path in (FUNCTIONS / name).iterdir() if path.name not in ("__pycache__", GENERATED)
        }

        assert found == {"app.py"} | BESIDE_APP.get(name, set()), name


def vague(paths: Iterable[Path]) -> list[str]:
    """Return the parts of relative paths that say nothing."""
    return sorted({name for path in paths for name in path.with_suffix("").parts} & VAGUE_NAMES)


def test_no_module_has_a_name_that_says_nothing():
    files = [
        *product(),
        *(FUNCTIONS / "render").rglob("*.py"),
        *(ROOT / "local").rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
    ]

    assert vague(path.relative_to(ROOT) for path in files) == []


def test_a_name_that_says_nothing_is_detected():
    paths = map(Path, ("layers/showrunner/web/utils.py", "functions/core/app.py", "local/base_address.py"))

    assert vague(paths) == ["core", "utils"]


def names_trigger_and_effect(tree: ast.Module) -> bool:
    """Return whether the first line of a module's docstring is: trigger -> effect."""
    lines = (ast.get_docstring(tree) or "").splitlines()
    return bool(lines) and re.search("->|→", lines[0]) is not None


def test_every_handler_file_names_its_trigger_and_effect():
    assert [
        name
        for name in code.function_names()
        if not names_trigger_and_effect(code.tree(FUNCTIONS / name / "app.py"))
    ] == []


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ("import os", False),
        ('"""Process the queue.\n\nqueue -> rows"""', False),
        ('"""Queue -> rows.\n\nMore."""', True),
    ],
)
def test_a_handler_file_without_trigger_and_effect_is_detected(text, is_named):
    assert names_trigger_and_effect(ast.parse(text)) == is_named


MAX_LINES = 200


def long(files: dict[str, str]) -> list[str]:
    """Return the names of the texts with more than MAX_LINES lines."""
    return [name for name, text in files.items() if len(text.splitlines()) > MAX_LINES]


def test_a_function_is_short():
    """Limit app.py to 200 lines: it declares trigger and routes; the work is in the layer's packages."""
    assert long({name: (FUNCTIONS / name / "app.py").read_text() for name in code.function_names()}) == []
    assert long({"long": "x\n" * (MAX_LINES + 1), "short": "x\n" * MAX_LINES}) == ["long"]


def test_every_module_of_the_layer_has_a_docstring():
    assert [
        str(path.relative_to(ROOT)) for path in code.layer_files() if not ast.get_docstring(code.tree(path))
    ] == []


QUESTION = re.compile(r'"""\s*(What|Whether)\b')


def begins_with_a_question(docstring: str) -> bool:
    """Return whether a docstring says neither what a function does nor what a thing is."""
    return docstring.split(maxsplit=1)[0] in ("What", "Whether")


def test_no_docstring_begins_with_a_question():
    folders = (ROOT / "layers", FUNCTIONS, ROOT / "local", ROOT / "tests")
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [
        where(path, node)
        for folder in folders
        for path in folder.rglob("*.py")
        # Parsing all files takes five seconds, and hardly one has such a line.
        if QUESTION.search(path.read_text(encoding="utf-8"))
        for node in code.walk(code.tree(path))
        if isinstance(node, kinds) and begins_with_a_question(ast.get_docstring(node) or "Nothing")
    ]

    assert found == []


@pytest.mark.parametrize(
    ("docstring", "is_question"),
    [
        ("What a video cost so far.", True),
        ("Whether it did.", True),
        ("The costs of a video.", False),
        ("Return whether the video is removed.", False),
    ],
)
def test_a_docstring_that_begins_with_a_question_is_detected(docstring, is_question):
    assert begins_with_a_question(docstring) == is_question
    assert bool(QUESTION.search(f'def f():\n    """{docstring}"""')) == is_question


# ---------------------------------------------------------------- Code


def catches_everything(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler):
        return False
    names = (
        {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
        if node.type
        else {"Exception"}
    )
    raises = any(isinstance(inner, ast.Raise) for statement in node.body for inner in ast.walk(statement))
    return bool(names & {"Exception", "BaseException"}) and not raises


def unexplained_handlers(text: str, tree: ast.Module) -> list[int]:
    """Return the lines of the handlers of every exception that have no reason."""
    lines = text.splitlines()
    numbers = [node.lineno for node in code.walk(tree) if catches_everything(node)]
    return [number for number in numbers if not re.search(r"#\s*noqa: BLE001 - \w", lines[number - 1])]


def test_a_handler_of_every_exception_says_why():
    """`except Exception` needs a reason on its line, unless it raises again (a rollback)."""
    assert {
        str(path.relative_to(ROOT)): lines
        for path in product()
        if (lines := unexplained_handlers(path.read_text(encoding="utf-8"), code.tree(path)))
    } == {}


@pytest.mark.parametrize(
    ("handler", "found"),
    [
        ("except Exception:\n    pass", [3]),
        ("except (KeyError, Exception) as error:  # noqa: BLE001\n    print(error)", [3]),
        ("except:\n    pass", [3]),
        ("except Exception:  # noqa: BLE001 - it becomes a 500\n    pass", []),
        ("except Exception:\n    undo()\n    raise", []),
        ("except KeyError:\n    pass", []),
    ],
)
def test_a_handler_without_a_reason_is_detected(handler, found):
    text = f"try:\n    work()\n{handler}"

    assert unexplained_handlers(text, ast.parse(text)) == found


# Folders that may contain SQL. COMPOSES_SQL may too: it builds the lists of the stores.
SQL_FOLDERS = (LAYER / PACKAGE / "store", FUNCTIONS / "migrate")


def test_only_the_store_holds_sql():
    """The migrate function runs the files of functions/migrate/sql and manages the database roles."""
    found = [
        where(path, node)
        for path in product()
        if not any(path.is_relative_to(folder) for folder in SQL_FOLDERS)
        and code.module_of(path) not in COMPOSES_SQL
        for node in code.walk(code.tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.search(node.value)
    ]

    assert found == []


@pytest.mark.parametrize(
    "text", ["SELECT 1\n FROM x", "INSERT INTO x VALUES (1)", "UPDATE x SET y = 1", "DELETE FROM x"]
)
def test_a_statement_of_sql_is_detected(text):
    assert STATEMENT.search(f"-- why\n{text}")
    assert not STATEMENT.search("Select a video and update its title.")


def sql_faults(path: Path) -> Iterator[str]:
    """Yield calls of db.* and connection.run whose SQL is not made of UPPER_CASE constants alone."""
    if code.module_of(path) in COMPOSES_SQL:
        return
    for definition in code.walk(code.tree(path)):
        if not isinstance(definition, ast.FunctionDef):
            continue
        for node in code.walk(definition):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in QUERIES
            ):
                owner = ast.unparse(node.func.value)
                index = {"db": 1, "connection": 0}.get(owner)
                if index is not None and not _is_constant_sql(node.args[index], definition):
                    yield f"{where(path, node)}: {ast.unparse(node.args[index])[:80]}"


def _is_constant_sql(node: ast.expr, definition: ast.FunctionDef) -> bool:
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.JoinedStr):
        return all(
            _is_constant_sql(value.value, definition)
            for value in node.values
            if isinstance(value, ast.FormattedValue)
        )
    if isinstance(node, ast.IfExp):
        return _is_constant_sql(node.body, definition) and _is_constant_sql(node.orelse, definition)
    if isinstance(node, ast.Name) and not _is_constant_name(node):
        # A local variable to which only constant SQL is assigned.
        given = [
            inner.value
            for inner in code.walk(definition)
            if isinstance(inner, ast.Assign) and ast.unparse(inner.targets[0]) == node.id
        ]
        return bool(given) and all(_is_constant_sql(value, definition) for value in given)
    return _is_constant_name(node)


def _is_constant_name(node: ast.expr) -> bool:
    """A constant of this module, or of another one (`users.PROFILE`)."""
    name = (
        node.attr
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        else node.id
        if isinstance(node, ast.Name)
        else ""
    )
    return re.fullmatch("_?[A-Z][A-Z0-9_]*", name) is not None


def test_values_enter_sql_only_through_placeholders():
    # migrate runs the text of files in its deployed package. No placeholder can stand for a role's name.
    composing = ("functions.migrate.app", "showrunner.store.roles")
    files = [path for path in product() if code.module_of(path) not in composing]

    assert [fault for path in files for fault in sql_faults(path)] == []


@pytest.mark.parametrize(
    ("sql", "faults"),
    [
        ('"SELECT 1"', 0),
        ('f"SELECT {_COLUMNS} FROM x"', 0),
        ("QUERY", 0),
        ('"A" if locked else "B"', 0),
        ('f"SELECT 1 {A if name else B}"', 0),
        ("f\"SELECT '{name}'\"", 1),
        ('f"SELECT {limit + 1}"', 1),
        ('"SELECT " + name', 1),
        ('"SELECT %s" % name', 1),
        ('"SELECT {}".format(name)', 1),
        ("sql", 1),
    ],
)
def test_a_value_in_sql_text_is_detected(tmp_path, monkeypatch, sql, faults):
    path = FUNCTIONS / "sample" / "app.py"
    monkeypatch.setattr(
        code, "tree", lambda _: ast.parse(f"def read(tx, name):\n    return db.one(tx, {sql}, name=name)")
    )

    assert len(list(sql_faults(path))) == faults


def test_every_function_of_the_layer_is_used():
    """Code that only tests call is dead: delete it with its tests."""
    assert code.unused() == []


# ---------------------------------------------------------------- Tests


def unexplained_patches(text: str, tree: ast.Module) -> list[int]:
    """Return the lines that patch something without a comment."""
    lines, found = text.splitlines(), set()
    for node in code.walk(tree):
        patches = isinstance(node, ast.Attribute) and re.search(
            r"(^|\.)(mock\.patch|mocker\.patch|patch\.(object|dict|multiple))$", ast.unparse(node)
        )
        imported = (
            isinstance(node, ast.ImportFrom)
            and node.module == "unittest.mock"
            and any(alias.name == "patch" for alias in node.names)
        )
        if (patches or imported) and "#" not in lines[node.lineno - 1]:
            found.add(node.lineno)
    return sorted(found)


def test_every_patch_says_why():
    """mock.patch only where nothing else works; a comment on the line says why."""
    assert {
        str(path.relative_to(ROOT)): lines
        for path in sorted((ROOT / "tests").rglob("*.py"))
        # Parsing all tests takes three seconds.
        if "patch" in (text := path.read_text(encoding="utf-8"))
        and (lines := unexplained_patches(text, code.tree(path)))
    } == {}


def test_a_patch_without_a_reason_is_detected():
    text = (
        "from unittest.mock import patch\n"
        "mock.patch('a.b')\n"
        "mocker.patch.object(a, 'b')\n"
        "mock.patch('a.b')  # the clock has no other way in\n"
    )

    assert unexplained_patches(text, ast.parse(text)) == [1, 2, 3]


def words(tree: ast.Module) -> list[str]:
    """Return the names of tests of one word."""
    return [
        node.name
        for node in code.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and node.name.count("_") < 2
    ]


def test_every_test_name_is_a_sentence():
    """A name of one word says what is tested, but not what must be true."""
    assert {
        str(path.relative_to(ROOT)): names
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if re.search(r"\bdef test_[^_\W]*\(", path.read_text(encoding="utf-8"))
        and (names := words(code.tree(path)))
    } == {}
    assert words(ast.parse("def test_login(): ...\ndef test_a_login_is_counted(): ...")) == ["test_login"]


def test_every_test_file_is_named_after_what_it_tests():
    """The name is a function, a module of the layer, or what functions form together (documents, samples)."""
    known = {
        *code.function_names(),
        *(path.stem for path in code.layer_files()),
        *(path.name for path in (LAYER / PACKAGE).iterdir()),
        "production_steps",
        "schema",
        "samples",
    }
    found = [path.stem.removeprefix("test_") for path in (ROOT / "tests" / "functions").glob("test_*.py")]

    assert [
        name for name in found if not any(name == each or name.startswith(f"{each}_") for each in known)
    ] == []
