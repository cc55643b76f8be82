"""A WebSub hub: https://www.w3.org/TR/websub/.

Google's answers 202 and verifies within seconds; this one verifies at once.
"""

import hmac
import os
import threading
from urllib.error import URLError
from urllib.parse import parse_qs, urlencode
from urllib.request import Request as Call
from urllib.request import urlopen

from local.platforms.feeds import feed
from local.platforms.http import Reply, Request
from local.platforms.world import World

LEASE_SECONDS, MOST_LEASE_SECONDS = 432_000, 864_000
# https://www.w3.org/TR/websub/#subscriber-sends-subscription-request
LONGEST_SECRET = 199


def subscribe(world: World, request: Request) -> Reply:
    """Accept a request with 202 and verify it in the background. Refuse a malformed one like Google's hub."""
    form = request.form
    if form.get("hub.mode") not in ("subscribe", "unsubscribe"):
        return _refused(f"Invalid value for hub.mode: {form.get('hub.mode', '')}")
    for name in ("hub.topic", "hub.callback"):
        if not form.get(name, "").startswith(("http://", "https://")):
            return _refused(f"Invalid parameter: {name}")
    if len(form.get("hub.secret", "").encode()) > LONGEST_SECRET:
        return _refused("Invalid parameter: hub.secret")
    threading.Thread(target=verify, args=(world, form), daemon=True).start()
    return Reply(202, b"", "text/plain")


def _refused(words: str) -> Reply:
    return Reply(400, words.encode(), "text/plain; charset=utf-8")


def verify(world: World, form: dict[str, str]) -> None:
    """Ask the callback whether it wants this: https://www.w3.org/TR/websub/#hub-verifies-intent"""
    mode, topic, callback = form["hub.mode"], form["hub.topic"], form["hub.callback"]
    lease = min(int(form.get("hub.lease_seconds") or LEASE_SECONDS), MOST_LEASE_SECONDS)
    query = urlencode(
        {
            "hub.mode": mode,
            "hub.topic": topic,
            "hub.challenge": os.urandom(8).hex(),
            "hub.lease_seconds": lease,
        }
    )
    challenge = parse_qs(query)["hub.challenge"][0]
    try:
        with urlopen(f"{callback}{'&' if '?' in callback else '?'}{query}", timeout=10) as answer:
            agreed = answer.read().decode() == challenge
    except (URLError, OSError):
        return
    if agreed and mode == "subscribe":
        world.subscribers[topic, callback] = form.get("hub.secret", "")
    elif agreed:
        world.subscribers.pop((topic, callback), None)


def publish(world: World, channel_id: str) -> None:
    """Deliver the channel's feed to its subscribers, signed if they gave a secret."""
    body = feed(world, channel_id).encode()
    for (topic, callback), secret in list(world.subscribers.items()):
        if topic.endswith(channel_id):
            signed = (
                {"X-Hub-Signature": f"sha1={hmac.new(secret.encode(), body, 'sha1').hexdigest()}"}
                if secret
                else {}
            )
            urlopen(
                Call(callback, body, {"Content-Type": "application/atom+xml", **signed}), timeout=10
            ).close()
