"""Charges of a video as objects in S3, written by the step that paid.

A video that fails or is cancelled keeps its costs this way.
"""

from showrunner.aws import s3
from showrunner.production import files
from showrunner.production.costs import Charge


def add(folder: str, charge: Charge) -> None:
    """Store a charge. Call it before storing the product: a crash in between must not lose the cost."""
    s3.put_json(files.charge_key(folder, charge.charge), charge.model_dump(mode="json"))


def list_(folder: str) -> list[Charge]:
    """Return all charges of a video."""
    return [Charge.model_validate(s3.get_json(key)) for key in s3.list_keys(files.charges_prefix(folder))]
