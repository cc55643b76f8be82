"""The pieces of MiniStack that we build on have no stable interface, so each one is checked before it is touched.

Every file of this package calls `expect` for what it replaces or calls; a new MiniStack then fails at start with the
name that moved, instead of running with a feature silently missing.
"""

import inspect
from types import ModuleType
from typing import Any


class MinistackChanged(RuntimeError):
    """The installed MiniStack is not the one this package was written for."""


def expect(owner: ModuleType | type, name: str, *parameters: str) -> Any:
    """`owner.name`; for a function also with exactly these leading parameters, in this order."""
    where = f"{owner.__name__}.{name}"
    found = getattr(owner, name, None)
    if found is None:
        raise MinistackChanged(f"ministack changed: {where} is gone; adapt local/engine or pin the version it was written for")
    if parameters:
        actual = tuple(inspect.signature(found).parameters)
        if actual[: len(parameters)] != parameters:
            raise MinistackChanged(f"ministack changed: {where} takes {actual}, expected {parameters}")
    return found


def expect_keys(owner: ModuleType, name: str, *keys: str) -> dict[str, Any]:
    """The dictionary `owner.name`, which must hold these keys."""
    table: dict[str, Any] = expect(owner, name)
    if missing := [key for key in keys if key not in table]:
        raise MinistackChanged(f"ministack changed: {owner.__name__}.{name} has no {', '.join(missing)}")
    return table
