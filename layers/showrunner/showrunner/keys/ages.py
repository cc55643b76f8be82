"""The age of the secrets, against the inventory."""

import time

from showrunner.aws import ssm
from showrunner.keys.inventory import Secret

_DAY = 86_400


def is_overdue(secret: Secret, stored: ssm.Stored | None) -> bool:
    return stored is not None and age_days(stored) > secret.max_age_days


def age_days(stored: ssm.Stored) -> int:
    return int((time.time() - stored.written_at) // _DAY)
