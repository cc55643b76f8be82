"""The videos of the stand-in for a stock library: drawn by `footage.py` when they are first fetched.

videos()                      what a search finds, as descriptions
Drawn(folder, python)         the files, drawn once and kept in a folder
"""

import hashlib
import re
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What each kind of footage.KINDS shows: words that a search for it has.
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


def videos() -> list[dict[str, Any]]:
    """Return {id, kind, seed, orientation, width, height, duration, tags} of every video."""
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
                        "tags": TAGS[kind].split(),
                        "user": "showrunner (drawn, CC0)",
                    }
                )
    return found


def ranked(all_videos: list[dict[str, Any]], query: str, orientation: str) -> list[dict[str, Any]]:
    """Return the videos of an orientation, those with the query's words first.

    Videos that fit equally well are in an order of the query's own, so that neighbours differ in kind.
    """
    asked = {re.sub(r"s$", "", word) for word in re.findall(r"[a-z]{3,}", query.lower())}

    def rank(video: dict[str, Any]) -> tuple[bool, str]:
        order = hashlib.sha256(f"{query} {video['id']}".encode()).hexdigest()
        return not asked & set(video.get("tags", ())), order

    fitting = [each for each in all_videos if each.get("orientation", orientation) == orientation]
    return sorted(fitting, key=rank)


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
                # Below the production, which waits for many other things meanwhile.
                command = ("nice", "-n", "5", *module, video["kind"], str(video["seed"]), *size, str(path))
                subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
        return path.read_bytes()


def _program() -> str:
    """Return a hash of the drawing program: files of another version are not served."""
    return hashlib.sha256((Path(__file__).parent / "footage.py").read_bytes()).hexdigest()[:10]
