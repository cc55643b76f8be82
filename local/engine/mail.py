"""Write emails that the product sends through SES to $SHOWRUNNER_HOME/outbox, one .eml file each."""

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

    # MiniStack calls this to pass the message to a mail server, if one is configured.
    ses._smtp_relay = put
    ses_v2._smtp_relay = put


def deliver(outbox: Path, message: str | bytes) -> Path:
    """Write one message. File names sort by time."""
    outbox.mkdir(parents=True, exist_ok=True)
    path = outbox / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{next(_counter):06}.eml"
    path.write_bytes(message if isinstance(message, bytes) else message.encode())
    return path
