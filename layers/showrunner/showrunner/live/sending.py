"""Send messages to connected clients through API Gateway, and close connections."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from showrunner import config
from showrunner.aws import sdk
from showrunner.errors import ServiceUnavailable
from showrunner.live import connections
from showrunner.telemetry import logger

# As many connections as botocore keeps open; a post takes some ten milliseconds.
POSTS_AT_ONCE = 10
# A client that isn't reached by then waits for the next message; the others already have theirs.
FAN_OUT_SECONDS = 10


def send(
    connection_ids: list[str], messages: list[dict[str, Any]], is_current: Callable[[], bool] = lambda: True
) -> bool:
    """Send the messages in their order to each connection.

    Sends nothing and returns False if `is_current` returns False. It is called right before sending, so that
    a newer event can hardly overtake. Connections that are gone are forgotten, and no client waits for
    another. Raises ServiceUnavailable if no client could be reached.
    """
    management = sdk.client("apigatewaymanagementapi", _endpoint())
    texts = [json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() for message in messages]

    def post(connection_id: str) -> None:
        try:
            for text in texts:
                management.post_to_connection(ConnectionId=connection_id, Data=text)
        except management.exceptions.GoneException:
            connections.forget(connection_id)

    if not is_current():
        return False
    pool = ThreadPoolExecutor(POSTS_AT_ONCE)
    posts = [pool.submit(post, each) for each in connection_ids]
    done, late = wait(posts, FAN_OUT_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    failures = [error for error in (each.exception() for each in done) if error]
    if failures or late:
        logger.warning(
            "some clients were not reached",
            extra={"of": len(posts), "failed": len(failures), "late": len(late), "reason": str(failures[:1])},
        )
    if len(failures) + len(late) == len(posts):
        raise ServiceUnavailable("No client could be reached: the event is delivered again.") from next(
            iter(failures), None
        )
    return True


def close(connection_id: str) -> None:
    """Close a connection; one that is gone already is no error."""
    management = sdk.client("apigatewaymanagementapi", _endpoint())
    try:
        management.delete_connection(ConnectionId=connection_id)
    except management.exceptions.GoneException:
        logger.info("gone already")


def _endpoint() -> str:
    """Return where connections are managed: the address that clients connect to, by http."""
    return config.setting("LIVE_URL").replace("ws", "http", 1)
