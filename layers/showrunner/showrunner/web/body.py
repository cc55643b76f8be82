"""Read and check request bodies and query parameters: size, JSON, text, model."""

import base64
import unicodedata
from typing import Any

from pydantic import BaseModel, ValidationError

from showrunner.access import strict_json
from showrunner.errors import InvalidRequest, PayloadTooLarge
from showrunner.web.fields import CONTROL_CHARACTERS, MAX_DEPTH


def unknown_query(given: dict[str, str]) -> InvalidRequest:
    return InvalidRequest(
        "The query has parameters that this route doesn't know.",
        [{"field": name[:100], "message": "unknown"} for name in given],
    )


def read_body(event: dict[str, Any], most: int) -> bytes:
    text = event.get("body") or ""
    # Base64 and UTF-8 make a text at most twice as long: beyond that the body isn't even decoded.
    if len(text) > most * 2:
        raise PayloadTooLarge(f"The body is over {most} bytes.")
    try:
        raw = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except ValueError as error:  # what base64 and UTF-8 both refuse with
        raise InvalidRequest("The body isn't text in UTF-8.", code="INVALID_FORMAT") from error
    if len(raw) > most:
        raise PayloadTooLarge(f"The body is over {most} bytes.")
    return raw


def parse(raw: bytes) -> Any:
    """Return the JSON value of a body, with its strings in NFC. Raises InvalidRequest.

    The body must be UTF-8 without duplicate keys, NaN, control characters, or more than 32 levels.
    """
    if not raw:
        raise InvalidRequest("A JSON body is missing.", code="MISSING_FIELD")
    try:
        value = strict_json.loads(raw)
    except strict_json.DuplicateKey as error:
        details = [{"field": error.name[:200], "message": "occurs twice"}]
        raise InvalidRequest("The body has a field twice.", details, code="INVALID_FORMAT") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest("The body isn't text in UTF-8.", code="INVALID_FORMAT") from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body isn't JSON that can be read.", code="INVALID_FORMAT") from error
    return clean(value)


def clean(value: Any, path: str = "", depth: int = 0) -> Any:
    if isinstance(value, str):
        return _clean_text(value, path)
    if isinstance(value, dict):
        _refuse_depth(depth)
        return {
            _clean_text(name, path): clean(each, f"{path}.{name}" if path else name, depth + 1)
            for name, each in value.items()
        }
    if isinstance(value, list):
        _refuse_depth(depth)
        return [clean(each, f"{path}.{number}", depth + 1) for number, each in enumerate(value)]
    return value


def _clean_text(text: str, path: str) -> str:
    if CONTROL_CHARACTERS.search(text):
        raise InvalidRequest(
            "A text has control characters.",
            [{"field": path[:200], "message": "control characters are not allowed"}],
        )
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFC", text)
    # NFC turns some characters into ASCII ones (the Kelvin sign into K): these stay as they are.
    return text if composed.isascii() else composed


def _refuse_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise InvalidRequest(f"The body is nested more than {MAX_DEPTH} deep.", code="INVALID_FORMAT")


def checked[Model: BaseModel](model: type[Model], value: object) -> Model:
    """Return the value as the model. Raises InvalidRequest that names every wrong field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid(error, model) from error


def invalid(error: ValidationError, model: type[BaseModel]) -> InvalidRequest:
    """Return a validation error in the API's words."""
    from showrunner.web import mistakes

    details = mistakes.details(error, model)
    missing = all(
        fault["type"] == "missing"
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    )
    names = ", ".join(detail["field"] for detail in details)
    return InvalidRequest(
        f"The request is not valid: {names[:500]}.",
        details,
        code="MISSING_FIELD" if missing else "VALIDATION_ERROR",
    )
