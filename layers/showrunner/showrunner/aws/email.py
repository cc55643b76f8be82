"""Send emails through SES, in plain text and HTML."""

from html import escape
from typing import NamedTuple

from showrunner import config
from showrunner.aws import sdk


class Email(NamedTuple):
    """An email. `lines` are paragraphs; a line that is an address of the platform becomes a link."""

    subject: str
    lines: tuple[str, ...]


def send(to: str, email: Email) -> None:
    """Send an email through SES. Raises botocore's errors."""
    plain = "\n\n".join(email.lines) + "\n"
    # Only our own addresses become links: an organisation's name may look like an address, too.
    own = f"{config.setting('PLATFORM_URL')}/"
    html = "".join(
        f'<p><a href="{escape(line)}">{escape(line)}</a></p>'
        if line.startswith(own)
        else f"<p>{escape(line)}</p>"
        for line in email.lines
    )
    parts = {
        "Text": {"Data": plain, "Charset": "UTF-8"},
        "Html": {"Data": f"<!doctype html><html><body>{html}</body></html>", "Charset": "UTF-8"},
    }
    sdk.client("ses").send_email(
        Source=config.setting("MAIL_FROM", "showrunner@localhost.invalid"),
        Destination={"ToAddresses": [to]},
        Message={"Subject": {"Data": email.subject, "Charset": "UTF-8"}, "Body": parts},
    )
