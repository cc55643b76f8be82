"""Draw moving pictures and stills and play music, for the stand-ins of libraries and of image generation.

    python -m local.platforms.footage <kind> <seed> <width> <height> <target.mp4 or .jpg>...
    python -m local.platforms.footage music <seed> <target.ogg>

Nothing is copied from anywhere. It runs with the renderer's packages (NumPy, OpenCV, ffmpeg). `kind` is one
of KINDS; each seed gives another palette, composition and motion. The files are dedicated to the public
domain (CC0).
"""

from local.platforms.footage.canvas import Canvas
from local.platforms.footage.files import write, write_still
from local.platforms.footage.kinds import KINDS
from local.platforms.footage.music import write_music

__all__ = ["KINDS", "Canvas", "write", "write_music", "write_still"]
