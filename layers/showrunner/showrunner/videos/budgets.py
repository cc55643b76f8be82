"""Reserve money before a paid step of a production, and settle it by what the step cost.

A step reserves the most that it can cost. It is refused if that exceeds what is left of the video's budget,
the channel's for the day, or the organisation's for the month.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from showrunner.access import limits
from showrunner.database import db
from showrunner.errors import PaymentRequired
from showrunner.production.costs import Charge
from showrunner.store.ledger import budgets, video_costs

# USD, for channels that set no budget of their own.
VIDEO_USD, DAY_USD = Decimal("1.00"), Decimal("10.00")


def require(
    tx: db.Transaction, organisation_id: str, channel_id: str, amount: Decimal, video_id: str | None = None
) -> None:
    """Raise PaymentRequired if a budget has less than `amount` left, naming it and what to change."""
    for scope, limit, left in _scopes(tx, organisation_id, channel_id, video_id):
        if amount > left:
            raise PaymentRequired(
                f"{NAMES[scope]} is {limit:.2f} USD, {max(left, Decimal(0)):.4f} USD are left, and up to "
                f"{amount:.4f} USD are needed now. {_remedy(scope)}, then try again."
            )


def _scopes(
    tx: db.Transaction, organisation_id: str, channel_id: str, video_id: str | None
) -> list[tuple[str, Decimal, Decimal]]:
    """Return (scope, limit, what of it is left) of each budget; `left` is below 0 if more was spent."""
    used = budgets.get_used(tx, organisation_id, channel_id, video_id)
    limits_of_scopes = {
        "video": _limit(used, "video", VIDEO_USD),
        "day": _limit(used, "day", DAY_USD),
        "month": Decimal(limits.of_organisation(tx, organisation_id)["month_usd"]),
    }
    return [(scope, limit, limit - Decimal(used[scope])) for scope, limit in limits_of_scopes.items()]


def _remedy(scope: str) -> str:
    return {
        "video": "Raise settings.budget.video of the channel",
        "day": "Raise settings.budget.day of the channel, or wait for the next day",
        "month": f"Ask a platform admin for a higher month_usd, or wait until {_next_month()}",
    }[scope]


class Budget(NamedTuple):
    """A budget in USD: its `limit`, and what of it is `left` for another video."""

    limit: Decimal
    left: Decimal


def find_left(
    tx: db.Transaction, organisation_id: str, channel_id: str, video_usd: Decimal
) -> dict[str, Budget]:
    """Return the channel's budget of the `day` and the organisation's of the `month`.

    What running videos are still going to cost is taken off, at `video_usd` for a whole video.
    """
    used = budgets.get_used(tx, organisation_id, channel_id, None)
    expected = budgets.get_expected(tx, organisation_id, channel_id, video_usd)
    limit = {
        "day": _limit(used, "day", DAY_USD),
        "month": Decimal(limits.of_organisation(tx, organisation_id)["month_usd"]),
    }
    return {name: Budget(usd, usd - Decimal(used[name]) - expected[name]) for name, usd in limit.items()}


NAMES = {
    "video": "The budget of a video of this channel",
    "day": "The channel's budget of a day (UTC)",
    "month": "Your organisation's budget of a month (UTC)",
}


def _limit(used: dict[str, Any], name: str, default: Decimal) -> Decimal:
    return Decimal(used["budget"].get(name) or default)


def _next_month() -> str:
    now = datetime.now(UTC)
    return f"{now.year + now.month // 12}-{now.month % 12 + 1:02}-01"


def reserve(
    tx: db.Transaction,
    organisation_id: str,
    channel_id: str,
    video_id: str,
    step: str,
    amount: Decimal,
    *,
    extra: Decimal = Decimal(0),
    later: Decimal = Decimal(0),
) -> Decimal:
    """Reserve what the next step can cost at most, in place of the video's last reservation.

    `extra` is for what the video can be made without: as much of it is reserved as the budgets leave beside
    `later`, which its next steps need. Returns that part. Raises PaymentRequired if `amount` is not left.
    """
    budgets.lock(tx, organisation_id)
    require(tx, organisation_id, channel_id, amount, video_id)
    left = min(left for _, _, left in _scopes(tx, organisation_id, channel_id, video_id))
    granted = max(Decimal(0), min(extra, left - amount - later))
    budgets.reserve(tx, organisation_id, channel_id, video_id, step, amount + granted)
    return granted


def settle(
    tx: db.Transaction, organisation_id: str, video_id: str, charges: list[Charge], *, list_price_only: bool
) -> None:
    """Record what was paid and release the rest of the reservation.

    A charge that was recorded before stays as it was.
    """
    video_costs.add(tx, organisation_id, video_id, charges, list_price_only)
    budgets.release(tx, video_id)
