"""Draw a moving picture as an MP4 file, for the stand-in of a stock library. Nothing is copied from anywhere.

    python -m local.platforms.footage <kind> <seed> <width> <height> <target.mp4>

It runs with the renderer's packages (NumPy, OpenCV, ffmpeg). `kind` is one of KINDS; each seed gives another
palette, composition and motion. The files are dedicated to the public domain (CC0).
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
type Draw = Callable[[float], Pixels]

FPS = 25
SECONDS = 8.0
# Dark, middle, light and accent, as RGB.
PALETTES = (
    ((8, 18, 48), (18, 74, 122), (120, 200, 226), (255, 196, 92)),
    ((22, 12, 44), (92, 36, 112), (236, 120, 150), (255, 214, 140)),
    ((6, 30, 34), (14, 98, 96), (132, 224, 190), (255, 240, 170)),
    ((34, 16, 16), (146, 58, 40), (248, 164, 92), (255, 236, 190)),
    ((12, 14, 22), (58, 70, 102), (176, 196, 226), (120, 220, 255)),
    ((12, 24, 46), (38, 88, 120), (236, 188, 138), (255, 226, 176)),
)


class Canvas:
    """Size, palette and random numbers of one clip."""

    def __init__(self, seed: int, width: int, height: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.width, self.height = width, height
        self.unit = min(width, height)
        tones = PALETTES[seed % len(PALETTES)]
        # A little off the palette, so that clips of one palette differ.
        shift = self.rng.integers(-12, 13, 3)
        self.dark, self.middle, self.light, self.accent = (
            np.clip(np.array(tone) + shift, 0, 255).astype(np.float32) for tone in tones
        )

    def gradient(self, *tones: Floats) -> Pixels:
        """Return a vertical gradient through the tones, with fine grain against banding."""
        at = np.linspace(0, len(tones) - 1, self.height)
        columns = [
            np.interp(at, range(len(tones)), [tone[channel] for tone in tones]) for channel in range(3)
        ]
        rows = np.stack(columns, axis=1)[:, None, :]
        grain = self.rng.normal(0, 1.2, (self.height, self.width, 1))
        return np.clip(rows + grain, 0, 255).astype(np.uint8)

    def mixed(self, first: Floats, second: Floats, share: float) -> Floats:
        return first * np.float32(1 - share) + second * np.float32(share)


def colour(tone: Floats, strength: float = 1.0) -> tuple[float, float, float]:
    """Return a tone as OpenCV takes it."""
    red, green, blue = (float(channel) * strength for channel in tone)
    return red, green, blue


def glow(size: int) -> Floats:
    """Return a soft disc of this diameter: 1 in its middle, 0 at its edge."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    return np.asarray(np.clip(1 - np.hypot(axis[:, None], axis[None, :]), 0, 1) ** 2, np.float32)


def add(picture: Pixels, light: Floats, x: float, y: float, tone: Floats, strength: float) -> None:
    """Add a soft light around (x, y). What is outside the picture is left out."""
    size = light.shape[0]
    left, top = round(x - size / 2), round(y - size / 2)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(picture.shape[1], left + size), min(picture.shape[0], top + size)
    if x1 <= x0 or y1 <= y0:
        return
    part = picture[y0:y1, x0:x1]
    shape = light[y0 - top : y1 - top, x0 - left : x1 - left, None] * np.float32(strength)
    part[:] = np.minimum(255, part + shape * tone).astype(np.uint8)


def noise(rng: np.random.Generator, width: int, height: int, cells: int, octaves: int = 4) -> Floats:
    """Return clouds of values from 0 to 1."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        grid = rng.random((cells * 2**octave + 2, cells * 2**octave + 2), np.float32)
        total += 0.5**octave * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray((total - total.min()) / np.ptp(total), np.float32)


def ridge(rng: np.random.Generator, count: int, roughness: float) -> Floats:
    """Return a line of `count` heights from 0 to 1 that repeats without a seam."""
    x = np.linspace(0, 2 * np.pi, count, endpoint=False)
    line = np.zeros(count)
    for order in range(1, 24):
        line += np.sin(order * x + rng.uniform(0, 6.3)) / order**roughness
    return np.asarray((line - line.min()) / np.ptp(line), np.float32)


def sea(canvas: Canvas) -> Draw:
    """Waves in layers under a low sun, with its path of light on the water."""
    horizon = round(canvas.height * canvas.rng.uniform(0.36, 0.5))
    sky = canvas.gradient(canvas.dark, canvas.middle, canvas.light, canvas.light)
    sun_x, size = canvas.width * canvas.rng.uniform(0.25, 0.75), round(canvas.unit * 0.9)
    add(sky, glow(size), sun_x, horizon - canvas.unit * 0.06, canvas.accent, 0.9)
    cv2.circle(
        sky,
        (round(sun_x), round(horizon - canvas.unit * 0.08)),
        round(canvas.unit * 0.09),
        colour(canvas.accent),
        -1,
        cv2.LINE_AA,
    )
    x = np.arange(0, canvas.width + 8, 8)
    phases = canvas.rng.uniform(0, 6.3, (9, 3))
    speed = canvas.rng.choice([-1.0, 1.0])

    def draw(at: float) -> Pixels:
        picture = sky.copy()
        for layer in range(9):
            depth = layer / 8
            top = horizon + (canvas.height - horizon) * depth**1.5
            reach = canvas.unit * (0.004 + 0.035 * depth)
            length = canvas.unit * (0.12 + 0.5 * depth)
            wave = sum(
                np.sin(x / length * order + phases[layer, order - 1] + speed * at * (0.9 + 0.5 * order))
                / order
                for order in (1, 2, 3)
            )
            edge = np.stack([x, top + reach * wave], axis=1)
            shape = np.vstack([edge, [[canvas.width + 8, canvas.height], [0, canvas.height]]])
            tone = canvas.mixed(canvas.middle, canvas.dark, 0.15 + 0.85 * depth)
            cv2.fillPoly(picture, [shape.astype(np.int32)], colour(tone), cv2.LINE_AA)
            crest = canvas.mixed(tone, canvas.light, 0.28)
            cv2.polylines(picture, [edge.astype(np.int32)], False, colour(crest), 2, cv2.LINE_AA)
        sparkle = np.random.default_rng(int(at * 9))
        for _ in range(90):
            down = sparkle.random() ** 1.4
            y = horizon + (canvas.height - horizon) * down
            wide = canvas.unit * (0.02 + 0.3 * down)
            spot = (round(sun_x + sparkle.normal(0, wide)), round(y))
            span = (max(1, round(canvas.unit * 0.012 * (0.4 + down))), 1 + round(2 * down))
            cv2.ellipse(picture, spot, span, 0, 0, 360, colour(canvas.accent, 0.92), -1, cv2.LINE_AA)
        return picture

    return draw


def underwater(canvas: Canvas) -> Draw:
    """Rays of light in deep water, rising bubbles, and a cable on the sea floor."""
    water = canvas.gradient(canvas.light, canvas.middle, canvas.dark, canvas.dark * np.float32(0.5))
    floor = ridge(canvas.rng, canvas.width, 1.6) * canvas.height * 0.06 + canvas.height * 0.86
    bubbles = canvas.rng.random((70, 4))
    rays = canvas.rng.uniform([0.0, 0.04, 0.2], [1.0, 0.13, 0.6], (7, 3))

    def draw(at: float) -> Pixels:
        small = (canvas.width // 4, canvas.height // 4)
        beams = np.zeros((small[1], small[0]), np.float32)
        for x, wide, strength in rays:
            top = (x * 1.6 - 0.3 + 0.05 * np.sin(at * 0.7 + x * 9)) * small[0]
            lean = small[1] * 0.35
            shape = np.array(
                [
                    [top, 0],
                    [top + wide * small[0], 0],
                    [top + lean + wide * 2.6 * small[0], small[1]],
                    [top + lean, small[1]],
                ]
            )
            level = strength * (0.6 + 0.4 * np.sin(at * 1.1 + x * 20))
            cv2.fillConvexPoly(beams, shape.astype(np.int32), level, cv2.LINE_AA)
        fade = np.linspace(1, 0, small[1], dtype=np.float32)[:, None] ** 1.3
        beams = cv2.resize(
            cv2.GaussianBlur(beams, (0, 0), small[0] / 40) * fade, (canvas.width, canvas.height)
        )  # type: ignore[assignment]
        light = (beams[..., None] * canvas.light * np.float32(0.5)).astype(np.uint8)
        picture = np.asarray(cv2.add(water, light), np.uint8)
        x = np.arange(canvas.width)
        ground = np.vstack([np.stack([x, floor], 1), [[canvas.width, canvas.height], [0, canvas.height]]])
        cv2.fillPoly(picture, [ground.astype(np.int32)], colour(canvas.dark, 0.42), cv2.LINE_AA)
        bow = floor + canvas.height * (0.045 + 0.012 * np.sin(x / canvas.width * 7 + at * 0.2))
        line = np.stack([x[::6], bow[::6]], 1).astype(np.int32)
        cv2.polylines(picture, [line], False, (14, 14, 18), round(canvas.unit * 0.03), cv2.LINE_AA)
        cv2.polylines(
            picture,
            [line],
            False,
            colour(canvas.accent, 0.55),
            max(2, round(canvas.unit * 0.005)),
            cv2.LINE_AA,
        )
        pulse = (at * 0.35) % 1.2 - 0.1
        spot = min(canvas.width - 1, max(0, round(pulse * canvas.width)))
        add(
            picture,
            glow(round(canvas.unit * 0.22)),
            pulse * canvas.width,
            float(bow[spot]),
            canvas.accent,
            0.8,
        )
        for x0, y0, size, speed in bubbles:
            y = (y0 - at * (0.03 + 0.09 * speed)) % 1.05
            wobble = 0.012 * np.sin(at * 2 + x0 * 40)
            centre = (round((x0 + wobble) * canvas.width), round(y * canvas.height))
            radius = max(1, round(canvas.unit * (0.002 + 0.009 * size**2)))
            cv2.circle(picture, centre, radius, colour(canvas.light, 0.9), 1 + radius // 9, cv2.LINE_AA)
        return np.asarray(picture, np.uint8)

    return draw


def city(canvas: Canvas) -> Draw:
    """A skyline at night in three layers that pass by at different speeds, with lit windows."""
    sky = canvas.gradient(canvas.dark * np.float32(0.6), canvas.dark, canvas.middle, canvas.light)
    layers = [_skyline(canvas, depth) for depth in (0.35, 0.65, 1.0)]
    stars = canvas.rng.random((120, 3))
    direction = canvas.rng.choice([-1, 1])
    cars = canvas.rng.random((26, 3))

    def draw(at: float) -> Pixels:
        picture = sky.copy()
        for x, y, size in stars:
            twinkle = 0.5 + 0.5 * np.sin(at * 3 + x * 50)
            spot = (round(x * canvas.width), round(y * canvas.height * 0.5))
            cv2.circle(picture, spot, 1, colour(canvas.light, 0.4 + 0.6 * size * twinkle), -1)
        for (strip, mask), speed in zip(layers, (0.03, 0.09, 0.2), strict=True):
            shift = round(direction * at * speed * canvas.width) % strip.shape[1]
            shown = np.roll(strip, -shift, axis=1)[:, : canvas.width]
            where = np.roll(mask, -shift, axis=1)[:, : canvas.width]
            np.copyto(picture, shown, where=where[..., None])
        road = canvas.height * 0.955
        picture[round(road) :] = (picture[round(road) :] * 0.25).astype(np.uint8)
        spark = glow(round(canvas.unit * 0.05))
        for x, lane, speed in cars:
            forward = 1 if lane > 0.5 else -1
            at_x = (x + forward * at * (0.12 + 0.2 * speed)) % 1.2 - 0.1
            tone = canvas.accent if forward > 0 else np.array([255, 70, 60], np.float32)
            add(
                picture,
                spark,
                at_x * canvas.width,
                road + (0.3 + 0.5 * lane) * canvas.height * 0.04,
                tone,
                1.0,
            )
        return picture

    return draw


def _skyline(canvas: Canvas, depth: float) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Return a strip of houses, twice as wide as the picture, and where they are."""
    width = canvas.width * 2
    strip = np.zeros((canvas.height, width, 3), np.uint8)
    mask = np.zeros((canvas.height, width), bool)
    tone = canvas.mixed(canvas.middle, canvas.dark * np.float32(0.4), depth)
    at = 0
    while at < width:
        wide = round(canvas.unit * canvas.rng.uniform(0.07, 0.2) * (0.6 + 0.6 * depth))
        tall = canvas.height * canvas.rng.uniform(0.3, 0.66) * (1.15 - 0.5 * depth)
        top, right = round(canvas.height - tall), min(width, at + wide)
        strip[top:, at:right] = tone.astype(np.uint8)
        mask[top:, at:right] = True
        step = max(7, round(canvas.unit * 0.022 * (0.6 + 0.5 * depth)))
        for y in range(top + step, canvas.height, step):
            for x in range(at + step // 2, right - step // 2, step):
                if canvas.rng.random() < 0.33:
                    lit = canvas.accent * np.float32(canvas.rng.uniform(0.45, 1.0))
                    strip[y : y + step // 2, x : x + step // 3] = lit.astype(np.uint8)
        at = right + round(canvas.unit * canvas.rng.uniform(0, 0.02))
    return strip, mask


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


def fibers(canvas: Canvas) -> Draw:
    """Strands of glass that lead into the distance, with pulses of light running along them."""
    ground = canvas.gradient(canvas.dark * np.float32(0.35), canvas.dark, canvas.dark * np.float32(0.35))
    far = np.array([canvas.width, canvas.height]) * canvas.rng.uniform(0.3, 0.7, 2)
    count = 46
    angles = np.sort(canvas.rng.uniform(0, 2 * np.pi, count))
    bend = canvas.rng.uniform(-0.9, 0.9, count)
    speeds = canvas.rng.uniform(0.25, 0.7, count)
    phases = canvas.rng.random((count, 2))
    along = np.linspace(0, 1, 36) ** 1.8
    reach = float(np.hypot(canvas.width, canvas.height))
    lights = [glow(max(6, round(canvas.unit * (0.02 + 0.13 * near)))) for near in along]
    tones = [canvas.light, canvas.accent, canvas.mixed(canvas.light, canvas.middle, 0.5)]

    def draw(at: float) -> Pixels:
        picture = ground.copy()
        for index in range(count):
            turn = angles[index] + 0.1 * np.sin(at * 0.4 + index) + 0.05 * at
            curve = turn + bend[index] * along
            line = np.stack(
                [far[0] + np.cos(curve) * along * reach, far[1] + np.sin(curve) * along * reach], 1
            )
            tone = tones[index % 3]
            cv2.polylines(
                picture, [line.astype(np.int32)], False, colour(tone, 0.5), 1 + index % 3, cv2.LINE_AA
            )
            for phase in phases[index]:
                spot = int(((at * speeds[index] + phase) % 1) ** 1.2 * 35)
                add(picture, lights[spot], float(line[spot][0]), float(line[spot][1]), tone, 0.95)
        return picture

    return draw


def space(canvas: Canvas) -> Draw:
    """A planet that turns, its night side in shadow, with stars behind and a satellite on its way."""
    sky = canvas.gradient(canvas.dark * np.float32(0.3), canvas.dark * np.float32(0.55))
    for x, y, size in canvas.rng.random((260, 3)):
        spot = (round(x * canvas.width), round(y * canvas.height))
        cv2.circle(sky, spot, 1 + int(size > 0.93), colour(canvas.light, 0.2 + 0.8 * size), -1, cv2.LINE_AA)
    radius = round(canvas.unit * canvas.rng.uniform(0.36, 0.5))
    centre = (canvas.width * canvas.rng.uniform(0.35, 0.65), canvas.height * canvas.rng.uniform(0.48, 0.62))
    axis = np.linspace(-1, 1, 2 * radius, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    inside = np.clip(1 - x * x - y * y, 0, None)
    z = np.sqrt(inside)
    longitude = np.arctan2(x, z)
    wide = noise(canvas.rng, 1280, 512, 6)
    # The last part fades into the first one, so that there is no seam at the date line.
    share = np.linspace(0, 1, 256, dtype=np.float32)
    surface = wide[:, :1024].copy()
    surface[:, :256] = wide[:, 1024:] * (1 - share) + wide[:, :256] * share
    rows = ((y + 1) / 2 * 511).astype(np.float32)
    lean = canvas.rng.uniform(-0.6, 0.6)
    sunlight = np.clip(-0.75 * x - lean * y + 0.6 * z, 0.03, 1) ** 0.8
    edge = np.clip((1 - np.hypot(x, y)) * radius / 1.5, 0, 1)[..., None]
    halo = glow(round(radius * 3.1))
    tilt = canvas.rng.uniform(-0.35, 0.35)

    def draw(at: float) -> Pixels:
        picture = sky.copy()
        add(picture, halo, *centre, canvas.middle, 0.9)
        columns = ((longitude / (2 * np.pi) + 0.5 + at * 0.04) * 1023 % 1023).astype(np.float32)
        land = cv2.remap(surface, columns, rows, cv2.INTER_LINEAR)[..., None]
        ground = np.where(land > 0.52, canvas.light * 0.75, canvas.middle) + (land - 0.5) * 60
        shaded = ground * sunlight[..., None]
        left, top = round(centre[0] - radius), round(centre[1] - radius)
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(canvas.width, left + 2 * radius), min(canvas.height, top + 2 * radius)
        window = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        part = picture[y0:y1, x0:x1]
        part[:] = np.clip(part * (1 - edge[window]) + shaded[window] * edge[window], 0, 255).astype(np.uint8)
        angle = at * 0.42 - 2.4
        orbit = (
            centre[0] + np.cos(angle) * radius * 1.32,
            centre[1] + np.sin(angle) * radius * 0.5 + np.cos(angle) * radius * tilt,
        )
        if np.sin(angle) > -0.25 or abs(np.cos(angle)) > 0.8:
            _satellite(picture, orbit, canvas, at)
        return picture

    return draw


def _satellite(picture: Pixels, at: tuple[float, float], canvas: Canvas, turn: float) -> None:
    size = canvas.unit * 0.03
    for name, wide, tall in (("body", 0.5, 0.5), ("panels", 2.4, 0.34)):
        tone = canvas.accent if name == "body" else canvas.light
        box = cv2.boxPoints((at, (size * wide, size * tall), -18 + 4 * turn))
        cv2.fillConvexPoly(picture, box.astype(np.int32), colour(tone, 0.95), cv2.LINE_AA)
    if turn % 1.0 < 0.25:
        add(picture, glow(round(size * 3)), *at, canvas.accent, 1.0)


def mountains(canvas: Canvas) -> Draw:
    """Ridges in mist that pass by at different speeds, with a sun behind them and birds."""
    sky = canvas.gradient(canvas.middle, canvas.light, canvas.accent, canvas.light)
    sun = (canvas.width * canvas.rng.uniform(0.2, 0.8), canvas.height * canvas.rng.uniform(0.24, 0.36))
    add(sky, glow(round(canvas.unit * 1.1)), *sun, canvas.accent, 0.55)
    cv2.circle(
        sky, (round(sun[0]), round(sun[1])), round(canvas.unit * 0.085), (255, 250, 235), -1, cv2.LINE_AA
    )
    count = canvas.width * 2
    lines = [ridge(canvas.rng, count, 1.15 + 0.1 * layer) for layer in range(6)]
    direction = canvas.rng.choice([-1, 1])
    flock = canvas.rng.normal(0, 1, (9, 2))
    x = np.arange(0, canvas.width + 4, 4)

    def draw(at: float) -> Pixels:
        picture = sky.copy()
        for layer, line in enumerate(lines):
            depth = layer / 5
            shift = round(direction * at * canvas.width * (0.015 + 0.14 * depth**2))
            heights = line[(x + shift) % count]
            base = canvas.height * (0.42 + 0.42 * depth)
            edge = base - heights * canvas.height * (0.2 - 0.05 * depth)
            shape = np.vstack(
                [np.stack([x, edge], 1), [[canvas.width + 4, canvas.height], [0, canvas.height]]]
            )
            tone = canvas.mixed(canvas.mixed(canvas.middle, canvas.light, 0.55), canvas.dark, depth)
            cv2.fillPoly(picture, [shape.astype(np.int32)], colour(tone), cv2.LINE_AA)
            if layer < 5:
                _mist(picture, round(base), canvas, 0.26 * (1 - depth))
        lead = ((0.1 + at * 0.07 * direction) % 1.2 - 0.1) * canvas.width
        for dx, dy in flock:
            wing = np.sin(at * 9 + dx * 5)
            size = canvas.unit * 0.014
            cx, cy = lead + dx * canvas.unit * 0.07, canvas.height * 0.2 + dy * canvas.unit * 0.035
            bird = np.array(
                [[cx - size, cy - wing * size * 0.6], [cx, cy], [cx + size, cy - wing * size * 0.6]]
            )
            cv2.polylines(picture, [bird.astype(np.int32)], False, colour(canvas.dark), 2, cv2.LINE_AA)
        return picture

    return draw


def _mist(picture: Pixels, base: int, canvas: Canvas, strength: float) -> None:
    top = max(0, base - round(canvas.height * 0.02))
    part = picture[top : top + round(canvas.height * 0.12)]
    share = np.linspace(0, strength, len(part), dtype=np.float32)[:, None, None]
    part[:] = (part * (1 - share) + canvas.light * share).astype(np.uint8)


def network(canvas: Canvas) -> Draw:
    """Points that drift, with lines between those that are near each other, and messages along the lines."""
    ground = canvas.gradient(canvas.dark, canvas.mixed(canvas.dark, canvas.middle, 0.55), canvas.dark)
    count = 64
    start, speed = canvas.rng.random((count, 2)), canvas.rng.normal(0, 0.022, (count, 2))
    depth = canvas.rng.uniform(0.4, 1.0, count)
    size = np.array([canvas.width, canvas.height])
    reach = canvas.unit * 0.26
    spark = glow(round(canvas.unit * 0.055))

    def draw(at: float) -> Pixels:
        picture = ground.copy()
        places = ((start + speed * at * depth[:, None]) % 1.1 - 0.05) * size
        sway = 1 + 0.03 * at * depth[:, None] / 4
        places = (places - size / 2) * sway + size / 2
        for one in range(count):
            near = np.hypot(*(places[one + 1 :] - places[one]).T)
            for offset in np.flatnonzero(near < reach)[:5]:
                other, share = one + 1 + int(offset), 1 - near[offset] / reach
                ends = places[one].astype(int).tolist(), places[other].astype(int).tolist()
                cv2.line(picture, *ends, colour(canvas.light, 0.15 + 0.6 * share), 1, cv2.LINE_AA)
                if (one + other) % 4 == 0:
                    along = (at * 0.6 + one * 0.37) % 1
                    spot = places[one] * (1 - along) + places[other] * along
                    add(picture, spark, float(spot[0]), float(spot[1]), canvas.accent, 0.8)
        for place, near_by in zip(places, depth, strict=True):
            radius = max(2, round(canvas.unit * 0.009 * near_by))
            cv2.circle(
                picture, place.astype(int).tolist(), radius, colour(canvas.light, near_by), -1, cv2.LINE_AA
            )
        return picture

    return draw


def machine(canvas: Canvas) -> Draw:
    """Rings and scales that turn against each other, like the inside of an instrument."""
    ground = canvas.gradient(canvas.dark * np.float32(0.7), canvas.dark, canvas.middle)
    centre = (
        round(canvas.width * canvas.rng.uniform(0.35, 0.65)),
        round(canvas.height * canvas.rng.uniform(0.38, 0.6)),
    )
    rings = [
        (
            canvas.unit * (0.1 + 0.075 * number),
            canvas.rng.choice([-1, 1]) * canvas.rng.uniform(0.15, 0.8),
            canvas.rng.uniform(60, 300),
            int(canvas.rng.integers(8, 90)),
            max(2, round(canvas.unit * canvas.rng.choice([0.004, 0.01, 0.024]))),
        )
        for number in range(11)
    ]
    tones = (canvas.light, canvas.accent, canvas.middle * np.float32(1.3))
    light = glow(round(canvas.unit * 1.2))

    def draw(at: float) -> Pixels:
        picture = ground.copy()
        add(picture, light, *centre, canvas.middle, 0.6 + 0.15 * np.sin(at * 2))
        for number, (radius, speed, length, ticks, thick) in enumerate(rings):
            turn = np.degrees(at * speed) + number * 40
            tone, whole = tones[number % 3], (round(radius), round(radius))
            cv2.ellipse(picture, centre, whole, turn, 0, length, colour(tone, 0.75), thick, cv2.LINE_AA)
            for angle in np.radians(turn) + np.linspace(0, np.radians(length), ticks):
                way = np.array([np.cos(angle), np.sin(angle)])
                inner = (centre + way * radius * 1.03).astype(int).tolist()
                outer = (centre + way * radius * 1.08).astype(int).tolist()
                cv2.line(picture, inner, outer, colour(tone, 0.6), 1, cv2.LINE_AA)
            hand = np.radians(turn + length)
            end = (centre[0] + np.cos(hand) * radius, centre[1] + np.sin(hand) * radius)
            cv2.circle(
                picture,
                (round(end[0]), round(end[1])),
                max(3, round(canvas.unit * 0.012)),
                colour(canvas.accent),
                -1,
                cv2.LINE_AA,
            )
        return picture

    return draw


def clouds(canvas: Canvas) -> Draw:
    """Clouds in two layers that drift and swell, as from an aeroplane."""
    size = (canvas.width // 2, canvas.height // 2)
    layers = [noise(canvas.rng, size[0] * 2, size[1] + 40, cells, 5) for cells in (3, 5)]
    low, high = canvas.mixed(canvas.middle, canvas.dark, 0.2), canvas.mixed(canvas.light, canvas.accent, 0.35)
    direction = canvas.rng.choice([-1, 1])
    height = np.linspace(0.25, 1.0, size[1], dtype=np.float32)[:, None]

    def draw(at: float) -> Pixels:
        share = np.zeros((size[1], size[0]), np.float32)
        for layer, speed in zip(layers, (0.055, 0.12), strict=True):
            shift = round((at if direction > 0 else SECONDS - at) * speed * size[0])
            rise = round(20 + 18 * np.sin(at * 0.4 + speed * 30))
            share += layer[rise : rise + size[1], shift : shift + size[0]]
        dense = np.clip((share / 2 - 0.34) * 3.2, 0, 1) * height
        picture = low + (high - low) * dense[..., None]
        return np.asarray(
            cv2.resize(picture, (canvas.width, canvas.height), interpolation=cv2.INTER_LINEAR), np.uint8
        )

    return draw


def lights(canvas: Canvas) -> Draw:
    """Lights out of focus that rise and breathe, large and small."""
    ground = canvas.gradient(canvas.dark, canvas.mixed(canvas.dark, canvas.middle, 0.6), canvas.dark)
    orbs = canvas.rng.random((54, 5))
    discs = []
    for size in (0.05, 0.1, 0.17, 0.26):
        wide = round(canvas.unit * size)
        flat = np.zeros((wide, wide), np.float32)
        cv2.circle(flat, (wide // 2, wide // 2), round(wide * 0.42), 0.5, -1, cv2.LINE_AA)
        cv2.circle(flat, (wide // 2, wide // 2), round(wide * 0.42), 0.9, max(1, wide // 40), cv2.LINE_AA)
        discs.append(np.asarray(cv2.GaussianBlur(flat, (0, 0), max(0.8, wide / 60)), np.float32))
    tones = (canvas.light, canvas.accent, canvas.middle * np.float32(1.5))

    def draw(at: float) -> Pixels:
        picture = ground.copy()
        for index, (x, y, size, speed, phase) in enumerate(orbs):
            disc = discs[int(size**1.6 * 4)]
            place_y = (y - at * (0.02 + 0.06 * speed)) % 1.3 - 0.15
            place_x = x + 0.03 * np.sin(at * 0.6 + phase * 9)
            strength = 0.25 + 0.35 * (0.5 + 0.5 * np.sin(at * 1.4 + phase * 20))
            add(picture, disc, place_x * canvas.width, place_y * canvas.height, tones[index % 3], strength)
        return picture

    return draw


KINDS: dict[str, Callable[[Canvas], Draw]] = {
    each.__name__: each
    for each in (
        sea,
        underwater,
        city,
        world,
        fibers,
        space,
        mountains,
        network,
        machine,
        clouds,
        lights,
    )
}


def write(kind: str, seed: int, width: int, height: int, target: Path) -> None:
    """Draw a clip and write it as H.264 with an index in front. The file appears complete."""
    draw = KINDS[kind](Canvas(seed, width, height))
    part = target.with_suffix(".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(FPS), "-i", "-")
    coded = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p", "-threads", "2")
    tags = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")
    as_bt709 = ("-vf", "scale=out_color_matrix=bt709:out_range=tv")
    command = (
        imageio_ffmpeg.get_ffmpeg_exe(),
        *("-hide_banner", "-loglevel", "error", "-y"),
        *raw,
        *as_bt709,
        *coded,
        *tags,
        *("-movflags", "+faststart", "-f", "mp4", str(part)),
    )
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        for number in range(round(SECONDS * FPS)):
            process.stdin.write(draw(number / FPS).tobytes())
        process.stdin.close()
    if process.returncode:
        raise RuntimeError(f"ffmpeg ended with {process.returncode}")
    part.replace(target)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    write(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
