"""Check MiniStack's internals before we use them: they are not a stable interface.

Every file of this package calls `expect` for what it replaces or calls. A new MiniStack then fails at start
with the name that moved, instead of running without a feature.
"""

import inspect
from types import ModuleType
from typing import Any


class MinistackChanged(RuntimeError):
    """The installed MiniStack is not the version this package was written for."""


def expect(owner: ModuleType | type, name: str, *parameters: str) -> Any:
    """Return `owner.name`. For a function, require exactly these leading parameters, in this order."""
    where = f"{owner.__name__}.{name}"
    found = getattr(owner, name, None)
    if found is None:
        raise MinistackChanged(
            f"ministack changed: {where} is gone; adapt local/engine or pin the version it was written for"
        )
    if parameters:
        actual = tuple(inspect.signature(found).parameters)
        if actual[: len(parameters)] != parameters:
            raise MinistackChanged(f"ministack changed: {where} takes {actual}, expected {parameters}")
    return found


def expect_keys(owner: ModuleType, name: str, *keys: str) -> dict[str, Any]:
    """Return the dictionary `owner.name`. Require these keys."""
    table: dict[str, Any] = expect(owner, name)
    if missing := [key for key in keys if key not in table]:
        raise MinistackChanged(f"ministack changed: {owner.__name__}.{name} has no {', '.join(missing)}")
    return table
