"""The routes of /cms/money: whether the reports of a month add up to what was paid."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from showrunner.database import db
from showrunner.errors import InvalidRequest
from showrunner.rights import sheets
from showrunner.rights.reconciliation import Loaded, Month, Payment, Sum
from showrunner.rights.schemas import MoneyFilter, Reconciliation
from showrunner.store.rights import content_owners, money
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()

PATH = "/api/v1/cms/money"
_COLUMNS = [
    *("Month", "Content owner", "Revenue type", "Adjustment type", "Status", "Paid USD", "Reported USD"),
    *(
        "Difference USD",
        "Reports",
        "Report USD",
        "Report difference USD",
        "Refused rows",
        "By month",
        "Missing",
    ),
]


@routes.get(PATH, permission="cms:read", answer=Reconciliation)
def reconcile(request: Request, query: MoneyFilter) -> dict[str, Any]:
    """Compare the money reports of a month with its payment summary, by revenue type, to the cent.

    Adjustments are compared by themselves and shown in the months that they correct.
    """
    return {"month": query.month, "content_owners": _compared(request, query)}


@routes.get(f"{PATH}/csv", permission="cms:read", content_type=sheets.CONTENT_TYPE)
def download(request: Request, query: MoneyFilter) -> Answer:
    """Download the comparison of GET /cms/money as CSV: a row for each line and report."""
    rows = (
        [query.month, owner["content_owner"], *row]
        for owner in _compared(request, query)
        for line in owner["lines"]
        for row in _rows(line)
    )
    headers = {"content-disposition": f'attachment; filename="money-{query.month}.csv"'}
    return Answer(sheets.write(_COLUMNS, rows), headers=headers, content_type=sheets.CONTENT_TYPE)


def _compared(request: Request, query: MoneyFilter) -> list[dict[str, Any]]:
    month = date.fromisoformat(f"{query.month}-01")
    with db.reading() as tx:
        owners = content_owners.list_of(tx, request.organisation_id)
        found = money.get_month(tx, request.organisation_id, month)
    if query.content_owner is not None:
        names, wanted = [each["name"] for each in owners], query.content_owner.casefold()
        owners = [each for each in owners if each["name"].casefold() == wanted]
        if not owners:
            message = f"{query.content_owner} is none of your content owners: {', '.join(names) or 'none'}."
            raise InvalidRequest(message, [{"field": "content_owner", "message": message}])
    return [
        {
            "content_owner": owner["name"],
            **Month(
                _of(owner, found["reports"], Loaded),
                _of(owner, found["sums"], Sum),
                _of(owner, found["payments"], Payment),
            ).compare(),
        }
        for owner in owners
    ]


def _of(owner: dict[str, Any], rows: list[dict[str, Any]], kind: type) -> Iterator[Any]:
    """Yield the rows of an owner as NamedTuples."""
    for row in rows:
        if row["owner_id"] == owner["id"]:
            yield kind(**{name: value for name, value in row.items() if name != "owner_id"})


def _rows(line: dict[str, Any]) -> Iterator[list[object]]:
    begin = [
        *(line["revenue_type"], line["adjustment_type"], line["status"]),
        *map(_amount, (line["paid_usd"], line["reported_usd"], line["difference_usd"])),
    ]
    missing = "; ".join(" or ".join(kinds) for kinds in line["missing"])
    for report in line["reports"] or [None]:
        if report is None:
            yield [*begin, "", None, None, None, "", missing]
        else:
            months = "; ".join(f"{each['month']} {each['reported_usd']}" for each in report["months"])
            yield [
                *(*begin, " and ".join(report["kinds"]), _amount(report["reported_usd"])),
                *(_amount(report["difference_usd"]), report["rejected"], months, missing),
            ]


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
