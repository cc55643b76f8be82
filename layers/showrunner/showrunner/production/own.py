"""Choose where a user's own clips and images are shown: by their names and tags, else scene by scene."""

import re
from typing import NamedTuple

from showrunner.production import ranking
from showrunner.production.job import Asset
from showrunner.production.visuals import Shot

# The part of a name's words that a shot must have. Of "old harbour 2019" it needs "old" or "harbour".
_NAMED = 0.5
# What cameras and programs call their files says nothing.
_NO_NAME = re.compile(
    r"^(?:img|image|dsc|dscn|pxl|vid|video|mov|clip|screenshot|untitled|photo)?[\W\d_]*$", re.IGNORECASE
)


class Placed(NamedTuple):
    """The assets of single shots, by (scene, shot), and those that fill a whole scene, by scene."""

    of_shots: dict[tuple[int, int], Asset]
    of_scenes: dict[int, Asset]


def place(assets: list[Asset], shots: list[list[Shot]]) -> Placed:
    """Return where the assets are shown, each once.

    One whose name or tags fit a shot is shown there, instead of stock and of a title. The others fill the
    first scenes in their order.
    """
    fitting = sorted(
        (
            (-score, scene, number, order)
            for order, asset in enumerate(assets)
            for scene, found in enumerate(shots)
            for number, shot in enumerate(found)
            if (score := _score(asset, shot)) > 0
        ),
    )
    of_shots: dict[tuple[int, int], Asset] = {}
    placed: set[int] = set()
    for _, scene, number, order in fitting:
        if order not in placed and (scene, number) not in of_shots:
            of_shots[scene, number] = assets[order]
            placed.add(order)
    rest = [asset for order, asset in enumerate(assets) if order not in placed]
    return Placed(of_shots, dict(zip(range(len(shots)), rest, strict=False)))


def _score(asset: Asset, shot: Shot) -> float:
    """Return how well an asset fits a shot: its tags that the shot names, and the part of its name."""
    if shot.is_card and shot.kind != "title":
        return 0.0
    said = ranking.stems(" ".join([shot.text, *shot.queries]))
    tags = sum(bool(words) and words <= said for words in map(ranking.stems, asset.tags))
    stem = asset.name.rpartition(".")[0] or asset.name
    name = set() if _NO_NAME.match(stem) else ranking.stems(stem)
    share = len(name & said) / len(name) if name else 0.0
    return tags + (share if share >= _NAMED else 0.0)
