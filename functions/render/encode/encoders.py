"""Which encoder this machine really has, found by encoding a frame with it, and the exact options it is called with."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av
import av.logging
from av.container import OutputContainer
from av.video.stream import VideoStream

from render import isolation
from render.errors import EncoderFailed

GPU = {"h264": "h264_nvenc", "hevc": "hevc_nvenc", "av1": "av1_nvenc"}
CPU = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}

# Measured (README): veryfast is the fastest preset whose files are small enough for an upload; 21 is visually clean after the platforms' own re-encoding.
X264_PRESET, X264_CRF = "veryfast", 21

# Under a camera that moves over a photograph whole regions go the same way: splitting a block of 16 for motion finds nothing, and a small step finds the
# best match. Measured at veryfast on photographs with captions, headings and a title: a tenth less time, bytes -0.2 to +0.3 %, VMAF -0.02 to +0.08; on
# charts that grow 1.9 % more bytes, so not there. Streams made with and without it have the same headers, so that pieces of both join.
_ONE_MOTION = {"x264-params": "partitions=i4x4,i8x8:me=dia"}

# Frames that go in; NVENC refuses anything below 145 pixels, so the test frame is larger.
_PROBE_SIDE = 320
# The numbers of ITU-T H.273 for BT.709, and limited range.
_BT709, _LIMITED = 1, 1


@dataclass(frozen=True)
class Encoder:
    """The one chosen, and why, for report.json."""

    name: str
    reason: str

    @property
    def on_gpu(self) -> bool:
        return self.name.endswith("_nvenc")


def works(name: str) -> str | None:
    """None when a frame could be encoded; otherwise the encoder's own complaint. The list of encoders says nothing: NVENC is listed without a GPU."""
    try:
        isolation.attempt(_encode_one, name)
    except isolation.Failed as failure:
        return str(failure)
    return None


def _encode_one(name: str) -> None:
    av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture(local=False) as log:
        try:
            with av.open(os.devnull, "w", format="null") as sink:
                stream = open_stream(sink, Encoder(name, ""), _PROBE_SIDE, _PROBE_SIDE, 30)
                frame = av.VideoFrame(_PROBE_SIDE, _PROBE_SIDE, "nv12")
                for plane in frame.planes:
                    plane.update(bytes([128]) * plane.buffer_size)
                frame.pts = 0
                for packet in [*stream.encode(frame), *stream.encode()]:
                    sink.mux(packet)
        except Exception as failure:
            raise EncoderFailed(_complaint([message for _, _, message in log], failure)) from failure


def _complaint(messages: list[str], failure: Exception) -> str:
    telling = [message for message in messages if any(word in message for word in ("Cannot load", "No capable", "not support", "No NVENC", "driver"))]
    return (telling[0] if telling else str(failure)).strip()[:200]


def choose(codec: str, wish: str = "auto", probe: Callable[[str], str | None] = works) -> Encoder:
    """`wish`: auto, gpu or cpu. Raises EncoderFailed when not even the processor's encoder works, or when a GPU was demanded in vain."""
    if wish == "cpu":
        return _on_cpu(codec, "asked for by RENDER_ENCODER=cpu", probe)
    complaint = probe(GPU[codec])
    if complaint is None:
        return Encoder(GPU[codec], "encoded a test frame on the GPU")
    if wish == "gpu":
        raise EncoderFailed(f"{GPU[codec]} was asked for and does not work here: {complaint}")
    return _on_cpu(codec, f"{GPU[codec]} does not work here: {complaint}", probe)


def _on_cpu(codec: str, reason: str, probe: Callable[[str], str | None]) -> Encoder:
    complaint = probe(CPU[codec])
    if complaint is not None:
        raise EncoderFailed(f"{CPU[codec]} does not work here: {complaint}")
    return Encoder(CPU[codec], reason)


def skips_stills(encoder: Encoder) -> bool:
    """Whether a picture that stands still takes next to no bytes: measured for these; ultrafast takes 7 KB a frame, NVENC was not at hand."""
    return encoder.name == "libx265" or (encoder.name == "libx264" and preset() not in ("ultrafast", "superfast"))


def wish() -> str:
    return os.environ.get("RENDER_ENCODER", "auto")


def preset() -> str:
    return os.environ.get("RENDER_X264_PRESET", X264_PRESET)


def options(encoder: Encoder, fps: int, photographs: bool = False) -> dict[str, str]:
    """Quality targets of about the same look. A key frame every two seconds lets platforms and players seek.

    Every half second where nothing is known of how the encoder codes a still picture: the inspection then needs the key frames only (`gate.Keys`).
    """
    keys = {"g": str(fps * 2 if skips_stills(encoder) else fps // 2)}
    match encoder.name:
        case "libx264":
            # One thread each: as many encoders as cores, no loss to frame threading, and the same bytes on every machine. B-frames that are
            # no references: measured at veryfast, 23 MB less for each encoder, 0.8 % more bytes.
            common = {"preset": preset(), "crf": str(X264_CRF), "threads": "1", "profile": "high", "b-pyramid": "none", **keys}
            return common | _ONE_MOTION if photographs and preset() == "veryfast" else common
        case "libx265":
            return {"preset": "fast", "crf": "23", "x265-params": "pools=none:frame-threads=1:log-level=error", **keys}
        case "libsvtav1":
            return {"preset": "9", "crf": "32", "svtav1-params": "lp=1", **keys}
        case "h264_nvenc" | "hevc_nvenc" | "av1_nvenc":
            quality = {"h264_nvenc": "23", "hevc_nvenc": "25", "av1_nvenc": "30"}[encoder.name]
            return {"preset": "p4", "tune": "hq", "rc": "vbr", "cq": quality, "b": "0", "spatial-aq": "1", "bf": "2", **keys}
    raise EncoderFailed(f"No options are known for {encoder.name}.")


def open_stream(container: OutputContainer, encoder: Encoder, width: int, height: int, fps: int, photographs: bool = False) -> VideoStream:
    """A stream of BT.709 4:2:0 in limited range, tagged so."""
    stream = container.add_stream(encoder.name, rate=fps, options=options(encoder, fps, photographs))
    # As the frames are drawn, where the encoder takes that; PyAV converts for the others.
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p" if encoder.name in ("libx265", "libsvtav1") else "nv12"
    context = stream.codec_context
    context.time_base = Fraction(1, fps)
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = _LIMITED
    if encoder.name in ("libx265", "hevc_nvenc"):
        # Apple's players take HEVC in MP4 under this tag only.
        context.codec_tag = "hvc1"
    return stream
