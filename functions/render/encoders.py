"""Which encoder this machine really has, found by encoding a frame with it, and the exact options it is called with."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from . import ffmpeg
from .errors import EncoderFailed
from .timeline import Output

GPU = {"h264": "h264_nvenc", "hevc": "hevc_nvenc", "av1": "av1_nvenc"}
CPU = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}

# Measured (README): veryfast is the fastest preset whose files are small enough for an upload; 21 is visually clean after the platforms' own re-encoding.
X264_PRESET, X264_CRF = "veryfast", 21

BT709 = ["-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv"]

# A frame at a size that every encoder takes: NVENC refuses anything below 145 pixels.
_PROBE_FRAME = ["-f", "lavfi", "-i", "color=c=gray:s=320x320:r=30", "-frames:v", "1"]


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
        done = subprocess.run(
            ffmpeg.command(*_PROBE_FRAME, "-c:v", name, "-pix_fmt", "yuv420p", "-f", "null", "-"), capture_output=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        return "no answer within 30 s"
    return None if done.returncode == 0 else _complaint(done.stderr.decode(errors="replace"))


def _complaint(log: str) -> str:
    telling = [
        line
        for line in log.splitlines()
        if any(word in line for word in ("Cannot load", "No capable", "not supported", "No NVENC", "driver", "Unknown encoder"))
    ]
    return (telling[0].split("] ")[-1].strip() if telling else ffmpeg.last_line(log))[:200]


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


def wish() -> str:
    return os.environ.get("RENDER_ENCODER", "auto")


def preset() -> str:
    return os.environ.get("RENDER_X264_PRESET", X264_PRESET)


def options(encoder: Encoder, fps: int) -> list[str]:
    """Quality targets of about the same look. A key frame every two seconds lets platforms and players seek."""
    keys = ["-g", str(fps * 2)]
    match encoder.name:
        case "libx264":
            # One thread each: as many encoders as cores, no frame-threading loss, and the same bytes on every machine.
            return ["-c:v", "libx264", "-preset", preset(), "-crf", str(X264_CRF), "-threads", "1", "-profile:v", "high", *keys]
        case "libx265":
            return ["-c:v", "libx265", "-preset", "fast", "-crf", "23", "-tag:v", "hvc1", "-x265-params", "pools=none:frame-threads=1:log-level=error", *keys]
        case "libsvtav1":
            return ["-c:v", "libsvtav1", "-preset", "9", "-crf", "32", "-svtav1-params", "lp=1", *keys]
        case "h264_nvenc" | "hevc_nvenc" | "av1_nvenc":
            quality = {"h264_nvenc": "23", "hevc_nvenc": "25", "av1_nvenc": "30"}[encoder.name]
            tag = ["-tag:v", "hvc1"] if encoder.name == "hevc_nvenc" else []
            return [
                "-c:v",
                encoder.name,
                "-preset",
                "p4",
                "-tune",
                "hq",
                "-rc",
                "vbr",
                "-cq",
                quality,
                "-b:v",
                "0",
                "-spatial-aq",
                "1",
                "-bf",
                "2",
                *tag,
                *keys,
            ]
    raise EncoderFailed(f"No options are known for {encoder.name}.")


def command(encoder: Encoder, output: Output, fps: int, target: str) -> list[str]:
    """Raw BT.709 planes in on standard input, one closed segment out."""
    source = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "yuv420p",
        "-video_size",
        f"{output.width}x{output.height}",
        "-framerate",
        str(fps),
        *BT709,
        "-thread_queue_size",
        "2",
        "-i",
        "pipe:0",
    ]
    # A time base of 1/(512·fps) holds every frame exactly, and is the same in all segments, so that they can be joined by copying.
    return [
        ffmpeg.binary(),
        "-hide_banner",
        "-loglevel",
        "error",
        "-y",
        *source,
        *options(encoder, fps),
        "-pix_fmt",
        "yuv420p",
        *BT709,
        "-video_track_timescale",
        str(fps * 512),
        "-f",
        "mp4",
        target,
    ]
