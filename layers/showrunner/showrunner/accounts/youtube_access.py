"""Give workers an access token of a connected YouTube account, or of the stage's service account.

One refresh at a time; only Google's own invalid_grant disconnects.
"""

import time
from collections.abc import Callable

from showrunner import breakers, config
from showrunner.access import sealing, service_accounts
from showrunner.accounts import connections, google_clients
from showrunner.aws import dynamodb, ssm
from showrunner.errors import CredentialRejected, Disconnected, PlatformRejected, PlatformUnavailable
from showrunner.models import SERVICE_ACCOUNT_CONNECTION
from showrunner.platforms.google import Google

# A token that ends sooner is renewed first: a step of a publication takes at most ten minutes.
LEAST_SECONDS = 900
# Longer than Google's slowest answer; a worker that died meanwhile holds nobody up for more than this.
LOCK_SECONDS = 20
PURPOSE = "access-token"

# JSON key of the service account -> its access token, and until when that is used (monotonic).
_service_tokens: dict[str, tuple[str, float]] = {}


def access_token(connection_id: str, organisation_id: str, *, refused: str | None = None) -> str:
    """Return a token that lasts for a while. `refused`: the one that YouTube has just answered 401 to.

    `connection_id`: SERVICE_ACCOUNT_CONNECTION for that account. Raises Disconnected when the account must
    be connected again, PlatformUnavailable while another worker renews the token or Google is away.
    """
    if connection_id == SERVICE_ACCOUNT_CONNECTION:
        return _of_service_account(refused)
    known = _find(connection_id, organisation_id)
    if known is not None and known != refused:
        return known
    now = time.time()
    if not dynamodb.put_if(
        "attribute_not_exists(pk) OR expires_at < :now",
        {"now": int(now)},
        _key(connection_id),
        "refreshing",
        {},
        now + LOCK_SECONDS,
    ):
        raise PlatformUnavailable("Another worker is renewing the token of this account.", 1)
    try:
        return _renew(connection_id, organisation_id)
    finally:
        dynamodb.remove(_key(connection_id), "refreshing")


class Account:
    """A connected account that several calls are made with."""

    def __init__(self, connection_id: str, organisation_id: str) -> None:
        self._ids = connection_id, organisation_id
        self._token: str | None = None

    def call[T](self, call: Callable[[str], T]) -> T:
        """Return what `call` returns for an access token. A token that YouTube refuses is renewed once.

        Raises as `access_token` and the call do.
        """
        if self._token is None:
            self._token = access_token(*self._ids)
        try:
            return call(self._token)
        except CredentialRejected:
            self._token = access_token(*self._ids, refused=self._token)
            return call(self._token)
        except PlatformRejected as error:
            if self._ids[0] == SERVICE_ACCOUNT_CONNECTION and error.reason == "forbidden":
                raise PlatformRejected(f"{error.message} {_not_invited()}", error.reason) from error
            raise


def _of_service_account(refused: str | None) -> str:
    """Return a token of the stage's service account, kept by this environment while it lasts.

    Raises Disconnected without a key, CredentialRejected for one that Google refuses.
    """
    key = _service_account()
    token, until = _service_tokens.get(key, ("", 0.0))
    if token and token != refused and time.monotonic() < until:
        return token
    try:
        token, seconds = _ask_for_service_account(key)
    except CredentialRejected:
        # It may have been rotated since this environment has read it.
        ssm.refused()
        key, before = _service_account(), key
        if key == before:
            raise
        token, seconds = _ask_for_service_account(key)
    _service_tokens.clear()
    _service_tokens[key] = token, time.monotonic() + max(60, seconds - LEAST_SECONDS)
    return token


def _service_account() -> str:
    """Return the JSON key of the stage's service account. Raises Disconnected without one."""
    key = ssm.secret("google/service_account", "")
    if not key:
        raise Disconnected(
            "The stage's service account acts for this content owner, and the stage has no key of it: a "
            "platform admin stores the key, or lets people's accounts act for the owner "
            "(docs/content-owners.md)."
        )
    return key


def _not_invited() -> str:
    """Say what to do when YouTube forbids what the service account does, which most often wasn't invited."""
    email = service_accounts.read(_service_account()).email
    return f"Has the content owner invited {email} in Studio? See docs/content-owners.md."


def _ask_for_service_account(key: str) -> tuple[str, int]:
    with breakers.guard("google", "refresh"):
        return service_accounts.access_token(config.setting("GOOGLE_URL"), key)


def forget(connection_id: str) -> None:
    """Remove the access token of a connection that ends."""
    dynamodb.remove(_key(connection_id), "access")


def _renew(connection_id: str, organisation_id: str) -> str:
    refresh_token = connections.find(connection_id, organisation_id)
    if refresh_token is None:
        raise Disconnected(
            "The account was disconnected: connect it again with GET /auth/oauth/youtube/start."
        )
    own = connections.uses_own_project(connection_id)
    client_id, client_secret = google_clients.client(organisation_id if own else None)
    try:
        with breakers.guard("google", "refresh"):
            token, seconds = Google(config.setting("GOOGLE_URL")).refresh(
                client_id, client_secret, refresh_token
            )
    except Disconnected:
        connections.remove(connection_id)
        forget(connection_id)
        raise
    sealed = sealing.seal(token.encode(), PURPOSE, f"{organisation_id}/{connection_id}")
    # Longer than its life makes no sense, shorter costs a call: so it ends when it would be renewed anyway.
    dynamodb.put(
        _key(connection_id),
        "access",
        {"organisation_id": organisation_id, "token": sealed},
        time.time() + max(60, seconds - LEAST_SECONDS),
    )
    return token


def _find(connection_id: str, organisation_id: str) -> str | None:
    found = dynamodb.find(_key(connection_id), "access")
    return (
        sealing.open_(found["token"], PURPOSE, f"{organisation_id}/{connection_id}").decode()
        if found
        else None
    )


def _key(connection_id: str) -> str:
    return f"connection#{connection_id}"
