"""Choose where frames are drawn: on the CPU, or on an OpenCL device that draws the same frames."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2

from render import isolation
from render.errors import HostFailure
from render.picture import transitions
from render.picture.colour import Pixels
from render.picture.compose import Composer
from render.plan import timeline

# Allowed difference in steps of 255. Devices round interpolation differently: measured on three OpenCL
# runtimes, 0.1 on average and at most 3.
_MEAN_DIFFERENCE, _LARGEST_DIFFERENCE = 1.0, 8
# Odd sizes that are no multiple of a vector width. An early frame of each scene: in the middle of a
# transition, while the first word is enlarged.
_PROBE_SIZE, _PROBE_FRAME = (150, 134), 2


@dataclass(frozen=True)
class Compositor:
    """The chosen compositor (cpu or opencl), and the reason for report.json."""

    name: str
    reason: str

    @property
    def on_device(self) -> bool:
        return self.name == "opencl"


@cache
def works() -> tuple[bool, str]:
    """Return (True, device name) if OpenCL draws the same frames as the CPU, else (False, reason)."""
    try:
        return True, isolation.attempt(_probe)
    except isolation.Failed as failure:
        return False, str(failure)


def choose(request: str, probe: Callable[[], tuple[bool, str]] = works) -> Compositor:
    """Choose a compositor. `request` is cpu or opencl.

    Raises HostFailure if OpenCL was requested and does not work.

    The CPU is the default: it draws a frame in 1.4 to 1.7 ms, while OpenCL takes about fifty calls for it and
    reads 3 MB back (README).
    """
    if request != "opencl":
        return Compositor("cpu", f"RENDER_COMPOSITOR={request}")
    found, detail = probe()
    if not found:
        raise HostFailure(f"RENDER_COMPOSITOR=opencl does not work on this machine: {detail}")
    return Compositor("opencl", f"RENDER_COMPOSITOR=opencl; drew the same test frames as the CPU on {detail}")


def requested() -> str:
    """Return RENDER_COMPOSITOR: cpu (the default) or opencl."""
    return os.environ.get("RENDER_COMPOSITOR", "cpu")


def _probe() -> str:
    """Draw test frames on both and return the device's name.

    Raises RuntimeError if there is no device or its frames differ.
    """
    if not cv2.ocl.useOpenCL():
        raise RuntimeError("there is no OpenCL device")
    device = cv2.ocl.Device.getDefault()
    plan = timeline.parse(_document())
    here, there = (Composer(plan, plan.outputs[0], {}, on_device=on_device) for on_device in (False, True))
    for number in range(_PROBE_FRAME, plan.frame_count, plan.fps):
        _compare(here.draw(number).planes, there.draw(number).planes)
    return str(device.name())


def _compare(expected: tuple[Pixels, Pixels], drawn: tuple[Pixels, Pixels]) -> None:
    for one, other in zip(expected, drawn, strict=True):
        difference = cv2.absdiff(one, other)
        if difference.mean() >= _MEAN_DIFFERENCE or difference.max() > _LARGEST_DIFFERENCE:
            raise RuntimeError(
                f"its frames differ from the CPU's by {difference.mean():.1f} on average "
                f"and {difference.max()} at most"
            )


def _document() -> dict[str, object]:
    """Return a short timeline with everything that is drawn: title card, all transitions, generated scenes,
    headings, captions and the demo mark.
    """
    scenes = [
        {
            "id": kind,
            "start_s": index,
            "end_s": index + 1,
            "heading": kind,
            "visual": {"kind": "generated", "generated": {"template": "number", "value": "7", "label": kind}},
            "transition": {"kind": kind},
            "narration": {
                "audio": {"uri": "not read"},
                "start_s": index,
                "duration_s": 0.9,
                "words": _words(index),
            },
        }
        for index, kind in enumerate(transitions.KINDS)
    ]
    return {
        "schema_version": 1,
        "video_id": "probe",
        "title": "Probe",
        "demo": True,
        "outputs": [{"name": "probe", "width": _PROBE_SIZE[0], "height": _PROBE_SIZE[1]}],
        "title_card": {"text": "Probe", "kicker": "Here", "start_s": 0, "end_s": 1},
        "captions": {"preset": "boxed"},
        "scenes": scenes,
    }


def _words(start_s: float) -> list[dict[str, object]]:
    return [
        {"text": text, "start_s": start_s + 0.3 * index, "end_s": start_s + 0.3 * index + 0.3}
        for index, text in enumerate(("Drawn", "with", "care."))
    ]
