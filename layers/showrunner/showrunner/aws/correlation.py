"""Keep the id of the request that caused the current work, from the API to the last message and log line.

Executions, messages and events carry it as `request_id`; `make trace ID=` finds every line that has it.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """Return the id, empty if no request is being processed."""
    return _request_id.get()


@contextlib.contextmanager
def of_request(request_id: str) -> Iterator[None]:
    """Set the id for the work inside. An empty one leaves the id that is set."""
    if not request_id:
        yield
        return
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)
