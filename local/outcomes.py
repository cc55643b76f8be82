"""Scripted outcomes of a stand-in: what it answers next instead of its ordinary response.

A real service refuses, truncates, fails and throttles; each stand-in names every such outcome that it can
produce. Tests in the same process call `Outcomes.add`, others POST /_outcomes with [{"outcome": name,
…details}].
"""

import threading
from collections import deque
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple


class UnknownOutcome(ValueError):
    """The stand-in has no outcome of this name. The message lists those that it has."""


class Outcome(NamedTuple):
    """One scripted response. `details` are the outcome's own parameters."""

    name: str
    details: dict[str, Any]


class Outcomes:
    """A queue of scripted outcomes; each request takes one. An empty queue means ordinary responses."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = frozenset(names)
        self._queue: deque[Outcome] = deque()
        self._lock = threading.Lock()

    def add(self, name: str, **details: Any) -> None:
        """Script the next response that has no outcome yet. Raises UnknownOutcome."""
        if name not in self.names:
            raise UnknownOutcome(f"there is no outcome {name!r}; there are {', '.join(sorted(self.names))}")
        with self._lock:
            self._queue.append(Outcome(name, details))

    def extend(self, outcomes: Iterable[Outcome]) -> None:
        """Add several outcomes, as `add` does."""
        for outcome in outcomes:
            self.add(outcome.name, **outcome.details)

    def add_all(self, documents: list[dict[str, Any]]) -> None:
        """Script several: [{"outcome": name, …details}], as POST /_outcomes takes them.

        Raises UnknownOutcome.
        """
        for document in documents:
            self.add(**{("name" if key == "outcome" else key): value for key, value in document.items()})

    def take(self) -> Outcome | None:
        with self._lock:
            return self._queue.popleft() if self._queue else None

    def __len__(self) -> int:
        return len(self._queue)
