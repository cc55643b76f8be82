"""Say what conflicts of ownership are worth.

The value of an asset is its partner revenue in USD of the newest three months whose money is loaded, with the
corrections that came in them. The same money is in several reports, by claim and by asset: each part of it is
taken from one of them (reports/revenue.py). Money that no report has by asset, such as that of Shorts, is not
in it.
"""

from datetime import date

from showrunner.database import db
from showrunner.reports import revenue
from showrunner.store.rights import conflict_values


def refresh(tx: db.Transaction, owner_id: int, kind: str) -> None:
    """Value the owner's conflicts anew after a report of this kind, if they may have changed by it."""
    if kind != "conflicts" and kind not in revenue.BY_ASSET:
        return
    if not conflict_values.has_conflicts(tx, owner_id):
        return
    months: dict[date, dict[str, str]] = {}
    for each in conflict_values.list_reports(tx, owner_id):
        months.setdefault(each["month"], {})[each["kind"]] = each["id"]
    chosen = {
        month: [loaded[each] for each in revenue.by_asset(set(loaded))] for month, loaded in months.items()
    }
    valued = [month for month, ids in chosen.items() if ids]
    conflict_values.save(tx, owner_id, [id_ for ids in chosen.values() for id_ in ids], valued)
