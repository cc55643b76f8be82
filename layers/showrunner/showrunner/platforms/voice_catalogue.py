"""Look up voices in an ElevenLabs account: https://elevenlabs.io/docs/api-reference/voices/get.

Without ElevenLabs' SDK, whose import takes half a second. A look-up costs nothing.
"""

import json
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable
from showrunner.platforms import credentials
from showrunner.platforms.http import Answer, Sender

SECONDS = 10
# A voice with its samples and labels has a few KB.
ANSWER_BYTES = 1 << 20
KEY = "elevenlabs/api_key"
# As long as browsers and proxies reliably take.
URL_CHARACTERS = 2000


class VoiceState(NamedTuple):
    """The state of a voice in the account.

    `problem`: why it can't speak, None if it can. `preview_url`: a recording of it to play, if there is one.
    """

    problem: str | None
    preview_url: str | None = None


class VoiceCatalogue:
    """The voices of one account."""

    def __init__(self, key: str, base_url: str) -> None:
        self._sender = Sender("ElevenLabs", SECONDS, ANSWER_BYTES)
        self._key = credentials.checked(key, "ElevenLabs", KEY)
        self._base_url = base_url.rstrip("/")

    def look_up(self, voice_id: str) -> VoiceState:
        """Return whether the account can speak with this voice, and its preview.

        Raises CredentialRejected, PlatformRejected, PlatformUnavailable.
        """
        answer = self._sender.send(
            "GET",
            f"{self._base_url}/v1/voices/{voice_id}",
            headers={"xi-api-key": self._key},
            until=time.monotonic() + SECONDS,
        )
        if answer.status == 200:
            return VoiceState(None, _preview_url(answer))
        message = _message(answer)
        if answer.status in (400, 402, 404, 422):
            return VoiceState(message)
        if answer.status == 401:
            raise CredentialRejected(f"ElevenLabs refuses the key: {message}")
        if answer.status in (408, 409, 425, 429) or answer.status >= 500:
            raise PlatformUnavailable(f"ElevenLabs answers {answer.status}.", answer.retry_after)
        raise PlatformRejected(f"ElevenLabs refuses the look-up with {answer.status}: {message}")


def _preview_url(answer: Answer) -> str | None:
    """Return the address of the voice's preview, None if the answer has no usable one.

    It is shown to callers, who play it: anything but a web address is left out.
    """
    try:
        found: Any = json.loads(answer.body).get("preview_url")
    except (ValueError, AttributeError):
        return None
    usable = isinstance(found, str) and len(found) <= URL_CHARACTERS
    return found if usable and urlsplit(found).scheme in ("https", "http") else None


def _message(answer: Answer) -> str:
    try:
        detail: Any = json.loads(answer.body)["detail"]
        return str(detail["message"] if isinstance(detail, dict) else detail)[:300]
    except (ValueError, KeyError, TypeError):
        return f"ElevenLabs answers {answer.status}."
