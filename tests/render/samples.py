"""Make inputs for the renderer's tests and benchmark: pictures, clips, speech-like sound with known word
times, timelines.
"""

import json
import subprocess
import wave
from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
from PIL import Image

from render.picture.planes import Frame

RATE = 24_000
TEXT = (
    "An octopus has three hearts. Two of them pump blood through the gills, and the third one serves the "
    "rest of the body. When it swims, that heart stops beating, which is why it prefers to crawl. Its "
    "blood is blue, because copper carries the oxygen instead of iron."
)

TEXTS = [
    "An octopus has three hearts, and every one has its own job.",
    "Two of them pump blood through the gills.",
    "The third one stops beating when it swims.",
]


def photograph(path: Path, width: int, height: int, seed: int) -> Path:
    """Write a picture with clouds, edges and grain, about as hard to encode as a photograph."""
    rng = np.random.default_rng(seed)
    cloud = np.zeros((height, width), np.float32)
    for octave in range(1, 8):
        cells = 2**octave * 2
        cloud += 0.55**octave * cv2.resize(
            rng.random((cells * height // width + 2, cells + 2), np.float32),
            (width, height),
            interpolation=cv2.INTER_CUBIC,
        )
    cloud = (cloud - cloud.min()) / np.ptp(cloud)
    low, middle, high = (rng.integers(10, 80, 3), rng.integers(60, 200, 3), rng.integers(170, 255, 3))
    share = cloud[..., None]
    picture = np.where(
        share < 0.5, low + (middle - low) * share * 2, middle + (high - middle) * (share * 2 - 1)
    ).astype(np.float32)
    for index in range(50):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        shape = picture.copy()
        cv2.circle(
            shape,
            centre,
            int(rng.integers(width // 50, width // 6)),
            rng.integers(0, 255, 3).tolist(),
            -1,
            cv2.LINE_AA,
        )
        picture = cv2.addWeighted(picture, 0.75, shape, 0.25, 0) if index % 2 else picture
    picture = cv2.GaussianBlur(picture, (0, 0), 1.1) + rng.normal(0, 3, (height, width, 1)).astype(np.float32)
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path, quality=93)
    return path


def speech(
    path: Path, text: str, start_s: float = 0.0, words_per_s: float = 2.6, seed: int = 1
) -> tuple[float, list[dict[str, Any]]]:
    """Write a voiced burst for each word, with pauses at punctuation.

    Returns (length in seconds, words with absolute times).
    """
    rng = np.random.default_rng(seed)
    samples: list[np.ndarray] = [np.zeros(RATE // 20, np.float32)]
    words, at = [], 0.05
    for word in text.split():
        length = max(0.14, len(word) / 5.2 / words_per_s)
        t = np.arange(round(length * RATE)) / RATE
        pitch = 120 * (1 + 0.12 * np.sin(2 * np.pi * t * 3) + 0.05 * rng.standard_normal())
        phase = 2 * np.pi * np.cumsum(np.broadcast_to(pitch, t.shape)) / RATE
        voice = sum(np.sin(phase * harmonic) / harmonic**1.1 for harmonic in range(1, 14))
        envelope = np.minimum(1, t / 0.012) * np.minimum(1, (length - t) / 0.03)
        samples.append((0.16 * voice * envelope).astype(np.float32))
        words.append(
            {"text": word, "start_s": round(start_s + at, 3), "end_s": round(start_s + at + length, 3)}
        )
        pause = 0.35 if word[-1] in ".!?" else 0.16 if word[-1] in ",;:" else 0.045
        samples.append(np.zeros(round(pause * RATE), np.float32))
        at += length + pause
    signal = np.concatenate(samples)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(signal, -1, 1) * 32000).astype(np.int16).tobytes())
    return signal.size / RATE, words


def clip(
    path: Path, length_s: float = 3, size: str = "1280x720", rate: float = 25, extra: tuple[str, ...] = ()
) -> Path:
    """Write a moving test picture with a sharp moving edge."""
    graph = f"testsrc2=s={size}:r={rate}:d={length_s}"
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        graph,
        *extra,
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
        path,
    )
    return path


def ffmpeg(*arguments: str | Path) -> bytes:
    """Run ffmpeg and return its standard output. Raises if it fails."""
    return piped(None, *arguments)


def piped(given: bytes | None, *arguments: str | Path) -> bytes:
    """Run ffmpeg with `given` as its standard input and return its standard output. Raises if it fails."""
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-hide_banner",
        "-nostdin",
        "-loglevel",
        "error",
        "-y",
        *map(str, arguments),
    ]
    return subprocess.run(command, check=True, capture_output=True, input=given).stdout


def timeline(
    folder: Path, scenes: list[dict[str, Any]], width: int = 1080, height: int = 1920, **fields: Any
) -> Path:
    """Write timeline.json to `folder` and return its path."""
    document = {
        "schema_version": 1,
        "video_id": "sample",
        "title": "Why an octopus has three hearts",
        "language": "en",
        "seed": 7,
        "outputs": [{"name": "main", "width": width, "height": height}],
        "scenes": scenes,
        "music": {"mood": "calm"},
        **fields,
    }
    path = folder / "timeline.json"
    path.write_text(json.dumps(document))
    return path


def narrated(
    folder: Path,
    texts: list[str],
    visuals: list[dict[str, Any]],
    lead_s: float = 0.4,
    transition: str = "fade",
) -> list[dict[str, Any]]:
    """Return scenes as long as their narration, one after another, and write the narrations."""
    scenes, at = [], 0.0
    for index, (text, visual) in enumerate(zip(texts, visuals, strict=True)):
        start = at + (lead_s if index else max(lead_s, 0.6))
        length, words = speech(folder / f"voice{index}.wav", text, start, seed=index)
        end = round(start + length + 0.3, 3)
        scenes.append(
            {
                "id": str(index),
                "start_s": round(at, 3),
                "end_s": end,
                "narration": {
                    "audio": {"uri": f"voice{index}.wav"},
                    "start_s": start,
                    "duration_s": length,
                    "words": words,
                },
                "visual": visual,
                "transition": {"kind": transition if index else "cut", "duration_s": 0.5},
            }
        )
        at = end
    return scenes


def visuals(folder: Path) -> list[dict[str, Any]]:
    """Write a photograph and a clip; return an image, a clip and a generated visual."""
    photograph(folder / "photo.jpg", 500, 800, 1)
    clip(folder / "clip.mp4", 1.5, "480x270")
    return [
        {"kind": "image", "asset": {"uri": "photo.jpg"}},
        {"kind": "clip", "asset": {"uri": "clip.mp4"}},
        {"kind": "generated", "generated": {"template": "number", "value": "3", "label": "hearts"}},
    ]


def plain(width: int, height: int, luma: int = 255) -> Frame:
    """Return a frame of one grey tone."""
    pixels = np.full(width * height * 3 // 2, 128, np.uint8)
    pixels[: width * height] = luma
    return Frame.within(pixels, width, height)


def decoded(path: Path, width: int, height: int) -> np.ndarray:
    """Decode a video to RGB [frame, height, width, 3]."""
    raw = ffmpeg("-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
