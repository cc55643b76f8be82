"""The platforms' raw answers in S3, from which any day can be loaded again.

YouTube's terms allow its public figures to be stored for 30 days without the consent of the channel:
https://developers.google.com/youtube/terms/developer-policies (III.E.4). The bucket deletes what is below
archive/public/ in time.
"""

import gzip
import hashlib
import json
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from showrunner import config
from showrunner.aws import correlation, s3
from showrunner.errors import StorageMissing

FOLDER = "archive/public"
# Of accounts whose owners connected them, which may be stored for longer.
CONNECTED_FOLDER = "archive/connected"


class Batch(NamedTuple):
    """Accounts that one call asks for, and the key under which its answer is archived.

    `request_id`: of the request or schedule that began the run, for the log lines of its steps.
    `organisation_id` and `artist_id`: whose connection answers, for platforms that need one. `reading`: what
    is asked (metrics/readings.py); empty for the figures of the accounts themselves. Some ask about items:
    `accounts` has their ids then. `since`: the first day (ISO date) of a reading of days, empty for a year.
    `after`: subject of a channel's reports -> createTime of the newest one that is loaded. `days`: past days
    (ISO dates) that are missing and that the platform can still state. `is_archived`: the answer is archived
    already, and is only loaded again (replay.py).
    """

    platform: str
    accounts: list[str]
    key: str
    request_id: str = ""
    organisation_id: str = ""
    artist_id: str = ""
    reading: str = ""
    since: str = ""
    after: dict[str, str] | None = None
    days: list[str] | None = None
    is_archived: bool = False


class Answer(NamedTuple):
    """A platform's raw answer about these accounts, and when it came.

    `artist_id`: the artist whose connection answered; empty where the answer is public.
    """

    platform: str
    accounts: list[str]
    fetched_at: datetime
    body: bytes
    artist_id: str = ""
    reading: str = ""


def batches(
    platform: str, accounts: list[str], size: int, run: str, at: datetime, reading: str = ""
) -> list[Batch]:
    """Divide the accounts into batches of `size` at most. The same run has the same keys again."""
    folder = f"{FOLDER}/{platform}/{at:%Y/%m/%d/%H}/{run}"
    return [
        Batch(
            platform,
            accounts[first : first + size],
            f"{folder}/{reading}{first // size:05}.json.gz",
            reading=reading,
        )
        for first in range(0, len(accounts), size)
    ]


def connected_batches(
    platform: str, connected: list[dict[str, Any]], run: str, at: datetime, reading: str = ""
) -> list[Batch]:
    """Return a batch for each connection: {organisation_id, artist_id, account_id}.

    It may have `since`, `after` and `days` too, as a batch has.
    """
    folder = f"{CONNECTED_FOLDER}/{platform}/{at:%Y/%m/%d/%H}/{run}"
    return [
        Batch(
            platform,
            [each["account_id"]],
            f"{folder}/{reading}{each['artist_id']}.json.gz",
            organisation_id=each["organisation_id"],
            artist_id=each["artist_id"],
            reading=reading,
            since=each.get("since", ""),
            after=each.get("after"),
            days=each.get("days"),
        )
        for each in connected
    ]


def report_key(batch: Batch, report_type: str, day: date, created_at: datetime, job_id: str) -> str:
    """Return the key of a report's file. One that is made anew has another one."""
    made = created_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    folder = f"{CONNECTED_FOLDER}/{batch.platform}/reports/{batch.artist_id}/{report_type}"
    return f"{folder}/{day:%Y/%m/%d}/{made}-{job_id}.csv.gz"


def find_report(key: str) -> bytes | None:
    """Return the packed file of a report, None if it isn't archived yet."""
    try:
        return s3.get_bytes(key)
    except StorageMissing:
        return None


def write_report(key: str, content: bytes) -> None:
    """Archive the packed file of a report."""
    s3.put_bytes(key, content, "application/gzip")


def read_report(key: str, sha256: str) -> bytes:
    """Return the packed file of a report. Raises StorageMissing if it is gone or was changed."""
    content = s3.get_bytes(key)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StorageMissing(f"The archived report {key} was changed: its sha256 differs.")
    return content


def plan_key(run: str) -> str:
    """Return the key of a run's batches, a JSON array that the machine reads."""
    return f"{FOLDER}/runs/{run}.json"


def find_plan(run: str) -> list[Batch] | None:
    """Return the batches of a run that was planned before, None if it wasn't."""
    found = s3.find_json(plan_key(run))
    return None if found is None else [Batch(**each) for each in found]


def write_plan(run: str, batches: list[Batch]) -> None:
    """Store the batches of a run."""
    request_id = correlation.current()
    s3.put_json(plan_key(run), [batch._replace(request_id=request_id)._asdict() for batch in batches])


def planned(run: str, batches: list[Batch]) -> dict[str, Any]:
    """Return how many batches a run has and where they are stored, as the machine reads it."""
    place = {"bucket": config.setting("MEDIA_BUCKET"), "key": plan_key(run)}
    return {"batches": len(batches), **place}


def write(batch: Batch, body: bytes, at: datetime) -> None:
    """Archive the answer to a batch."""
    document = {
        "platform": batch.platform,
        "accounts": batch.accounts,
        "artist_id": batch.artist_id,
        "reading": batch.reading,
        "fetched_at": at.isoformat(),
        "sha256": hashlib.sha256(body).hexdigest(),
        "body": body.decode(),
    }
    # Without a time in its header, the same answer has the same bytes.
    packed = gzip.compress(json.dumps(document, ensure_ascii=False).encode(), mtime=0)
    s3.put_bytes(batch.key, packed, "application/gzip")


def list_hour(platform: str, hour: datetime) -> list[str]:
    """Return the keys of a platform's answers that were planned in an hour (UTC), in their order."""
    folders = (FOLDER, CONNECTED_FOLDER)
    return [key for folder in folders for key in s3.list_keys(f"{folder}/{platform}/{hour:%Y/%m/%d/%H}/")]


def is_written(batch: Batch) -> bool:
    """Return whether the batch's answer is archived already, as when a step is repeated."""
    return s3.size(batch.key) is not None


def read(key: str) -> Answer:
    """Return an archived answer. Raises StorageMissing if it is gone or was changed."""
    document = json.loads(gzip.decompress(s3.get_bytes(key)))
    body = document["body"].encode()
    if hashlib.sha256(body).hexdigest() != document["sha256"]:
        raise StorageMissing(f"The archived answer {key} was changed: its sha256 differs.")
    at = datetime.fromisoformat(document["fetched_at"])
    # Answers of earlier releases have no artist, or no reading.
    return Answer(
        document["platform"],
        document["accounts"],
        at,
        body,
        document.get("artist_id", ""),
        document.get("reading", ""),
    )
