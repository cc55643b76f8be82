"""Check a JSON Schema by the rules of strict structured output, and fill it from the writer's content."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator

from local.language.text import capitalised, key_phrases, noun_phrases, split, terms, weights

# https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
MOST_PROPERTIES = 5000
DEEPEST = 10
FORBIDDEN = (
    "allOf",
    "not",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "patternProperties",
)
# Other names for the parts of a script.
SYNONYMS = {
    "headline": "title", "name": "title", "summary": "description", "abstract": "description",
    "keywords": "tags", "hashtags": "tags", "topics": "tags", "intro": "hook", "opening": "hook",
    "cta": "call_to_action", "outro": "call_to_action", "closing": "call_to_action", "sections": "scenes",
    "segments": "scenes", "shots": "scenes", "chapters": "parts", "script": "narration",
    "voiceover": "narration", "body": "narration", "lines": "sentences", "paragraphs": "sentences",
    "points": "points", "facts": "sentences", "visual_description": "description",
}  # fmt: skip
# Deeper lists mean a schema that refers to itself without end.
LONGEST_LIST = 60


class SchemaError(Exception):
    """Strict mode refuses the schema. The message names the place."""


def check_strict(schema: Any) -> None:
    """Raises Breach where the schema breaks strict mode's rules."""
    if not isinstance(schema, dict) or _resolved(schema, schema).get("type") != "object":
        raise SchemaError(
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"%s\"'."
            % (schema.get("type") if isinstance(schema, dict) else type(schema).__name__)
        )
    if "anyOf" in schema:
        raise SchemaError("In context=(), 'anyOf' is not permitted at the root.")
    _check(schema, (), 0)
    for name, definition in {**schema.get("$defs", {}), **schema.get("definitions", {})}.items():
        _check(definition, ("$defs", name), 0)


def _check(schema: Any, place: tuple[str, ...], depth: int) -> None:
    if not isinstance(schema, dict):
        raise SchemaError(f"In context={place}, schema must be an object.")
    if depth > DEEPEST:
        raise SchemaError(f"In context={place}, schema is nested more than {DEEPEST} levels deep.")
    forbidden = next((keyword for keyword in FORBIDDEN if keyword in schema), None)
    if forbidden:
        raise SchemaError(f"In context={place}, '{forbidden}' is not permitted.")
    if not {"$ref", "type", "anyOf", "enum", "const"} & schema.keys():
        raise SchemaError(f"In context={place}, schema must have a 'type' key.")
    if schema.get("type") == "array" and "items" not in schema:
        raise SchemaError(f"In context={place}, array schema missing items.")
    if _is_object(schema):
        _check_object(schema, place)
    for step, child in _children(schema):
        _check(child, (*place, *step), depth + 1)


def _check_object(schema: Mapping[str, Any], place: tuple[str, ...]) -> None:
    if schema.get("additionalProperties") is not False:
        raise SchemaError(
            f"In context={place}, 'additionalProperties' is required to be supplied and to be false."
        )
    missing = [name for name in schema.get("properties", {}) if name not in schema.get("required", [])]
    if missing:
        raise SchemaError(
            f"In context={place}, 'required' is required to be supplied and to be an array "
            f"including every key in properties. Missing '{missing[0]}'."
        )


def _children(schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield from ((("properties", name), child) for name, child in schema.get("properties", {}).items())
    yield from ((("anyOf", str(number)), child) for number, child in enumerate(schema.get("anyOf", [])))
    if "items" in schema:
        yield ("items",), schema["items"]


def _is_object(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def valid(schema: dict[str, Any], value: Any) -> bool:
    return Draft202012Validator(schema).is_valid(value)


def fill(schema: dict[str, Any], content: Mapping[str, Any], text: str) -> Any:
    """Return a value of the schema within its limits.

    Each leaf comes from the content of its name, else from the text around it.
    """
    return _Filler(schema, text).value(schema, "", content, text, 0)


class _Filler:
    def __init__(self, root: dict[str, Any], text: str) -> None:
        self._root = root
        self._known = weights(split(text))

    def value(self, schema: dict[str, Any], name: str, found: Any, text: str, depth: int) -> Any:
        schema = _resolved(schema, self._root)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return found if found in schema["enum"] else _nearest(schema["enum"], text)
        if "anyOf" in schema:
            return self._first_fitting(schema["anyOf"], name, found, text, depth)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            return self._first_fitting([{**schema, "type": each} for each in kind], name, found, text, depth)
        match kind:
            case "object":
                return self._object(schema, found, text, depth)
            case "array":
                return self._array(schema, name, found, text, depth)
            case "integer" | "number":
                return _number(schema, found, text)
            case "boolean":
                return found if isinstance(found, bool) else False
            case "null":
                return None
        return self._string(schema, name, found, text)

    def _first_fitting(
        self, options: Sequence[dict[str, Any]], name: str, found: Any, text: str, depth: int
    ) -> Any:
        """Return the first alternative that the content has.

        Null if there is no content and null is allowed.
        """
        resolved = [_resolved(option, self._root) for option in options]
        if found is None and any(option.get("type") == "null" for option in resolved):
            return None
        fitting = [
            option
            for option in resolved
            if _kind(found) == option.get("type")
            or (option.get("type") == "number" and _kind(found) == "integer")
        ]
        plain = [option for option in resolved if option.get("type") != "null"]
        return self.value((fitting or plain or resolved)[0], name, found, text, depth)

    def _object(self, schema: dict[str, Any], found: Any, text: str, depth: int) -> dict[str, Any]:
        content = found if isinstance(found, Mapping) else {}
        around = str(content.get("narration") or text)
        if depth > DEEPEST:
            return {}
        return {
            name: self.value(child, name, _lookup(content, name), around, depth + 1)
            for name, child in schema.get("properties", {}).items()
        }

    def _array(self, schema: dict[str, Any], name: str, found: Any, text: str, depth: int) -> list[Any]:
        least, most = schema.get("minItems", 0), min(schema.get("maxItems", LONGEST_LIST), LONGEST_LIST)
        entries = (
            list(found)
            if isinstance(found, list)
            else self._entries(_resolved(schema.get("items", {}), self._root), name, text)
            if found is None
            else [found]
        )
        entries = entries[:most]
        spare = [
            each
            for each in self._entries(_resolved(schema.get("items", {}), self._root), name, text)
            if each not in entries
        ]
        entries += spare[: max(0, least - len(entries))]
        entries += [None] * max(0, least - len(entries))
        return [
            self.value(schema.get("items", {}), name.removesuffix("s"), entry, text, depth + 1)
            for entry in entries
        ]

    def _entries(self, items: Mapping[str, Any], name: str, text: str) -> list[Any]:
        kinds = items["type"] if isinstance(items.get("type"), list) else [items.get("type")]
        if "object" in kinds:
            return [{"narration": sentence, "text": sentence} for sentence in split(text)[:5]]
        if {"number", "integer"} & set(kinds):
            return [float(figure.replace(",", "")) for figure in re.findall(r"\d[\d,]*(?:\.\d+)?", text)][:5]
        return (
            split(text)[:LONGEST_LIST]
            if SYNONYMS.get(name) == "sentences"
            else [capitalised(phrase) for phrase in key_phrases(split(text), self._known, 6)]
        )

    def _string(self, schema: dict[str, Any], name: str, found: Any, text: str) -> str:
        value = (
            found
            if isinstance(found, str)
            else str(found)
            if isinstance(found, int | float)
            else self._sentence_or_phrase(name, schema, text)
        )
        value = _fit_length(value, schema.get("minLength", 0), schema.get("maxLength"), text)
        pattern = schema.get("pattern")
        if pattern and not re.search(pattern, value):
            match = re.search(pattern, text)
            value = match[0] if match else value
        return value

    def _sentence_or_phrase(self, name: str, schema: Mapping[str, Any], text: str) -> str:
        """Return text for a leaf with an unknown name: a phrase if it must be short, else a sentence."""
        short = schema.get("maxLength", 1000) < 60 or re.search(
            r"heading|label|title|tag|word|name|keyword|phrase", name
        )
        phrases = (
            key_phrases(split(text), self._known, 1) or noun_phrases(text) or [" ".join(terms(text)[:3])]
        )
        sentences = split(text)
        return capitalised(phrases[0]) if short or not sentences else sentences[0]


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Return the schema behind a local reference. Raises Breach if there is none."""
    seen = 0
    while "$ref" in schema:
        target: Any = root
        for step in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
            target = target.get(step) if isinstance(target, dict) and step else target
        if not isinstance(target, dict) or seen > DEEPEST:
            raise SchemaError(f"reference '{schema['$ref']}' can not be resolved.")
        schema, seen = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}, seen + 1
    return schema


def _lookup(content: Mapping[str, Any], name: str) -> Any:
    if name in content:
        return content[name]
    return content.get(SYNONYMS.get(name.lower(), ""))


def _nearest(options: Sequence[Any], text: str) -> Any:
    return next(
        (
            option
            for option in options
            if isinstance(option, str) and re.search(rf"\b{re.escape(option)}\b", text, re.IGNORECASE)
        ),
        options[0],
    )


def _kind(value: Any) -> str:
    kinds = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        list: "array",
        dict: "object",
        type(None): "null",
    }
    return kinds.get(type(value), "string")


def _number(schema: Mapping[str, Any], found: Any, text: str) -> float | int:
    figure = re.search(r"\d[\d,]*(?:\.\d+)?", text)
    value: float = (
        found
        if isinstance(found, int | float) and not isinstance(found, bool)
        else float(figure[0].replace(",", ""))
        if figure
        else 0.0
    )
    value = min(max(value, schema.get("minimum", value)), schema.get("maximum", value))
    return round(value) if schema.get("type") == "integer" else value


def _fit_length(value: str, least: int, most: int | None, text: str) -> str:
    """Cut to at most this many characters, between words.

    Extend a text that is too short with sentences around it.
    """
    for sentence in split(text):
        if len(value) >= least:
            break
        value = f"{value} {sentence}".strip()
    value = value.ljust(least, ".")
    if most is None or len(value) <= most:
        return value
    cut = value[: most + 1].rsplit(" ", 1)[0].rstrip(" ,;:") if " " in value[: most + 1] else value[:most]
    return cut if least <= len(cut) <= most else value[:most]
