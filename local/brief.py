"""Read the brief of `make run`. Errors that can be found before setup are reported here; the API checks the
rest.
"""

import json
from pathlib import Path
from typing import Any

from local.settings import ROOT, Refused

DEFAULT = ROOT / "events" / "brief.json"
ASPECTS = ("9:16", "16:9", "1:1")
# The video's subject: at least one of them is required.
SUBJECTS = ("topic", "source_text", "manual_script")
LENGTHS = ("short", "medium", "long")
SECONDS = range(10, 3601)


def read(path: Path | None, aspect: str | None = None, length: str | None = None) -> dict[str, Any]:
    """Return the request body, without channel. Raises Refused with the field and the reason."""
    file = path or DEFAULT
    body = parsed(file)
    if aspect:
        body["aspect"] = aspects(aspect)
    if length:
        body.pop("length", None)
        body.pop("length_seconds", None)
        body.update(lengths(length))
    refuse_wrong(file, body)
    return body


def parsed(file: Path) -> dict[str, Any]:
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Refused(f"the brief {file} doesn't exist; name another with BRIEF=path.json") from error
    except IsADirectoryError as error:
        raise Refused(f"the brief {file} is a folder; name a JSON file with BRIEF=path.json") from error
    except UnicodeDecodeError as error:
        raise Refused(f"the brief {file} is not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise Refused(
            f"the brief {file} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    if not isinstance(body, dict):
        raise Refused(
            f"the brief {file} is not a JSON object; it takes the fields of POST /api/v1/videos/generate, "
            "such as topic"
        )
    return body


def refuse_wrong(file: Path, body: dict[str, Any]) -> None:
    for field in SUBJECTS:
        if body.get(field) is not None and not isinstance(body[field], str):
            raise Refused(f"the brief {file}: {field} is a text, not {kind(body[field])}")
    if not any((body.get(field) or "").strip() for field in SUBJECTS):
        raise Refused(
            f"the brief {file}: topic is missing; say what the video is about with topic, source_text or "
            "manual_script"
        )


def aspects(text: str) -> list[str]:
    """Split `16:9` or `9:16,1:1` into a list."""
    names = [part.strip() for part in text.split(",") if part.strip()]
    for aspect in names:
        if aspect not in ASPECTS:
            raise Refused(f"ASPECT={text}: {aspect} is none of {', '.join(ASPECTS)}")
    return names


def lengths(text: str) -> dict[str, Any]:
    if text in LENGTHS:
        return {"length": text}
    if not text.isascii() or not text.isdigit() or int(text) not in SECONDS:
        raise Refused(
            f"LENGTH={text}: a length is {', '.join(LENGTHS)} or {SECONDS.start} to {SECONDS.stop - 1} "
            "seconds"
        )
    return {"length_seconds": int(text)}


def kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "null")
