"""Check a request before its handler runs: token, permission, rate limits, maintenance."""

from showrunner.access import limits, roles, tokens
from showrunner.database import db
from showrunner.errors import Forbidden, InvalidRequest, Unauthorized
from showrunner.web.routing import Request, Route


def check_headers(headers: dict[str, str]) -> None:
    """Half a character can be neither stored nor compared. Raises InvalidRequest."""
    for name, value in headers.items():
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise InvalidRequest("A header isn't text in UTF-8.", [{"field": name[:100], "message": "not UTF-8"}], code="INVALID_FORMAT") from error


def permit(caller: tokens.Identity, route: Route) -> None:
    if not roles.allows(caller.permissions, route.permission):
        raise Forbidden(f"This needs the permission {route.permission}.")
    if route.verified and not caller.verified:
        raise Forbidden("Confirm your e-mail address first, by the link in the letter that we sent to it.", code="EMAIL_NOT_VERIFIED")


def authenticate(headers: dict[str, str]) -> tokens.Identity:
    """The caller by its bearer token. Raises Unauthorized."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if not token or scheme.lower() != "bearer":
        raise Unauthorized("This call needs a token: Authorization: Bearer …", code="AUTH_REQUIRED")
    return tokens.verify(token)


def admit(request: Request, route: Route) -> tuple[limits.Standing, tokens.Identity | None]:
    caller = request.identity
    general = limits.windows(f"user:{caller.account}", limits.USER) if caller else limits.windows(f"address:{request.place}", limits.ADDRESS)
    own = limits.windows(f"{route.name} {caller.account if caller else request.place}", route.limits or ())
    with db.reading() as tx:
        return limits.admit(tx, own + general, caller, open_in_maintenance=route.open_in_maintenance)
