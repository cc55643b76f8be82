"""Check a request before its handler runs: token, permission, rate limits, maintenance."""

from showrunner.access import limits, roles, tokens
from showrunner.access.digests import sha256
from showrunner.database import db
from showrunner.errors import DatabaseUnavailable, Forbidden, InvalidRequest, Unauthorized
from showrunner.store.access import api_keys
from showrunner.web.routing import Request, Route


def check_headers(headers: dict[str, str]) -> None:
    """Raise InvalidRequest for a header that isn't UTF-8: it can be neither stored nor compared."""
    for name, value in headers.items():
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise InvalidRequest(
                    "A header isn't text in UTF-8.",
                    [{"field": name[:100], "message": "not UTF-8"}],
                    code="INVALID_FORMAT",
                ) from error


def permit(caller: tokens.Identity, route: Route) -> None:
    if not roles.allows(caller.permissions, route.permission):
        raise Forbidden(f"This needs the permission {route.permission}.")
    if route.verified and not caller.verified:
        raise Forbidden(
            "Confirm your email address first, with the link in the email that we sent to it.",
            code="EMAIL_NOT_VERIFIED",
        )


def authenticate(headers: dict[str, str]) -> tokens.Identity:
    """Return the caller of a bearer token, or of an API key as bearer or X-API-Key. Raises Unauthorized."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = headers.get("x-api-key") or (token if token.startswith(KEY_PREFIX) else "")
    if key and (scheme.lower() == "bearer" or not scheme):
        return _key_identity(key)
    if not token or scheme.lower() != "bearer":
        raise Unauthorized("This call needs a token: Authorization: Bearer …", code="AUTH_REQUIRED")
    return tokens.verify(token)


# As keys.add_api_key makes them; no token begins so.
KEY_PREFIX = "sr_"


def _key_identity(key: str) -> tokens.Identity:
    """Return the caller of an API key, with the key's Platform scopes.

    Scopes of platform admins count only while the key's creator is one.
    """
    with db.reading() as tx:
        found = api_keys.use(tx, sha256(key))
    if found is None:
        raise Unauthorized("The API key is not valid: it is wrong, removed or expired.")
    scopes = frozenset(found["scopes"]) & frozenset(roles.SCOPES)
    if found["creator"] is None:
        scopes = roles.of_service(scopes, content_owner=True, platform_admin=False)
    subject = f"service:key:{found['id']}"
    return tokens.Identity(
        subject,
        found["organisation_id"],
        scopes,
        found["id"],
        tokens.NEVER,
        "service",
        creator=found["creator"],
    )


def admit(request: Request, route: Route) -> None:
    """Count the request, and set request.standing and request.identity with the caller's current rights.

    Raises LimitExceeded, or, after the standing is set, Unauthorized, Forbidden or ServiceUnavailable.
    """
    caller = request.identity
    name, sizes = (
        (f"user:{caller.account}", limits.USER) if caller else (f"address:{request.place}", limits.ADDRESS)
    )
    own = limits.windows(f"{route.name} {caller.account if caller else request.place}", route.limits or ())
    with db.reading() as tx:
        admission = limits.admit(tx, own + limits.windows(name, sizes), caller)
    request.standing = admission.standing
    request.identity = admission.identity(caller, open_in_maintenance=route.open_in_maintenance)


def count_failure(request: Request) -> None:
    """Count a failed request against its address, so that guessing tokens and paths slows down.

    Sets request.standing. Raises LimitExceeded. Without a database nothing is counted.
    """
    try:
        with db.reading() as tx:
            request.standing = limits.admit(
                tx, limits.windows(f"failures:{request.place}", limits.FAILURES)
            ).standing
    except DatabaseUnavailable:
        return
