"""Draw clips of water: the sea under a low sun, and deep water with a cable."""

import cv2
import numpy as np

from local.platforms.footage.canvas import Canvas, Draw, Pixels, add, colour, glow, ridge


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
    bubbles = canvas.rng.random((110, 4))
    rays = canvas.rng.uniform([0.0, 0.04, 0.2], [1.0, 0.13, 0.6], (7, 3))

    def draw(at: float) -> Pixels:
        small = (canvas.width // 4, canvas.height // 4)
        beams = np.zeros((small[1], small[0]), np.float32)
        for x, wide, strength in rays:
            top = (x * 1.6 - 0.3 + 0.09 * np.sin(at * 1.3 + x * 9)) * small[0]
            lean = small[1] * 0.35
            shape = np.array(
                [
                    [top, 0],
                    [top + wide * small[0], 0],
                    [top + lean + wide * 2.6 * small[0], small[1]],
                    [top + lean, small[1]],
                ]
            )
            level = strength * (0.6 + 0.4 * np.sin(at * 2.1 + x * 20))
            cv2.fillConvexPoly(beams, shape.astype(np.int32), level, cv2.LINE_AA)
        fade = np.linspace(1, 0, small[1], dtype=np.float32)[:, None] ** 1.3
        soft = cv2.GaussianBlur(beams, (0, 0), small[0] / 40) * fade
        light = (soft[..., None] * canvas.light * np.float32(0.5)).astype(np.uint8)
        light = cv2.resize(light, (canvas.width, canvas.height))
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
            y = (y0 - at * (0.05 + 0.14 * speed)) % 1.05
            wobble = 0.012 * np.sin(at * 2 + x0 * 40)
            centre = (round((x0 + wobble) * canvas.width), round(y * canvas.height))
            radius = max(1, round(canvas.unit * (0.003 + 0.013 * size**2)))
            cv2.circle(picture, centre, radius, colour(canvas.light, 0.9), 1 + radius // 9, cv2.LINE_AA)
        return np.asarray(picture, np.uint8)

    return draw
