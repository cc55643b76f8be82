"""Routes that both HTTP APIs have: health, the OpenAPI document, and a page that shows it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from showrunner import config
from showrunner.access import roles
from showrunner.web.answers import Answer
from showrunner.web.application import Application
from showrunner.web.body import parse
from showrunner.web.fields import Result
from showrunner.web.routing import Request


class Health(Result):
    status: Literal["ok"]
    version: str
    timestamp: str


def serve(app: Application, document: Path) -> Application:
    """Add the routes to the application.

    `document` is the OpenAPI document, which the build writes (local/build.py).
    """

    @app.get("/health", permission=roles.PUBLIC, unlimited=True, answer=Health)
    def health(request: Request) -> dict[str, Any]:  # noqa: ARG001 - every handler takes one
        """Return 200 while the API answers."""
        return {"status": "ok", "version": config.setting("VERSION", "0.1.0"), "timestamp": now()}

    @app.get("/openapi.json", permission=roles.PUBLIC, unlimited=True, answer={"type": "object"}, max_age=300)
    def openapi(request: Request) -> Answer:  # noqa: ARG001
        """Return the OpenAPI document of this API."""
        return Answer(document.read_text(encoding="utf-8"))

    @app.get(
        "/docs", permission=roles.PUBLIC, unlimited=True, content_type="text/html; charset=utf-8", max_age=300
    )
    def docs(request: Request) -> Answer:  # noqa: ARG001
        """The document as a page for people."""
        from showrunner.web.docs_page import page

        return Answer(page(parse(document.read_bytes())), content_type="text/html; charset=utf-8")

    @app.get(
        "/docs/style.css",
        permission=roles.PUBLIC,
        unlimited=True,
        content_type="text/css; charset=utf-8",
        max_age=300,
    )
    def style(request: Request) -> Answer:  # noqa: ARG001
        """The look of the page."""
        from showrunner.web.docs_page import STYLE

        return Answer(STYLE.read_text(encoding="utf-8"), content_type="text/css; charset=utf-8")

    return app


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
