"""E-mails that the product sends by SES lie in $SHOWRUNNER_HOME/outbox, one .eml file each."""

import itertools
import time
from pathlib import Path

from ministack.services import ses, ses_v2

from .expected import expect
from .settings import Settings

for module in (ses, ses_v2):
    expect(module, "_smtp_relay", "source", "to_addrs", "message_str")

_counter = itertools.count(1)


def install(settings: Settings) -> None:
    def put(source: str, to_addrs: list[str], message_str: str | bytes) -> None:
        deliver(settings.outbox, message_str)

    # Where MiniStack would pass the message on to a mail server, had it been given one.
    ses._smtp_relay = put
    ses_v2._smtp_relay = put


def deliver(outbox: Path, message: str | bytes) -> Path:
    """Names sort by time."""
    outbox.mkdir(parents=True, exist_ok=True)
    path = outbox / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{next(_counter):06}.eml"
    path.write_bytes(message if isinstance(message, bytes) else message.encode())
    return path
