"""Reads the brief of `make run`: what can be told wrong before anything is set up is told here; the rest is the API's to judge, with its own model."""

import json
from pathlib import Path
from typing import Any

from local.settings import ROOT, Refused

DEFAULT = ROOT / "events" / "brief.json"
ASPECTS = ("9:16", "16:9", "1:1")
# One of them has to say what the video is about.
SUBJECTS = ("topic", "source_text", "manual_script")
LENGTHS = ("short", "medium", "long")
SECONDS = range(10, 3601)


def read(path: Path | None, aspect: str | None = None, length: str | None = None) -> dict[str, Any]:
    """The request body, without channel. Refused names the field and why."""
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
        raise Refused(f"the brief {file} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    if not isinstance(body, dict):
        raise Refused(f"the brief {file} is not a JSON object; it takes the fields of POST /api/v1/videos/generate, such as topic")
    return body


def refuse_wrong(file: Path, body: dict[str, Any]) -> None:
    for field in SUBJECTS:
        if body.get(field) is not None and not isinstance(body[field], str):
            raise Refused(f"the brief {file}: {field} is a text, not {kind(body[field])}")
    if not any((body.get(field) or "").strip() for field in SUBJECTS):
        raise Refused(f"the brief {file}: topic is missing; say what the video is about with topic, source_text or manual_script")


def aspects(told: str) -> list[str]:
    """Of `16:9` or `9:16,1:1`."""
    asked = [part.strip() for part in told.split(",") if part.strip()]
    for aspect in asked:
        if aspect not in ASPECTS:
            raise Refused(f"ASPECT={told}: {aspect} is none of {', '.join(ASPECTS)}")
    return asked


def lengths(told: str) -> dict[str, Any]:
    if told in LENGTHS:
        return {"length": told}
    if not told.isascii() or not told.isdigit() or int(told) not in SECONDS:
        raise Refused(f"LENGTH={told}: a length is {', '.join(LENGTHS)} or {SECONDS.start} to {SECONDS.stop - 1} seconds")
    return {"length_seconds": int(told)}


def kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "null")
