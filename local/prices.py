"""`make prices`: list the prices that must be read again at their source. Exits with 1 if there are any."""

import sys
from datetime import UTC, datetime

from local.settings import LAYER


def main() -> int:
    sys.path.insert(0, str(LAYER))
    from showrunner.production import prices

    old = prices.outdated(datetime.now(UTC).date())
    for source in old:
        print(f"{source.read_on}  {source.item:<32} {source.url}")
    if old:
        print(
            f"{len(old)} of {len(prices.SOURCES)} prices were read more than {prices.OUTDATED_DAYS} days ago."
        )
        print(
            "Read them again, then change layers/showrunner/showrunner/production/prices.py and "
            "docs/services.md."
        )
    else:
        print(f"All {len(prices.SOURCES)} prices were read within the last {prices.OUTDATED_DAYS} days.")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
