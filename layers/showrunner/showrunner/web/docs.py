"""Routes that both HTTP APIs have: health, the OpenAPI document, and Swagger UI, which shows it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from showrunner import config
from showrunner.access import roles
from showrunner.errors import NotFound
from showrunner.web.answers import Answer
from showrunner.web.application import Application
from showrunner.web.fields import Result
from showrunner.web.routing import Request

# The content policy allows no inline script or style and nothing from elsewhere, so each has an address here.
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>showrunner API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="reader"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START = """\
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reader",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
"""
JAVASCRIPT, CSS, HTML = (f"{kind}; charset=utf-8" for kind in ("text/javascript", "text/css", "text/html"))
DAY_SECONDS = 86_400


class Health(Result):
    status: Literal["ok"]
    version: str
    timestamp: str


def serve(app: Application, document: Path) -> Application:
    """Add the routes to the application. The build writes `document` (local/build.py)."""

    @app.get("/health", permission=roles.PUBLIC, unlimited=True, answer=Health)
    def health(request: Request) -> dict[str, Any]:  # noqa: ARG001 - every handler takes one
        """Return 200 while the API answers."""
        return {"status": "ok", "version": config.setting("VERSION", "0.1.0"), "timestamp": now()}

    @app.get("/openapi.json", permission=roles.PUBLIC, unlimited=True, answer={"type": "object"}, max_age=300)
    def openapi(request: Request) -> Answer:  # noqa: ARG001
        """Return the OpenAPI document of this API."""
        return Answer(document.read_text(encoding="utf-8"))

    @app.get("/docs", permission=roles.PUBLIC, unlimited=True, content_type=HTML, max_age=300)
    def docs(request: Request) -> Answer:  # noqa: ARG001
        """Show the OpenAPI document to people, who can search it and try the operations."""
        return Answer(PAGE, content_type=HTML)

    files = {"swagger-ui.css": CSS, "swagger-ui-bundle.js": JAVASCRIPT, "start.js": JAVASCRIPT}

    @app.get(
        "/docs/{file}", permission=roles.PUBLIC, unlimited=True, content_type=JAVASCRIPT, max_age=DAY_SECONDS
    )
    def docs_file(request: Request, file: str) -> Answer:  # noqa: ARG001
        """Return a file of the page: swagger-ui.css, swagger-ui-bundle.js or start.js."""
        if file not in files:
            raise NotFound("There is no such file.")
        return Answer(START if file == "start.js" else _swagger_ui(file), content_type=files[file])

    return app


def _swagger_ui(file: str) -> str:
    from swagger_ui_bundle import swagger_ui_path

    return Path(swagger_ui_path, file).read_text(encoding="utf-8")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
