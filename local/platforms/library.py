"""Uploaded videos of the YouTube stand-in, and the faults that an admin call sets.

POST /_faults [{"on", "kind", …}]: `on` is uploads.start, uploads.send, uploads.ask or a method such as
thumbnails.set. Each fault happens once, or `times`.

- status: answers `status` (503) with `reason`; with `after_bytes`, after storing so many bytes of the request
- lost: does what was asked and hangs up without an answer
- close: hangs up at once; with `after_bytes`, after storing so many bytes of the request
- gone: forgets the upload's session and answers `status` (404)
- move: stores the bytes and names another address for the session
- no_range: stores nothing and answers 308 without Range
- slow: waits `seconds`, then answers as usual
"""

import hashlib
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]
KINDS = {"status", "lost", "close", "gone", "move", "no_range", "slow"}


@dataclass
class Upload:
    """A session of a resumable upload. `video_id` is set when the last byte has arrived."""

    id: str
    channel_id: str
    body: Json
    size: int
    path: Path
    stored: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)
    video_id: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Uploaded:
    """A video that was uploaded.

    `resource`: snippet and status as written. `looks`: how often its processing was asked about.
    """

    id: str
    channel_id: str
    resource: Json
    size: int
    sha256: str
    path: Path
    at: float
    looks: int = 0
    version: int = 1
    thumbnail: tuple[str, bytes] | None = None
    captions: list[Json] = field(default_factory=list)
    views: int = 0
    likes: int = 0


@dataclass
class Processing:
    """How videos are processed: after `looks` calls of videos.list and `seconds`, with this result."""

    looks: int = 0
    seconds: float = 0.0
    result: str = "processed"
    reason: str = ""


@dataclass
class Library:
    """`unverified`: channels that may set no thumbnails.

    `full`: channels that have reached their limit of uploads.
    """

    # Uploaded films are removed with the library, or when the process ends.
    storage: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="showrunner-youtube-")
    )
    uploads: dict[str, Upload] = field(default_factory=dict)
    videos: dict[str, Uploaded] = field(default_factory=dict)
    playlists: dict[str, list[str]] = field(default_factory=dict)
    unverified: set[str] = field(default_factory=set)
    full: set[str] = field(default_factory=set)
    inserts: int = 0
    inserts_a_day: int = 100
    processing: Processing = field(default_factory=Processing)
    faults: list[Json] = field(default_factory=list)
    # Every call, with what it asked for: tests read it.
    log: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_faults(self, faults: list[Json]) -> None:
        """Set faults. Raises ValueError for an unknown kind."""
        for fault in faults:
            if fault.get("kind") not in KINDS or "on" not in fault:
                raise ValueError(f"a fault has `on` and one kind of {', '.join(sorted(KINDS))}")
            self.faults.extend([fault] * int(fault.get("times", 1)))

    def take_fault(self, on: str) -> Json | None:
        """Return the next fault of this call and remove it, None if there is none."""
        self.log.append(on)
        with self.lock:
            found = next((fault for fault in self.faults if fault["on"] == on), None)
            if found:
                self.faults.remove(found)
        return found

    def status_of(self, video: Uploaded) -> Json:
        """Return `status` as of now: processing advances, scheduled videos become public."""
        status = {
            "license": "youtube",
            "embeddable": True,
            "publicStatsViewable": True,
            **video.resource["status"],
        }
        status["madeForKids"] = bool(status.get("selfDeclaredMadeForKids"))
        publish_at = status.get("publishAt")
        if publish_at and datetime.fromisoformat(publish_at) <= datetime.now(UTC):
            status |= {"privacyStatus": "public"}
            status.pop("publishAt")
        if not self.is_processed(video):
            return {**status, "uploadStatus": "uploaded"}
        result = {"uploadStatus": self.processing.result}
        if self.processing.reason:
            result["failureReason" if self.processing.result == "failed" else "rejectionReason"] = (
                self.processing.reason
            )
        return {**status, **result}

    def is_processed(self, video: Uploaded) -> bool:
        return video.looks > self.processing.looks and time.time() - video.at >= self.processing.seconds

    def is_public(self, video: Uploaded) -> bool:
        return bool(self.status_of(video)["privacyStatus"] == "public")
