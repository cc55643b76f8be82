"""Readers of the product's source code: imports, settings, secrets and AWS calls of each function.

The code is parsed and never run.

A definition reaches every top-level definition of ours that it mentions by name, in its own module or through
an import. A class is reached as a whole; importing a module runs its top-level statements. The result may
contain a little more than what is called, never less, unless a name is looked up by a string. test_code.py
shows which forms the readers understand.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
LAYER = ROOT / "layers" / "showrunner"
FUNCTIONS = ROOT / "functions"
PACKAGE = "showrunner"
# Folders that are not Lambda functions: the Batch container.
CONTAINERS = {"render"}
# The name of the statements that run when a module is imported.
TOP = "<module>"

Definition = tuple[str, str]


def function_names() -> list[str]:
    """Return the names of the folders of Lambda functions.

    A folder without files is left over from another branch.
    """
    found = (
        path
        for path in FUNCTIONS.iterdir()
        if path.is_dir() and path.name not in {*CONTAINERS, "__pycache__"}
    )
    return sorted(
        path.name
        for path in found
        if any(each.is_file() and each.parent.name != "__pycache__" for each in path.rglob("*"))
    )


def app(function: str) -> str:
    return f"functions.{function}.app"


@cache
def path_of(module: str) -> Path | None:
    """Return the file of a module of ours, None for other modules and for names that are not modules."""
    base = (LAYER if module.split(".", maxsplit=1)[0] == PACKAGE else ROOT).joinpath(*module.split("."))
    if module.split(".", maxsplit=1)[0] not in (PACKAGE, "functions"):
        return None
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def walk(node: ast.AST) -> tuple[ast.AST, ...]:
    """Return the node and all nodes inside it, like ast.walk.

    Cached, because many checks read the same statements.
    """
    return tuple(ast.walk(node))


def layer_files() -> list[Path]:
    return sorted((LAYER / PACKAGE).rglob("*.py"))


def function_files() -> list[Path]:
    return [path for name in function_names() for path in sorted((FUNCTIONS / name).rglob("*.py"))]


def module_of(path: Path) -> str:
    parts = path.relative_to(LAYER if path.is_relative_to(LAYER) else ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class Import(NamedTuple):
    name: str
    """The module that Python loads. `from a import b` gives a, and also a.b if b is a module."""
    line: int
    at_top: bool
    """True if the import runs when the module is imported."""


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """Return every import of a file, except those for type checkers only."""
    return tuple(
        _imports(
            tree(path),
            module_of(path) if path.is_relative_to(LAYER) or path.is_relative_to(FUNCTIONS) else "",
            at_top=True,
        )
    )


def _imports(node: ast.AST, module: str, *, at_top: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, at_top) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            source = _absolute(child, module)
            yield Import(source, child.lineno, at_top)
            yield from (
                Import(f"{source}.{alias.name}", child.lineno, at_top)
                for alias in child.names
                if path_of(f"{source}.{alias.name}")
            )
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, module, at_top=at_top and not inside)


def _absolute(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    return ".".join([*module.split(".")[: -node.level], *([node.module] if node.module else [])])


def closure(module: str, *, at_top_only: bool = False) -> set[str]:
    """Return the modules that importing this one loads; by default also those its functions import later."""
    seen, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if path := path_of(name):
            waiting += [each.name for each in imports(path) if each.at_top or not at_top_only]
    return seen


@cache
def names(module: str) -> dict[str, Definition]:
    """Return what each imported name refers to: (module, TOP), or (module, name) for a definition."""
    path = path_of(module)
    found: dict[str, Definition] = {}
    for node in walk(tree(path)) if path else ():
        if isinstance(node, ast.ImportFrom):
            source = _absolute(node, module)
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                if path_of(inner):
                    found[alias.asname or alias.name] = (inner, TOP)
                elif path_of(source):
                    found[alias.asname or alias.name] = (source, alias.name)
    return found


@cache
def definitions(module: str) -> dict[str, list[ast.AST]]:
    """Return the top-level statements by the name they define.

    TOP has those that run at import: without a name, or assigning a call.
    """
    path = path_of(module)
    found: dict[str, list[ast.AST]] = {TOP: []}
    for node in tree(path).body if path else ():
        targets = _targets(node)
        runs = _is_handler(node) or (
            isinstance(node, ast.Assign | ast.AnnAssign)
            and any(isinstance(inner, ast.Call) for inner in walk(node))
        )
        for target in [*targets, *([TOP] if runs else [])] or (
            [] if isinstance(node, ast.Import | ast.ImportFrom) else [TOP]
        ):
            found.setdefault(target, []).append(node)
    return found


def _is_handler(node: ast.AST) -> bool:
    """Return whether it is a function that `@routes.get(...)` registers when its module is imported."""
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    return any(
        isinstance(each, ast.Call) and ast.unparse(each.func).startswith("routes.") for each in decorators
    )


def _targets(node: ast.AST) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.TypeAlias):
        return [node.name.id]
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [
            name.id
            for target in targets
            for name in ast.walk(target)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        ]
    return []


@cache
def mentioned(module: str, name: str) -> set[Definition]:
    """Return the definitions of ours that a definition mentions."""
    found: set[Definition] = set()
    for node in definitions(module).get(name, ()):
        for inner in walk(node):
            if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
                target = names(module).get(inner.value.id)
                if target and target[1] == TOP:
                    found.add((target[0], inner.attr))
            elif isinstance(inner, ast.Name):
                found |= (
                    {(module, inner.id)}
                    if inner.id in definitions(module)
                    else {names(module)[inner.id]}
                    if inner.id in names(module)
                    else set()
                )
    return found


@cache
def reach(function: str) -> frozenset[Definition]:
    """Return every definition that a function can reach."""
    start = app(function)
    seen: set[Definition] = set()
    waiting: list[Definition] = [(start, name) for name in definitions(start)]
    while waiting:
        module, name = waiting.pop()
        if (module, name) in seen:
            continue
        seen.add((module, name))
        waiting += mentioned(module, name)
        if name != TOP:
            waiting.append((module, TOP))
        elif path := path_of(module):
            waiting += [(each.name, TOP) for each in imports(path) if each.at_top and path_of(each.name)]
    return frozenset(seen)


def nodes(function: str, *, but: tuple[str, ...] = ()) -> Iterator[tuple[str, ast.AST]]:
    """Yield (module, statement) of everything that a function can reach, except in the modules `but`."""
    for module, name in sorted(reach(function)):
        if module not in but:
            yield from ((module, node) for node in definitions(module).get(name, ()))


class SettingRead(NamedTuple):
    name: str
    optional: bool
    """True if the code gives a default."""


@cache
def settings(function: str) -> set[SettingRead]:
    """Return the settings that a function reads by config.setting(...).

    Reading a secret needs STAGE too, for its path, and writing one the key that encrypts it.
    """
    found = set()
    for _, node in nodes(
        function, but=("showrunner.config", "showrunner.aws.ssm", "showrunner.aws.sdk", "showrunner.aws.rpc")
    ):
        found |= {
            SettingRead(_literal(call), _has_default(call)) for call in calls(node, "config", ("setting",))
        }
    by_secrets = {
        "STAGE": bool(secrets(function)),
        "STAGE_KEY_ARN": ("showrunner.aws.ssm", "write") in reach(function),
    }
    return found | {SettingRead(name, optional=False) for name, needed in by_secrets.items() if needed}


@cache
def secrets(function: str) -> set[SettingRead]:
    """Return the secrets that a function reads by ssm.secret(...) or ssm.secrets([...])."""
    found = set()
    for _, node in nodes(
        function, but=("showrunner.config", "showrunner.aws.ssm", "showrunner.aws.sdk", "showrunner.aws.rpc")
    ):
        found |= {SettingRead(_literal(call), _has_default(call)) for call in calls(node, "ssm", ("secret",))}
        for call in calls(node, "ssm", ("secrets",)):
            if not isinstance(call.args[0], ast.List | ast.Tuple):
                raise TypeError(
                    f"line {call.lineno}: ssm.secrets needs its names written out, or no check can see them"
                )
            found |= {
                SettingRead(_pattern(element), _has_default(call))
                for element in call.args[0].elts
                if isinstance(element, ast.Constant | ast.JoinedStr)
            }
    return found


def _pattern(name: ast.Constant | ast.JoinedStr) -> str:
    """Return a secret's name, with * for what an f-string fills in."""
    if isinstance(name, ast.Constant):
        return str(name.value)
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in name.values)


# The functions of showrunner.aws.ssm beside secret and secrets, with boto3's method of each.
SSM_CALLS = {
    "current": "get_parameters",
    "write": "put_parameter",
    "remove": "delete_parameter",
    "stored": "describe_parameters",
    "everything": "get_parameters_by_path",
}


@cache
def operations(function: str) -> set[tuple[str, str]]:
    """Return (service, boto3's method) of every AWS call a function can make, also through presigned URLs.

    A secret is read from SSM, and the read is noted in the state table.
    """
    found = {("ssm", "get_parameters"), ("dynamodb", "update_item")} if secrets(function) else set()
    but = ("showrunner.config", "showrunner.aws.ssm", "showrunner.aws.sdk", "showrunner.aws.rpc")
    for _, node in nodes(function, but=(*but, "showrunner.aws.secret_uses")):
        found |= _operations(node)
        found |= {("ssm", method) for name, method in SSM_CALLS.items() if any(calls(node, "ssm", (name,)))}
    return found


@cache
def _operations(node: ast.AST) -> set[tuple[str, str]]:
    found = {(_literal(call), _snake(_literal(call, 1))) for call in calls(node, "rpc", ("call",))}
    found |= {
        ("s3", _literal(call))
        for call in [*calls(node, "sigv4", ("presign",)), *calls(node, "objects", ("request",))]
    }
    clients = {id(call): _literal(call) for call in calls(node, "sdk", ("client",))}
    variables = {
        target.id: clients[id(inner.value)]
        for inner in walk(node)
        if isinstance(inner, ast.Assign) and id(inner.value) in clients
        for target in inner.targets
        if isinstance(target, ast.Name)
    }
    for inner in walk(node):
        if not (isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute)):
            continue
        held = inner.func.value
        service = clients.get(id(held)) or (variables.get(held.id) if isinstance(held, ast.Name) else None)
        if service:
            named = inner.func.attr in (
                "generate_presigned_url",
                "get_paginator",
            )  # the operation is their first argument
            found.add((service, _literal(inner) if named else inner.func.attr))
    used = {service for service, _ in found}
    if missing := set(clients.values()) - used:
        raise TypeError(
            f"line {getattr(node, 'lineno', 0)}: a client of {missing} is made, but no check can see what "
            "it calls; call it where it is made"
        )
    return found


@cache
def calls(node: ast.AST, module: str, functions: tuple[str, ...]) -> list[ast.Call]:
    """Return the calls of `module.function(...)` within a statement."""
    return [
        inner
        for inner in walk(node)
        if isinstance(inner, ast.Call)
        and isinstance(inner.func, ast.Attribute)
        and isinstance(inner.func.value, ast.Name)
        and inner.func.value.id == module
        and inner.func.attr in functions
    ]


def _snake(name: str) -> str:
    """Return boto3's name of an operation: get_item for GetItem."""
    return re.sub("(?<!^)(?=[A-Z])", "_", name).lower()


def _literal(call: ast.Call, index: int = 0) -> str:
    argument = call.args[index] if len(call.args) > index else None
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    raise TypeError(
        f"line {call.lineno}: {ast.unparse(call)} needs its name written out, or no check can see it"
    )


def _has_default(call: ast.Call) -> bool:
    return len(call.args) > 1 or any(keyword.arg == "default" for keyword in call.keywords)


def unused() -> list[str]:
    """Return "file: name" of every definition of the layer that neither the product nor local/ mentions.

    A top-level definition is found through its module, so another one of the same name does not hide it.
    Methods, and what local/ mentions, are compared by name alone. A definition that mentions itself does not
    count. Functions that only a decorator registers (`@app.get(...)`) count as used.
    """
    modules = [module_of(path) for path in (*layer_files(), *function_files())]
    used: set[Definition] = set()
    for module in modules:
        for name in definitions(module):
            used |= mentioned(module, name) - {(module, name)}
    names_used = {name for path in (*layer_files(), *function_files()) for name in _names_in(tree(path))}
    local_names = {name for path in (ROOT / "local").rglob("*.py") for name in _names_in(tree(path))}
    found = []
    for path in layer_files():
        module = module_of(path)
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not any(
                isinstance(each, ast.Call) for each in node.decorator_list
            ):
                if (module, node.name) not in used and node.name not in local_names:
                    found.append(f"{path.relative_to(ROOT)}: {node.name}")
                found += [
                    f"{path.relative_to(ROOT)}: {node.name}.{name}"
                    for name in _methods(node)
                    if name not in names_used | local_names
                ]
    return found


def _methods(node: ast.AST) -> list[str]:
    """Return the methods of a class that a caller must name: no special ones, none that pydantic calls."""
    methods = (
        [each for each in node.body if isinstance(each, ast.FunctionDef)]
        if isinstance(node, ast.ClassDef)
        else []
    )
    return [
        each.name
        for each in methods
        if not each.name.startswith("__")
        and not any(isinstance(one, ast.Call) for one in each.decorator_list)
    ]


def _names_in(node: ast.AST) -> Iterator[str]:
    for inner in walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.Attribute):
            yield inner.attr
        elif isinstance(inner, ast.ImportFrom):
            yield from (alias.name for alias in inner.names)


CACHES = (
    path_of,
    tree,
    walk,
    imports,
    names,
    definitions,
    mentioned,
    reach,
    settings,
    secrets,
    operations,
    _operations,
    calls,
)


def forget() -> None:
    """Clear all caches: for tests that write a small product of their own."""
    for each in CACHES:
        each.cache_clear()
