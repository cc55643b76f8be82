"""Draw clips of maps: the world in dots."""

import cv2
import numpy as np

from local.platforms.footage.canvas import Canvas, Draw, Pixels, add, colour, glow

# The land of the Earth on a grid of 5 by 7 degrees, by hand: rows from 77 to -56 degrees, columns from -180.
_LAND = (
    "              ####  #####             #           #   #               ",
    "   ##  ##########  ######      #    ####    ##################        ",
    " ###################  ###        #########################  ######    ",
    "  ################   ##        ###########################      #     ",
    "       ############             # ########################  #         ",
    "        ############           ## #######################  ##         ",
    "        ##########             ##  ### ################# #            ",
    "         ########             #### ##  ##############  ##             ",
    "          #####              ########### ############                 ",
    "           ### #             ########### ###  ### ###                 ",
    "            ###  #           ##########  ##   ##  ##  #               ",
    "               ###           #############    #   ##  #               ",
    "                #####         ###########         ## ##               ",
    "                 ######          #######           ## ## ##           ",
    "                 ########        ######             ###   ###         ",
    "                 #######          ##### #              #  #           ",
    "                  ######          ##### #             #######         ",
    "                  #####           ####               #########        ",
    "                  ####             ##                ########         ",
    "                 ####              #                      ##      #   ",
    "                 ###                                           ##     ",
    "                 ##                                                   ",
)


def world(canvas: Canvas) -> Draw:
    """A dotted map of the world that drifts, with lights that travel in arcs between places."""
    ground = canvas.gradient(canvas.dark, canvas.mixed(canvas.dark, canvas.middle, 0.5), canvas.dark)
    rows = len(_LAND)
    tall = canvas.height * (0.5 if canvas.height > canvas.width else 0.86)
    step = tall / rows
    top = (canvas.height - tall) / 2
    columns = max(len(row) for row in _LAND)
    strip_width = columns * step
    land = [(x, y) for y, row in enumerate(_LAND) for x, sign in enumerate(row) if sign == "#"]
    fine = [(x + dx, y + dy) for x, y in land for dx in (0.0, 0.5) for dy in (0.0, 0.5)]
    ends = [tuple(land[int(canvas.rng.integers(len(land)))] for _ in range(2)) for _ in range(12)]
    begins = canvas.rng.random(12)
    start = canvas.rng.random() * strip_width
    spark = glow(round(canvas.unit * 0.09))

    def place(x: float, shift: float) -> float:
        return (x * step + shift) % strip_width - step

    def draw(at: float) -> Pixels:
        picture = ground.copy()
        shift = start - at * canvas.unit * 0.045
        swell = at * 1.3
        for x, y in fine:
            left = place(x, shift)
            if left < canvas.width + step:
                lit = 0.55 + 0.3 * np.sin(swell + x * 0.35 + y * 0.5)
                spot = (round(left), round(top + y * step))
                radius = max(1, round(step * 0.15))
                cv2.circle(picture, spot, radius, colour(canvas.light, lit), -1, cv2.LINE_AA)
        for ((x0, y0), (x1, y1)), begin in zip(ends, begins, strict=True):
            along = np.linspace(0, 1, 40)
            left = place(x0, shift)
            xs = left + (x1 - x0) * step * along
            lift = -np.sin(np.pi * along) * abs(x1 - x0) * step * 0.32
            ys = top + (y0 + (y1 - y0) * along) * step + lift
            shown = (at * 0.32 + begin) % 1.3
            last = round(min(1.0, shown) * 39)
            first = max(0, last - 16)
            if last - first > 1:
                line = np.stack([xs, ys], 1)[first : last + 1].astype(np.int32)
                cv2.polylines(picture, [line], False, colour(canvas.accent), 2, cv2.LINE_AA)
            add(picture, spark, float(xs[last]), float(ys[last]), canvas.accent, 0.9 if shown < 1 else 0.3)
        return picture

    return draw
