"""The state of a publication's upload, in the state table, because the worker has no database.

Each fact is an item of its own under publication#<id>, so that a delayed worker can't overwrite newer facts.
"""

import json
from typing import Any, NamedTuple

from showrunner.access import sealing
from showrunner.aws import dynamodb
from showrunner.publishing.job import PublicationJob

PURPOSE = "upload-session"


class Session(NamedTuple):
    """An upload session.

    `generation` counts the sessions of a publication. `digest` identifies the metadata it was started with.
    """

    generation: int
    uri: str
    total: int
    sha256: str
    digest: str


def find_session(publication_id: str) -> Session | None:
    """Return the saved session, None if there is none."""
    found = dynamodb.find(_key(publication_id), "session")
    if found is None:
        return None
    # The address alone is enough to send bytes to the channel, so it is encrypted.
    uri = sealing.open_(found["uri"], PURPOSE, publication_id).decode()
    return Session(found["generation"], uri, found["total"], found["sha256"], found["digest"])


def save_session(publication_id: str, session: Session) -> bool:
    """Save a session before its first byte.

    Returns False if another worker has saved one of this generation: use that.
    """
    values = {**session._asdict(), "uri": sealing.seal(session.uri.encode(), PURPOSE, publication_id)}
    condition = "attribute_not_exists(pk) OR generation < :generation"
    return dynamodb.put_if(
        condition, {"generation": session.generation}, _key(publication_id), "session", values, None
    )


def move_session(publication_id: str, session: Session, uri: str) -> None:
    """Save the new address that YouTube named for the same session."""
    values = {**session._asdict(), "uri": sealing.seal(uri.encode(), PURPOSE, publication_id)}
    dynamodb.put_if(
        "generation = :generation",
        {"generation": session.generation},
        _key(publication_id),
        "session",
        values,
        None,
    )


def mark_final(publication_id: str, generation: int) -> None:
    """Record that the last bytes are about to be sent: from now on a video may exist whose id is unknown."""
    dynamodb.put(_key(publication_id), "final", {"generation": generation})


def final_generation(publication_id: str) -> int | None:
    """Return the generation of the session whose last bytes may have arrived, None if there is none."""
    found = dynamodb.find(_key(publication_id), "final")
    return int(found["generation"]) if found else None


def save_video(publication_id: str, video_id: str) -> str:
    """Save the id of the video on YouTube and return it. A saved id is never replaced."""
    dynamodb.put_if(
        "attribute_not_exists(pk) OR video_id = :video_id",
        {"video_id": video_id},
        _key(publication_id),
        "video",
        {"video_id": video_id},
        None,
    )
    return find_video(publication_id) or video_id


def find_video(publication_id: str) -> str | None:
    """Return the id of the video on YouTube, None if it isn't known yet."""
    found = dynamodb.find(_key(publication_id), "video")
    return str(found["video_id"]) if found else None


def find_progress(job: PublicationJob) -> dict[str, Any]:
    """Return the counters of the running attempt: tries, polls, waiting_since, problems."""
    return find_progress_of(job.publication_id, job.attempt)


def find_progress_of(publication_id: str, attempt: int) -> dict[str, Any]:
    """Return the counters of an attempt, zeros if it has none yet."""
    found = dynamodb.find(_key(publication_id), f"progress#{attempt}")
    return (
        json.loads(found["json"])
        if found
        else {"tries": 0, "polls": 0, "waiting_since": None, "problems": []}
    )


def save_progress(job: PublicationJob, progress: dict[str, Any]) -> None:
    """Save the counters of the running attempt."""
    dynamodb.put(_key(job.publication_id), f"progress#{job.attempt}", {"json": json.dumps(progress)})


def cancel(publication_id: str) -> None:
    """Ask the worker to stop and to delete the uploaded video."""
    dynamodb.put(_key(publication_id), "cancelled", {})


def is_cancelled(publication_id: str) -> bool:
    """Return True if the publication was cancelled."""
    return dynamodb.find(_key(publication_id), "cancelled") is not None


def _key(publication_id: str) -> str:
    return f"publication#{publication_id}"
