"""What was paid for a video, kept by the step that paid, at once: one object for each charge, so that a video which fails or is cancelled has its costs too."""

from showrunner import blobs
from showrunner.production.costs import Charge


def keep(folder: str, charge: Charge) -> None:
    """Before the product itself is stored: a crash in between leaves a cost without a product, never the other way round."""
    blobs.put_json(f"{folder}/charges/{charge.charge.replace(':', '-')}.json", charge.model_dump(mode="json"))


def list_(folder: str) -> list[Charge]:
    return [Charge.model_validate(blobs.get_json(key)) for key in blobs.list_keys(f"{folder}/charges/")]
