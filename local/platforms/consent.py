"""The page on which a stand-in asks for a person's consent, and the codes that it sends back."""

import secrets
import time
from html import escape
from typing import NamedTuple
from urllib.parse import urlencode

from local.platforms.http import Reply, Request


class Code(NamedTuple):
    """The scopes that a person has allowed, until the app exchanges the code."""

    person: str
    scopes: tuple[str, ...]
    redirect_uri: str
    given_at: float


def answer(platform: str, request: Request, codes: dict[str, Code]) -> Reply:
    """Show the page; with `as`, the name of an account, consent for it and send the browser back.

    `without` names scopes that the person declines.
    """
    query = request.query
    missing = [name for name in ("redirect_uri", "scope", "state") if not query.get(name)]
    if missing or query.get("response_type") != "code":
        return Reply(400, f"Missing: {', '.join(missing) or 'response_type=code'}".encode(), "text/plain")
    if "as" not in query:
        return Reply(200, _page(platform, query).encode(), "text/html; charset=utf-8")
    declined = query.get("without", "").split(",")
    scopes = tuple(each for each in query["scope"].split(",") if each not in declined)
    code = secrets.token_urlsafe(32)
    codes[code] = Code(query["as"], scopes, query["redirect_uri"], time.time())
    back = urlencode({"code": code, "scopes": ",".join(scopes), "state": query["state"]})
    separator = "&" if "?" in query["redirect_uri"] else "?"
    return Reply(302, headers={"location": f"{query['redirect_uri']}{separator}{back}"})


def take(codes: dict[str, Code], code: str, redirect_uri: str, seconds: float) -> Code | None:
    """Return what a code stands for, once, for the same address and so long. None for any other."""
    found = codes.pop(code, None)
    if found is None or found.redirect_uri != redirect_uri or time.time() - found.given_at > seconds:
        return None
    return found


def _page(platform: str, query: dict[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in query.items()
    )
    scopes = "".join(f"<li>{escape(scope)}</li>" for scope in query["scope"].split(","))
    return (
        f"<!doctype html><title>Stand-in for {platform}</title><h1>Allow this app?</h1>"
        f"<p>This page stands in for {platform}'s.</p><ul>{scopes}</ul><form>{hidden}"
        '<input name="as" required placeholder="name of the account"> <button>Continue</button></form>'
    )
