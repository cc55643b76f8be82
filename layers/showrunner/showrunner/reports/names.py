"""File names of reports: which report of which owner and period a file says it is.

Three generations circulate: Studio's long-standing names, its newer ones without an owner, and downloads of
the Reporting API, which operators name by report type. `read` knows them all.
"""

import calendar
import re
from datetime import date, timedelta
from typing import Literal, NamedTuple

from showrunner.reports.kinds import KINDS, Kind

Frequency = Literal["month", "week", "day"]


class Period(NamedTuple):
    """The days that a report is about, first and last included."""

    frequency: Frequency
    start: date
    end: date


class Name(NamedTuple):
    """A file's name as it was read. A part that the name doesn't have is None."""

    kind: Kind | None
    owner: str | None
    period: Period | None


# What stands at the end of a name: extensions, " (1)" of browsers, a version.
_EXTENSIONS = re.compile(r"(\.(csv|tsv|txt|gz|zip))+$", re.IGNORECASE)
_COPY = re.compile(r"( ?\(\d+\)| - Copy| copy)$", re.IGNORECASE)
_VERSION = re.compile(r"_v\d+([-_.]\d+)?$", re.IGNORECASE)

# YouTube_<owner>_<W|M>_<period>_<report>. Owners contain underscores: only the period's place is certain.
_STUDIO = re.compile(
    r"YouTube_(?P<owner>.+?)_(?P<every>[MWD])_(?P<start>\d{8}|\d{6})(?:_(?P<end>\d{8}))?(?:_(?P<report>.+))?",
    re.IGNORECASE,
)
# <report>_<owner>_<letter>: no period.
_RIGHTS = re.compile(r"(?P<report>[a-z]+(?:_[a-z]+)*_report)_(?P<owner>.+?)(?:_(?P<letter>[A-Z]))?$")
# <family>_<month>_<report>_v1_1_<day>: no owner.
_NEWER = re.compile(r"(?P<report>.+?_(?P<every>month|week|day)_.+?)_v\d+_\d+_(?P<start>\d{8})", re.IGNORECASE)

# The whole part is compared: claim_raw ends ADJ_claim_raw, and video_summary ends three others.
_PARTS = {part.lower(): kind for kind in KINDS for part in kind.studio}
_TYPES = {prefix: kind for kind in KINDS for prefix in kind.api}


def stem(filename: str) -> str:
    """Return a file's name without folders, extensions and the marks of copies."""
    name = filename.replace("\\", "/").rsplit("/", 1)[-1]
    while True:
        shorter = _COPY.sub("", _EXTENSIONS.sub("", name))
        if shorter == name:
            return name
        name = shorter


def read(path: str) -> Name:
    """Return what the name of a file says, and where it says nothing of a period, what its folders say."""
    name = stem(path)
    if found := _NEWER.fullmatch(name):
        # The table has the monthly names; the same reports come each week.
        kind = _kind_of(re.sub("_(week|day)_", "_month_", found["report"].lower()))
        if kind is not None:
            return Name(kind, None, _newer_period(found["every"].lower(), found["start"]))
    if found := _STUDIO.fullmatch(name):
        return _studio(found)
    if kind := kind_of_type(name):
        return Name(kind, None, _period_of_folders(path))
    if (found := _RIGHTS.fullmatch(_VERSION.sub("", name))) and (kind := _kind_of(found["report"])):
        return Name(kind, found["owner"], None)
    return Name(None, None, _period_of_folders(path))


def _studio(found: re.Match[str]) -> Name:
    owner, report = found["owner"], _VERSION.sub("", found["report"] or "")
    kind = _kind_of(report)
    if kind is None:
        # The e-commerce file has its name before the period.
        part = next((part for part in _PARTS if owner.lower().endswith(f"_{part}")), None)
        if part is not None:
            kind, owner = _PARTS[part], owner[: -len(part) - 1]
    return Name(kind, owner, _period(found["every"].upper(), found["start"], found["end"]))


def _kind_of(report: str) -> Kind | None:
    return _PARTS.get(report.lower())


def kind_of_type(name: str) -> Kind | None:
    """Return the kind of a type of the Reporting API, whatever its version; None if we know none."""
    found = re.search(r"(?<![a-z])((?:[a-z]+_)?content_owner_[a-z_]+?)(?:_weekly)?_a\d+(?![a-z0-9])", name)
    return _TYPES.get(found[1]) if found else None


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def month_of(day: date) -> Period:
    """Return the month that a day belongs to."""
    last = calendar.monthrange(day.year, day.month)[1]
    return Period("month", day.replace(day=1), day.replace(day=last))


def _period(every: str, start: str, end: str | None) -> Period | None:
    first = _day(start.ljust(8, "0")[:6] + (start[6:] or "01"))
    if first is None:
        return None
    if every == "M" and (end is None or _day(end) == month_of(first).end):
        return month_of(first)
    last = _day(end) if end else first + timedelta(days=6 if every == "W" else 0)
    if last is None or last < first:
        return None
    return Period({"M": "month", "W": "week"}.get(every, "day"), first, last)  # type: ignore[arg-type]


def _newer_period(every: str, start: str) -> Period | None:
    first = _day(start)
    if first is None:
        return None
    if every == "month":
        return month_of(first)
    return Period("week" if every == "week" else "day", first, first + timedelta(days=6 * (every == "week")))


def _period_of_folders(path: str) -> Period | None:
    """Return the period of a path such as drops/<owner>/<type>/2025-01-01_2025-01-31/<created>/<name>."""
    found = [
        day
        for text in re.findall(r"(?<!\d)(20\d{2}-?\d{2}-?\d{2})(?![\dT])", path)
        if (day := _day(text.replace("-", "")))
    ]
    if not found:
        return None
    first = found[0]
    last = found[1] if len(found) > 1 and found[1] >= first else first
    if first == month_of(first).start and last in (month_of(first).end, month_of(first).end + timedelta(1)):
        return month_of(first)
    return Period("week" if (last - first).days in (6, 7) else "day", first, last)


def same_owner(named: str | None, prefix: str, aliases: list[str]) -> bool:
    """Tell whether a name's owner is the one whose folder the file is in. A name without owner agrees."""
    if named is None:
        return True
    known = {each.casefold() for each in (prefix, *aliases)}
    return named.casefold() in known
