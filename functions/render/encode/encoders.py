"""Choose an encoder by encoding a test frame with it, and set its options."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import av.logging
from av.container import OutputContainer
from av.video.stream import VideoStream

from render import isolation
from render.errors import EncoderFailed

GPU = {"h264": "h264_nvenc", "hevc": "hevc_nvenc", "av1": "av1_nvenc"}
CPU = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}

# veryfast is the fastest preset whose files are small enough to upload (measured, see README). CRF 21 has no
# visible artefacts after the platforms encode the video again.
X264_PRESET, X264_CRF = "veryfast", 21

# Under a camera move over a photograph, whole regions move together: splitting 16x16 blocks finds nothing,
# and a diamond search finds the best match. Measured at veryfast on photographs with captions, headings and a
# title: 10 % less time, bytes -0.2 to +0.3 %, VMAF -0.02 to +0.08. Growing charts take 1.9 % more bytes, so
# they are encoded without it. Streams with and without it have the same headers, so their pieces can be
# joined.
_ONE_MOTION = {"x264-params": "partitions=i4x4,i8x8:me=dia"}

# Side of the test frame in pixels. NVENC refuses anything below 145.
_PROBE_SIDE = 320
# Codes of ITU-T H.273 for BT.709 and for limited range.
_BT709, _LIMITED = 1, 1


@dataclass(frozen=True)
class Encoder:
    """The chosen encoder, and the reason for report.json."""

    name: str
    reason: str

    @property
    def on_gpu(self) -> bool:
        return self.name.endswith("_nvenc")


def works(name: str) -> str | None:
    """Return None if the encoder can encode a frame on this machine, else its error message.

    FFmpeg lists NVENC even without a GPU, so only encoding proves it.
    """
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
    telling = [
        message
        for message in messages
        if any(word in message for word in ("Cannot load", "No capable", "not support", "No NVENC", "driver"))
    ]
    return (telling[0] if telling else str(failure)).strip()[:200]


def choose(codec: str, request: str = "auto", probe: Callable[[str], str | None] = works) -> Encoder:
    """Choose an encoder for a codec.

    `request` is auto, gpu or cpu. Raises EncoderFailed if no CPU encoder works, or if a GPU encoder was
    requested and does not work.
    """
    if request == "cpu":
        return _on_cpu(codec, "requested by RENDER_ENCODER=cpu", probe)
    complaint = probe(GPU[codec])
    if complaint is None:
        return Encoder(GPU[codec], "encoded a test frame on the GPU")
    if request == "gpu":
        raise EncoderFailed(f"{GPU[codec]} was requested and does not work here: {complaint}")
    return _on_cpu(codec, f"{GPU[codec]} does not work here: {complaint}", probe)


def _on_cpu(codec: str, reason: str, probe: Callable[[str], str | None]) -> Encoder:
    complaint = probe(CPU[codec])
    if complaint is not None:
        raise EncoderFailed(f"{CPU[codec]} does not work here: {complaint}")
    return Encoder(CPU[codec], reason)


def skips_stills(encoder: Encoder) -> bool:
    """Return True if the encoder codes a still picture in very few bytes.

    Measured for x265 and for x264 from veryfast on; x264 ultrafast takes 7 KB per frame; NVENC has not been
    measured.
    """
    return encoder.name == "libx265" or (
        encoder.name == "libx264" and preset() not in ("ultrafast", "superfast")
    )


def requested() -> str:
    """Return RENDER_ENCODER."""
    return os.environ.get("RENDER_ENCODER", "auto")


def preset() -> str:
    """Return the x264 preset."""
    return os.environ.get("RENDER_X264_PRESET", X264_PRESET)


def options(encoder: Encoder, fps: int, photographs: bool = False) -> dict[str, str]:
    """Return the encoder's options, at about the same quality for all encoders.

    A key frame every two seconds lets platforms and players seek; every half second for encoders whose still
    pictures are unknown, so that the inspection only has to decode key frames.
    """
    keys = {"g": str(fps * 2 if skips_stills(encoder) else fps // 2)}
    match encoder.name:
        case "libx264":
            # One thread each: there are as many encoders as cores, and the bytes are the same on every
            # machine. B-frames are not used as references: measured at veryfast, 23 MB less memory per
            # encoder, 0.8 % more bytes.
            common = {
                "preset": preset(),
                "crf": str(X264_CRF),
                "threads": "1",
                "profile": "high",
                "b-pyramid": "none",
                **keys,
            }
            return common | _ONE_MOTION if photographs and preset() == "veryfast" else common
        case "libx265":
            return {
                "preset": "fast",
                "crf": "23",
                "x265-params": "pools=none:frame-threads=1:log-level=error",
                **keys,
            }
        case "libsvtav1":
            return {"preset": "9", "crf": "32", "svtav1-params": "lp=1", **keys}
        case "h264_nvenc" | "hevc_nvenc" | "av1_nvenc":
            quality = {"h264_nvenc": "23", "hevc_nvenc": "25", "av1_nvenc": "30"}[encoder.name]
            return {
                "preset": "p4",
                "tune": "hq",
                "rc": "vbr",
                "cq": quality,
                "b": "0",
                "spatial-aq": "1",
                "bf": "2",
                **keys,
            }
    raise EncoderFailed(f"No options are known for {encoder.name}.")


def open_stream(
    container: OutputContainer, encoder: Encoder, width: int, height: int, fps: int, photographs: bool = False
) -> VideoStream:
    """Add a video stream with BT.709 limited-range 4:2:0 and its tags to a container."""
    stream = cast(
        "VideoStream",
        container.add_stream(encoder.name, rate=fps, options=options(encoder, fps, photographs)),
    )
    # The layout that frames are drawn in. PyAV converts for the two encoders that do not take it.
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv420p" if encoder.name in ("libx265", "libsvtav1") else "nv12"
    context = stream.codec_context
    context.time_base = Fraction(1, fps)
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = _LIMITED
    if encoder.name in ("libx265", "hevc_nvenc"):
        # Apple's players accept HEVC in MP4 only with this tag.
        context.codec_tag = "hvc1"
    return stream
