"""Run: python -m render timeline.json out/ | --self-test | --contact-sheet [sheet.png] | --list"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

# NumPy would start a thread per core for matrix products, which are not used here. Read at import.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from render import errors, job
from render.errors import RenderError
from render.storage import Destination


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m render",
        description="Render a timeline to video. Exit codes: 0 finished, 2 wrong arguments, "
        "3 the input is at fault, 4 the host is at fault (retry), 5 no GPU, 6 choose other clips.",
    )
    parser.add_argument("timeline", nargs="?", help="file or s3://bucket/key of a timeline.json")
    parser.add_argument(
        "destination",
        nargs="?",
        help="folder or s3://bucket/prefix that receives video.mp4, thumbnail.jpg, captions and report.json",
    )
    parser.add_argument(
        "--self-test",
        action="store_true",
        help="renders two seconds in a temporary folder and says whether this machine can work",
    )
    parser.add_argument("--gpu", action="store_true", help="with --self-test: measure what the GPU does")
    parser.add_argument(
        "--contact-sheet",
        nargs="?",
        const="contact-sheet.png",
        metavar="PNG",
        help="draws every caption preset in every aspect and script",
    )
    parser.add_argument("--list", action="store_true", help="caption presets, typefaces and templates")
    arguments = parser.parse_args(argv)
    if not (arguments.self_test or arguments.contact_sheet or arguments.list) and not (
        arguments.timeline and arguments.destination
    ):
        parser.error("give a timeline and a destination")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = _arguments(argv)
    if cache := os.environ.get("XDG_CACHE_HOME"):
        # OpenCV keeps compiled OpenCL kernels there, but only if the folder exists.
        Path(cache).mkdir(parents=True, exist_ok=True)
    if arguments.self_test and arguments.gpu:
        from render.check.gpu_test import gpu_test

        return gpu_test()
    if arguments.self_test:
        from render.check.self_test import self_test

        return self_test()
    if arguments.contact_sheet:
        from render.picture.contact_sheet import draw_sheets

        draw_sheets(arguments.contact_sheet)
        return 0
    if arguments.list:
        print(json.dumps(_listing(), indent=2))
        return 0
    signal.signal(signal.SIGTERM, _terminated)
    return _rendered(arguments.timeline, Destination(arguments.destination))


def _rendered(timeline: str, destination: Destination) -> int:
    try:
        job.render(timeline, destination)
    except RenderError as failure:
        return _failed(failure, destination)
    except OSError as failure:
        # ENOSPC, EDQUOT
        kind = (
            errors.DiskFull("The disk is full.")
            if failure.errno in (28, 122)
            else errors.HostFailure(f"{type(failure).__name__}: {failure}")
        )
        return _failed(kind, destination)
    except MemoryError:
        return _failed(errors.HostFailure("Memory ran out."), destination)
    return 0


def _failed(failure: RenderError, destination: Destination) -> int:
    job.fail(failure, destination)
    print(json.dumps({"phase": "failed", **failure.as_document()}, ensure_ascii=False), flush=True)
    print(f"{type(failure).__name__}: {failure.message}", file=sys.stderr)
    return failure.exit_code


def _terminated(number: int, _: Any) -> None:
    """Exit on SIGTERM. The kernel ends the workers with us; finished pieces stay for the next attempt."""
    raise SystemExit(128 + number)


def _listing() -> dict[str, Any]:
    from render.picture import generated, transitions
    from render.text import fonts, styles

    return {
        "caption_presets": {name: data["description"] for name, data in styles.presets().items()},
        "fonts": {name: sorted(weights) for name, weights in fonts.FAMILIES.items()},
        "templates": sorted(generated.TEMPLATES),
        "transitions": sorted(transitions.KINDS),
    }


if __name__ == "__main__":
    sys.exit(main())
