"""Write and send emails to people, in plain text and HTML, through SES."""

from typing import Any

from showrunner import config
from showrunner.aws.email import Email
from showrunner.errors import ServiceUnavailable
from showrunner.web import log
from showrunner.web.routing import Request


def send(request: Request, to: str, email: Email) -> None:
    """Send an email. A failure is only logged: the person can ask for another email."""
    from botocore.exceptions import BotoCoreError, ClientError

    from showrunner.aws import email as ses

    try:
        ses.send(to, email)
    except (BotoCoreError, ClientError) as error:
        log.warn(request, "email not sent", subject=email.subject, reason=str(error)[:500])


def tell(to: str, email: Email) -> None:
    """Send an email that no request has asked for. A failure is only logged."""
    from showrunner.telemetry import logger

    try:
        deliver(to, email)
    except ServiceUnavailable:
        logger.warning("email not sent", exc_info=True)


# SES takes the email a moment later: https://docs.aws.amazon.com/ses/latest/APIReference/CommonErrors.html
_BUSY = ("Throttling", "ThrottlingException", "ServiceUnavailable", "InternalFailure", "RequestTimeout")


def deliver(to: str, email: Email) -> None:
    """Send an email that must not be lost: the caller records it afterwards, and else sends it again.

    An email that SES will never take, such as to an address that isn't one, is only logged. Raises
    ServiceUnavailable if SES can't be reached or is busy.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from showrunner.aws import email as ses
    from showrunner.telemetry import logger

    try:
        ses.send(to, email)
    except BotoCoreError as error:
        raise ServiceUnavailable("SES can't be reached: the email is sent again.") from error
    except ClientError as error:
        if error.response["Error"]["Code"] in _BUSY:
            raise ServiceUnavailable("SES is busy: the email is sent again.") from error
        logger.warning("email not sent", exc_info=True)


def verify(token: str) -> Email:
    warning = "If you didn't register, do nothing: somebody else has chosen the password."
    request = "Confirm that this address is yours within 24 hours:"
    return Email(
        "Confirm your email address", ("Welcome to showrunner.", request, _link("verify", token), warning)
    )


def reset(token: str) -> Email:
    reason = "Somebody, probably you, asked to reset your password. This link works once and for an hour:"
    warning = "If it wasn't you, do nothing: your password stays as it is."
    return Email("Reset your password", (reason, _link("reset", token), warning))


def invite(token: str, organisation: str) -> Email:
    invitation = f"{organisation} invites you to work with them on showrunner."
    request = "Accept within seven days:"
    return Email(f"You are invited to {organisation}", (invitation, request, _link("invitation", token)))


def linked() -> Email:
    change = "From now on your Google account opens your showrunner account. All other logins were ended."
    warning = "If it wasn't you, secure your Google account at once: somebody else can use it."
    return Email("Google opens your account now", (change, warning))


def reconnect() -> Email:
    """Tell the person who connected an account that Google has ended our permission."""
    return Email(
        "Connect your YouTube account again",
        (
            "Google has ended the permission by which showrunner publishes on your YouTube channel.",
            "Videos wait for seven days. Connect the account again in the channel's settings to go on.",
        ),
    )


_PLATFORMS = {"youtube": "YouTube", "tiktok": "TikTok", "instagram": "Instagram"}


def reconnect_artist(platform: str, artist: str) -> Email:
    """Tell the person who connected an artist's account that its platform has ended our permission."""
    name = _PLATFORMS[platform]
    return Email(
        f"Connect {artist}'s {name} account again",
        (
            f"{name} has ended the permission by which showrunner reads the figures of {artist}'s account.",
            "No new figures come until its owner agrees again: connect the account in the artist's settings.",
        ),
    )


def reports_end(content_owner: str, ending: list[dict[str, Any]]) -> Email:
    """Tell that YouTube stops making types of reports. ending: report_type and deprecated_at of each."""
    types = ", ".join(f"{each['report_type']} on {each['deprecated_at']:%Y-%m-%d}" for each in ending)
    return Email(
        "YouTube stops making some of your reports",
        (
            f"YouTube has announced that it stops making these reports of {content_owner}: {types}.",
            (
                "Newer versions of them come by themselves, and are fetched like the others. GET "
                "/api/v1/cms/streams shows all types; one that we don't know yet is marked there as unknown."
            ),
        ),
    )


def channel_reports_end(ending: list[dict[str, Any]]) -> Email:
    """Tell that YouTube stops making types of channels' reports. ending: as `reports_end` takes it."""
    types = ", ".join(f"{each['report_type']} on {each['deprecated_at']:%Y-%m-%d}" for each in ending)
    return Email(
        "YouTube stops making some of your channels' reports",
        (
            f"YouTube has announced that it stops making these reports of your artists' channels: {types}.",
            (
                "A newer version is used by itself as soon as YouTube offers one; without one these figures "
                "end on that day. GET /api/v1/artists/{artist_id}/metrics shows how each of them comes."
            ),
        ),
    )


def unsubscribe_lines(unsubscribe_key: str, kind: str) -> tuple[str, str]:
    """Return the last paragraphs of an email that a person may do without (notifications.KINDS)."""
    return "To get no more emails of this kind, open:", _link("unsubscribe", f"{unsubscribe_key}.{kind}")


def _link(page: str, token: str) -> str:
    # Behind the #, so that the token is in no server's log.
    return f"{config.setting('PLATFORM_URL')}/{page}#token={token}"
