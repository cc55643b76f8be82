"""Encode samples in ElevenLabs' formats. The same samples give the same bytes."""

import re
import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from local.voice.audio import SAMPLE_RATE, Samples

# https://elevenlabs.io/docs/api-reference/text-to-speech/convert (output_format)
MP3 = ("22050_32", "24000_48", "44100_32", "44100_64", "44100_96", "44100_128", "44100_192")
PCM = ("8000", "16000", "22050", "24000", "32000", "44100", "48000")
FORMATS = (
    tuple(f"mp3_{form}" for form in MP3)
    + tuple(f"pcm_{rate}" for rate in PCM)
    + tuple(f"wav_{rate}" for rate in PCM)
)
DEFAULT_FORMAT = "mp3_44100_128"
CONTENT_TYPES = {"mp3": "audio/mpeg", "pcm": "audio/pcm", "wav": "audio/wav"}


def content_type(output_format: str) -> str:
    return CONTENT_TYPES[output_format[:3]]


def encode(samples: Samples, output_format: str, *, gapless: bool = True) -> bytes:
    """Return the samples in this format.

    Without `gapless`, an MP3 has no header that names the encoder's delay (1,105 samples, 25 ms at 44.1 kHz):
    players then start that much late, as with a streamed file.
    """
    pcm = (np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()
    return pcm if output_format == f"pcm_{SAMPLE_RATE}" else _converted(pcm, output_format, gapless)


def _converted(pcm: bytes, output_format: str, gapless: bool) -> bytes:
    kind, rate, kilobits = re.fullmatch(r"(mp3|pcm|wav)_(\d+)(?:_(\d+))?", output_format).groups()  # type: ignore[union-attr]
    header = [] if gapless else ["-write_xing", "0"]
    codec = {
        "mp3": ["-f", "mp3", "-c:a", "libmp3lame", "-b:a", f"{kilobits}k", "-id3v2_version", "0", *header],
        "pcm": ["-f", "s16le"],
        "wav": ["-f", "wav"],
    }[kind]
    # Use a file, not a pipe: the MP3 header with the encoder's delay, which players need to keep the first
    # word in time, is written last.
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "speech"
        source = ["-f", "s16le", "-ar", str(SAMPLE_RATE), "-ac", "1", "-i", "pipe:0"]
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(),
            "-v",
            "error",
            *source,
            "-ar",
            rate,
            "-bitexact",
            "-threads",
            "1",
            *codec,
            str(target),
        ]
        subprocess.run(command, input=pcm, check=True, capture_output=True)
        return target.read_bytes()
