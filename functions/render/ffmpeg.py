"""Call the ffmpeg binary of imageio-ffmpeg, probe files with it, and translate its errors."""

import errno
import functools
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import imageio_ffmpeg
from av.container import InputContainer

from render.errors import AssetCorrupt, AssetRefused, DiskFull

QUIET = ["-hide_banner", "-nostdin", "-loglevel", "error"]

# Container formats of cameras and recorders. Playlists and the like (HLS, DASH, concat, SDP, subtitles, image
# sequences) are excluded: they name other files and addresses, which ffmpeg would open.
CONTAINERS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,wav,w64,aiff,caf,mp3,flac,aac,gif"
# 8K. A header can claim any size for free, but a frame of that size has to be allocated.
LARGEST_PIXELS = 8192 * 4320

_STREAM = re.compile(r"Stream #\d+:\d+.*?: (Video|Audio): (\w+)(.*)")
_SIZE = re.compile(r"[ ,](\d{2,5})x(\d{2,5})")
_RATE = re.compile(r"([\d.]+)k? fps")
_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_ROTATION = re.compile(r"rotation of (-?[\d.]+) degrees")
_ASPECT = re.compile(r"SAR (\d+):(\d+) DAR")
_STREAM_START = re.compile(r", start (-?[\d.]+)")
_START = re.compile(r"start: (-?[\d.]+)")


@functools.cache
def binary() -> str:
    """Return the path of ffmpeg: RENDER_FFMPEG or imageio-ffmpeg's."""
    return os.environ.get("RENDER_FFMPEG") or imageio_ffmpeg.get_ffmpeg_exe()


def command(*arguments: str | Path) -> list[str]:
    """Return a command line with quiet options."""
    return [binary(), *QUIET, *map(str, arguments)]


def source(path: str | Path) -> list[str]:
    """Return the arguments that open an untrusted file, so that ffmpeg reads no other file or address."""
    return [
        "-protocol_whitelist",
        "file",
        "-format_whitelist",
        CONTAINERS,
        "-max_pixels",
        str(LARGEST_PIXELS),
        "-i",
        f"file:{path}",
    ]


def open_media(path: str | Path) -> InputContainer:
    """Open an untrusted file with libav in this process, with the same limits as `source`."""
    return av.open(f"file:{path}", options={"protocol_whitelist": "file", "format_whitelist": CONTAINERS})


def run(
    *arguments: str | Path,
    asset: str | None = None,
    input_bytes: bytes | None = None,
    timeout_s: float | None = None,
) -> bytes:
    """Run ffmpeg and return its standard output.

    An error is the asset's fault if `asset` is given. Raises AssetCorrupt, AssetRefused, DiskFull, OSError,
    subprocess.TimeoutExpired.
    """
    done = subprocess.run(
        command(*arguments), input=input_bytes, capture_output=True, timeout=timeout_s, check=False
    )
    if done.returncode:
        raise error_for(done.stderr.decode(errors="replace"), asset)
    return done.stdout


def read_log(*arguments: str | Path, asset: str | None = None) -> str:
    """Run ffmpeg and return its log, where measuring filters write their results. Raises like `run`."""
    done = subprocess.run(
        [binary(), "-hide_banner", "-nostdin", "-nostats", *map(str, arguments)],
        capture_output=True,
        check=False,
    )
    log = done.stderr.decode(errors="replace")
    if done.returncode:
        raise error_for(log, asset)
    return log


def error_for(log: str, asset: str | None) -> Exception:
    """Return the exception that an ffmpeg log means."""
    last = last_line(log)
    if "No space left on device" in log:
        return DiskFull("The disk is full.", asset=asset)
    if asset:
        return refusal_for(log, asset) or AssetCorrupt(f"{asset} cannot be decoded: {last}", asset=asset)
    return OSError(errno.EIO, f"ffmpeg: {last}")


def refusal_for(log: str, asset: str) -> AssetRefused | None:
    """Return AssetRefused if one of our own limits stopped ffmpeg, else None."""
    if "Format not on whitelist" in log:
        return AssetRefused(
            f"{asset} is a playlist or has an unsupported format. Give the video or audio file itself.",
            asset=asset,
        )
    if re.search(r"Picture size \d+x\d+ (is invalid|exceeds)|exceeds specified max pixel count", log):
        return AssetRefused(
            f"{asset} has pictures of more than {LARGEST_PIXELS / 1e6:.0f} megapixels. Give a smaller file.",
            asset=asset,
        )
    return None


def last_line(log: str) -> str:
    """Return the last line of a log, at most 300 characters."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no message"


@dataclass(frozen=True)
class Media:
    """Describe the streams of a media file.

    Width and height are as shown, after rotation and with square pixels; the codec of an absent stream is
    None. `pixel_aspect` is a stored pixel's width by its height.
    """

    duration_s: float | None
    start_s: float
    container: str
    video_codec: str | None = None
    width: int = 0
    height: int = 0
    fps: float = 0.0
    pixel_format: str = ""
    video_tags: str = ""
    video_start_s: float = 0.0
    pixel_aspect: float = 1.0
    interlaced: bool = False
    rotated: bool = False
    audio_codec: str | None = None
    sample_rate: int = 0
    channels: str = ""


def probe(path: str | Path, asset: str | None = None) -> Media:
    """Read a file's header. Raises AssetCorrupt if it has no streams, AssetRefused."""
    done = subprocess.run(
        [binary(), "-hide_banner", "-nostdin", *source(path)], capture_output=True, check=False
    )
    text = done.stderr.decode(errors="replace")
    streams = _STREAM.findall(text)
    if refused := refusal_for(text, asset or str(path)):
        raise refused
    if "Input #0" not in text or not streams:
        raise AssetCorrupt(
            f"{asset or path} holds no picture or sound that can be read: {last_line(text)}",
            asset=asset or str(path),
        )
    return _media(text, streams)


def _media(text: str, streams: Sequence[tuple[str, str, str]]) -> Media:
    duration, start = _DURATION.search(text), _START.search(text)
    seconds = int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3]) if duration else None
    container = re.search(r"Input #0, ([^ ]+),", text)
    found: dict[str, object] = {}
    for kind, codec, rest in streams:
        if kind == "Video" and "video_codec" not in found and "attached pic" not in rest:
            found |= {"video_codec": codec} | _video(rest, text)
        if kind == "Audio" and "audio_codec" not in found:
            rate = re.search(r"(\d+) Hz, ([^,]+)", rest)
            found |= {
                "audio_codec": codec,
                "sample_rate": int(rate[1]) if rate else 0,
                "channels": rate[2].strip() if rate else "",
            }
    return Media(seconds, float(start[1]) if start else 0.0, container[1] if container else "", **found)  # type: ignore[arg-type]


def _video(rest: str, text: str) -> dict[str, object]:
    size, rate, rotation = _SIZE.search(rest), _RATE.search(rest), _ROTATION.search(text)
    width, height = (int(size[1]), int(size[2])) if size else (0, 0)
    start, aspect = _STREAM_START.search(rest), _pixel_aspect(rest)
    width = round(width * aspect)
    degrees = round(abs(float(rotation[1]))) % 360 if rotation else 0
    if degrees % 180 == 90:
        width, height = height, width
    pixel = re.search(
        r", (\w+)(\(([^)]*)\))?", rest[rest.find(")") + 1 :] if rest.lstrip().startswith("(") else rest
    )
    return {
        "width": width,
        "height": height,
        "video_start_s": max(0.0, float(start[1])) if start else 0.0,
        "pixel_aspect": aspect,
        "interlaced": " first" in rest,
        "rotated": degrees != 0,
        "fps": float(rate[1]) if rate else 0.0,
        "pixel_format": pixel[1] if pixel else "",
        "video_tags": (pixel[3] or "") if pixel else "",
    }


def _pixel_aspect(stream: str) -> float:
    """Return a stream's pixel aspect ratio. The container's comes last and counts; nonsense is ignored."""
    found = _ASPECT.findall(stream)
    if not found or 0 in (width := int(found[-1][0]), height := int(found[-1][1])):
        return 1.0
    return width / height if 0.1 <= width / height <= 10 else 1.0
