"""Check keys that people pasted: white space around them would break an HTTP header. Name a token's end."""

import re

from showrunner.errors import CredentialRejected, PlatformUnavailable

# What RFC 9110 allows in a token, roughly: visible ASCII without spaces.
_KEY = re.compile(r"[\x21-\x7e]{1,512}")


class TokenRefused(PlatformUnavailable):
    """An access token has ended: renew it and repeat the call."""


def checked(key: str, provider: str, parameter: str) -> str:
    """Return the key without surrounding white space. Raises CredentialRejected if it cannot be a key.

    `parameter` is the key's name in SSM below /showrunner/<stage>/.
    """
    stripped = key.strip()
    if not _KEY.fullmatch(stripped):
        raise CredentialRejected(
            f"The key of {provider} is not one: it is empty or has spaces or other characters inside. "
            f"Store it again in SSM as {parameter}."
        )
    return stripped
