"""Check on a finished film that captions are in time with the voice. Neither side is taken from the timeline.

The voice is the local voice server, called as the product calls it (MP3 with an alignment), on texts with
figures. When a word is heard is found by forced alignment of the film's sound (pocketsphinx). The aligner's
constant offset is measured on single words in silence, whose onsets are visible in the waveform. When a word
is highlighted is found in the film's pictures: the frames where other letters have the accent colour.
"""

import base64
import json
import re
import urllib.request
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from local.voice.spoken import units
from showrunner.production import captions
from tests.local.model_servers import running
from tests.render import samples
from tests.render.program import call

PORT, VOICE = 8164, "LocalFemaleVoice0001"
RATE = 16_000
TEXTS = [
    (
        "Almost everything you send across an ocean travels through a cable on the sea floor. Satellites "
        "look more impressive, but they carry only a small share of the traffic between continents. More "
        "than 95 percent of it runs through glass fibers, each about as thin as a human hair."
    ),
    (
        "In deep water, a modern cable is about as thick as a garden hose. The fibers lie at its center, "
        "wrapped in steel wires, a copper tube and a skin of plastic. Light moves through glass at about "
        "200,000 kilometers per second, two thirds of its speed in empty space."
    ),
    (
        "Cables break about 150 to 200 times a year. Most of the damage is done by fishing gear and "
        "anchors. When a fiber breaks, engineers send a pulse of light into it and measure how long the "
        "echo takes to return. The echo tells them where the fault lies."
    ),
]
# They start with a plosive or a vowel, whose onset is sharp in the waveform.
ALONE = [
    "Table.",
    "Paper.",
    "Garden.",
    "Copper.",
    "People.",
    "Told.",
    "Boat.",
    "Kind.",
    "Good.",
    "Open.",
    "Under.",
    "Dark.",
    "Begin.",
    "Tower.",
    "Picture.",
]


@dataclass(frozen=True)
class Said:
    """The audio and the words that a voice returned for a text."""

    audio: bytes
    words: list[captions.Word]


def say(address: str, text: str) -> Said:
    body = json.dumps({"text": text, "model_id": "eleven_flash_v2_5"}).encode()
    request = urllib.request.Request(
        f"{address}/v1/text-to-speech/{VOICE}/with-timestamps",
        body,
        {"Content-Type": "application/json", "xi-api-key": "local"},
    )
    with urllib.request.urlopen(request, timeout=100) as answer:
        found = json.load(answer)
    times = found["alignment"]
    starts, ends = times["character_start_times_seconds"], times["character_end_times_seconds"]
    found_words = captions.align(text, times["characters"], starts, ends, ends[-1], "en")
    assert not found_words.repair
    return Said(base64.b64decode(found["audio_base64"]), found_words.words)


def heard(sound: np.ndarray, words: list[str]) -> list[float]:
    """Return the seconds at which each word starts, by forced alignment."""
    from pocketsphinx import Decoder

    decoder = Decoder(lm=None, samprate=RATE, loglevel="FATAL")
    unknown = [word for word in words if decoder.lookup_word(word) is None]
    assert not unknown, f"not in the recogniser's dictionary: {unknown}"
    decoder.set_align_text(" ".join(words))
    decoder.start_utt()
    decoder.process_raw((np.clip(sound, -1, 1) * 32000).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    found = [
        (part.word.split("(")[0], part.start_frame / 100)
        for part in decoder.seg()
        if part.word[0] not in "<([" and part.word != "sil"
    ]
    assert [word for word, _ in found] == words
    return [at_s for _, at_s in found]


def sound_of(path) -> np.ndarray:
    return np.frombuffer(
        samples.ffmpeg("-i", path, "-f", "f32le", "-ac", "1", "-ar", str(RATE), "-"), np.float32
    )


def aligners_offset(folder, said: list[Said]) -> float:
    """Return the aligner's time minus the waveform's, for words whose positions are known."""
    pause = np.zeros(round(0.6 * RATE), np.float32)
    pieces, known = [pause], []
    for number, one in enumerate(said):
        (folder / f"alone{number}.mp3").write_bytes(one.audio)
        sound = sound_of(folder / f"alone{number}.mp3")
        level = np.sqrt(np.convolve(sound**2, np.ones(80) / 80, "same"))
        known.append((sum(map(len, pieces)) + int(np.argmax(level > 0.1 * level.max()))) / RATE)
        pieces += [sound, pause]
    off = np.array(heard(np.concatenate(pieces), [word.strip(".").lower() for word in ALONE])) - known
    assert np.percentile(np.abs(off - np.median(off)), 90) < 0.05
    return float(np.median(off))


def marks(path, width: int, height: int) -> list[float]:
    """Return the seconds at which another word is highlighted.

    The highlight is pure green, the picture grey.
    """
    found, before = [], np.zeros((height, width), bool)
    for number, frame in enumerate(samples.decoded(path, width, height)):
        red, green, blue = (frame[..., channel].astype(np.int16) for channel in range(3))
        green_letters = (green > 140) & (red < green - 70) & (blue < green - 70)
        both = np.count_nonzero(green_letters & before)
        if np.count_nonzero(green_letters) > 12 and both < 0.5 * max(
            np.count_nonzero(green_letters), np.count_nonzero(before)
        ):
            found.append(number / 30)
        before = green_letters
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_captions_keep_time_with_what_is_heard(tmp_path):
    with running("local.voice", "VOICE_PORT", PORT) as address:
        alone, said = ([say(address, text) for text in texts] for texts in (ALONE, TEXTS))
    offset = aligners_offset(tmp_path, alone)

    scenes, at = [], 0.0
    for number, one in enumerate(said):
        (tmp_path / f"voice{number}.mp3").write_bytes(one.audio)
        samples.photograph(tmp_path / f"photo{number}.png", 480, 800, number)
        Image.open(tmp_path / f"photo{number}.png").convert("L").save(tmp_path / f"photo{number}.png")
        start, length = at + 0.5, sound_of(tmp_path / f"voice{number}.mp3").size / RATE
        words = [
            {
                "text": word.text,
                "start_s": round(start + word.start_s, 3),
                "end_s": round(start + word.end_s, 3),
            }
            for word in one.words
        ]
        end = round(start + length + 0.3, 3)
        narration = {
            "audio": {"uri": f"voice{number}.mp3"},
            "start_s": start,
            "duration_s": length,
            "words": words,
        }
        visual = {"kind": "image", "asset": {"uri": f"photo{number}.png"}}
        scenes.append(
            {"id": str(number), "start_s": at, "end_s": end, "narration": narration, "visual": visual}
        )
        at = end
    # Without the enlargement, whose growing letters would look like other letters.
    style = {
        "preset": "bold",
        "overrides": {
            "animation": {"kind": "none"},
            "highlight": {"colour": "#00ff00"},
            "outline": {"width": 0.05},
        },
    }
    done = call(samples.timeline(tmp_path, scenes, 360, 640, captions=style), tmp_path / "out")
    assert done.returncode == 0, done.stderr[-2000:]

    written, spoken, first = [], [], []
    for text in TEXTS:
        for unit in units(text):
            written.append(text[unit.start : unit.end])
            first.append(len(spoken))
            spoken += re.findall(r"[a-z']+", unit.spoken.lower())
    begins = np.array(heard(sound_of(tmp_path / "out" / "video.mp4"), spoken))[first] - offset
    marked = np.array(marks(tmp_path / "out" / "video.mp4", 360, 640))
    # Words and highlights are paired by order, so there must be one highlight per word.
    assert len(marked) == len(written) == len(begins)
    late = marked - begins
    worst = sorted(zip(np.abs(late).round(3).tolist(), written, strict=True))[-6:]
    near = (
        f"95 % within {np.percentile(np.abs(late), 95):.3f} s; {np.mean(np.abs(late) <= 0.08):.1%} in 80 ms"
    )
    print(f"{len(late)} words; offset {offset:.3f} s; median {np.median(late):+.3f} s; {near}; {worst}")
    assert np.mean(np.abs(late) <= 0.080) >= 0.95
