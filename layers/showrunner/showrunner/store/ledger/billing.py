"""Billing of organisations: credits, costs and invoices.

Amounts are decimal strings in USD. List prices of stand-ins are not charged.
"""

from decimal import Decimal

from showrunner.database import db
from showrunner.errors import PaymentRequired

# An organisation without a row of credits pays afterwards: its `added` is NULL.
_CREDITS = """
    SELECT c.added, (SELECT coalesce(sum(k.amount_usd), 0) FROM ledger.costs k
                      WHERE k.organisation_id = :organisation_id AND NOT k.list_price_only
                        AND k.recorded_at >= c.since) AS spent
      FROM (SELECT sum(amount_usd) AS added, min(added_at) AS since FROM ledger.credits
             WHERE organisation_id = :organisation_id) c
"""
_STEPS = ("script", "voice", "visuals", "render", "upload", "storage")
_BREAKDOWN = ", ".join(
    f"'{step}',"
    f" coalesce(sum(k.amount_usd) FILTER (WHERE k.step = '{step}' AND NOT k.list_price_only), 0)::text"
    for step in _STEPS
)
_MONTH = "date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
_NEXT_MONTH = "(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC'"


def require_credit(tx: db.Transaction, organisation_id: str) -> None:
    """Raise PaymentRequired if the organisation's credits are used up.

    Videos in production have no price yet.
    """
    balance: Decimal | None = db.value(
        tx, f"SELECT added - spent FROM ({_CREDITS}) b", organisation_id=organisation_id
    )
    if balance is not None and balance <= 0:
        raise PaymentRequired("Your organisation's credits are used up: add some, then try again.")


def get(tx: db.Transaction, organisation_id: str) -> str:
    """Return {plan, currency, period, spent, credits, invoices} as JSON text.

    `credits` is null for an organisation that pays afterwards. The invoices are the newest hundred.
    """
    return str(
        db.value(
            tx,
            f"""
            SELECT json_build_object(
                'plan', o.plan, 'currency', 'USD',
                'period', json_build_object('begins_at', {_MONTH}, 'ends_at', {_NEXT_MONTH}),
                'spent', (
                    SELECT json_build_object(
                               'total_usd',
                               coalesce(sum(k.amount_usd) FILTER (WHERE NOT k.list_price_only), 0)::text,
                               'list_price_usd',
                               coalesce(sum(k.amount_usd) FILTER (WHERE k.list_price_only), 0)::text,
                               'videos', count(DISTINCT k.video_id),
                               'breakdown', json_build_object({_BREAKDOWN}))
                      FROM ledger.costs k WHERE k.organisation_id = o.id AND k.recorded_at >= {_MONTH}),
                'credits', (
                    SELECT CASE WHEN b.added IS NOT NULL
                                THEN json_build_object('added_usd', b.added::text, 'spent_usd', b.spent::text,
                                                       'balance_usd', (b.added - b.spent)::text) END
                      FROM ({_CREDITS}) b),
                'invoices', (SELECT coalesce(json_agg(i), '[]') FROM (
                    SELECT id, number, period_begins, period_ends, amount_usd::text, status, issued_at,
                           paid_at
                      FROM ledger.invoices
                     WHERE organisation_id = o.id ORDER BY issued_at DESC, id DESC LIMIT 100) i))::text
              FROM accounts.organisations o WHERE o.id = :organisation_id
            """,
            organisation_id=organisation_id,
        )
    )
