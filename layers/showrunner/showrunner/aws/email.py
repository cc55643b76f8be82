"""Send emails through SES, in plain text and HTML."""

from datetime import datetime
from html import escape
from typing import Any, NamedTuple

from showrunner import config
from showrunner.aws import sdk
from showrunner.errors import InvalidRequest, NotFound


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


class Suppressed(NamedTuple):
    """An address that SES doesn't deliver to, since an email to it bounced or was marked as spam."""

    email: str
    reason: str
    since: datetime


def list_suppressed(limit: int, cursor: str | None) -> tuple[list[Suppressed], str | None]:
    """Return a page of the account's suppression list, and the cursor of the next page or None.

    Raises InvalidRequest for a cursor that SES doesn't know.
    """
    client = sdk.client("sesv2")
    page: dict[str, Any] = {"PageSize": limit} | ({"NextToken": cursor} if cursor else {})
    try:
        found = client.list_suppressed_destinations(**page)
    except client.exceptions.InvalidNextTokenException as error:
        raise InvalidRequest(
            "The cursor is not valid: start again without it.", [{"field": "cursor", "message": "not valid"}]
        ) from error
    rows = [
        Suppressed(each["EmailAddress"], each["Reason"].lower(), each["LastUpdateTime"])
        for each in found["SuppressedDestinationSummaries"]
    ]
    return rows, found.get("NextToken")


def unsuppress(address: str) -> None:
    """Take an address off the suppression list, so that SES delivers to it again. Raises NotFound."""
    client = sdk.client("sesv2")
    try:
        client.delete_suppressed_destination(EmailAddress=address)
    except client.exceptions.NotFoundException as error:
        raise NotFound("This address is not suppressed.") from error
