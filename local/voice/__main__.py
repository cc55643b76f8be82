"""`python -m local.voice`: load the voice, warm it up, listen on VOICE_PORT."""

import os
import time
from pathlib import Path

from local.model_server import listen, port_from, serve

# Beside the environments; `python -m local.voice.styles <folder>` fetches them.
DEFAULT_STYLES = Path(".local") / "env" / "voices"


def main() -> None:
    listener = listen(port_from("VOICE_PORT", 8102), "VOICE_PORT")
    started = time.perf_counter()
    from local.voice.ids import FEMALE
    from local.voice.server import build
    from local.voice.synthesis import Kokoro
    from local.voice.voices import load, missing

    folder = Path(os.environ.get("VOICE_STYLES") or DEFAULT_STYLES)
    kokoro, styles = Kokoro(threads=int(os.environ.get("VOICE_THREADS", "2"))), load(folder)
    # The first run of a session allocates memory and is slow: do it before the first request.
    kokoro.speak("Ready to speak.", styles[FEMALE]["en"], 1.0)
    absent = missing(folder)
    print(
        f"voice: ready in {time.perf_counter() - started:.1f} s"
        + (f"; the bundled voice stands in for {', '.join(absent)}" if absent else ""),
        flush=True,
    )
    plan = os.environ.get("VOICE_PLAN", "creator")
    # Two cores speak three passages at once without slowing each other down much; more wait in the queue.
    concurrency, queue = (
        int(os.environ.get("VOICE_CONCURRENCY", "3")),
        int(os.environ.get("VOICE_QUEUE", "3")),
    )
    serve(build(kokoro, styles, plan, concurrency, queue), listener)


if __name__ == "__main__":
    main()
