"""Compare the money reports of a month with its payment summary, line by line, to the cent."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

from showrunner.reports import revenue
from showrunner.reports.revenue import NONE, Revenue, View

_CENT = Decimal("0.01")
_PAYMENTS = "payments"
_COMPARED = "USD"


class Loaded(NamedTuple):
    """A report of the month that is loaded."""

    id: str
    kind: str
    rows: int
    rejected: int


class Sum(NamedTuple):
    """Earnings of a money report in a month of activity, with one adjustment and currency."""

    kind: str
    activity_month: date
    adjustment_type: str
    currency: str
    amount: Decimal


class Payment(NamedTuple):
    """A row of the payment summary."""

    revenue_type: str
    adjustment_type: str | None
    amount_usd: Decimal


type _Key = tuple[str, str]


class Month:
    """The reports of a content owner and month. `compare` says where they agree."""

    def __init__(self, reports: Iterable[Loaded], sums: Iterable[Sum], payments: Iterable[Payment]) -> None:
        self._reports = {report.kind: report for report in reports}
        self._others: list[dict[str, Any]] = []
        # kind and adjustment -> month of activity -> amount
        self._sums: dict[_Key, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for each in sums:
            if each.currency == _COMPARED:
                adjustment = revenue.adjustment_name(each.adjustment_type)
                self._sums[each.kind, adjustment][each.activity_month] += each.amount
            else:
                self._others.append(
                    {"kind": each.kind, "currency": each.currency, "amount": _plain(each.amount)}
                )
        self._payments = list(payments)

    def compare(self) -> dict[str, Any]:
        """Return status, totals, lines and the reports, as GET /cms/money shows them."""
        lines = [*self._paid_lines(), *self._unpaid_lines()]
        has_summary = _PAYMENTS in self._reports
        wrong = any(line["status"] != "equal" for line in lines)
        status = "no_summary" if not has_summary else "differs" if wrong else "reconciled"
        paid, reported, difference = (
            sum((Decimal(line[name] or 0) for line in lines), Decimal())
            for name in ("paid_usd", "reported_usd", "difference_usd")
        )
        return {
            "status": status,
            "paid_usd": _plain(paid) if has_summary else None,
            "reported_usd": _plain(reported),
            # That of the lines, because the summary rounds each of them.
            "difference_usd": _cents(difference) if has_summary else None,
            "lines": lines,
            "not_compared": self._others,
            "reports": [
                {"report_id": each.id, "kind": each.kind, "rows": each.rows, "rejected": each.rejected}
                for each in self._reports.values()
            ],
        }

    def _paid_lines(self) -> Iterable[dict[str, Any]]:
        lines: dict[_Key, tuple[Revenue | None, str, Decimal]] = {}
        for payment in self._payments:
            found, adjustment = revenue.of_line(payment.revenue_type, payment.adjustment_type)
            key = found.label if found else payment.revenue_type, adjustment
            _, shown, paid = lines.get(key, (found, payment.revenue_type, Decimal()))
            lines[key] = found, shown, paid + payment.amount_usd
        self._known = set(lines)
        for (_, adjustment), (found, shown, paid) in lines.items():
            if found is None:
                yield _line(shown, adjustment, "unknown", paid, None)
            else:
                yield self._compare(found, shown, adjustment, paid)

    def _unpaid_lines(self) -> Iterable[dict[str, Any]]:
        """Yield a line for money of reports that no line of the payment summary is about."""
        for each in revenue.REVENUES:
            kinds = {name for part in each.parts for view in part for name in view if name}
            adjustments = sorted({adjustment for kind, adjustment in self._sums if kind in kinds})
            for adjustment in adjustments:
                if (each.label, adjustment) not in self._known:
                    yield self._compare(each, each.label, adjustment, None)

    def _compare(self, found: Revenue, shown: str, adjustment: str, paid: Decimal | None) -> dict[str, Any]:
        parts = [self._views(part, adjustment) for part in found.parts]
        if not any(parts):
            missing = [_needed(part, adjustment) for part in found.parts]
            status = "missing" if paid else "equal"
            return _line(shown, adjustment, status, paid, None, missing=missing if paid else [])
        # The first view of each part counts; another that differs from it is named below.
        reported = sum((part[0][1] for part in parts if part), Decimal())
        reports = []
        for part in parts:
            for kinds, amount, months in part:
                expected = None if paid is None else paid - (reported - part[0][1])
                reports.append(self._report(kinds, amount, months, expected))
        agree = all(each["difference_usd"] == "0.00" for each in reports)
        status = "unpaid" if paid is None else "equal" if agree else "differs"
        missing = [
            _needed(views, adjustment) for views, part in zip(found.parts, parts, strict=True) if not part
        ]
        return _line(
            shown, adjustment, status, paid, reported, reports, missing if status == "differs" else []
        )

    def _views(
        self, part: tuple[View, ...], adjustment: str
    ) -> list[tuple[tuple[str, ...], Decimal, dict[date, Decimal]]]:
        """Return (kinds, amount, amounts by month of activity) of each view that is loaded."""
        found = {}
        for view in part:
            kinds = tuple(
                kind
                for kind in view
                if kind in self._reports
                and ((kind, adjustment) in self._sums or kind == _carrier(view, adjustment))
            )
            if kinds and kinds not in found:
                months: dict[date, Decimal] = defaultdict(Decimal)
                for kind in kinds:
                    for month, amount in self._sums.get((kind, adjustment), {}).items():
                        months[month] += amount
                found[kinds] = kinds, sum(months.values(), Decimal()), months
        return list(found.values())

    def _report(
        self,
        kinds: tuple[str, ...],
        amount: Decimal,
        months: dict[date, Decimal],
        expected: Decimal | None,
    ) -> dict[str, Any]:
        loaded = [self._reports[kind] for kind in kinds]
        return {
            "report_ids": [each.id for each in loaded],
            "kinds": list(kinds),
            "rejected": sum(each.rejected for each in loaded),
            "reported_usd": _plain(amount),
            "difference_usd": None if expected is None else _cents(amount - expected),
            "months": [
                {"month": f"{month:%Y-%m}", "reported_usd": _plain(months[month])} for month in sorted(months)
            ],
        }


def _carrier(view: View, adjustment: str) -> str:
    """Return the kind of report that an adjustment's rows are expected in, also if it has none of them."""
    return view.kind if adjustment == NONE else view.adjustments or view.kind


def _needed(part: tuple[View, ...], adjustment: str) -> list[str]:
    return list(dict.fromkeys(_carrier(view, adjustment) for view in part))


def _line(
    revenue_type: str,
    adjustment: str,
    status: str,
    paid: Decimal | None,
    reported: Decimal | None,
    reports: list[dict[str, Any]] | None = None,
    missing: list[list[str]] | None = None,
) -> dict[str, Any]:
    return {
        "revenue_type": revenue_type,
        "adjustment_type": adjustment,
        "status": status,
        "paid_usd": None if paid is None else _plain(paid),
        "reported_usd": None if reported is None else _plain(reported),
        "difference_usd": _cents((reported or Decimal()) - (paid or Decimal())),
        "reports": reports or [],
        "missing": missing or [],
    }


def _plain(amount: Decimal) -> str:
    """Return an amount with all its decimals, at least two."""
    return f"{amount if amount.as_tuple().exponent <= -2 else amount.quantize(_CENT):f}"  # type: ignore[operator]


def _cents(amount: Decimal) -> str:
    """Return a difference in cents. Half a cent is none: the payment summary rounds each line."""
    return f"{amount.quantize(_CENT, ROUND_HALF_EVEN) + 0:f}"
