"""Record the AWS calls that functions make while tests run, and compare each with its function's role.

The roles are those of the templates. A call belongs to the function whose app.py, or whose application, is on
the stack. Tests name
queues, buckets and machines as they like: a name that a setting of the function holds stands for the resource
that the template gives that setting.

The render job runs as a program of its own, so the end-to-end test compares its calls.
"""

import functools
import os
import re
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.engine.callers import BODY_LIMIT_BYTES, CREDENTIAL
from showrunner.web import application
from tests.contract import policies, template
from tests.contract.code import ROOT

ACCOUNT, REGION = "123456789012", "us-east-1"  # moto's
FUNCTIONS = f"{ROOT}{os.sep}functions{os.sep}"
# Settings of functions that name a resource.
NAMES = re.compile(r"_(BUCKET|TABLE|BUS_NAME|MACHINE_ARN|QUEUE_URL|DEAD_URL|KEY_ARN|API_ID)$|^QUEUE_URLS$")
# Function, call, stage, and the values of the settings that name resources.
Call = tuple[str, dict[str, Any], str, tuple[str | None, ...]]

Json = dict[str, Any]
calls: list[Call] = []
used: dict[str, set[str]] = {}
"""The actions that each function has used so far."""


@functools.cache
def _owner(path: str) -> str | None:
    """Return the function whose app.py this file is."""
    name, _, file = path.removeprefix(FUNCTIONS).partition(os.sep)
    return name if path.startswith(FUNCTIONS) and file == "app.py" else None


def _caller() -> str | None:
    """Return the function that is running in this thread."""
    frame: Any = sys._getframe(1)
    while frame:
        if name := _owner(frame.f_code.co_filename):
            return name
        if frame.f_code is application.serve.__code__:
            return str(frame.f_locals["app"].name)
        frame = frame.f_back
    return None


@functools.cache
def _settings(function: str) -> tuple[str, ...]:
    """Return the settings of a function that name resources."""
    return tuple(sorted(filter(NAMES.search, template.functions()[function].variables)))


def _begin(function: str, method: str, url: str, headers: Json, body: Any) -> Json:
    """Note a call. Returns the note, whose status follows with the answer."""
    parts, given = urlsplit(url), {str(name).lower(): value for name, value in headers.items()}
    text = {name: each.decode() if isinstance(each, bytes) else str(each) for name, each in given.items()}
    found = CREDENTIAL.search(text.get("authorization", ""))
    body = body.encode() if isinstance(body, str) else body
    is_text = re.search("json|x-www-form-urlencoded", text.get("content-type", ""))
    shown = is_text and isinstance(body, bytes | None) and len(body or b"") <= BODY_LIMIT_BYTES
    path = parts.path
    if path.startswith("/@connections/"):  # as the tests' LIVE_URL has it; in AWS the host names the API
        path = f"/_aws/execute-api/LiveApi/live{path}"
    line = {
        "service": found[2] if found else None,
        "method": method,
        "path": path,
        "query": parts.query,
        "target": text.get("x-amz-target"),
        "body": (body or b"").decode() if shown else None,
        "status": 0,
    }
    values = tuple(os.environ.get(name) for name in _settings(function))
    calls.append((function, line, os.environ["STAGE"], values))
    return line


def record(patch: pytest.MonkeyPatch) -> None:
    """Record every signed request to AWS from now on: of `rpc` and `objects`, and of botocore."""
    from botocore.httpsession import URLLib3Session

    ask, answered, send = HTTPConnection.request, HTTPConnection.getresponse, URLLib3Session.send
    pending: dict[int, Json] = {}

    def ask_and_note(
        self: Any, method: str, url: str, body: Any = None, headers: Any = (), **more: Any
    ) -> None:
        if str(dict(headers).get("authorization", "")).startswith("AWS4-") and (name := _caller()):
            pending[id(self)] = _begin(name, method, url, dict(headers), body)
        ask(self, method, url, body, dict(headers), **more)

    def answered_and_noted(self: Any) -> Any:
        answer = answered(self)
        if line := pending.pop(id(self), None):
            line["status"] = answer.status
        return answer

    def send_and_note(self: Any, request: Any) -> Any:
        if (name := _caller()) is None:
            return send(self, request)
        line = _begin(name, request.method, request.url, request.headers, request.body)
        answer = send(self, request)
        line["status"] = answer.status_code
        return answer

    patch.setattr(HTTPConnection, "request", ask_and_note)
    patch.setattr(HTTPConnection, "getresponse", answered_and_noted)
    patch.setattr(URLLib3Session, "send", send_and_note)


# ---------------------------------------------------------------- The comparison


@functools.cache
def _stacks(stage: str) -> policies.Stacks:
    parameters = {"Stage": stage, "PlatformUrl": os.environ["PLATFORM_URL"], "AppSyncApiId": "api"}
    return policies.Stacks(parameters, account=ACCOUNT, region=REGION)


@functools.cache
def _statements(function: str, stage: str) -> list[Json]:
    return _stacks(stage).statements_of_function(template.functions()[function])


@functools.cache
def _given(function: str, stage: str) -> dict[str, list[str]]:
    """Return the names of the resources that the template gives the function's settings."""
    each = template.functions()[function]
    found = {}
    for name in _settings(function):
        value = each.variables[name]
        values = value["Fn::Join"][1] if isinstance(value, dict) and "Fn::Join" in value else [value]
        found[name] = [_last(_stacks(stage).text(inner, each.template)) for inner in values]
    return found


def _last(text: str) -> str:
    """Return the name at the end of an ARN or an address."""
    return re.split("[:/]", text)[-1]


@functools.cache
def _renamed(function: str, stage: str, values: tuple[str | None, ...]) -> dict[str, set[str]]:
    """Return what each name of a test stands for in the templates: several, if a test used it for several."""
    found: dict[str, set[str]] = {}
    for name, value in zip(_settings(function), values, strict=True):
        ours = _given(function, stage)[name]
        theirs = [_last(each) for each in (value or "").split(",") if each]
        for number, each in enumerate(theirs):
            found.setdefault(each, set()).add(ours[number % len(ours)])
    return found


def _meanings(resource: str, names: dict[str, set[str]]) -> Iterator[str]:
    """Yield the resource as the templates name it, or as it is if no setting names it."""
    for name, ours in names.items():
        if found := re.search(rf"(?<=[:/]){re.escape(name)}(?=[:/]|$)", resource):
            yield from (resource[: found.start()] + each + resource[found.end() :] for each in ours)
            return
    yield resource


def faults() -> list[str]:
    """Return each call since the last time that the role of its function does not allow. Forgets them."""
    found = set()
    taken, calls[:] = calls[:], []
    for function, line, stage, values in taken:
        try:
            needs = policies.needs(line, REGION, ACCOUNT)
        except policies.Unknown as unknown:
            found.add(f"{function}: tests/contract/policies.py can't judge {unknown}")
            continue
        for need in needs:
            used.setdefault(function, set()).add(need.action)
            if not _is_allowed(function, need, stage, values):
                found.add(f"{function}: {need.action} on {need.resource or 'the key'} is not allowed")
    return sorted(found)


@functools.lru_cache(maxsize=4096)
def _is_allowed(function: str, need: policies.Need, stage: str, values: tuple[str | None, ...]) -> bool:
    statements, names = _statements(function, stage), _renamed(function, stage, values)
    meant = [need.resource] if need.resource is None else _meanings(need.resource, names)
    return any(policies.allows(statements, need._replace(resource=each)) for each in meant)
