"""The third level of the cache, S3, for what is public and read with the stage's own key.

An answer lies there for a day, so that a platform that is down, or whose quota of the day is spent, doesn't
stop what it has answered before. CloudFront keeps nothing: our own answers belong to their callers.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from showrunner.aws import s3
from showrunner.caches import reads
from showrunner.caches.reads import Ask, Key
from showrunner.models import Representation

# The bucket deletes what is older than a day, some hours late.
FOLDER = "cache/public"
OBJECT_SECONDS = 86_400
_CREDENTIAL = "public"


class Objects:
    """Answers in S3."""

    def find(self, key: Key, at: float) -> bytes | None:
        """Return what was kept under the key, None if that is older than OBJECT_SECONDS."""
        with reads.may_fail():
            packed = s3.get_bytes(_name(key))
            kept = reads.unpacked(packed)
            return packed if kept and at < kept.checked_at + OBJECT_SECONDS else None
        return None

    def put(self, key: Key, packed: bytes) -> None:
        """Keep it."""
        with reads.may_fail():
            s3.put_bytes(_name(key), packed, "application/gzip")


class PublicReads:
    """Reads of public data for one request of ours, which may be several calls of a platform.

    `guard` is the circuit breaker around a call. `age_seconds` is the age of the oldest answer that was used.
    """

    def __init__(self, guard: Callable[[], AbstractContextManager[None]]) -> None:
        self._guard, self.age_seconds = guard, 0

    def read(self, request: str, ask: Ask) -> bytes:
        """Return the answer to a request, which says all that is asked. Raises as `reads.read` does."""

        def guarded(etag: str | None) -> Representation | None:
            with self._guard():
                return ask(etag)

        found = reads.read(Key(request, _CREDENTIAL), guarded, behind=Objects())
        self.age_seconds = max(self.age_seconds, found.age_seconds)
        return found.body


def _name(key: Key) -> str:
    return f"{FOLDER}/{key.digest}.gz"
