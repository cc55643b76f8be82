"""E-mails to people, in plain text and HTML, through SES."""

from showrunner import config
from showrunner.aws.email import Email


def verify(token: str) -> Email:
    link = _link("verify", token)
    warning = "If you didn't register, do nothing: somebody else has chosen the password."
    return Email("Confirm your e-mail address", ("Welcome to showrunner.", "Confirm that this address is yours within 24 hours:", link, warning))


def reset(token: str) -> Email:
    asked = "Somebody, probably you, asked to reset your password. This link works once and for an hour:"
    return Email("Reset your password", (asked, _link("reset", token), "If it wasn't you, do nothing: your password stays as it is."))


def invite(token: str, organisation: str) -> Email:
    return Email(
        f"You are invited to {organisation}",
        (f"{organisation} invites you to work with them on showrunner.", "Accept within seven days:", _link("invitation", token)),
    )


def linked() -> Email:
    changed = "From now on your Google account opens your showrunner account. Whoever was logged in before has been logged out."
    warning = "If it wasn't you, secure your Google account at once: somebody else can use it."
    return Email("Google opens your account now", (changed, warning))


def _link(page: str, token: str) -> str:
    return f"{config.setting('PLATFORM_URL')}/{page}#token={token}"
