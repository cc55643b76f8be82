"""Declare the request and the route that a handler is registered with."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import BaseModel

from showrunner.access import limits, tokens
from showrunner.errors import NotFound, ShowrunnerError, Unauthorized
from showrunner.web.fields import UUID


@dataclass(slots=True)
class Request:
    """A request as its handler sees it."""

    id: str
    method: str
    path: str
    route: str
    headers: dict[str, str]
    address: str
    raw_body: bytes = b""
    cookies: list[str] = field(default_factory=list)
    identity: tokens.Identity | None = None
    standing: limits.Standing | None = None
    begun: float = field(default_factory=time.perf_counter)
    parts: dict[str, float] = field(default_factory=dict)

    def end_part(self, name: str) -> None:
        """Record the milliseconds of a part that ends now; the log line of a slow request shows them."""
        elapsed = (time.perf_counter() - self.begun) * 1000
        self.parts[name] = round(elapsed - sum(self.parts.values()), 1)

    @property
    def caller(self) -> tokens.Identity:
        if self.identity is None:
            raise Unauthorized("This call needs a token: Authorization: Bearer …", code="AUTH_REQUIRED")
        return self.identity

    @property
    def organisation_id(self) -> str:
        return self.caller.organisation_id

    @property
    def place(self) -> str:
        """The network that it comes from, as limits count it."""
        return limits.place(self.address)


class Route(NamedTuple):
    """A declared route: what requests are checked against and the OpenAPI document is made of."""

    method: str
    path: str
    permission: str
    handler: Callable[..., Any]
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    answer: Any
    status: int
    max_bytes: int
    limits: tuple[tuple[int, int], ...] | None
    max_age: int
    idempotent: bool
    errors: tuple[int, ...]
    open_in_maintenance: bool
    verified: bool
    outlives_database: bool
    content_type: str
    parameters: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


type Handler = Callable[..., Any]


def path_parameters(route: Route, values: list[str]) -> dict[str, str]:
    for name, value in zip(route.parameters, values, strict=True):
        if name.endswith("_id") and not UUID.fullmatch(value):
            raise NotFound(f"There is no such {name.removesuffix('_id').replace('_', ' ')}.")
    return dict(zip(route.parameters, values, strict=True))


class MethodNotAllowed(ShowrunnerError):
    """The path exists, the method on it doesn't."""

    def __init__(self, method: str, allowed: list[str]) -> None:
        super().__init__(f"{method[:20]} is not possible here; {', '.join(allowed)} is.")
        self.allowed = allowed
