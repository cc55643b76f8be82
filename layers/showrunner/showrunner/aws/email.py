"""Send emails through SES, in plain text and HTML."""

from html import escape
from typing import NamedTuple

from showrunner import config
from showrunner.aws import sdk


class Email(NamedTuple):
    """`lines` are paragraphs; a line that is an address becomes a link."""

    subject: str
    lines: tuple[str, ...]


def send(to: str, email: Email) -> None:
    """Hands the letter to SES.

    Raises botocore's errors; callers decide what a letter that didn't go is worth.
    """
    plain = "\n\n".join(email.lines) + "\n"
    # Ours only: an organisation may be called "https://…" and would get a link of its own into our letter.
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
