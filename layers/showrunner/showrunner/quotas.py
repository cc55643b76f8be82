"""Count the daily quotas of foreign platforms in the state table: reserve before a call, settle after it."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from showrunner import config
from showrunner.aws import dynamodb, rpc
from showrunner.errors import QuotaExceeded

# ------------------------------------------------------------------------------------------------ Quotas


# https://developers.google.com/youtube/v3/determine_quota_cost: no bucket holds more in a day.
ALL_UNITS = 10_000
INSERTS_A_DAY = 100
# Calls of search.list and of videos.batchGetStats, which have buckets of their own.
SEARCHES_A_DAY = 100
VIDEO_STATISTICS_A_DAY = 10_000
# The general units of a day, divided so that polling can't leave a video without its captions (400 units).
# The sum is the quota; a test adds it up.
SHARES = {"publication": 6_500, "polling": 2_500, "metrics": 500, "metadata": 500}
# Units of the share "polling" that polls may use; the rest is for look-ups that a person waits for.
POLL_UNITS = 2_000
# Refreshes of artists' figures that people may ask for in a day, a unit of the share "metrics" each: what the
# hourly collections leave of it (metrics/collection.py).
REFRESHES_A_DAY = 60
# https://www.pexels.com/api/documentation: 20,000 requests a month, divided by its days.
PEXELS_SEARCHES_A_DAY = 645
# Spotify publishes no number for apps in development mode. From about 1,000 calls a day on, apps were locked
# for hours: github.com/Yooooomi/your_spotify/issues/629.
SPOTIFY_CALLS_A_DAY = 900
# https://pixabay.com/api/docs/: 100 requests a minute, and no systematic mass downloads.
PIXABAY_SEARCHES_A_DAY = 2_000
# https://www.mediawiki.org/wiki/API:Etiquette states no limit; a bot that asks more often is told to stop.
COMMONS_SEARCHES_A_DAY = 2_000
# images-api.nasa.gov states no limit either.
NASA_SEARCHES_A_DAY = 2_000
# Google publishes neither costs nor a default for the Content ID API; its console has the project's limit.
# Until somebody reads it there, a project makes no more calls than this.
CONTENT_ID_CALLS_A_DAY = 10_000
# Units a day by (project, bucket).
BUCKETS = {
    ("youtube", "general"): ALL_UNITS,
    ("youtube", "insert"): INSERTS_A_DAY,
    ("youtube", "refresh"): REFRESHES_A_DAY,
    ("youtube", "content_id"): CONTENT_ID_CALLS_A_DAY,
    ("youtube", "search"): SEARCHES_A_DAY,
    ("youtube", "video_statistics"): VIDEO_STATISTICS_A_DAY,
    ("pexels", "search"): PEXELS_SEARCHES_A_DAY,
    ("pixabay", "search"): PIXABAY_SEARCHES_A_DAY,
    ("commons", "search"): COMMONS_SEARCHES_A_DAY,
    ("nasa", "search"): NASA_SEARCHES_A_DAY,
    ("spotify", "calls"): SPOTIFY_CALLS_A_DAY,
    # Instagram says in percent how much of its limits is used: the most that any account, or our app, has
    # used today. https://developers.facebook.com/docs/graph-api/overview/rate-limiting
    ("instagram", "account"): 100,
    ("instagram", "app"): 100,
    # 100 once Airtable has said that the month's calls of the plan are spent, whoever used them.
    ("airtable", "plan"): 100,
}
# Buckets whose limit is our own: nothing at the platform ends with them.
_OURS = frozenset({("youtube", "refresh")})
# Platforms whose quota days don't begin in Los Angeles, as Google's do. Spotify doesn't say when; the margin
# of its bucket covers the difference. Instagram's windows roll; TikTok renews its daily quotas at this time:
# https://developers.tiktok.com/doc/research-api-faq.
_ZONES = {"spotify": "UTC", "instagram": "UTC", "tiktok": "UTC", "airtable": "UTC"}
# Platforms whose quotas are those of a month: its first day stands for it.
_MONTHLY = frozenset({"airtable"})


class Project(NamedTuple):
    """A Google project: its name in the ledger, and its general units and uploads of a day."""

    name: str
    units: int
    inserts: int

    @property
    def is_own(self) -> bool:
        """True for a project that an organisation has brought: nobody shares it, and it has no shares."""
        return ":" in self.name


STAGE = Project("youtube", ALL_UNITS, INSERTS_A_DAY)


def own_project(organisation_id: str, units: int, inserts: int) -> Project:
    """Return the project that an organisation has brought. Nobody else's calls count for it."""
    return Project(f"{STAGE.name}:{organisation_id}", units, inserts)


# From this hour in Los Angeles on, unused units of each share are available to the others.
SHARED_FROM_HOUR = 20
# Until this hour in Los Angeles the share "publication" is divided between the organisations that ask for it.
FAIR_UNTIL_HOUR = 12
PUBLICATIONS_OF = "publications#"
# Google's clocks differ a little from ours: a refusal this soon after midnight may belong to the day before,
# and pauses the bucket for minutes only.
FRESH_SECONDS = 1800
PAUSED_SECONDS = 300
# A bucket is kept for so long after its end: calls that began before it are settled, and yesterday's shown.
_KEPT_SECONDS = 2 * 86_400


@cache
def _pacific() -> ZoneInfo:
    """Return the zone in which Google's quota days begin.

    Its data come with the package tzdata: a function's file system has none.
    """
    return ZoneInfo("America/Los_Angeles")


def pacific_day(now: datetime) -> str:
    """Return the quota day that holds `now`: the date in Los Angeles."""
    return now.astimezone(_pacific()).date().isoformat()


def pacific_days(start_at: datetime, end_at: datetime) -> tuple[date, date]:
    """Return the first and the last day in Los Angeles of the time from start to end (exclusive)."""
    first, last = (pacific_day(each) for each in (start_at, end_at - timedelta(seconds=1)))
    return date.fromisoformat(first), date.fromisoformat(last)


def pacific_midnight(now: datetime) -> datetime:
    """Return when the quota day that holds `now` ends, in UTC."""
    day = now.astimezone(_pacific()).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=_pacific()).astimezone(UTC)


def quota_day(project: str, now: datetime) -> str:
    """Return the project's quota day that holds `now`, as a date of the zone in which its days begin.

    For a quota of a month that is the month's first day.
    """
    day = now.astimezone(_zone(project)).date()
    return (day.replace(day=1) if project in _MONTHLY else day).isoformat()


def quota_ends_at(project: str, now: datetime) -> datetime:
    """Return when the project's quota day, or month, that holds `now` ends, in UTC."""
    zone, day = _zone(project), date.fromisoformat(quota_day(project, now))
    # 31 days after a month's first is always the next month.
    end = (day + timedelta(days=31)).replace(day=1) if project in _MONTHLY else day + timedelta(days=1)
    return datetime(end.year, end.month, end.day, tzinfo=zone).astimezone(UTC)


@cache
def _zone(project: str) -> ZoneInfo:
    return ZoneInfo(_ZONES[project]) if project in _ZONES else _pacific()


def next_attempt_at(now: datetime) -> datetime:
    """Return when a caller that was refused may ask again: at midnight, or in minutes just after it."""
    return now + timedelta(seconds=PAUSED_SECONDS) if _is_fresh(now) else pacific_midnight(now)


def _is_fresh(now: datetime) -> bool:
    return pacific_day(now - timedelta(seconds=FRESH_SECONDS)) != pacific_day(now)


def spend(
    project: str, bucket: str, units: int, limit: int, now: datetime | None = None, share: str | None = None
) -> str:
    """Reserve units in today's bucket before the call that costs them. Refused calls cost units too.

    `share` names an entry of SHARES. Returns the quota day (Pacific date). Raises QuotaExceeded.

    If the response of the update is lost, `rpc` repeats it and the units may count twice: never too few, a
    unit or two too many, until midnight. Use `reserve` for calls that cost more.
    """
    at = now or datetime.now(UTC)
    day = quota_day(project, at)
    if not _take(project, bucket, day, units, limit, at, share):
        raise _spent(project, bucket, at, share if spent(project, bucket, at) + units <= limit else None)
    return day


def reserve(
    project: str,
    bucket: str,
    units: int,
    limit: int,
    holder: str,
    now: datetime | None = None,
    share: str | None = None,
) -> str:
    """Reserve units as `spend` does, but once per `holder` and day, so that a step can be repeated."""
    at = now or datetime.now(UTC)
    day = quota_day(project, at)
    if not _take(project, bucket, day, units, limit, at, share, holder) and not is_reserved(
        project, bucket, holder, at
    ):
        raise _spent(project, bucket, at, share if spent(project, bucket, at) + units <= limit else None)
    return day


def is_reserved(project: str, bucket: str, holder: str, now: datetime | None = None) -> bool:
    """Return True if the holder has a reservation of today."""
    at = now or datetime.now(UTC)
    found = dynamodb.find(f"quota#{project}#{quota_day(project, at)}", bucket, at.timestamp())
    return bool(found) and holder in (found or {}).get("holders", frozenset())


def release(project: str, bucket: str, units: int, holder: str, day: str, share: str | None = None) -> None:
    """Give back a reservation that was not used. A second release changes nothing."""
    names = {"#share": f"used_{share}"} if share else {}
    update = {
        "UpdateExpression": "ADD used :units"
        + (", #share :units" if share else "")
        + " DELETE holders :holders",
        "ConditionExpression": "contains(holders, :holder)",
        "ExpressionAttributeValues": {
            ":units": dynamodb.typed(-units),
            ":holders": dynamodb.typed(frozenset({holder})),
            ":holder": dynamodb.typed(holder),
        },
    } | ({"ExpressionAttributeNames": names} if names else {})
    _update(project, bucket, day, update)


def reserve_publication(
    project: Project, units: int, holder: str, organisation_id: str, now: datetime | None = None
) -> str:
    """Reserve the general units of a publication, fairly between organisations. Returns the quota day.

    Until FAIR_UNTIL_HOUR in Los Angeles an organisation gets its part of the share "publication", divided by
    those that have asked for units today or yesterday; then whoever asks first. An organisation's own project
    is not divided. Raises QuotaExceeded.
    """
    at = now or datetime.now(UTC)
    if project.is_own:
        return reserve(project.name, "general", units, project.units, holder, at)
    return _reserve_fairly(project.name, units, holder, organisation_id, at)


def _reserve_fairly(project: str, units: int, holder: str, organisation_id: str, at: datetime) -> str:
    day, bucket = pacific_day(at), f"{PUBLICATIONS_OF}{organisation_id}"
    _take(project, bucket, day, 0, ALL_UNITS, at, None)  # asks, so that it counts among those to divide by
    asking = {*units_by_organisation(project, at), *units_by_organisation(project, at - timedelta(days=1))}
    fair_until = pacific_midnight(at) - timedelta(hours=24 - FAIR_UNTIL_HOUR)
    part = SHARES["publication"] // len(asking) if at < fair_until else ALL_UNITS
    try:
        reserve(project, bucket, units, max(part, units), holder, at)
    except QuotaExceeded as error:
        message = "Your organisation has used its part of today's quota of YouTube; others wait for theirs."
        raise QuotaExceeded(message, min(error.retry_at or fair_until, fair_until)) from error
    try:
        return reserve(project, "general", units, ALL_UNITS, holder, at, "publication")
    except QuotaExceeded:
        release(project, bucket, units, holder, day)
        raise


def release_publication(project: Project, units: int, holder: str, organisation_id: str, day: str) -> None:
    """Give back what reserve_publication has reserved, of which nothing was used."""
    if project.is_own:
        return release(project.name, "general", units, holder, day)
    release(project.name, "general", units, holder, day, "publication")
    return release(project.name, f"{PUBLICATIONS_OF}{organisation_id}", units, holder, day)


def reserve_insert(project: Project, holder: str) -> str:
    """Reserve one of the project's uploads of today, once per holder. Raises QuotaExceeded."""
    return reserve(project.name, "insert", 1, project.inserts, holder)


def reserve_of_share(project: Project, units: int, holder: str, share: str) -> str:
    """Reserve general units out of a share; an organisation's own project has none. Raises QuotaExceeded."""
    return reserve(
        project.name,
        "general",
        units,
        project.units,
        holder,
        share=None if project.is_own else share,
    )


def release_of_share(project: Project, units: int, holder: str, share: str, day: str) -> None:
    """Give back what reserve_of_share has reserved, of which nothing was used."""
    release(project.name, "general", units, holder, day, None if project.is_own else share)


def units_by_organisation(project: str, now: datetime) -> dict[str, int]:
    """Return the units that publications of each organisation have reserved on the day of `now`."""
    buckets = dynamodb.list_(f"quota#{project}#{pacific_day(now)}", now.timestamp())
    return {
        bucket.removeprefix(PUBLICATIONS_OF): int(values.get("used", 0))
        for bucket, values in buckets
        if bucket.startswith(PUBLICATIONS_OF)
    }


def _take(
    project: str,
    bucket: str,
    day: str,
    units: int,
    limit: int,
    at: datetime,
    share: str | None,
    holder: str | None = None,
) -> bool:
    """Add the units if the limit allows, in one conditional update. Returns False if it doesn't."""
    share_limit = SHARES[share] if share and not is_shared_time(at) else limit
    if units > min(limit, share_limit):
        # The conditions below can't tell: where nothing is used yet, they compare with nothing.
        return False
    second = int(at.timestamp())
    adds, names = ["used :units"], {}
    conditions = [
        "(attribute_not_exists(used) OR used <= :most)",
        "(attribute_not_exists(paused_until) OR paused_until <= :now)",
    ]
    values = {
        ":units": dynamodb.typed(units),
        ":most": dynamodb.typed(limit - units),
        ":end": dynamodb.typed(int(quota_ends_at(project, at).timestamp()) + _KEPT_SECONDS),
        ":now": dynamodb.typed(second),
    }
    if share:
        adds.append("#share :units")
        names["#share"] = f"used_{share}"
        if not is_shared_time(at):
            conditions.append("(attribute_not_exists(#share) OR #share <= :share)")
            values[":share"] = dynamodb.typed(SHARES[share] - units)
    if holder:
        adds.append("holders :holders")
        conditions.append("NOT contains(holders, :holder)")
        values |= {":holders": dynamodb.typed(frozenset({holder})), ":holder": dynamodb.typed(holder)}
    update = {
        "UpdateExpression": f"ADD {', '.join(adds)} SET expires_at = if_not_exists(expires_at, :end)",
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeValues": values,
    } | ({"ExpressionAttributeNames": names} if names else {})
    return _update(project, bucket, day, update)


def is_shared_time(now: datetime) -> bool:
    """Return True if unused units of each share are available to the others by now."""
    return pacific_midnight(now) - now <= timedelta(hours=24 - SHARED_FROM_HOUR)


def _update(project: str, bucket: str, day: str, update: dict[str, Any]) -> bool:
    """Send an update. Returns False if its condition failed."""
    try:
        rpc.call(
            "dynamodb",
            "UpdateItem",
            {"TableName": dynamodb.table(), "Key": _bucket(project, bucket, day), **update},
        )
    except rpc.AwsError as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        return False
    return True


class Ledger(NamedTuple):
    """A bucket of a platform's quota with the daily `limit` of its user.

    Units are reserved before a call and settled after it. A call begun before midnight in Los Angeles may be
    answered after it, so the caller passes the day that `spend` returned.
    """

    project: str
    bucket: str
    limit: int
    share: str | None = None

    def spend(self, units: int, now: datetime | None = None) -> str:
        """Reserve units. Returns the quota day. Raises QuotaExceeded."""
        return spend(self.project, self.bucket, units, self.limit, now, self.share)

    def give_back(self, units: int, day: str) -> None:
        """Give back units of a call that was never sent."""
        names = {"#share": f"used_{self.share}"} if self.share else {}
        update = "ADD used :units" + (", #share :units" if self.share else "")
        values = {":units": dynamodb.typed(-units)}
        more = {"ExpressionAttributeNames": names} if names else {}
        _update(
            self.project,
            self.bucket,
            day,
            {"UpdateExpression": update, "ExpressionAttributeValues": values} | more,
        )

    def exhaust(self, day: str, now: datetime | None = None) -> QuotaExceeded:
        """Mark the bucket as empty because the platform said so. Returns the error to raise."""
        at = now or datetime.now(UTC)
        if day == pacific_day(at) and _is_fresh(at):
            self._settle(
                day,
                "SET paused_until = :until",
                {":until": dynamodb.typed(int(next_attempt_at(at).timestamp()))},
            )
        else:
            self._settle(day, "SET used = :all", {":all": dynamodb.typed(max(self.limit, ALL_UNITS))})
        return _spent(self.project, self.bucket, at)

    def _settle(self, day: str, update: str, values: dict[str, Any]) -> None:
        key = _bucket(self.project, self.bucket, day)
        rpc.call(
            "dynamodb",
            "UpdateItem",
            {
                "TableName": dynamodb.table(),
                "Key": key,
                "UpdateExpression": update,
                "ExpressionAttributeValues": values,
            },
        )


def polling_ledger() -> Ledger:
    """Return the ledger of those who read YouTube by API key."""
    return Ledger("youtube", "general", ALL_UNITS, "polling")


def metrics_ledger() -> Ledger:
    """Return the ledger of those who collect artists' figures from YouTube."""
    return Ledger("youtube", "general", ALL_UNITS, "metrics")


def _bucket(project: str, bucket: str, day: str) -> dict[str, Any]:
    return dynamodb.key(f"quota#{project}#{day}", bucket)


def _spent(project: str, bucket: str, now: datetime, share: str | None = None) -> QuotaExceeded:
    if share and not is_shared_time(now):
        retry_at = min(next_attempt_at(now), pacific_midnight(now) - timedelta(hours=24 - SHARED_FROM_HOUR))
        return QuotaExceeded(f"Today's share of {bucket} for {share} is spent.", retry_at)
    retry_at = quota_ends_at(project, now) if project in _ZONES else next_attempt_at(now)
    time = "This month" if project in _MONTHLY else "Today"
    # Without the organisation whose Google project it may be.
    platform = project.partition(":")[0]
    return QuotaExceeded(f"{time}'s quota of {bucket} at {platform} is spent.", retry_at)


def limits() -> dict[tuple[str, str], int]:
    """Return the units of each bucket by (project, bucket), those of the stage's plans too."""
    calls = airtable_calls_a_month()
    return BUCKETS | ({("airtable", "calls"): calls} if calls else {})


def airtable_calls_a_month() -> int:
    """Return the calls of a month that the stage's plan at Airtable has, 0 without a limit."""
    return int(config.setting("AIRTABLE_CALLS_A_MONTH"))


def observe(project: str, bucket: str, used: int, now: datetime | None = None) -> None:
    """Record what a platform says is used of a bucket. The largest figure of a day is kept."""
    at = now or datetime.now(UTC)
    update = {
        "UpdateExpression": "SET used = :used, expires_at = :end",
        "ConditionExpression": "attribute_not_exists(used) OR used < :used",
        "ExpressionAttributeValues": {
            ":used": dynamodb.typed(used),
            ":end": dynamodb.typed(int(quota_ends_at(project, at).timestamp()) + _KEPT_SECONDS),
        },
    }
    _update(project, bucket, quota_day(project, at), update)


def left(now: datetime | None = None) -> dict[tuple[str, str], float]:
    """Return how much of each platform's quotas is left, in percent, of those that were used today."""
    at = now or datetime.now(UTC)
    found = {}
    for (project, bucket), limit in limits().items():
        used = 0 if (project, bucket) in _OURS else spent(project, bucket, at)
        if used:
            found[project, bucket] = max(0.0, 100 - 100 * used / limit)
    return found


def spent(project: str, bucket: str, now: datetime | None = None) -> int:
    """Return the units reserved today."""
    at = now or datetime.now(UTC)
    found = dynamodb.find(f"quota#{project}#{quota_day(project, at)}", bucket, at.timestamp())
    return int(found.get("used", 0)) if found else 0


def spent_by_share(project: str, now: datetime | None = None) -> dict[str, int]:
    """Return the units of the general bucket that each share has reserved today."""
    at = now or datetime.now(UTC)
    found = dynamodb.find(f"quota#{project}#{pacific_day(at)}", "general", at.timestamp()) or {}
    return {share: int(found.get(f"used_{share}", 0)) for share in SHARES}
