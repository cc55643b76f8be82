"""Clients that openapi-python-client generates from the OpenAPI documents."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openapi_python_client
from openapi_python_client.config import Config, ConfigFile, MetaType

from tests import documents

TEXTS = {"platform": documents.platform_text, "ingestion": documents.ingestion_text}


@contextmanager
def generated(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Generate platform_client and ingestion_client in `folder`, importable until the end.

    Yields the folder and, by name, the generator's warnings.
    """
    warnings = {}
    for name, text in TEXTS.items():
        source = folder / f"{name}.json"
        source.write_text(text(), encoding="utf-8")
        settings = ConfigFile(
            post_hooks=[],
            # Hubs send it, no client of ours.
            content_type_overrides={"application/atom+xml": "application/octet-stream"},
        )
        config = Config.from_sources(
            settings, MetaType.NONE, source, "utf-8", overwrite=False, output_path=folder / f"{name}_client"
        )
        warnings[name] = openapi_python_client.generate(config=config)
    sys.path.insert(0, str(folder))
    yield folder, warnings
    sys.path.remove(str(folder))
