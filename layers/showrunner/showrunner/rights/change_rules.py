"""Check changes of a video, and merge them into what YouTube has.

videos.update replaces every field of a part that is sent: those that nobody changes are sent as they are, and
a field that is left out is removed. https://developers.google.com/youtube/v3/docs/videos/update
"""

from collections.abc import Iterable
from typing import Any

from showrunner.errors import InvalidRequest
from showrunner.production.script import TAGS_CHARACTERS, tags_length
from showrunner.publishing.metadata import CATEGORIES, DESCRIPTION_BYTES, TITLE_CHARACTERS

# Field -> value as YouTube writes it; None stands for a field that the resource lacks.
type Values = dict[str, Any]

# Field -> part of YouTube's resource, and name there.
FIELDS = {
    "title": ("snippet", "title"),
    "description": ("snippet", "description"),
    "tags": ("snippet", "tags"),
    "category_id": ("snippet", "categoryId"),
    "privacy_status": ("status", "privacyStatus"),
    "embedding_allowed": ("status", "embeddable"),
    "stats_viewable": ("status", "publicStatsViewable"),
    # Not for callers: what becomes of it follows from the privacy.
    "publish_at": ("status", "publishAt"),
}
# The permission that videos.update needs. Importing Google's modules would slow the API's first request down.
SCOPE = "https://www.googleapis.com/auth/youtube.force-ssl"
# https://developers.google.com/youtube/v3/determine_quota_cost
READ_UNITS, WRITE_UNITS = 1, 50
# Share of the stage's units (quotas.SHARES) that changes may use.
SHARE = "metadata"
# One call of videos.list has at most 50 ids: https://developers.google.com/youtube/v3/docs/videos/list
BATCH_ROWS = 50
_EMPTY: tuple[Any, ...] = (None, "", [])


def values_of(fields: dict[str, Any]) -> Values:
    """Return a caller's changes as YouTube writes them. Raises InvalidRequest for what YouTube refuses."""
    if faults := _faults(fields):
        raise InvalidRequest("; ".join(f"{each['field']}: {each['message']}" for each in faults), faults)
    return {name: str(value) if name == "category_id" else value for name, value in fields.items()}


def _faults(fields: dict[str, Any]) -> list[dict[str, str]]:
    """Return {field, message} of every rule of YouTube that the values break."""
    title, description = fields.get("title", ""), fields.get("description", "")
    tags = fields.get("tags", [])
    found = []
    if "title" in fields and not title.strip():
        found.append(("title", "a video needs one"))
    if len(title) > TITLE_CHARACTERS:
        found.append(("title", f"YouTube takes at most {TITLE_CHARACTERS} characters; it has {len(title)}"))
    if len(description.encode()) > DESCRIPTION_BYTES:
        found.append(("description", f"YouTube takes at most {DESCRIPTION_BYTES} bytes in UTF-8"))
    found += [
        (name, "YouTube takes neither < nor >")
        for name, text in (("title", title), ("description", description))
        if set(text) & set("<>")
    ]
    if tags_length(tags) > TAGS_CHARACTERS:
        found.append(("tags", f"YouTube takes at most {TAGS_CHARACTERS} characters in all"))
    if any(set(tag) & set("<>,") for tag in tags):
        found.append(("tags", "a tag may have neither <, > nor a comma"))
    if "category_id" in fields and fields["category_id"] not in CATEGORIES:
        found.append(("category_id", f"{fields['category_id']} can't be assigned; 10 is Music"))
    return [{"field": field, "message": message} for field, message in found]


def read(resource: dict[str, Any], fields: Iterable[str]) -> Values:
    """Return the values of these fields in YouTube's resource."""
    return {field: resource.get(part, {}).get(name) for field in fields for part, name in (FIELDS[field],)}


def complete(resource: dict[str, Any], changes: Values) -> Values:
    """Return the changes with what follows from them: a time of publication ends with the private state.

    YouTube refuses publishAt of a video that is not private.
    """
    stays_private = changes.get("privacy_status", "private") == "private"
    if stays_private or "publish_at" in changes or "publishAt" not in resource.get("status", {}):
        return changes
    return {**changes, "publish_at": None}


def by_part(changes: Values) -> dict[str, dict[str, Any]]:
    """Return changes as `Studio.update` takes them: part -> name -> value."""
    parts: dict[str, dict[str, Any]] = {}
    for field, value in changes.items():
        part, name = FIELDS[field]
        parts.setdefault(part, {})[name] = value
    return parts


def find_difference(found: Values, expected: Values) -> str | None:
    """Return in words which field isn't as expected, None if all are."""
    for field, value in expected.items():
        if not _is_same(found.get(field), value):
            return f"{field} has been changed since: it is {str(found.get(field))[:200]!r} now."
    return None


def is_done(found: Values, changes: Values) -> bool:
    """Tell whether YouTube has all of these values already."""
    return all(_is_same(found.get(field), value) for field, value in changes.items())


def _is_same(found: object, wanted: object) -> bool:
    """Tell whether two values mean the same. YouTube leaves out empty texts and lists."""
    return found == wanted or (found in _EMPTY and wanted in _EMPTY)
