"""Draw the files that the arguments name, five arguments for each: kind, seed, width, height, target.

Of music the arguments are the word music, seed and target.
"""

import itertools
import sys
from pathlib import Path

import cv2

from local.platforms.footage import write, write_music, write_still


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["music"]:
        write_music(int(arguments[1]), Path(arguments[2]))
        return
    cv2.setNumThreads(1)
    for kind, seed, width, height, target in itertools.batched(arguments, 5, strict=True):
        draw = write_still if target.endswith(".jpg") else write
        draw(kind, int(seed), int(width), int(height), Path(target))


if __name__ == "__main__":
    main(sys.argv[1:])
