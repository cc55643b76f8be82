"""Requests and replies of the platforms' stand-ins."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Request:
    """`base` is the address that the caller used, without a path.

    Repeated query parameters are joined by commas.
    """

    method: str
    base: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def query(self) -> dict[str, str]:
        return {
            name: ",".join(values)
            for name, values in parse_qs(self.query_string, keep_blank_values=True).items()
        }

    @property
    def form(self) -> dict[str, str]:
        return {
            name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()
        }


@dataclass(frozen=True)
class Reply:
    """With `parts` the body comes in these, one after another, and the connection ends with it."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/json; charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)
    parts: Iterable[bytes] | None = None

    @classmethod
    def json(cls, document: Any, status: int = 200, headers: dict[str, str] | None = None) -> "Reply":
        return cls(status, json.dumps(document).encode(), headers=headers or {})
