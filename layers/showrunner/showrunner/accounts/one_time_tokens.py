"""Refuse one-time tokens that don't work."""

from showrunner.errors import InvalidRequest


def expired(field: str) -> InvalidRequest:
    """Return the error for a one-time token that doesn't work.

    One message for every reason: a guesser learns nothing.
    """
    message = "not valid, used, or expired"
    return InvalidRequest(f"The {field} is {message}.", [{"field": field, "message": message}])
