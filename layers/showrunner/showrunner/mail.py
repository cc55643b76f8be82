"""E-mails to people, in plain text and HTML, through SES."""

from html import escape
from typing import NamedTuple

from showrunner import config


class Letter(NamedTuple):
    """`lines` are paragraphs; a line that is an address becomes a link."""

    subject: str
    lines: tuple[str, ...]


def verify(token: str) -> Letter:
    link = _link("verify", token)
    warning = "If you didn't register, do nothing: somebody else has chosen the password."
    return Letter("Confirm your e-mail address", ("Welcome to showrunner.", "Confirm that this address is yours within 24 hours:", link, warning))


def reset(token: str) -> Letter:
    asked = "Somebody, probably you, asked to reset your password. This link works once and for an hour:"
    return Letter("Reset your password", (asked, _link("reset", token), "If it wasn't you, do nothing: your password stays as it is."))


def invite(token: str, organisation: str) -> Letter:
    return Letter(
        f"You are invited to {organisation}",
        (f"{organisation} invites you to work with them on showrunner.", "Accept within seven days:", _link("invitation", token)),
    )


def linked() -> Letter:
    changed = "From now on your Google account opens your showrunner account. Whoever was logged in before has been logged out."
    warning = "If it wasn't you, secure your Google account at once: somebody else can use it."
    return Letter("Google opens your account now", (changed, warning))


def _link(page: str, token: str) -> str:
    return f"{config.setting('PLATFORM_URL')}/{page}#token={token}"


def send(to: str, letter: Letter) -> None:
    """Hands the letter to SES. Raises botocore's errors; callers decide what a letter that didn't go is worth."""
    plain = "\n\n".join(letter.lines) + "\n"
    # Ours only: an organisation may be called "https://…" and would get a link of its own into our letter.
    own = f"{config.setting('PLATFORM_URL')}/"
    html = "".join(f'<p><a href="{escape(line)}">{escape(line)}</a></p>' if line.startswith(own) else f"<p>{escape(line)}</p>" for line in letter.lines)
    parts = {"Text": {"Data": plain, "Charset": "UTF-8"}, "Html": {"Data": f"<!doctype html><html><body>{html}</body></html>", "Charset": "UTF-8"}}
    config.aws("ses").send_email(
        Source=config.setting("MAIL_FROM", "showrunner@localhost.invalid"),
        Destination={"ToAddresses": [to]},
        Message={"Subject": {"Data": letter.subject, "Charset": "UTF-8"}, "Body": parts},
    )
