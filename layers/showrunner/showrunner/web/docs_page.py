"""The OpenAPI document as a page: plain HTML and one style sheet of our own, since the content policy allows nothing from elsewhere."""

import json
from html import escape
from pathlib import Path
from typing import Any

STYLE = Path(__file__).with_suffix(".css")
METHODS = ("get", "post", "put", "patch", "delete")


def page(document: dict[str, Any]) -> str:
    """The whole page as HTML."""
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                groups.setdefault(operations[method]["tags"][0], []).append(
                    _operation(path, method, operations[method])
                )
    menu = "".join(
        f'<li><a href="#{name}">{escape(name)}</a> <small>{len(each)}</small></li>'
        for name, each in sorted(groups.items())
    )
    sections = "".join(
        f'<section id="{name}"><h2>{escape(name)}</h2>{"".join(each)}</section>'
        for name, each in sorted(groups.items())
    )
    models = "".join(_model(name, schema) for name, schema in document["components"]["schemas"].items())
    info = document["info"]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(info["title"])}</title><link rel="stylesheet" href="/docs/style.css"></head><body>'
        f'<nav><h1>{escape(info["title"])}</h1><ul>{menu}<li><a href="#models">models</a> <small>{len(document["components"]["schemas"])}</small></li></ul>'
        f'<p><a href="/openapi.json">openapi.json</a></p></nav><main>{_paragraphs(info["description"])}{sections}'
        f'<section id="models"><h2>models</h2>{models}</section></main></body></html>'
    )


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_code(each)}</p>" for each in text.strip().split("\n\n"))


def _code(text: str) -> str:
    """Backticks become <code>, everything else is text."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    permission = operation["x-permission"]
    lock = "" if permission == "public" else f'<span class="permission">{escape(permission)}</span>'
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="method {method}">{method.upper()}</span>'
        f'<span class="path">{escape(path)}</span><span class="what">{_code(operation["summary"])}</span>{lock}</summary>'
        f"<div>{_paragraphs(operation['description'])}{_parameters(operation['parameters'])}{_body(operation)}{_responses(operation['responses'])}</div></details>"
    )


def _parameters(parameters: list[dict[str, Any]]) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code>{' *' if each['required'] else ''}</td><td>{each['in']}</td><td>{_type(each['schema'])}</td>"
        f"<td>{_code(each.get('description', ''))}</td></tr>"
        for each in parameters
    )
    return f"<h3>Parameters</h3><table><tr><th>name</th><th>in</th><th>type</th><th></th></tr>{rows}</table>"


def _body(operation: dict[str, Any]) -> str:
    body = operation.get("requestBody")
    return f"<h3>Body</h3><p>{_type(next(iter(body['content'].values()))['schema'])}</p>" if body else ""


def _responses(responses: dict[str, Any]) -> str:
    rows = ""
    for status, response in responses.items():
        kinds = ", ".join(_type(content["schema"]) for content in response.get("content", {}).values())
        rows += f'<tr><td class="s{status[0]}">{status}</td><td>{escape(response["description"])}</td><td>{kinds}</td></tr>'
    return f"<h3>Answers</h3><table>{rows}</table>"


def _model(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{' *' if field in required else ''}</td><td>{_type(each)}</td><td>{_code(each.get('description', ''))}</td></tr>"
        for field, each in schema.get("properties", {}).items()
    )
    head = f'<summary><span class="path">{escape(name)}</span></summary>'
    return f'<details id="{escape(name)}">{head}<div>{_paragraphs(schema.get("description", ""))}<table>{rows}</table></div></details>'


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(
            dict.fromkeys(
                _type(
                    {**each, **({"type": schema["type"]} if "type" in schema and "type" not in each else {})}
                )
                for each in schema["anyOf"]
            )
        )
    if "enum" in schema or "const" in schema:
        return " ".join(
            f"<code>{escape(json.dumps(each, ensure_ascii=False))}</code>"
            for each in schema.get("enum", [schema.get("const")])
        )
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}{_bounds(schema)}"
    return f"{escape(str(schema.get('format') or schema.get('type') or 'any'))}{_bounds(schema)}"


def _bounds(schema: dict[str, Any]) -> str:
    words = {
        "minimum": "from",
        "maximum": "to",
        "minLength": "at least",
        "maxLength": "at most",
        "minItems": "at least",
        "maxItems": "at most",
        "default": "default",
    }
    told = [
        f"{word} {escape(json.dumps(schema[name], ensure_ascii=False))}"
        for name, word in words.items()
        if schema.get(name) not in (None, [])
    ]
    return f" <small>{', '.join(told)}</small>" if told else ""
