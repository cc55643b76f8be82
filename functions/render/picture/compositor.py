"""Where frames are drawn: by the processor, or on a GPU through OpenCL where frames drawn there were seen to be the processor's."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2

from render import isolation
from render.encode.encoders import Encoder
from render.errors import HostFailure
from render.picture import transitions
from render.picture.colour import Pixels
from render.picture.compose import Composer
from render.plan import timeline

# In steps of 255. Interpolation rounds a little differently from device to device: measured on three OpenCL runtimes, 0.1 on average and 3 at most.
_MEAN_DIFFERENCE, _LARGEST_DIFFERENCE = 1.0, 8
# Sides that no vector of pixels divides. A frame early in each scene: in the midst of a transition, with the first word popping up.
_PROBE_SIZE, _PROBE_FRAME = (150, 134), 2


@dataclass(frozen=True)
class Compositor:
    """The one chosen, and why, for report.json."""

    name: str
    reason: str

    @property
    def on_device(self) -> bool:
        return self.name == "opencl"


@cache
def works(any_device: bool = False) -> tuple[bool, str]:
    """Whether frames can be drawn on the OpenCL device: (True, its name) or (False, why not). `any_device`: it need not be a GPU."""
    try:
        return True, isolation.attempt(_compared, any_device)
    except isolation.Failed as failure:
        return False, str(failure)


def choose(encoder: Encoder, wish: str = "auto", probe: Callable[[bool], tuple[bool, str]] = works) -> Compositor:
    """`wish`: auto, cpu or opencl. Raises HostFailure when a device was demanded in vain."""
    if wish == "cpu":
        return Compositor("cpu", "asked for by RENDER_COMPOSITOR=cpu")
    if wish == "opencl":
        found, told = probe(True)
        if not found:
            raise HostFailure(f"Drawing on an OpenCL device was asked for and does not work here: {told}")
        return Compositor("opencl", f"asked for by RENDER_COMPOSITOR=opencl; drew test frames as the processor does on {told}")
    if not encoder.on_gpu:
        return Compositor("cpu", f"the encoder, {encoder.name}, is not on a GPU either")
    found, told = probe(False)
    if found:
        return Compositor("opencl", f"drew test frames as the processor does on {told}")
    return Compositor("cpu", f"no GPU draws here: {told}")


def wish() -> str:
    return os.environ.get("RENDER_COMPOSITOR", "auto")


def _compared(any_device: bool) -> str:
    """The device's name. Raises when there is none, when it is no GPU though it has to be, or when what it draws differs."""
    if not cv2.ocl.useOpenCL():
        raise RuntimeError("there is no OpenCL device")
    device = cv2.ocl.Device.getDefault()
    if not any_device and not device.type() & cv2.ocl.Device_TYPE_GPU:
        raise RuntimeError(f"{device.name()} is no GPU")
    plan = timeline.parse(_document())
    here, there = (Composer(plan, plan.outputs[0], {}, on_device=on_device) for on_device in (False, True))
    for number in range(_PROBE_FRAME, plan.frame_count, plan.fps):
        _compare(here.draw(number).planes, there.draw(number).planes)
    return str(device.name())


def _compare(expected: tuple[Pixels, Pixels], drawn: tuple[Pixels, Pixels]) -> None:
    for one, other in zip(expected, drawn, strict=True):
        difference = cv2.absdiff(one, other)
        if difference.mean() >= _MEAN_DIFFERENCE or difference.max() > _LARGEST_DIFFERENCE:
            raise RuntimeError(f"its frames differ from the processor's by {difference.mean():.1f} on average and {difference.max()} at most")


def _document() -> dict[str, object]:
    """A small film with everything that is drawn: the title card, each transition, generated scenes, headings, captions and the mark."""
    scenes = [
        {
            "id": kind,
            "start_s": index,
            "end_s": index + 1,
            "heading": kind,
            "visual": {"kind": "generated", "generated": {"template": "number", "value": "7", "label": kind}},
            "transition": {"kind": kind},
            "narration": {"audio": {"uri": "not read"}, "start_s": index, "duration_s": 0.9, "words": _words(index)},
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
    return [{"text": text, "start_s": start_s + 0.3 * index, "end_s": start_s + 0.3 * index + 0.3} for index, text in enumerate(("Drawn", "with", "care."))]
