"""Writes functions/admin/openapi.json from the routes of all Platform functions: python -m local.openapi (from the repository's root)."""

import importlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "functions" / "admin" / "openapi.json"


def platform() -> list:
    """The applications of the Platform API: every function that declares one, but Ingestion's own."""
    for path in (ROOT / "layers" / "showrunner", ROOT):
        if str(path) not in sys.path:
            sys.path.insert(0, str(path))
    files = [path for path in sorted(ROOT.glob("functions/*/app.py")) if "Application(" in path.read_text(encoding="utf-8")]
    return [importlib.import_module(f"functions.{path.parent.name}.app").app for path in files if path.parent.name != "feed"]


def text() -> str:
    applications = platform()
    from showrunner.openapi import document

    return json.dumps(document(applications), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    TARGET.write_text(text(), encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
