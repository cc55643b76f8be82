"""YouTube's rules for a video's metadata."""

from datetime import datetime

from local.platforms.library import Json
from local.platforms.youtube import ApiError


def require_metadata(document: Json) -> None:
    """Refuse what YouTube refuses: https://developers.google.com/youtube/v3/docs/videos/insert#errors.

    Raises ApiError.
    """
    snippet, status = document.get("snippet", {}), document.get("status", {})
    title, description, tags = (
        snippet.get("title", ""),
        snippet.get("description", ""),
        snippet.get("tags", []),
    )
    rules = {
        "invalidTitle": 0 < len(title) <= 100 and not set(title) & set("<>"),
        "invalidDescription": len(description.encode()) <= 5000 and not set(description) & set("<>"),
        "invalidTags": sum(len(tag) + 2 * (" " in tag) for tag in tags) + max(0, len(tags) - 1) <= 500,
        "invalidCategoryId": str(snippet.get("categoryId", "")).isdigit(),
        "invalidPublishAt": "publishAt" not in status
        or (status.get("privacyStatus") == "private" and _is_time(status["publishAt"])),
    }
    for reason, holds in rules.items():
        if not holds:
            raise ApiError(
                400,
                reason,
                f"The request metadata specifies an invalid {reason.removeprefix('invalid').lower()}.",
                "youtube.video",
            )


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
