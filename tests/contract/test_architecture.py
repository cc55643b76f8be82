"""Rules about the code that no tool checks by itself.

Who may import whom is in pyproject.toml, [tool.importlinter].
"""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
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
# retention's statements have no value of a caller.
COMPOSES_SQL = {
    "showrunner.database.pages",
    "showrunner.store.feed.lists",
    "showrunner.store.feed.title_search",
    "showrunner.store.retention",
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


def test_only_one_module_sends_requests_to_foreign_services():
    found = {
        (str(path.relative_to(LAYER / PACKAGE)) if path.is_relative_to(LAYER) else where(path, path)): names
        for path in product()
        if (names := {each.name for each in code.imports(path)} & CONNECTS)
    }

    assert found == SENDERS


def kinds(tree: ast.Module) -> Iterator[str]:
    """Yield the `kind` of every class of a message or an event."""
    for node in code.walk(tree):
        if isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and ast.unparse(field.target) == "kind" and field.value:
                    value = ast.literal_eval(field.value)
                    if value is not None:  # the default of an optional field, which names no class
                        yield value


def test_a_message_has_one_class_that_sender_and_receiver_import():
    """That `queues.send` and `events.put` get such a class is checked by mypy: they take no dict."""
    found = [kind for path in product() for kind in kinds(code.tree(path))]

    assert sorted(found) == sorted(set(found))
    assert {"notification", "hub_request"} & set(found)


def limits(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the limit of every call that reserves units of a quota."""
    for call in code.calls(tree, "quotas", ("spend", "reserve")):
        yield next((each.value for each in call.keywords if each.arg == "limit"), call.args[3])


def test_one_module_has_all_limits_of_foreign_quotas():
    found = [ast.unparse(limit) for path in product() for limit in limits(code.tree(path))]

    assert found
    assert [limit for limit in found if not re.fullmatch(r"quotas\.[A-Z_]+", limit)] == []


def test_generated_files_are_not_committed():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert [path for path in tracked.splitlines() if path.endswith((f"/{GENERATED}", ".pyc"))] == []


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


def test_no_module_has_a_name_that_says_nothing():
    files = [
        *product(),
        *(FUNCTIONS / "render").rglob("*.py"),
        *(ROOT / "local").rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
    ]
    names = {name for path in files for name in path.relative_to(ROOT).with_suffix("").parts}

    assert sorted(names & VAGUE_NAMES) == []


def test_every_handler_file_names_its_trigger_and_effect():
    """The first line of the docstring is: trigger -> effect."""
    for name in code.function_names():
        docstring = ast.get_docstring(code.tree(FUNCTIONS / name / "app.py")) or ""

        assert re.search("->|→", docstring.splitlines()[0] if docstring else ""), (
            f"functions/{name}/app.py: no docstring, or it doesn't say trigger -> effect"
        )


MAX_LINES = 200


def test_a_function_is_short():
    """It declares trigger and routes and delegates. The rest is in the layer, in its subject's package."""
    lengths = {
        name: len((FUNCTIONS / name / "app.py").read_text().splitlines()) for name in code.function_names()
    }

    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_every_module_of_the_layer_has_a_docstring():
    assert [
        str(path.relative_to(ROOT)) for path in code.layer_files() if not ast.get_docstring(code.tree(path))
    ] == []


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


def test_a_handler_of_every_exception_says_why():
    """`except Exception` needs a reason on its line, unless it raises again (a rollback)."""
    found = []
    for path in product():
        lines = path.read_text(encoding="utf-8").splitlines()
        nodes = [node for node in code.walk(code.tree(path)) if catches_everything(node)]
        found += [
            where(path, node)
            for node in nodes
            if not re.search(r"#\s*noqa: BLE001 - \w", lines[node.lineno - 1])
        ]

    assert found == []


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
    # migrate runs the text of files in its deployed package.
    files = [path for path in product() if code.module_of(path) != "functions.migrate.app"]

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


def test_every_patch_says_why():
    """mock.patch only where nothing else works; a comment on the line says why."""
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in code.walk(code.tree(path)):
            patches = isinstance(node, ast.Attribute) and re.search(
                r"(^|\.)(mock\.patch|mocker\.patch|patch\.(object|dict|multiple))$", ast.unparse(node)
            )
            imported = (
                isinstance(node, ast.ImportFrom)
                and node.module == "unittest.mock"
                and any(alias.name == "patch" for alias in node.names)
            )
            if (patches or imported) and "#" not in lines[node.lineno - 1]:
                found.append(where(path, node))

    assert found == []


def test_every_test_name_is_a_sentence():
    """A name of one word says what is tested, but not what must be true."""
    found = [
        f"{where(path, node)} {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in code.walk(code.tree(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and node.name.count("_") < 2
    ]

    assert found == []


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
