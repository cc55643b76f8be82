"""Pages with the newest emails of the local stack: GET /mailbox lists them, /mailbox/<file> shows one.

The engine writes them to $SHOWRUNNER_HOME/outbox (local/engine/mail.py).
"""

import email.policy
import re
from email.message import EmailMessage
from email.parser import BytesParser
from html import escape
from pathlib import Path

from local.platforms.http import Reply, Request

NEWEST = 50
_ADDRESS = re.compile(r"https?://[^\s<>\"]+")


def answer(outbox: Path, request: Request) -> Reply | None:
    """Return the page of a path below /mailbox, None for any other path or an email that isn't there."""
    head, _, name = request.path.strip("/").partition("/")
    if request.method != "GET" or head != "mailbox":
        return None
    files = sorted(outbox.glob("*.eml"), reverse=True)[:NEWEST]
    if not name:
        return _page("Emails", "".join(map(_line, files)) or "<p>No email has been sent yet.</p>")
    file = next((file for file in files if file.name == name), None)
    return _letter(_parse(file)) if file else None


def _parse(file: Path) -> EmailMessage:
    return BytesParser(EmailMessage, policy=email.policy.default).parsebytes(file.read_bytes())


def _line(file: Path) -> str:
    message = _parse(file)
    recipient, subject = escape(str(message["To"])), escape(str(message["Subject"]))
    link = f'<a href="/mailbox/{escape(file.name)}">{subject}</a>'
    return f"<p>{link} to {recipient}, {escape(file.stem[:16])}</p>"


def _letter(message: EmailMessage) -> Reply:
    """Return the page of one email: its plain text, in which addresses are links."""
    part = message.get_body(("plain", "html"))
    text = escape(part.get_content() if part else "", quote=False)
    linked = _ADDRESS.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', text)
    body = f"<p>To {escape(str(message['To']))}, from {escape(str(message['From']))}</p><pre>{linked}</pre>"
    return _page(str(message["Subject"]), body)


def _page(title: str, body: str) -> Reply:
    style = (
        "<style>body{font:16px sans-serif;max-width:60em;margin:2em auto}pre{white-space:pre-wrap}</style>"
    )
    text = (
        f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title>{style}"
        f"<p><a href=/mailbox>Emails of the local stack</a></p><h1>{escape(title)}</h1>{body}"
    )
    return Reply(200, text.encode(), "text/html; charset=utf-8")
