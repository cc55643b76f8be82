"""What was paid for a video, kept by the step that paid, at once: one object for each charge, so that a video which fails or is cancelled has its costs too."""

from showrunner.aws import s3
from showrunner.production import files
from showrunner.production.costs import Charge


def add(folder: str, charge: Charge) -> None:
    """Before the product itself is stored: a crash in between leaves a cost without a product, never the other way round."""
    s3.put_json(files.charge_key(folder, charge.charge), charge.model_dump(mode="json"))


def list_(folder: str) -> list[Charge]:
    return [Charge.model_validate(s3.get_json(key)) for key in s3.list_keys(files.charges_prefix(folder))]
