"""Define the message that makes the function `reports` load a dropped file.

Its `kind` is a name in the queue: a release never changes it, and reads what the release before sent.
"""

from datetime import datetime
from typing import Literal, NamedTuple

# Below it each content owner has a folder. The template's rule has it too.
PREFIX = "drops/"


class ReportDropped(NamedTuple):
    """A file was put into drops/<content owner>/. EventBridge makes this message from S3's event.

    version: S3's sequencer of the write, so that a file that is put twice is two drops.
    """

    object_key: str
    version: str
    bytes: int
    dropped_at: datetime
    kind: Literal["report_dropped"] = "report_dropped"
