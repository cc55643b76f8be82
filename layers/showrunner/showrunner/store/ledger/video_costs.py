"""Costs of videos: one row for each thing paid for."""

import json

from showrunner.database import db
from showrunner.production.costs import Charge


def add(
    tx: db.Transaction, organisation_id: str, video_id: str, charges: list[Charge], list_price_only: bool
) -> None:
    """Record charges. One that was recorded before isn't changed."""
    db.run(
        tx,
        """
        INSERT INTO ledger.costs
               (organisation_id, video_id, charge, step, provider, item, quantity, unit, amount_usd,
                list_price_only)
        SELECT :organisation_id, :video_id, r.charge, r.step, r.provider, r.item, r.quantity, r.unit,
               r.amount_usd, :list_price_only
          FROM json_to_recordset(:charges)
               AS r(charge text, step text, provider text, item text, quantity numeric, unit text,
                    amount_usd numeric)
        ON CONFLICT (video_id, charge) DO NOTHING
        """,
        organisation_id=organisation_id,
        video_id=video_id,
        charges=json.dumps([charge.model_dump(mode="json") for charge in charges]),
        list_price_only=list_price_only,
    )
