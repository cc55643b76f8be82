"""Platform API: what belongs to no other function -> health, documents, keys; and, as the $default route, 404 and 405."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict

from showrunner import api, config
from showrunner.access import roles
from showrunner.api import Answer, Application, Request

app = Application("admin")

# Written from the routes of all functions (python -m local.openapi); a test refuses one that is behind the code.
DOCUMENT = Path(__file__).with_name("openapi.json")


class Health(TypedDict):
    status: Literal["ok"]
    version: str
    timestamp: str


class KeySet(TypedDict):
    keys: list[dict[str, str]]


@app.get("/health", permission=roles.PUBLIC, unlimited=True, answer=Health)
def health(request: Request) -> Health:
    """Whether the API answers at all. What it depends on is told by /api/v1/admin/health."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"status": "ok", "version": config.setting("VERSION", "0.1.0"), "timestamp": now}


@app.get("/openapi.json", permission=roles.PUBLIC, unlimited=True, answer={"type": "object"}, max_age=300)
def openapi(request: Request) -> Answer:
    """This document."""
    return Answer(DOCUMENT.read_text(encoding="utf-8"))


@app.get("/docs", permission=roles.PUBLIC, unlimited=True, content_type="text/html; charset=utf-8", max_age=300)
def docs(request: Request) -> Answer:
    """The document as a page for people."""
    from showrunner.docs import page

    return Answer(page(api.parse(DOCUMENT.read_bytes())), content_type="text/html; charset=utf-8")


@app.get("/docs/style.css", permission=roles.PUBLIC, unlimited=True, content_type="text/css; charset=utf-8", max_age=300)
def style(request: Request) -> Answer:
    """The look of the page."""
    from showrunner.docs import STYLE

    return Answer(STYLE.read_text(encoding="utf-8"), content_type="text/css; charset=utf-8")


@app.get("/.well-known/jwks.json", permission=roles.PUBLIC, unlimited=True, answer=KeySet, max_age=300)
def jwks(request: Request) -> Any:
    """The public keys that our tokens are signed with."""
    return Answer(config.secret("auth/jwks"))


handler = api.handler(app)
