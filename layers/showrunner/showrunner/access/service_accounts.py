"""Get access tokens of the stage's service account at Google: its key signs a JWT (RFC 7523).

https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests
https://developers.google.com/youtube/partner/guides/oauth2_for_service_accounts

Signed with `cryptography`, which tokens of ours are signed with, too: google-auth is only in the layer of
Google's SDK, which `cms` and `keys` don't have, and it sends requests of its own. Tests compare the two.
"""

import json
import time
from typing import Any, NamedTuple

from showrunner.access import tokens
from showrunner.errors import CredentialRejected
from showrunner.platforms import google
from showrunner.platforms.google import Google

SECRET = "google/service_account"  # noqa: S105 - its name
# Content ID, reports, and reports with money.
SCOPES = (*google.OWNER, google.ANALYTICS)
# The most that Google takes.
ASSERTION_SECONDS = 3600


class ServiceAccount(NamedTuple):
    """A service account, as its JSON key names it. `private_key` is a PEM text."""

    email: str
    key_id: str
    private_key: str


def read(text: str) -> ServiceAccount:
    """Return the account of a JSON key, as Google's console makes it. Raises CredentialRejected."""
    try:
        key: Any = json.loads(text)
        found = ServiceAccount(key["client_email"], key["private_key_id"], key["private_key"])
        if key["type"] != "service_account" or not all(isinstance(each, str) for each in found):
            raise ValueError("type")
    except (ValueError, KeyError, TypeError) as error:
        raise CredentialRejected(
            f"{SECRET} is not the JSON key of a service account: make one in Google's console and store it "
            "on one line (jq -c . key.json)."
        ) from error
    return found


def access_token(google_url: str, text: str) -> tuple[str, int]:
    """Return an access token for a JSON key and how many seconds it lasts.

    Raises CredentialRejected for a key that isn't one or that Google refuses, and PlatformUnavailable.
    """
    account, issuer = read(text), Google(google_url)
    now = int(time.time())
    claims = {
        "iss": account.email,
        "scope": " ".join(SCOPES),
        "aud": issuer.token_endpoint(),
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
    }
    header = {"alg": "RS256", "typ": "JWT", "kid": account.key_id}
    return issuer.exchange_assertion(tokens.signed_jwt(header, claims, _private_key(account)))


def _private_key(account: ServiceAccount) -> Any:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(account.private_key.encode(), None)
    except (ValueError, TypeError) as error:
        raise CredentialRejected(
            f"The private key in {SECRET} can't be read: store the JSON key as Google made it."
        ) from error
    if not isinstance(key, RSAPrivateKey):
        raise CredentialRejected(f"The private key in {SECRET} is no RSA key, as Google's are.")
    return key
