"""Define the request and response bodies of /cms."""

from typing import Annotated, Literal

from pydantic import Field

from showrunner.web.fields import PATTERN_WORDS, Body, Page, Pagination, Query, Result, Timestamp

_OWNER = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
_FILENAME = r"^[A-Za-z0-9_(][A-Za-z0-9 _.()+-]{0,199}$"
_KIND = "^[a-z_]+$"
_MONTH = "^20[0-9]{2}-(0[1-9]|1[0-2])$"

PATTERN_WORDS |= {
    _OWNER: "is no name of a content owner: letters, digits and _ . -",
    _FILENAME: "is no file name: letters, digits, spaces and _ . ( ) + -",
    _MONTH: "is no month; write it like 2025-12",
    _KIND: "is no kind of report; they are written like claims or ads_videos",
}

type Month = Annotated[str, Field(pattern=_MONTH)]
type ContentOwnerName = Annotated[str, Field(pattern=_OWNER)]
type ReportStatus = Literal[
    "loading",
    "interrupted",
    "loaded",
    "duplicate",
    "outdated",
    "replaced",
    "refused",
    "failed",
    "waiting",
]


class NewReport(Body):
    """A file of reports to upload. It keeps the name that YouTube gave it, by which it is recognised."""

    content_owner: ContentOwnerName
    filename: Annotated[str, Field(pattern=_FILENAME)]
    # PUT takes 5 GB; the function that loads it takes 2.
    bytes: Annotated[int, Field(ge=1, le=2 << 30, strict=True)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ReportUpload(Result):
    """Name the address to PUT the file to, and its headers. `file` is its name in the list of reports."""

    file: str
    method: Literal["PUT"]
    url: str
    headers: dict[str, str]
    expires_in: int


class ReportFilter(Page):
    """Filters and page of the list of reports. Sorted by dropped_at."""

    kind: Annotated[str, Field(max_length=50, pattern=_KIND)] | None = None
    status: ReportStatus | None = None
    content_owner: ContentOwnerName | None = None
    month: Month | None = None


class Report(Result):
    """A report of a file that was dropped. rows = accepted + rejected; totals are no rows.

    new, changed and removed are null for reports of a period, which replace that of the same period.
    """

    id: str
    content_owner: str
    file: str
    member: str
    bytes: int
    kind: str | None
    frequency: Literal["month", "week", "day"] | None
    period_start: str | None
    period_end: str | None
    status: ReportStatus
    reason: str | None
    notes: list[str]
    unknown_columns: list[str]
    rows: int | None
    accepted: int | None
    rejected: int | None
    totals: int | None
    new: int | None
    changed: int | None
    removed: int | None
    replaced_by: str | None
    dropped_at: Timestamp
    finished_at: Timestamp | None


class ReportList(Result):
    """One page of reports."""

    reports: list[Report]
    pagination: Pagination


class RejectFilter(Query):
    """Which part of the refused rows: those after a row number."""

    after: Annotated[int, Field(ge=0, le=1 << 40)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 10_000


class MoneyFilter(Query):
    """Choose the month to compare, and one of the organisation's content owners."""

    month: Month
    content_owner: ContentOwnerName | None = None


class ActivityAmount(Result):
    """Name what a report has for a month of activity."""

    month: str
    reported_usd: str


class ReportedAmount(Result):
    """Compare what a report has for a line, with its report of adjustments."""

    report_ids: list[str]
    kinds: list[str]
    rejected: int
    reported_usd: str
    difference_usd: str | None
    months: list[ActivityAmount]


class MoneyLine(Result):
    """Compare a line of the payment summary with the reports that must add up to it.

    Each of its reports shows the same money another way, except those of Premium, which have parts of it.
    """

    revenue_type: str
    adjustment_type: str
    status: Literal["equal", "differs", "missing", "unpaid", "unknown"]
    paid_usd: str | None
    reported_usd: str | None
    difference_usd: str
    reports: list[ReportedAmount]
    missing: list[list[str]]


class OtherCurrency(Result):
    """Name money that is not in USD and is compared with no line."""

    kind: str
    currency: str
    amount: str


class MonthReport(Result):
    """Name a loaded report of the month."""

    report_id: str
    kind: str
    rows: int
    rejected: int


class OwnerMoney(Result):
    """Compare a content owner's month."""

    content_owner: str
    status: Literal["reconciled", "differs", "no_summary"]
    paid_usd: str | None
    reported_usd: str
    difference_usd: str | None
    lines: list[MoneyLine]
    not_compared: list[OtherCurrency]
    reports: list[MonthReport]


class Reconciliation(Result):
    """Compare what the reports of a month add up to with what was paid."""

    month: str
    content_owners: list[OwnerMoney]
