"""Which readers still use the version before of a secret, and which were refused with one."""

import time
from collections.abc import Iterable

from showrunner.aws import secret_uses, ssm
from showrunner.aws.secret_uses import Use

# A reader keeps a version no longer than this after it has read it: the cache, the longest function (15
# minutes), and a minute for clocks that differ. No version before may end earlier by itself.
HELD_SECONDS = ssm.SECRET_SECONDS + 900 + 60


def behind(uses: Iterable[Use], name: str, version: int) -> list[str]:
    """Return the readers that may still use another version of the secret than the current one.

    A reader that has read nothing for as long as it can keep a version is none of them: whatever it reads
    next is the current version.
    """
    oldest = time.time() - secret_uses.INTERVAL_SECONDS - HELD_SECONDS
    return [
        use.reader
        for use in uses
        if use.secret == name and use.version not in (0, version) and use.read[use.version] > oldest
    ]


def refused(name: str, since: float) -> list[str]:
    """Return the readers that were refused since then (epoch seconds) with a version that was replaced."""
    return [
        use.reader
        for use in secret_uses.list_()
        if use.secret == name and any(at >= since for at in use.refused.values())
    ]
