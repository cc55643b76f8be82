"""Record the requests of our clients at the stand-ins, and compare each with the platform's document.

The documents of Google's APIs are those that google-api-python-client carries (and, for the Content ID API,
local/platforms/documents); the others are in documents.toml.
"""

import email.parser
import email.policy
import io
import json
import re
import threading
import tomllib
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from local.platforms import discovery, google
from local.platforms import server as stand_ins
from local.platforms.schemas import ERASED, with_erased

Json = dict[str, Any]
APIS = ("youtube.v3", "youtubeAnalytics.v2", "youtubereporting.v1", "youtubePartner.v1")


class Sent(NamedTuple):
    """A request as it came to the stand-in. Header names are in lower case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Operation(NamedTuple):
    """Describe a request as a document does: its parameters, and its body as a schema or as a form.

    `schemas`: what $ref names. `media`: content types of an upload, empty without one.
    """

    method: str
    path: str
    query: Json
    body: Json | None
    form: Json | None
    schemas: Json
    parts: Json
    media: tuple[str, ...] = ()

    def matches(self, sent: Sent) -> bool:
        """Return whether the request is to this method and path."""
        pattern = re.sub(r"\\{\\\+\w+\\}", ".+", re.escape(self.path))
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", pattern)
        return sent.method == self.method and bool(re.fullmatch(pattern, sent.path))


# ------------------------------------------------------------------------------------------------ Recording


class Recorder:
    """A server of the stand-ins that records each request before it is answered."""

    def __init__(self, world: stand_ins.World) -> None:
        self.sent: list[Sent] = []
        recorder = self

        class Handler(stand_ins.Handler):
            def _record(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                query = parse_qs(parts.query, keep_blank_values=True)
                recorder.sent.append(Sent(self.command, parts.path, query, headers, body))
                self.rfile = io.BytesIO(body)
                self._handle()

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _record  # noqa: N815 - http.server's names

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Recording", (Handler,), {"world": world}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self) -> list[Sent]:
        """Return the requests since the last call."""
        found, self.sent = self.sent, []
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def of_address(address: str) -> Sent:
    """Return the request of a browser that is sent to an address."""
    parts = urlsplit(address)
    return Sent("GET", parts.path, parse_qs(parts.query, keep_blank_values=True), {}, b"")


# ------------------------------------------------------------------------------------------------ Documents


@cache
def operations() -> tuple[Operation, ...]:
    """Return all requests that a document describes."""
    return (*(each for api in APIS for each in _discovered(api)), *_listed())


def _discovered(api: str) -> Iterator[Operation]:
    document = discovery.document(api)
    common = document["parameters"]

    def visit(resources: Json) -> Iterator[Json]:
        for resource in resources.values():
            yield from resource.get("methods", {}).values()
            yield from visit(resource.get("resources", {}))

    for method in visit(document["resources"]):
        parameters = method.get("parameters", {})
        query = {name: each for name, each in parameters.items() if each["location"] == "query"}
        schema = discovery.resource(api, method) or document["schemas"].get(
            method.get("request", {}).get("$ref", ""), {}
        )
        made = Operation(
            method["httpMethod"],
            "/" + document.get("servicePath", "") + method["path"],
            common | query,
            method.get("request"),
            None,
            document["schemas"],
            schema.get("properties", {}),
        )
        upload = method.get("mediaUpload")
        if upload is None or "request" in method:
            yield made
        if upload:
            for protocol in upload["protocols"].values():
                yield made._replace(path=protocol["path"], media=tuple(upload["accept"]))


def listed() -> list[Json]:
    """Return the operations of documents.toml."""
    text = Path(__file__).with_name("documents.toml").read_text(encoding="utf-8")
    found: list[Json] = tomllib.loads(text)["operations"]
    return found


def _listed() -> Iterator[Operation]:
    endpoints = google.discovery("")
    for each in listed():
        path = re.sub(r"{discovered:(\w+)}", lambda found: endpoints[found[1]], each["path"])
        yield Operation(
            each["method"], path, each.get("query", {}), each.get("body"), each.get("form"), {}, {}
        )


# ------------------------------------------------------------------------------------------------ Checks


def faults(sent: Sent) -> list[str]:
    """Return what a document doesn't allow in a request: path, parameters, and fields of the body."""
    found = [each for each in operations() if each.matches(sent)]
    if not found:
        return [f"no document has {sent.method} {sent.path}"]
    # A path that ends with a variable has every longer one, too.
    operation = min(found, key=lambda each: each.path.count("{"))
    return [
        *_in_query(operation, sent.query),
        *_in_body(operation, sent),
    ]


def _in_query(operation: Operation, query: dict[str, list[str]]) -> Iterator[str]:
    for name, values in query.items():
        if name not in operation.query:
            yield f"{name} is no parameter of {operation.path}"
            continue
        yield from _in_values(name, values, operation.query[name])
    for name, parameter in operation.query.items():
        if parameter.get("required") and name not in query:
            yield f"{name} is missing"
    for part in ",".join(query.get("part", [])).split(","):
        if part and part not in operation.parts:
            yield f"part {part} is none of {operation.path}"


def _in_values(name: str, values: list[str], parameter: Json) -> Iterator[str]:
    if len(values) > 1 and not parameter.get("repeated"):
        yield f"{name} is given {len(values)} times"
    for value in values:
        each = value.split(",") if parameter.get("repeated") or "list" in parameter else [value]
        for one in each:
            if problem := _in_value(one, parameter):
                yield f"{name}: {one!r} {problem}"


def _in_value(value: str, parameter: Json) -> str | None:
    """Return what is wrong with the text of a parameter, None if nothing is."""
    allowed = parameter.get("enum") or parameter.get("list")
    if allowed is not None:
        return None if value in allowed else f"is none of {allowed}"
    match parameter.get("type"):
        case "boolean":
            return None if value in ("true", "false") else "is no boolean"
        case "integer":
            if not re.fullmatch(r"-?\d+", value):
                return "is no integer"
            low, high = int(parameter.get("minimum", -(2**31))), int(parameter.get("maximum", 2**31 - 1))
            return None if low <= int(value) <= high else f"is not in {low}..{high}"
    return _in_text(value, parameter)


def _in_text(value: str, schema: Json) -> str | None:
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        return f"doesn't match {schema['pattern']}"
    try:
        match schema.get("format"):
            case "date":
                date.fromisoformat(value)
            case "date-time" | "google-datetime":
                if datetime.fromisoformat(value).tzinfo is None:
                    return "has no time zone"
            case "int64" | "uint64":
                int(value)
    except ValueError:
        return f"is no {schema['format']}"
    return None


def _in_body(operation: Operation, sent: Sent) -> Iterator[str]:
    if operation.form is not None:
        if _content_type(sent) != "application/x-www-form-urlencoded":
            yield f"the form comes as {_content_type(sent)}"
        yield from _in_query(operation._replace(query=operation.form), parse_qs(sent.body.decode()))
        return
    body, kind = sent.body, _content_type(sent)
    if operation.media:
        body, kind = _without_media(operation, sent)
        if not any(re.fullmatch(each.replace("*", ".+"), kind) for each in operation.media):
            yield f"a {kind} is none of {operation.media}"
    elif body and kind != "application/json":
        yield f"the body comes as {kind}"
    if bool(body) != (operation.body is not None):
        yield f"{operation.path} {'takes no' if body else 'needs a'} body"
    elif operation.body is not None:
        document = json.loads(body)
        if operation.method == "PATCH":
            document = with_erased(document)
        yield from _in_json("body", document, operation.body, operation.schemas)
        named = set(",".join(sent.query.get("part", [])).split(",")) - {""}
        if named and not set(document) <= named | {"id", "kind"}:
            yield f"the body has {sorted(document)}, but part names {sorted(named)}"


def _content_type(sent: Sent) -> str:
    return sent.headers.get("content-type", "").partition(";")[0]


def _without_media(operation: Operation, sent: Sent) -> tuple[bytes, str]:
    """Return the JSON that an upload begins with, and the content type of its media."""
    if _content_type(sent) == "multipart/related":
        return _two_parts(sent)
    if operation.body is None:
        return b"", _content_type(sent)
    return sent.body, sent.headers.get("x-upload-content-type", "")


def _two_parts(sent: Sent) -> tuple[bytes, str]:
    """Return the JSON of a multipart/related body, and the content type of the media behind it."""
    head = f"content-type: {sent.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + sent.body)
    document, media = message.iter_parts()
    return document.get_payload(decode=True), media.get_content_type()


_TYPES = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}


def _in_json(where: str, value: Any, schema: Json, schemas: Json) -> Iterator[str]:
    """Yield what a schema of a discovery document doesn't allow in a value."""
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    kind = schema.get("type", "any")
    if kind == "any" or value is ERASED:
        return
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{where}: {value!r} is no {kind}"
    elif kind == "object":
        yield from _in_fields(where, value, schema, schemas)
    elif kind == "array":
        for number, each in enumerate(value):
            yield from _in_json(f"{where}[{number}]", each, schema["items"], schemas)
    elif problem := _in_value(value if kind == "string" else json.dumps(value), schema):
        yield f"{where}: {value!r} {problem}"


def _in_fields(where: str, value: Json, schema: Json, schemas: Json) -> Iterator[str]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, each in value.items():
        inner = properties.get(name, others)
        if inner is None:
            yield f"{where}.{name}: there is no such field"
        elif inner.get("readOnly"):
            yield f"{where}.{name}: only the platform writes it"
        else:
            yield from _in_json(f"{where}.{name}", each, inner, schemas)
