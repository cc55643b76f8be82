"""Choose an encoder by encoding test frames with it at the output's size, and set its options."""

import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, cast

import av
import av.logging
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from render import isolation
from render.encode.cards import find_card
from render.errors import EncoderFailed, GpuUnavailable
from render.picture.colour import Pixels
from render.plan.timeline import Output

GPU = {"h264": "h264_nvenc", "hevc": "hevc_nvenc", "av1": "av1_nvenc"}
CPU = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}

# veryfast is the fastest preset whose files are small enough to upload (measured, see README). CRF 21 has no
# visible artefacts after the platforms encode the video again.
X264_PRESET, X264_CRF = "veryfast", 21

# Lets platforms and players seek. At ultrafast a key frame takes x264 less time than another frame: 240
# frames took 1.43 s with one every half second, and 1.53 s with one every two seconds and 37 % fewer bytes.
KEYS_APART_S = 2

# Stream headers do not depend on the options that differ between pieces, so that pieces can be joined.
_X264_PARAMS = "stitchable=1"
# Under a camera move over a photograph, whole regions move together: splitting 16x16 blocks finds nothing, a
# diamond search finds the best match, and looking far ahead or choosing between B-frames changes little. The
# CRF is one lower, because the short lookahead costs quality. See `make bench-quality` and the README.
# Growing charts and text take more bytes this way, so they are encoded without it.
_PHOTOGRAPHS_CRF = 20
_PHOTOGRAPHS_PARAMS = "partitions=i4x4,i8x8:me=dia:rc-lookahead=5:b-adapt=0:scenecut=0"
# A clip's decoder takes 60 MB, and five frames less of lookahead give back 34. A CRF that is 0.7 lower brings
# the quality back. See the README.
_CLIPS_CRF = 20.3
_CLIPS_PARAMS = "rc-lookahead=5"

# T4 and A10G have one NVENC engine and need a fast preset to keep up with drawing. L4 and others have two or
# more. From NVIDIA's encoder support matrix; not measured here (see README).
_NVENC_PRESETS = (("T4", "p2"), ("A10", "p2"))
_NVENC_PRESET = "p4"

# Bits per pixel that ten consecutive frames of a still picture take at most, key frames excluded. When a
# picture stops moving, x264 improves it for some frames and then needs almost no bytes. Measured at veryfast
# over every phase of a stop of 1.03 s in photographs, noise, grain and backdrops: at most 293 bytes per frame
# at 1080x1920, 59 at 540x960 and 27 at 320x180; the usual camera move takes at least 386, 164 and 27. Slower
# moves and small pictures are decoded more often than necessary. x265 needs less. A GPU's encoder is measured
# by its probe.
STILL_BITS = 0.0013
# The probe's still picture is noisy, but a real one may take more: twice as much still counts as still.
_STILL_MARGIN = 2.0
_PROBE_MOVING, _PROBE_STILL, _PROBE_MEASURED = 4, 16, 10

# Codes of ITU-T H.273 for BT.709 and for limited range.
_BT709, _LIMITED = 1, 1


@dataclass(frozen=True)
class Probe:
    """Hold what a test encoding of a few frames measured.

    `headers` is the SHA-256 of the stream headers (`headers_of`). `still_bits` is the size of a still
    picture's frames in bits per pixel; None if it was not measured.
    """

    headers: str = ""
    still_bits: float | None = None


@dataclass(frozen=True)
class Encoder:
    """The chosen encoder, and the reason for report.json.

    `device` is the card with its driver. `headers` and `device` are part of a checkpoint's name.
    `still_bits`: a frame of a still picture takes at most so many bits per pixel; None if that is not known.
    """

    name: str
    reason: str
    device: str = ""
    headers: str = ""
    still_bits: float | None = None

    @property
    def on_gpu(self) -> bool:
        return self.name.endswith("_nvenc")


# Encodes test frames with the named encoder. Raises isolation.Failed with the encoder's message.
Prober = Callable[[str], Probe]


def probe(output: Output, fps: int) -> Prober:
    """Return a function that probes an encoder at the output's size, in a process of its own.

    FFmpeg lists NVENC even without a GPU, and a card's limits depend on the size, so only encoding proves
    that it works.
    """
    return lambda name: cast("Probe", isolation.attempt(_encode_test_frames, name, output, fps))


def works(name: str, output: Output, fps: int = 30) -> str | None:
    """Return None if the encoder works at the output's size, else its error message."""
    try:
        probe(output, fps)(name)
    except isolation.Failed as failure:
        return str(failure)
    return None


def _encode_test_frames(name: str, output: Output, fps: int) -> Probe:
    """Encode a moving, then a still picture.

    On the CPU one frame is enough: its still frames were measured.
    """
    encoder = Encoder(name, "", device=str(find_card() or ""), still_bits=STILL_BITS)
    sink, sizes = io.BytesIO(), []
    av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture(local=False) as log:
        try:
            # With empty_moov the headers are written at once, and packets need not be.
            with av.open(sink, "w", format="mp4", options={"movflags": "empty_moov"}) as container:
                stream = open_stream(container, encoder, output.width, output.height, fps)
                container.start_encoding()
                for frame in [*_test_frames(output, encoder.on_gpu), None]:
                    sizes += [packet.size for packet in stream.encode(frame)]
        except Exception as failure:
            raise EncoderFailed(_complaint([message for _, _, message in log], failure)) from failure
    sink.seek(0)
    still = sum(sizes[-_PROBE_MEASURED:]) * 8 / _PROBE_MEASURED / (output.width * output.height)
    return Probe(headers_of(sink), still if encoder.on_gpu else None)


def _test_frames(output: Output, all_frames: bool) -> list[av.VideoFrame]:
    """Return frames of a grainy picture that moves and then stands still; without `all_frames` a grey one."""
    shape = (output.height, output.width)
    if not all_frames:
        grey = np.full(shape, 128, np.uint8), np.full((shape[0] // 2, shape[1] // 2, 2), 128, np.uint8)
        return [_video_frame(*grey, 0)]
    rng = np.random.default_rng(1)
    coarse = rng.integers(60, 200, (shape[0] // 16 + 1, shape[1] // 16 + 1), np.uint8)
    picture = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    luma = (picture + rng.integers(-6, 7, shape, np.int16)).clip(16, 235).astype(np.uint8)
    chroma = np.full((shape[0] // 2, shape[1] // 2, 2), 128, np.uint8)
    moving = [np.roll(luma, 3 * number, 1) for number in range(_PROBE_MOVING)]
    frames = enumerate([*moving, *[luma] * _PROBE_STILL])
    return [_video_frame(plane, chroma, number) for number, plane in frames]


def _video_frame(luma: Pixels, chroma: Pixels, number: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_dlpack((luma, chroma), format="nv12")
    frame.pts = number
    return frame


def _complaint(messages: list[str], failure: Exception) -> str:
    words = ("Cannot load", "No capable", "not support", "No NVENC", "driver")
    telling = [message for message in messages if any(word in message for word in words)]
    return (telling[0] if telling else str(failure)).strip()[:200]


def headers_of(file: Path | IO[bytes]) -> str:
    """Return the SHA-256 of the stream headers (SPS and PPS, or the like) of a file's video.

    Packets of two streams can be joined only if these are the same.
    """
    with av.open(str(file) if isinstance(file, Path) else file) as container:
        return hashlib.sha256(container.streams.video[0].codec_context.extradata or b"").hexdigest()


def choose(codec: str, request: str, prober: Prober) -> Encoder:
    """Choose an encoder for a codec.

    `request` is cpu, auto (the GPU's encoder if it works) or gpu. With gpu, the CPU encodes only codecs that
    the card lacks, such as AV1. Raises GpuUnavailable if gpu is requested and not even H.264 works on it, and
    EncoderFailed if no encoder works.
    """
    if request == "cpu":
        return _on_cpu(codec, "requested by RENDER_ENCODER=cpu", prober)
    try:
        found = prober(GPU[codec])
    except isolation.Failed as failure:
        if request == "gpu":
            _require_card(codec, str(failure), prober)
        return _on_cpu(codec, f"{GPU[codec]} does not work here: {failure}", prober)
    still = None if found.still_bits is None else found.still_bits * _STILL_MARGIN
    reason, device = "encoded test frames on the GPU", str(find_card() or "")
    return Encoder(GPU[codec], reason, device, found.headers, max(still, STILL_BITS) if still else None)


def _require_card(codec: str, complaint: str, prober: Prober) -> None:
    """Raise GpuUnavailable unless the card works and only lacks this codec. Every NVENC has H.264."""
    if codec != "h264":
        try:
            prober(GPU["h264"])
            return
        except isolation.Failed as failure:
            complaint = str(failure)
    raise GpuUnavailable(f"The GPU's encoder does not work on this machine: {complaint}")


def _on_cpu(codec: str, reason: str, prober: Prober) -> Encoder:
    name = CPU[codec]
    try:
        found = prober(name)
    except isolation.Failed as failure:
        raise EncoderFailed(f"{name} does not work here: {failure}") from failure
    return Encoder(name, reason, headers=found.headers, still_bits=_cpu_still_bits(name))


def _cpu_still_bits(name: str) -> float | None:
    measured = name == "libx265" or (name == "libx264" and preset() not in ("ultrafast", "superfast"))
    return STILL_BITS if measured else None


def requested() -> str:
    """Return RENDER_ENCODER: auto, cpu or gpu."""
    return os.environ.get("RENDER_ENCODER", "auto")


def preset() -> str:
    """Return the x264 preset."""
    return os.environ.get("RENDER_X264_PRESET", X264_PRESET)


def nvenc_preset(device: str) -> str:
    """Return the NVENC preset: RENDER_NVENC_PRESET, or the one that suits the card's number of engines."""
    words = device.replace(",", " ").split()
    known = next((name for card, name in _NVENC_PRESETS if any(word.startswith(card) for word in words)), "")
    return os.environ.get("RENDER_NVENC_PRESET") or known or _NVENC_PRESET


def group_length(encoder: Encoder, fps: int) -> int:
    """Return the number of frames from one key frame to the next."""
    fast = encoder.name == "libx264" and preset() in ("ultrafast", "superfast")
    return fps // 2 if fast else KEYS_APART_S * fps


def keeps_quantizer(encoder: Encoder) -> bool:
    """Return True if a constant quantizer saves the encoder time (see `quantizers`)."""
    return encoder.name == "libx264" and preset() == "ultrafast"


def options(encoder: Encoder, fps: int, shows: str = "", quantizer: int | None = None) -> dict[str, str]:
    """Return the encoder's options, at about the same quality for all encoders.

    `shows` is "photographs" if there are only such, "clips" if there is one, else empty. With `quantizer`,
    x264 uses that for all frames.
    """
    keys = {"g": str(group_length(encoder, fps))}
    match encoder.name:
        case "libx264":
            # One thread each: there are as many encoders as cores, and the bytes are the same on every
            # machine. B-frames are not used as references: measured at veryfast, 23 MB less memory per
            # encoder, 0.8 % more bytes.
            crf, params = _x264_tuned(shows) if preset() == "veryfast" else (X264_CRF, _X264_PARAMS)
            fixed = {"threads": "1", "profile": "high", "b-pyramid": "none", "x264-params": params}
            rate = {"crf": str(crf)} if quantizer is None else {"qp": str(quantizer)}
            return {"preset": preset(), **rate, **fixed, **keys}
        case "libx265":
            params = "pools=none:frame-threads=1:log-level=error"
            return {"preset": "fast", "crf": "23", "x265-params": params, **keys}
        case "libsvtav1":
            return {"preset": "9", "crf": "32", "svtav1-params": "lp=1", **keys}
        case "h264_nvenc" | "hevc_nvenc" | "av1_nvenc":
            quality = {"h264_nvenc": "23", "hevc_nvenc": "25", "av1_nvenc": "30"}[encoder.name]
            constant = {"tune": "hq", "rc": "vbr", "cq": quality, "b": "0", "spatial-aq": "1", "bf": "2"}
            # forced-idr: a session goes on to the next piece, which must start with a key frame of its own.
            return {"preset": nvenc_preset(encoder.device), **constant, "forced-idr": "1", **keys}
    raise EncoderFailed(f"No options are known for {encoder.name}.")


def _x264_tuned(shows: str) -> tuple[float, str]:
    """Return the CRF and the parameters for what is shown."""
    match shows:
        case "photographs":
            return _PHOTOGRAPHS_CRF, f"{_X264_PARAMS}:{_PHOTOGRAPHS_PARAMS}"
        case "clips":
            return _CLIPS_CRF, f"{_X264_PARAMS}:{_CLIPS_PARAMS}"
    return X264_CRF, _X264_PARAMS


def open_stream(
    container: OutputContainer,
    encoder: Encoder,
    width: int,
    height: int,
    fps: int,
    shows: str = "",
    quantizer: int | None = None,
) -> VideoStream:
    """Add a video stream with BT.709 limited-range 4:2:0 and its tags to a container."""
    stream = cast(
        "VideoStream",
        container.add_stream(encoder.name, rate=fps, options=options(encoder, fps, shows, quantizer)),
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
