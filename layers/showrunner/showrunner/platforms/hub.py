"""Ask a WebSub hub to subscribe, renew or unsubscribe: https://www.w3.org/TR/websub/. No quota."""

from showrunner.errors import PlatformRejected, PlatformUnavailable
from showrunner.platforms import websub
from showrunner.platforms.http import Sender

# A hub that takes longer is treated as down; the request is sent again later.
SECONDS = 7
# The beginning of the hub's text, as much as a log line holds.
TEXT_BYTES = 4096


class Hub:
    """The hub at `url`."""

    def __init__(self, url: str) -> None:
        self._sender = Sender("The hub", SECONDS, TEXT_BYTES)
        self._url = url

    def ask(
        self, mode: str, topic_url: str, callback_url: str, lease_seconds: int, secret: str | None
    ) -> None:
        """Send one request; returns once the hub has accepted it. Its verification of the callback follows.

        https://www.w3.org/TR/websub/#subscriber-sends-subscription-request. Raises PlatformUnavailable, with
        `retry_after` if the hub gives one, or PlatformRejected.
        """
        form = {"hub.mode": mode, "hub.topic": topic_url, "hub.callback": callback_url, "hub.verify": "async"}
        if mode == "subscribe":
            form["hub.lease_seconds"] = str(lease_seconds)
        if secret is not None:
            form["hub.secret"] = secret
        answer = self._sender.send("POST", self._url, body=form, status_only=True)
        if 200 <= answer.status < 300:
            return
        text = websub.plain(answer.body.decode("utf-8", "replace"))[:200]
        message = f"The hub answers {answer.status}: {text}"
        if answer.status >= 500 or answer.status in (408, 429):
            raise PlatformUnavailable(message, answer.retry_after)
        raise PlatformRejected(message)
