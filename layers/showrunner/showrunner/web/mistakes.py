"""Describe what is wrong with a request, without regular expressions, pydantic types or class names."""

import difflib
import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from showrunner.web.fields import PATTERN_WORDS

MAX_DETAILS = 50
_FIELD = re.compile("[a-z][a-z0-9_]*", re.ASCII)
# What pydantic adds to a location for the members of a union.
_TYPE_TAGS = {"str", "int", "float", "bool", "none", "list", "dict", "nullable"}
_LIMITS = {
    "string_too_short": "needs more characters: at least {min_length}",
    "too_long": "has too many entries; at most {max_length} are allowed",
    "too_short": "needs more entries: at least {min_length}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
}
_TYPES = {
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "none_required": "must be null",
    "missing": "is required",
}


def details(error: ValidationError, model: type[BaseModel]) -> list[dict[str, str]]:
    """Return one {"field", "message"} per wrong field, at most MAX_DETAILS.

    `model` is the one that refused the value.
    """
    found: dict[str, tuple[bool, str]] = {}
    for fault in error.errors(include_url=False):
        field, message = field_of(fault), message_of(fault, model)
        # A union reports a fault per member: one about the value says more than "must be a list".
        is_type = fault["type"].endswith("_type")
        if field not in found or (found[field][0] and not is_type):
            found[field] = is_type, message
    # What is wrong inside of a value says more than that the value isn't the union's other member.
    inside = {field.rpartition(".")[0] for field in found}
    return [
        {"field": field, "message": message[:500]}
        for field, (_, message) in list(found.items())[:MAX_DETAILS]
        if field not in inside
    ]


def field_of(fault: ErrorDetails) -> str:
    """Return the field's path as the caller wrote it, for example videos.3.aspect."""
    location = fault["loc"]
    last = len(location) - 1
    given = fault["type"] == "extra_forbidden"
    parts = [
        str(part) for number, part in enumerate(location) if _is_field(part) or (given and number == last)
    ]
    return ".".join(parts)[:200] or "body"


def _is_field(part: int | str) -> bool:
    return isinstance(part, int) or (_FIELD.fullmatch(part) is not None and part not in _TYPE_TAGS)


def message_of(fault: ErrorDetails, model: type[BaseModel]) -> str:
    kind, value, context = fault["type"], fault["input"], fault.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return _unknown_field(str(fault["loc"][-1]), fault["loc"][:-1], model)
        case "literal_error":
            options = ", ".join(re.findall(r"'([^']*)'", context["expected"])) or context["expected"]
            return f"{_shown(value)} is none of {options}"
        case "string_pattern_mismatch":
            words = PATTERN_WORDS.get(context["pattern"], "is not written as the documentation shows")
            return f"{_shown(value)} {words}"
        case "string_too_long":
            return f"has {len(value)} characters; at most {context['max_length']} are allowed"
        case "value_error":
            return str(context["error"])
    return _LIMITS[kind].format(**context) if kind in _LIMITS else _TYPES.get(kind, "is not valid")


def _shown(value: object) -> str:
    """Return a value for a message: short, and only if it is a text or a number."""
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value if len(value) <= 40 else f"{value[:40]}…"
    return str(value) if isinstance(value, int | float) else "the value"


def _unknown_field(name: str, path: tuple[int | str, ...], model: type[BaseModel]) -> str:
    near = difflib.get_close_matches(name.lower(), sorted(_fields_at(model, path)), 1)
    return f"there is no such field; did you mean {near[0]}?" if near else "there is no such field"


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> set[str]:
    """Return the field names of the objects that can be at `path`."""
    models = {model}
    for part in path:
        if isinstance(part, str) and _is_field(part):
            found = [each.model_fields[part].annotation for each in models if part in each.model_fields]
            models = {inner for annotation in found for inner in _models_in(annotation)}
    return {name for each in models for name in each.model_fields}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(getattr(annotation, "__value__", annotation)):
        yield from _models_in(argument)
