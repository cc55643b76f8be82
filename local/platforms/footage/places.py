"""Draw clips of places: a city at night, and mountains in the mist."""

import cv2
import numpy as np

from local.platforms.footage.canvas import Canvas, Draw, Pixels, add, colour, glow, ridge


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
            shift = round(direction * at * speed * canvas.width) % (2 * canvas.width)
            shown = slice(shift, shift + canvas.width)
            cv2.copyTo(strip[:, shown], mask[:, shown], picture)
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


def _skyline(canvas: Canvas, depth: float) -> tuple[Pixels, Pixels]:
    """Return a strip of houses and where they are: twice as wide as the picture, and its beginning again."""
    width = canvas.width * 2
    strip = np.zeros((canvas.height, width, 3), np.uint8)
    mask = np.zeros((canvas.height, width), np.uint8)
    tone = canvas.mixed(canvas.middle, canvas.dark * np.float32(0.4), depth)
    at = 0
    while at < width:
        wide = round(canvas.unit * canvas.rng.uniform(0.07, 0.2) * (0.6 + 0.6 * depth))
        tall = canvas.height * canvas.rng.uniform(0.3, 0.66) * (1.15 - 0.5 * depth)
        top, right = round(canvas.height - tall), min(width, at + wide)
        strip[top:, at:right] = tone.astype(np.uint8)
        mask[top:, at:right] = 255
        step = max(7, round(canvas.unit * 0.022 * (0.6 + 0.5 * depth)))
        for y in range(top + step, canvas.height, step):
            for x in range(at + step // 2, right - step // 2, step):
                if canvas.rng.random() < 0.33:
                    lit = canvas.accent * np.float32(canvas.rng.uniform(0.45, 1.0))
                    strip[y : y + step // 2, x : x + step // 3] = lit.astype(np.uint8)
        at = right + round(canvas.unit * canvas.rng.uniform(0, 0.02))
    return np.hstack([strip, strip[:, : canvas.width]]), np.hstack([mask, mask[:, : canvas.width]])


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
