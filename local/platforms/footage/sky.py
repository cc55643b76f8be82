"""Draw clips of the sky: a planet in space, and clouds."""

import cv2
import numpy as np

from local.platforms.footage.canvas import SECONDS, Canvas, Draw, Pixels, add, colour, glow, noise


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
    ground = np.where(surface[..., None] > 0.52, canvas.light * 0.75, canvas.middle)
    ground += (surface[..., None] - 0.5) * 60
    # Twice, so that a turn is a step to the right.
    ground = np.clip(np.hstack([ground[:, :-1]] * 2), 0, 255).astype(np.uint8)
    columns = ((longitude / (2 * np.pi) + 0.5) * 1023).astype(np.float32)
    rows = ((y + 1) / 2 * 511).astype(np.float32)
    lean = canvas.rng.uniform(-0.6, 0.6)
    sunlight = np.clip(-0.75 * x - lean * y + 0.6 * z, 0.03, 1) ** 0.8
    edge = np.clip((1 - np.hypot(x, y)) * radius / 1.5, 0, 1)
    lit, behind = (
        np.dstack([np.round(255 * each)] * 3).astype(np.uint8) for each in (sunlight * edge, 1 - edge)
    )
    add(sky, glow(round(radius * 3.1)), *centre, canvas.middle, 0.9)
    tilt = canvas.rng.uniform(-0.35, 0.35)
    left, top = round(centre[0] - radius), round(centre[1] - radius)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(canvas.width, left + 2 * radius), min(canvas.height, top + 2 * radius)
    window = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    lit, behind, columns, rows = (np.ascontiguousarray(each[window]) for each in (lit, behind, columns, rows))
    sky[y0:y1, x0:x1] = cv2.multiply(sky[y0:y1, x0:x1], behind, scale=1 / 255)

    def draw(at: float) -> Pixels:
        picture = sky.copy()
        turned = columns + np.float32(at * 0.04 * 1023 % 1023)
        land = cv2.remap(ground, turned, rows, cv2.INTER_LINEAR)
        part = picture[y0:y1, x0:x1]
        part[:] = cv2.add(part, cv2.multiply(land, lit, scale=1 / 255))
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
