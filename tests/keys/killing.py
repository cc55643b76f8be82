"""Rotations that are killed at any remote call, as a Lambda environment that ends in the middle of one.

A rotation is driven as the machine drives it: a killed step is repeated, `database` invokes `migrate`.
"""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pg8000.native

from functions.keys import app as keys
from functions.migrate import app as migrate
from showrunner.aws import rpc
from showrunner.database import db
from showrunner.keys import state
from showrunner.keys.inventory import BY_NAME

# before: nothing was sent. during: sent, and no answer was read. after: done, and the answer was lost.
type Moment = Literal["before", "during", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "during", "after")


class Killed(BaseException):
    """The function's process ends."""


class Killer:
    """Ends this thread's work at its remote call number `place` (from 1), once. 0 ends nothing."""

    def __init__(self) -> None:
        self.place, self.moment, self.count = 0, "before", 0
        self.thread = threading.get_ident()

    def arm(self, place: int, moment: Moment) -> None:
        self.place, self.moment, self.count = place, moment, 0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the test's own calls pass, uncounted."""
        place, count = self.place, self.count
        self.place = 0
        yield
        self.place, self.count = place, count

    def begins(self) -> None:
        """A call begins."""
        if threading.get_ident() == self.thread:
            self.count += 1
            self._end("before")

    def goes_on(self, moment: Moment) -> None:
        if threading.get_ident() == self.thread:
            self._end(moment)

    def _end(self, moment: Moment) -> None:
        if self.place and (self.count, self.moment) == (self.place, moment):
            self.place = 0
            rpc.threads.__dict__.clear()
            raise Killed


@contextmanager
def killer() -> Iterator[Killer]:
    """Watch every HTTP request and every statement to the database."""
    mine = Killer()
    put, get = http.client.HTTPConnection.putrequest, http.client.HTTPConnection.getresponse
    run, execute = pg8000.native.Connection.run, db.Session.execute

    def putrequest(self: Any, *given: Any, **named: Any) -> Any:
        mine.begins()
        return put(self, *given, **named)

    def getresponse(self: Any, *given: Any, **named: Any) -> Any:
        mine.goes_on("during")
        answer = get(self, *given, **named)
        if mine.place and mine.moment == "after":
            answer.peek(1)
        mine.goes_on("after")
        return answer

    def run_statement(self: Any, *given: Any, **named: Any) -> Any:
        mine.begins()
        answer = run(self, *given, **named)
        mine.goes_on("during")
        mine.goes_on("after")
        return answer

    def execute_statement(self: Any, *given: Any, **named: Any) -> Any:
        mine.begins()
        answer = execute(self, *given, **named)
        mine.goes_on("during")
        mine.goes_on("after")
        return answer

    db.Session.execute = execute_statement  # type: ignore[method-assign]
    http.client.HTTPConnection.putrequest = putrequest  # type: ignore[method-assign]
    http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]
    pg8000.native.Connection.run = run_statement
    try:
        yield mine
    finally:
        http.client.HTTPConnection.putrequest = put  # type: ignore[method-assign]
        http.client.HTTPConnection.getresponse = get  # type: ignore[method-assign]
        pg8000.native.Connection.run = run
        db.Session.execute = execute  # type: ignore[method-assign]


def invoke(name: str, kind: state.Kind, answer: dict[str, Any], rotation_id: str) -> dict[str, Any]:
    """Do what the machine does with one answer, and return the next."""
    if answer["do"] == "database":
        asked = {name: answer.get(name, "") for name in ("command", "step", "outcome")}
        return migrate.handler(asked, None)
    event = {"name": name, "kind": kind, "step": answer["step"], "rotation_id": rotation_id}
    return dict(keys.handler(event, None))


def rotate(
    name: str,
    kind: state.Kind = "rotate",
    *,
    arm: Callable[[], None] = lambda: None,
    wait: Callable[[int], None] = lambda seconds: None,
    between: Callable[[], None] = lambda: None,
) -> tuple[str, int]:
    """Run a rotation and repeat what is killed; return how it ended and how often it was killed.

    `arm` is called when the machine begins. `wait` waits as the machine does. `between` is called after each
    step.
    """
    rotation_id = state.begin(BY_NAME[name], kind)
    answer: dict[str, Any] = {"do": "work", "step": "revoke" if kind == "revoke" else "create"}
    killed = 0
    arm()
    while answer["do"] != "record":
        if answer["do"] == "wait":
            wait(answer["wait_seconds"])
        try:
            answer = invoke(name, kind, answer, rotation_id)
        except Killed:
            killed += 1
        between()
    return answer["outcome"], killed
