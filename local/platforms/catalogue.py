"""The works of the stand-ins for libraries: drawn or played by `footage` when they are first fetched.

videos()                      what a search for videos finds, as descriptions
MUSIC                         what a search for music finds
Drawn(folder, python)         the files, drawn once and kept in a folder
"""

import hashlib
import re
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from local.language import translation

ROOT = Path(__file__).parents[2]
# What each kind of footage.KINDS shows, as the author of a clip would describe it.
DESCRIPTIONS = {
    "sea": "ocean waves under a low sun with light on the water",
    "underwater": "deep underwater sea floor with a cable, rising bubbles and rays of light",
    "city": "city skyline at night with lit windows of buildings and car lights on a street",
    "world": "dotted map of the world with lights travelling between countries",
    "fibers": "glass fiber optic cables with pulses of light",
    "space": "planet turning in space with stars and a satellite in orbit",
    "mountains": "mountains in the morning mist with the sun and flying birds",
    "network": "network of connected points with messages along the lines",
    "machine": "rings of a machine turning like the gears of a clock",
    "clouds": "clouds drifting in the sky from an aeroplane",
    "lights": "soft lights out of focus rising at night",
}
# The main colour of each of the drawing program's palettes.
COLOURS = ("blue", "purple", "green", "orange", "grey", "golden")
# Other words under which a search engine finds each kind.
TAGS = {
    "sea": "sea ocean wave water coast shore ship boat sail"
    " beach sun island port pacific atlantic fishing storm",
    "underwater": "underwater sea ocean cable deep water seabed floor fish"
    " shark diver copper tube pipe repair bottom",
    "city": "city street house building night traffic people office"
    " town skyline car work home business company",
    "world": "world map earth globe country continent travel route"
    " trade global london york america europe distance",
    "fibers": "fiber glass light cable wire speed signal pulse"
    " optical laser internet telegraph message data thin",
    "space": "space planet satellite star orbit moon earth sky rocket astronomy universe empty geostationary",
    "mountains": "mountain landscape nature forest hill valley morning bird walk land desert cloud weather",
    "network": "network internet data computer server connection cloud"
    " digital message technology web information",
    "machine": "machine engine gear clock time power energy repeater"
    " electric tool measure industry volt echo",
    "clouds": "cloud sky air weather wind storm rain flight fog smoke climate today",
    "lights": "light lamp night party colour celebration heart dream memory abstract love people number",
}
SEEDS_OF_A_KIND = 6
# Width and height of the files by orientation: a clip is drawn in seconds, and has no fine grain.
SIZES = {"portrait": (720, 1280), "landscape": (1280, 720), "square": (960, 960)}
SECONDS = 8
# As commons.Library describes music. The words of a search must all be in what the page of a file says.
MUSIC = [
    {
        "id": 9001 + seed,
        "title": f"{mood} strings {seed + 1}",
        "description": f"{mood} instrumental music on plucked strings, calm and slow",
        "categories": "Guitar music, harp music, ambient music, background music, acoustic music",
        "licence": "CC BY 4.0",
        "licence_url": "https://creativecommons.org/licenses/by/4.0",
        "artist": "showrunner (played by a program)",
        "duration": 64.0,
        "seed": seed,
    }
    for seed, mood in enumerate(("Thoughtful", "Hopeful", "Gentle"))
]
# What each file of ffmpeg's MP4 writer begins with: its size, type and brands. One is sent every so many
# seconds, which is well below the ten that a client waits.
FIRST_BYTES = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"
BYTE_EVERY_S = 3.0
# How much smaller a preview is than its clip.
PREVIEW_SCALE = 4


def videos() -> list[dict[str, Any]]:
    """Return {id, kind, seed, orientation, width, height, duration, title, tags} of every video."""
    found = []
    for number, kind in enumerate(TAGS):
        for seed in range(SEEDS_OF_A_KIND):
            for place, (orientation, (width, height)) in enumerate(SIZES.items()):
                found.append(
                    {
                        "id": 10_000 + 100 * number + 10 * seed + place,
                        "kind": kind,
                        "seed": 31 * number + seed,
                        "orientation": orientation,
                        "width": width,
                        "height": height,
                        "duration": SECONDS,
                        "title": f"{DESCRIPTIONS[kind]} in {COLOURS[(31 * number + seed) % len(COLOURS)]}",
                        "tags": TAGS[kind].split(),
                        "user": "showrunner (drawn, CC0)",
                    }
                )
    return found


def nearest_kind(text: str) -> str:
    """Return the kind whose description and tags have most words of a text, the first of equal ones."""
    return max(TAGS, key=lambda kind: len(_words(text) & _words(f"{DESCRIPTIONS[kind]} {TAGS[kind]}")))


def ranked(
    all_videos: list[dict[str, Any]], query: str, orientation: str, locale: str = "en-US"
) -> list[dict[str, Any]]:
    """Return the videos of an orientation: those whose description has most of the query's words first.

    A tag counts less than a word of the description. Videos that fit equally well are in an order of the
    query's own, so that neighbours differ in kind. Of Spanish queries the words of a list are known.
    """
    asked = {*translation.nouns_in_english(query)} if locale == "es-ES" else _words(query)

    def rank(video: dict[str, Any]) -> tuple[int, str]:
        order = hashlib.sha256(f"{query} {video['id']}".encode()).hexdigest()
        described, tagged = _words(video.get("title", "")), _words(" ".join(video.get("tags", ())))
        return -2 * len(asked & described) - len(asked & tagged - described), order

    fitting = [each for each in all_videos if each.get("orientation", orientation) == orientation]
    return sorted(fitting, key=rank)


def _words(text: str) -> set[str]:
    return {re.sub(r"s$", "", word) for word in re.findall(r"[a-z]{3,}", text.lower())}


@dataclass
class Drawn:
    """Files of the videos in `folder`. `python` has the renderer's packages."""

    folder: Path
    python: str
    locks: dict[str, threading.Lock] = field(default_factory=dict)

    def read(self, video: dict[str, Any]) -> bytes:
        """Return the MP4 of a video. Raises subprocess.CalledProcessError if it can't be drawn."""
        name = f"{video['kind']}-{video['seed']}-{video['width']}x{video['height']}-{_program()}.mp4"
        path = self.folder / name
        with self.locks.setdefault(name, threading.Lock()):
            if not path.exists():
                size = (str(video["width"]), str(video["height"]))
                module = (self.python, "-m", "local.platforms.footage")
                # As urgent as the production, which waits for it.
                command = (*module, video["kind"], str(video["seed"]), *size, str(path))
                subprocess.run(command, check=True, cwd=ROOT)
        return path.read_bytes()

    def stream(self, video: dict[str, Any]) -> Iterator[bytes]:
        """Yield the MP4 of a video in parts: a byte at a time while it is drawn, then the rest.

        A busy machine draws for longer than the product waits for a first byte. A server of a library that
        is slow keeps sending.
        """
        with ThreadPoolExecutor(1) as pool:
            drawing, sent = pool.submit(self.read, video), 0
            while not wait([drawing], BYTE_EVERY_S).done:
                yield FIRST_BYTES[sent : sent + 1]
                sent = min(sent + 1, len(FIRST_BYTES))
            yield drawing.result()[sent:]

    def music(self, piece: dict[str, Any]) -> bytes:
        """Return the Ogg file of a piece of MUSIC. Raises subprocess.CalledProcessError."""
        path = self.folder / f"music-{piece['seed']}-{_program()}.ogg"
        with self.locks.setdefault(path.name, threading.Lock()):
            if not path.exists():
                module = (self.python, "-m", "local.platforms.footage")
                arguments = ("music", str(piece["seed"]), str(path.resolve()))
                subprocess.run((*module, *arguments), check=True, cwd=ROOT)
        return path.read_bytes()

    def preview(self, video: dict[str, Any], others: list[dict[str, Any]]) -> bytes:
        """Return a small JPEG of a video; the first call draws those of all `others` of its shape at once."""
        with self.locks.setdefault("previews", threading.Lock()):
            path = self._preview(video)
            if not path.exists():
                alike = [video, *(each for each in others if each["orientation"] == video["orientation"])]
                drawn = [each for each in alike if not self._preview(each).exists()]
                arguments = [word for each in drawn for word in self._arguments(each)]
                module = (self.python, "-m", "local.platforms.footage")
                subprocess.run(("nice", "-n", "5", *module, *arguments), check=True, cwd=ROOT)
        return path.read_bytes()

    def _preview(self, video: dict[str, Any]) -> Path:
        return self.folder / f"{video['kind']}-{video['seed']}-{video['orientation']}-{_program()}.jpg"

    def _arguments(self, video: dict[str, Any]) -> tuple[str, ...]:
        width, height = (round(video[side] / PREVIEW_SCALE) for side in ("width", "height"))
        return video["kind"], str(video["seed"]), str(width), str(height), str(self._preview(video).resolve())


@cache
def _program() -> str:
    """Return a hash of the drawing program: files of another version are not served."""
    parts = sorted((Path(__file__).parent / "footage").glob("*.py"))
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()[:10]
