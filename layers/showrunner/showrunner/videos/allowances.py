"""Keep what the pictures of a video may cost.

The step that holds the database reserves it, and the step that chooses pictures spends it.
"""

from decimal import Decimal

from showrunner.aws import s3
from showrunner.production import files
from showrunner.production.costs import Charge


def save(folder: str, granted: Decimal) -> None:
    """Let the pictures of a video cost `granted` USD more than they have cost so far."""
    s3.put_json(files.allowance_key(folder), {"usd": str(_spent(folder) + granted)})


def left(folder: str) -> Decimal:
    """Return how many USD may still be spent on pictures: none without an allowance."""
    stored = s3.find_json(files.allowance_key(folder))
    return Decimal(stored["usd"]) - _spent(folder) if stored else Decimal(0)


def _spent(folder: str) -> Decimal:
    keys = s3.list_keys(files.charge_prefix(folder, "visuals"))
    return sum((Charge.model_validate(s3.get_json(key)).amount_usd for key in keys), Decimal(0))
