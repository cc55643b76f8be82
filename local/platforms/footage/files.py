"""Write drawn clips and stills as files."""

import subprocess
from pathlib import Path

import cv2
import imageio_ffmpeg

from local.platforms.footage.canvas import FPS, SECONDS, Canvas
from local.platforms.footage.kinds import KINDS

# The moment of a clip that its stills show, in seconds.
_STILL_AT = 1.0
_JPEG_QUALITY = 90


def write(kind: str, seed: int, width: int, height: int, target: Path) -> None:
    """Draw a clip and write it as H.264 with an index in front. The file appears complete."""
    draw = KINDS[kind](Canvas(seed, width, height))
    part = target.with_suffix(".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    raw = ("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-r", str(FPS), "-i", "-")
    # A search waits for it: the file may be three times as large if it comes in half the time.
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "23", "-threads", "2")
    # OpenCV's matrix is that of BT.601.
    tags = ("-colorspace", "smpte170m", "-color_primaries", "bt709", "-color_trc", "bt709")
    command = (
        imageio_ffmpeg.get_ffmpeg_exe(),
        *("-hide_banner", "-loglevel", "error", "-y"),
        *raw,
        *coded,
        *tags,
        *("-movflags", "+faststart", "-f", "mp4", str(part)),
    )
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        for number in range(round(SECONDS * FPS)):
            frame = cv2.cvtColor(draw(number / FPS), cv2.COLOR_RGB2YUV_I420)
            process.stdin.write(frame.tobytes())
        process.stdin.close()
    if process.returncode:
        raise RuntimeError(f"ffmpeg ended with {process.returncode}")
    part.replace(target)


def write_still(kind: str, seed: int, width: int, height: int, target: Path) -> None:
    """Draw one moment of a clip and write it as JPEG. The file appears complete."""
    picture = KINDS[kind](Canvas(seed, width, height))(_STILL_AT)
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    written, content = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
    if not written:
        raise RuntimeError("OpenCV can't write JPEG")
    part = target.with_suffix(".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(content.tobytes())
    part.replace(target)
