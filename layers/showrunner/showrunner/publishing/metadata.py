"""Check a video's metadata by YouTube's rules before a byte is sent, and write it as the Data API takes it.

Rules: https://developers.google.com/youtube/v3/docs/videos and its errors; the discovery document, revision
20261104.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from showrunner.production.script import TAGS_CHARACTERS, tags_length
from showrunner.publishing.job import Metadata, PublicationJob

TITLE_CHARACTERS, DESCRIPTION_BYTES = 100, 5000
# YouTube publishes a time in the past at once. Upload and processing need their time too.
SOONEST = timedelta(minutes=15)
# The machine waits for the time; an execution lives for a year at most.
LATEST = timedelta(days=180)
# https://developers.google.com/youtube/v3/docs/videoCategories/list: those that can be assigned in every
# region.
CATEGORIES = {1, 2, 10, 15, 17, 19, 20, 22, 23, 24, 25, 26, 27, 28, 29}

Fault = dict[str, str]


def find_faults(metadata: Metadata, now: datetime) -> list[Fault]:
    """Return {"field", "message"} of every rule that the metadata break."""
    return [*_text_faults(metadata), *_schedule_faults(metadata, now)]


def _text_faults(metadata: Metadata) -> list[Fault]:
    faults = []
    if not metadata.title.strip():
        faults.append(_fault("title", "missing: PUT … sets one"))
    if len(metadata.title) > TITLE_CHARACTERS:
        faults.append(_fault("title", f"at most {TITLE_CHARACTERS} characters"))
    if len(metadata.description.encode()) > DESCRIPTION_BYTES:
        faults.append(_fault("description", f"at most {DESCRIPTION_BYTES} bytes in UTF-8"))
    texts = {"title": metadata.title, "description": metadata.description}
    faults += [
        _fault(field, "YouTube takes neither < nor >")
        for field, text in texts.items()
        if any(sign in text for sign in "<>")
    ]
    if tags_length(metadata.tags) > TAGS_CHARACTERS:
        faults.append(_fault("tags", f"at most {TAGS_CHARACTERS} characters in all"))
    if any(sign in tag for tag in metadata.tags for sign in "<>,"):
        faults.append(_fault("tags", "a tag may have neither <, > nor a comma"))
    if metadata.category_id not in CATEGORIES:
        faults.append(_fault("category", f"{metadata.category_id} can't be assigned; 22 is People & Blogs"))
    return faults


def _schedule_faults(metadata: Metadata, now: datetime) -> list[Fault]:
    if metadata.publish_at is None:
        return []
    if metadata.publish_at < now + SOONEST:
        return [_fault("schedule_time", f"at least {SOONEST.seconds // 60} minutes from now")]
    if metadata.publish_at > now + LATEST:
        return [_fault("schedule_time", f"at most {LATEST.days} days from now")]
    if metadata.privacy == "unlisted":
        return [
            _fault(
                "privacy",
                "a scheduled video becomes public at its time; leave out schedule_time for an unlisted one",
            )
        ]
    return []


def _fault(field: str, message: str) -> Fault:
    return {"field": field, "message": message}


def request_body(job: PublicationJob) -> dict[str, Any]:
    """Return the body of videos.insert. `privacyStatus` is always sent: without it an upload is public."""
    metadata = job.metadata
    snippet: dict[str, Any] = {
        "title": metadata.title,
        "description": metadata.description,
        "tags": with_marker(metadata.tags, job.marker),
        "categoryId": str(metadata.category_id),
        "defaultLanguage": metadata.language,
        "defaultAudioLanguage": metadata.language,
    }
    return {"snippet": snippet, "status": status_body(metadata)}


def status_body(metadata: Metadata) -> dict[str, Any]:
    status: dict[str, Any] = {
        "privacyStatus": "private" if metadata.publish_at else metadata.privacy,
        "selfDeclaredMadeForKids": metadata.made_for_kids,
        "containsSyntheticMedia": metadata.synthetic,
    }
    if metadata.publish_at:
        status["publishAt"] = api_time(metadata.publish_at)
    return status


def api_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def with_marker(tags: list[str], marker: str) -> list[str]:
    """Put our marker first, which prevents a second upload.

    Tags that then exceed YouTube's limit are left out from the end; they are written once the video has an id
    and the marker isn't needed any more (lasting_tags).
    """
    kept = [marker, *(tag for tag in tags if tag != marker)]
    while tags_length(kept) > TAGS_CHARACTERS:
        kept.pop()
    return kept


def lasting_tags(tags: list[str], marker: str) -> list[str]:
    """Return the tags of a video whose id is known: all of them, and the marker if there is room for it."""
    marked = with_marker(tags, marker)
    return marked if set(marked) >= set(tags) else tags
