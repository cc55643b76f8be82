"""The OpenAPI documents as the build makes them: tests read them here only."""

import functools
import json
import os
from typing import Any

from local import openapi


@functools.cache
def platform_text() -> str:
    return openapi.platform_text()


@functools.cache
def ingestion_text() -> str:
    return openapi.ingestion_text()


def write() -> None:
    """Write both documents where the functions look for them. Two test processes may do so at once."""
    for function, text in (("admin", platform_text()), ("feed", ingestion_text())):
        target = openapi.ROOT / "functions" / function / "openapi.json"
        part = target.with_name(f"{target.name}.{os.getpid()}")
        part.write_text(text, encoding="utf-8")
        part.replace(target)


def platform() -> dict[str, Any]:
    return json.loads(platform_text())  # type: ignore[no-any-return]


def ingestion() -> dict[str, Any]:
    return json.loads(ingestion_text())  # type: ignore[no-any-return]
