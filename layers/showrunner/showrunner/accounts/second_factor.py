"""Switch a second factor (TOTP) on and off, and check its codes."""

import base64
from typing import Any

from showrunner.access import mfa
from showrunner.accounts import live_sessions
from showrunner.accounts.reauthentication import credential_owner, require_password
from showrunner.accounts.schemas import (
    PasswordConfirmation,
    RecoveryCodes,
    SecondFactorConfirmation,
    SecondFactorSecret,
)
from showrunner.database import db
from showrunner.errors import Conflict, CredentialRejected, InvalidRequest, Unauthorized
from showrunner.store.access import refresh_tokens
from showrunner.store.accounts import second_factors
from showrunner.web import audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()


def confirmed_secret(user: dict[str, Any]) -> str | None:
    """Return the secret of a user's second factor, None without one. `user` is a row of users.find_login."""
    return _open(user["mfa_secret"], user["id"]) if user["mfa_secret"] else None


def _open(sealed: str, user_id: str) -> str:
    """Return the secret. Raises CredentialRejected if the value was changed or belongs to another user."""
    from cryptography.exceptions import InvalidTag

    from showrunner.access import sealing

    try:
        return sealing.open_(base64.b64decode(sealed), "mfa", user_id).decode()
    except InvalidTag as error:
        raise CredentialRejected("The second factor can't be read: support must remove it.") from error


def require_code(tx: db.Transaction, user_id: str, secret: str | None, code: str | None) -> None:
    """Accept a code once. Does nothing without a secret. Raises Unauthorized."""
    if secret is None:
        return
    if code is None:
        raise Unauthorized("The account has a second factor: send mfa_code too.", code="AUTH_REQUIRED")
    step = mfa.step_of(secret, code)
    if step is None and second_factors.spend_recovery_code(tx, user_id, mfa.digest(code)):
        return
    if step is None or not second_factors.spend_step(tx, user_id, step):
        raise Unauthorized("The code is wrong, or was used before.", code="INVALID_CREDENTIALS")


@routes.post(
    "/api/v1/auth/mfa",
    permission="account:all",
    limits=((60, 10),),
    answer=SecondFactorSecret,
    status=201,
    errors=(409,),
)
def add_second_factor(request: Request, body: PasswordConfirmation) -> Answer:
    """Return a secret for an authenticator app. It is in force once a code of it was confirmed."""
    from showrunner.access import sealing

    user_id = credential_owner(request)
    require_password(request, body.password)
    secret = mfa.new_secret()
    sealed = base64.b64encode(sealing.seal(secret.encode(), "mfa", user_id)).decode()
    with db.transaction() as tx:
        stored = second_factors.get(tx, user_id)
        if stored["mfa_confirmed_at"] is not None:
            raise Conflict("The account has a second factor: remove it first.")
        second_factors.save(tx, user_id, sealed, confirmed=False, codes=[])
        audit.record(tx, request, "mfa_begun", "user", user_id)
    return Answer({"secret": secret, "otpauth_url": mfa.address(secret, stored["email"])}, 201)


@routes.post(
    "/api/v1/auth/mfa/confirm",
    permission="account:all",
    limits=((60, 5),),
    answer=RecoveryCodes,
    errors=(409, 502),
)
def confirm_second_factor(request: Request, body: SecondFactorConfirmation) -> dict[str, list[str]]:
    """Switch the second factor on with a first code.

    Returns ten recovery codes, shown only now. Other logins end.
    """
    user_id = credential_owner(request)
    with db.reading() as tx:
        sealed = second_factors.get(tx, user_id)["mfa_secret"]
    secret = _open(sealed, user_id) if sealed else None
    codes = mfa.new_recovery_codes()
    with audit.failures(request, "mfa_confirmed", "user", user_id), db.transaction() as tx:
        stored = second_factors.get(tx, user_id)
        if secret is None or stored["mfa_secret"] != sealed or stored["mfa_confirmed_at"] is not None:
            raise Conflict("There is no second factor that waits to be confirmed.")
        step = mfa.step_of(secret, body.code)
        if step is None or not second_factors.spend_step(tx, user_id, step):
            raise InvalidRequest(
                "The code is wrong.", [{"field": "code", "message": "wrong, or used before"}]
            )
        second_factors.save(tx, user_id, sealed, confirmed=True, codes=[mfa.digest(code) for code in codes])
        refresh_tokens.revoke_other_families(tx, user_id, request.caller.family)
        audit.record(tx, request, "mfa_confirmed", "user", user_id)
    live_sessions.end(request, user_id, but=request.caller.family)
    return {"recovery_codes": codes}


@routes.delete("/api/v1/auth/mfa", permission="account:all", limits=((60, 5),), status=204)
def remove_second_factor(request: Request, body: PasswordConfirmation) -> Answer:
    """Switch the second factor off. Other logins end."""
    user_id = credential_owner(request)
    require_password(request, body.password)
    with db.transaction() as tx:
        second_factors.save(tx, user_id, None, confirmed=False, codes=[])
        refresh_tokens.revoke_other_families(tx, user_id, request.caller.family)
        audit.record(tx, request, "mfa_removed", "user", user_id)
    live_sessions.end(request, user_id, but=request.caller.family)
    return Answer(status=204)
