"""The time by which invented figures grow. `days` moves it, so that a run of minutes can show days."""

import time

days = 0.0


def now() -> float:
    """Return the moved time in epoch seconds."""
    return time.time() + days * 86_400
