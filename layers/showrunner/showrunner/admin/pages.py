"""Pages that the links in emails open, until the dashboard has them: confirm, reset, accept an invitation."""

from pathlib import Path
from string import Template

from showrunner.access import roles
from showrunner.errors import NotFound
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()

FOLDER = Path(__file__).with_name("pages")
HTML = "text/html; charset=utf-8"
FILES = {"page.js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8"}


def _page(name: str, title: str) -> Answer:
    """Return a page: the forms of its file within the frame that all pages share."""
    frame, content = ((FOLDER / each).read_text(encoding="utf-8") for each in ("frame.html", name))
    return Answer(Template(frame).substitute(title=title, content=content), content_type=HTML)


@routes.get("/verify", permission=roles.PUBLIC, unlimited=True, content_type=HTML, max_age=300)
def verify_page(request: Request) -> Answer:
    """Show the page on which a person confirms an email address."""
    return _page("verify.html", "Confirm your email address")


@routes.get("/reset", permission=roles.PUBLIC, unlimited=True, content_type=HTML, max_age=300)
def reset_page(request: Request) -> Answer:
    """Show the page on which a person sets a new password."""
    return _page("reset.html", "Reset your password")


@routes.get("/invitation", permission=roles.PUBLIC, unlimited=True, content_type=HTML, max_age=300)
def invitation_page(request: Request) -> Answer:
    """Show the page on which a person accepts an invitation."""
    return _page("invitation.html", "Accept the invitation")


@routes.get("/unsubscribe", permission=roles.PUBLIC, unlimited=True, content_type=HTML, max_age=300)
def unsubscribe_page(request: Request) -> Answer:
    """Show the page on which a person stops emails of one kind."""
    return _page("unsubscribe.html", "Unsubscribe")


@routes.get(
    "/pages/{file}", permission=roles.PUBLIC, unlimited=True, content_type=FILES["page.js"], max_age=300
)
def page_file(request: Request, file: str) -> Answer:
    """Return a file of these pages: page.js or page.css."""
    if file not in FILES:
        raise NotFound("There is no such file.")
    return Answer((FOLDER / file).read_text(encoding="utf-8"), content_type=FILES[file])
