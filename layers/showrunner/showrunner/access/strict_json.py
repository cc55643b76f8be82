"""Read JSON that a caller sent: UTF-8 only, every key once.

json.loads accepts UTF-16 and UTF-32 and takes the last of two equal keys. Parts of a system that read one
text differently can be played against each other (RFC 8259, sections 4 and 8.1).
"""

import json
from typing import Any


def loads(raw: bytes) -> Any:
    """Return the value. Raises ValueError (UnicodeDecodeError is one) or RecursionError."""
    return json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        repeated = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DuplicateKey(repeated)
    return found


class DuplicateKey(ValueError):
    """An object has the same key twice."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} occurs twice")
        self.name = name


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
