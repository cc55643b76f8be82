"""The routes of an artist's figures: show them, and ask the platforms for new ones."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from showrunner.artists.schemas import (
    ArtistItems,
    ArtistMetrics,
    DailyFigure,
    DayFigure,
    DayValue,
    Figure,
    FigureGrowth,
    ItemFilter,
    MetricsPeriod,
    PlatformFigures,
    Refresh,
    ReportSeries,
    TotalFigure,
)
from showrunner.database import db
from showrunner.errors import Conflict
from showrunner.metrics import executions, growth, report_states
from showrunner.metrics.definitions import ADDABLE, AVERAGES, METRICS, definition, redefined_on
from showrunner.metrics.growth import Growth, Observation
from showrunner.store.metrics import artists, days, items, points, reports
from showrunner.web import answers
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.fields import timestamp
from showrunner.web.routing import Request

routes = Routes()

type Key = tuple[str, str]  # platform, metric


@routes.get("/api/v1/artists/{artist_id}/metrics", permission="artists:read", answer=ArtistMetrics)
def show_metrics(request: Request, artist_id: str, query: MetricsPeriod) -> ArtistMetrics:
    """Show the artist's newest figures on each platform and in total, their growth and their history.

    Figures that nobody knows are null. A total has the platforms whose figure is known; `missing` names the
    others.
    """
    now = datetime.now(UTC)
    with db.reading() as tx:
        artists.get(tx, request.organisation_id, artist_id)
        accounts = points.list_accounts(tx, artist_id)
        wanted = [
            {"platform": account["platform"], "metric": metric}
            for account in accounts
            for metric in METRICS[account["platform"]]
        ]
        newest = {_key(row): _observation(row) for row in points.list_newest(tx, artist_id, wanted)}
        grown = _growth(tx, artist_id, newest)
        history = {_key(row): row["history"] for row in points.list_days(tx, artist_id, wanted, query.days)}
        since = now.date() - timedelta(days=query.days - 1)
        daily = _daily(days.list_(tx, artist_id, since, now.date()), since, now)
        made = reports.list_of(tx, artist_id)
    return ArtistMetrics(
        artist_id=artist_id.lower(),
        platforms=[
            _platform(
                account,
                newest,
                grown,
                history,
                daily[account["platform"]],
                [_series(each, now) for each in made if each["platform"] == account["platform"]],
                now,
            )
            for account in accounts
        ],
        totals=[
            _total(metric, [account["platform"] for account in accounts], newest, grown, now)
            for metric in ADDABLE
        ],
    )


@routes.get("/api/v1/artists/{artist_id}/items", permission="artists:read", answer=ArtistItems)
def list_items(request: Request, artist_id: str, query: ItemFilter) -> Answer:
    """List the artist's videos, playlists, albums, tracks and posts with their newest figures, newest first.

    One whose `checked_at` is later than its `found_at` is not on the platform any more.
    """
    with db.reading() as tx:
        artists.get(tx, request.organisation_id, artist_id)
        return answers.listed(
            "items", items.list_(tx, artist_id, query.platform, query.kind, query.request())
        )


def _key(row: dict[str, Any]) -> Key:
    return row["platform"], row["metric"]


def _observation(row: dict[str, Any]) -> Observation:
    return Observation(row["value"], row["at"], row["definition"])


def _growth(tx: db.Transaction, artist_id: str, newest: dict[Key, Observation]) -> dict[Key, list[Growth]]:
    """Return the growth of each figure, one for each of growth.DAYS."""
    moments = [
        {"platform": platform, "metric": metric, "days": days, "at": growth.baseline_at(figure, days)}
        for (platform, metric), figure in newest.items()
        for days in growth.DAYS
    ]
    around: dict[tuple[Key, int], list[Observation]] = defaultdict(list)
    for row in points.list_around(tx, artist_id, moments):
        around[_key(row), row["days"]].append(_observation(row))
    return {
        key: [growth.growth(figure, days, around[key, days]) for days in growth.DAYS]
        for key, figure in newest.items()
    }


def _daily(rows: list[dict[str, Any]], since: date, now: datetime) -> dict[str, list[DailyFigure]]:
    """Return the figures of whole days by platform."""
    found: dict[str, list[DailyFigure]] = defaultdict(list)
    for row in rows:
        platform, metric = row["platform"], row["metric"]
        redefined = redefined_on(platform, metric, since)
        found[platform].append(
            DailyFigure(
                metric=metric,
                total=None if metric in AVERAGES else row["total"],
                known_days=row["known"],
                stated_at=timestamp(row["stated_at"]) if row["stated_at"] else None,
                age_seconds=_age(row["stated_at"], now) if row["stated_at"] else None,
                definition=definition(platform, metric, now),
                redefined_on=redefined.isoformat() if redefined else None,
                history=[DayValue(**each) for each in row["history"]],
            )
        )
    return found


def _series(job: dict[str, Any], now: datetime) -> ReportSeries:
    """Return how the reports about a subject come."""
    state, reason = report_states.health(job, now)
    ends = [datetime.fromisoformat(each["end_at"]) for each in job["reports"]]
    return ReportSeries(
        subject=job["subject"],
        report_type=job["report_type"],
        state=state,
        reason=reason,
        newest_end=timestamp(max(ends)) if ends else None,
        checked_at=timestamp(job["checked_at"]),
    )


def _platform(
    account: dict[str, Any],
    newest: dict[Key, Observation],
    grown: dict[Key, list[Growth]],
    history: dict[Key, list[dict[str, Any]]],
    daily: list[DailyFigure],
    series: list[ReportSeries],
    now: datetime,
) -> PlatformFigures:
    platform = account["platform"]
    figures = []
    for metric in METRICS[platform]:
        key = platform, metric
        figure = newest.get(key)
        figures.append(
            Figure(
                metric=metric,
                value=figure.value if figure else None,
                observed_at=timestamp(figure.at) if figure else None,
                age_seconds=_age(figure.at, now) if figure else None,
                definition=figure.definition if figure else None,
                growth=_grown(grown.get(key, [])),
                history=[DayFigure(**each) for each in history[key]],
            )
        )
    return PlatformFigures(
        platform=platform,
        account_id=account["account_id"],
        state=account["state"],
        problem=account["lost_reason"],
        checked_at=timestamp(account["checked_at"]) if account["checked_at"] else None,
        connected=account["connected"],
        figures=figures,
        daily=daily,
        reports=series,
    )


def _total(
    metric: str,
    platforms: list[str],
    newest: dict[Key, Observation],
    grown: dict[Key, list[Growth]],
    now: datetime,
) -> TotalFigure:
    counting = [platform for platform in platforms if metric in METRICS[platform]]
    known = [platform for platform in counting if (platform, metric) in newest]
    figures = [newest[platform, metric] for platform in known]
    oldest = min((figure.at for figure in figures), default=None)
    parts = [grown[platform, metric] for platform in known]
    sums = [
        growth.total_growth(days, [each[number] for each in parts]) for number, days in enumerate(growth.DAYS)
    ]
    return TotalFigure(
        metric=metric,
        value=sum(figure.value for figure in figures) if figures else None,
        platforms=known,
        missing=[platform for platform in counting if platform not in known],
        definitions={platform: newest[platform, metric].definition for platform in known},
        observed_at=timestamp(oldest) if oldest else None,
        age_seconds=_age(oldest, now) if oldest else None,
        growth=_grown(sums),
    )


def _grown(given: list[Growth]) -> list[FigureGrowth]:
    """Return the growth over each number of days, unknown where nothing is given."""
    by_days = {each.days: each for each in given}
    unknown = [by_days.get(days) or Growth(days, None, None, is_redefined=False) for days in growth.DAYS]
    return [
        FigureGrowth(
            days=each.days,
            change=each.change,
            since=timestamp(each.since) if each.since else None,
            is_redefined=each.is_redefined,
        )
        for each in unknown
    ]


def _age(at: datetime, now: datetime) -> int:
    return max(0, round((now - at).total_seconds()))


@routes.post(
    "/api/v1/artists/{artist_id}/refresh",
    permission="artists:write",
    answer=Refresh,
    status=202,
    errors=(409,),
)
def refresh(request: Request, artist_id: str) -> Refresh:
    """Ask the platforms for the artist's figures now, at most once in ten minutes.

    They are there within a minute: `checked_at` of GET /artists/{artist_id}/metrics is newer then.
    """
    now = datetime.now(UTC)
    with db.reading() as tx:
        artists.get(tx, request.organisation_id, artist_id)
        accounts = points.list_accounts(tx, artist_id)
    if not accounts:
        raise Conflict("The artist has no account on a platform: add one with PUT /artists/{artist_id}.")
    for account in accounts:
        if account["state"] == "disconnected":
            continue
        executions.refresh(request.organisation_id, artist_id.lower(), account["platform"], now)
    return Refresh(artist_id=artist_id.lower(), requested_at=timestamp(now))
