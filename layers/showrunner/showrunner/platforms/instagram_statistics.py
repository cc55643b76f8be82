"""Read what Instagram says about an account that was connected. Calls nothing.

https://developers.facebook.com/docs/instagram-platform/reference/instagram-media
"""

import json
from datetime import date, datetime
from typing import Any

from showrunner.errors import PlatformUnavailable
from showrunner.models import DayValue, Item, Statistics

# Theirs -> ours.
_POST = {"like_count": "likes", "comments_count": "comments"}
_PROFILE = {"followers_count": "followers", "media_count": "posts"}
# Figures of the last day that is over.
_INSIGHTS = {"views": "views_day", "reach": "reach_day", "total_interactions": "interactions_day"}
_DAYS = {"views": "views", "reach": "reach", "total_interactions": "interactions"}


def read(body: bytes) -> list[Statistics]:
    """Return the account of {profile, media, insights}, one in a list. Raises PlatformUnavailable.

    Instagram leaves out what it doesn't know yet: that is unknown here too.
    """
    try:
        document = json.loads(body)
        user = _user(document)
        figures = {ours: int(user[theirs]) for theirs, ours in _PROFILE.items() if theirs in user}
        figures |= _insights(document["insights"], _INSIGHTS)
        return [Statistics(str(user["user_id"]), figures, document)]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise PlatformUnavailable("Instagram's answer isn't the account that it should be.") from error


def read_days(body: bytes) -> list[DayValue]:
    """Return the figures of days (UTC) of {day, insights, days}. Raises PlatformUnavailable.

    `days` has the answers about days that were missing. Answers of earlier releases say nothing about days.
    """
    try:
        document = json.loads(body)
        answers = dict(document.get("days") or {})
        if "day" in document:
            answers[document["day"]] = document["insights"]
        return [
            DayValue(metric, date.fromisoformat(day), value)
            for day, answer in answers.items()
            for metric, value in _insights(answer, _DAYS).items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlatformUnavailable("Instagram's figures of days can't be read.") from error


def read_posts(body: bytes) -> list[Item]:
    """Return the newest posts of {profile, media, insights, posts}. Raises PlatformUnavailable.

    `posts` has the insights of the newest of them, by id; Instagram leaves out what it doesn't know yet.
    """
    try:
        document = json.loads(body)
        user = _user(document)
        insights = document.get("posts") or {}
        return [
            Item(
                "post",
                str(post["id"]),
                str(user["user_id"]),
                (post.get("caption") or "").split("\n")[0][:200] or None,
                datetime.fromisoformat(post["timestamp"]),
                {ours: int(post[theirs]) for theirs, ours in _POST.items() if theirs in post}
                | _lifetime(insights.get(post["id"]) or {}),
                {"type": post.get("media_product_type") or post["media_type"]},
            )
            for post in document["media"]["data"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise PlatformUnavailable("Instagram's answer isn't the list of posts that it should be.") from error


def _user(document: dict[str, Any]) -> dict[str, Any]:
    """Return the profile, which some versions wrap."""
    profile = document["profile"]
    return dict(profile["data"][0] if "data" in profile else profile)


def _lifetime(answer: dict[str, Any]) -> dict[str, int]:
    """Return a post's views and reach, without those that Instagram doesn't know yet."""
    return {
        each["name"]: int(each["values"][0]["value"])
        for each in answer.get("data") or []
        if each["name"] in ("views", "reach") and each.get("values")
    }


def _insights(answer: dict[str, Any], names: dict[str, str]) -> dict[str, int]:
    found = {each["name"]: each.get("total_value") or {} for each in answer.get("data") or []}
    return {
        ours: int(found[theirs]["value"])
        for theirs, ours in names.items()
        if "value" in found.get(theirs, {})
    }
