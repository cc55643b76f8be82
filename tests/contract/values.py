"""The values of a document (a template, a file of settings), a line for each."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

# What neither protects nor exposes: texts, names of things, what code runs and where it is built.
NO_PROTECTION = {
    *("Description", "AlarmDescription", "GroupDescription", "DBSubnetGroupDescription", "Comment", "Label"),
    *("Handler", "Runtime", "Architectures", "CodeUri", "ContentUri", "DefinitionUri"),
    *("DefinitionSubstitutions", "LayerName", "CompatibleRuntimes", "Layers", "Tags", "Metadata"),
    *("DashboardName", "DashboardBody", "QueryString"),
}


def lines(name: str, identity: str, body: Any) -> list[str]:
    """Return a line for each value of a part of a document: name, part, way to the value, value."""
    return [f"{name} {identity} {'.'.join(path)} = {value}" for path, value in _leaves(body)]


def counted(found: list[str]) -> list[str]:
    """Return the lines sorted, each once, with how often it is there: losing one of several counts, too."""
    counts = Counter(found)
    return sorted(line if count == 1 else f"{line} (in {count})" for line, count in counts.items())


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield path and value of everything that loses its meaning when taken apart.

    These are scalars, references, statements of policies, lists of scalars, and what is empty below the top.
    """
    if isinstance(value, dict) and not _is_whole(value) and (value or not path):
        for key, inner in value.items():
            # Which function has a variable follows its code; protections.py has a line for each value.
            if key not in NO_PROTECTION and path[-1:] != ("Variables",):
                yield from _leaves(inner, (*path, str(key)))
        return
    if isinstance(value, list) and any(
        isinstance(inner, dict | list) and not _is_whole(inner) for inner in value
    ):
        for inner in value:
            yield from _leaves(inner, (*path, "-"))
        return
    yield path, json.dumps(value, sort_keys=True)


def _is_whole(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return "Effect" in value or (
        len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))
    )
