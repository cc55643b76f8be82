"""Draw the image of a request with the program that draws the stand-in's clips: nothing is generated here."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from local.language.images import ImageRequest
from local.platforms import catalogue


def draw(asked: ImageRequest) -> bytes:
    """Return a JPEG file of the kind of picture whose words the prompt's first two lines have most of.

    They say what is to be seen; the others are the same for all images of a video. The same request gives
    the same file. Raises subprocess.CalledProcessError.
    """
    kind = catalogue.nearest_kind(" ".join(asked.prompt.splitlines()[:2]))
    seed = int(hashlib.sha256(asked.prompt.encode()).hexdigest()[:6], 16)
    python = os.environ.get("FOOTAGE_PYTHON") or sys.executable
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "image.jpg"
        module = ("-m", "local.platforms.footage")
        arguments = (kind, str(seed), str(asked.width), str(asked.height), str(target))
        # Below the production, as the clips are drawn.
        subprocess.run(("nice", "-n", "5", python, *module, *arguments), check=True, cwd=catalogue.ROOT)
        return target.read_bytes()
