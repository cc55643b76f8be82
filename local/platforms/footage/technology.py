"""Draw clips of technology: fibres, a network, and the inside of a machine."""

import cv2
import numpy as np

from local.platforms.footage.canvas import Canvas, Draw, Pixels, add, colour, glow


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
    add(ground, glow(round(canvas.unit * 1.2)), *centre, canvas.middle, 0.65)

    def draw(at: float) -> Pixels:
        picture = ground.copy()
        for number, (radius, speed, length, ticks, thick) in enumerate(rings):
            turn = np.degrees(at * speed) + number * 40
            tone, whole = tones[number % 3], (round(radius), round(radius))
            cv2.ellipse(picture, centre, whole, turn, 0, length, colour(tone, 0.75), thick, cv2.LINE_AA)
            angles = np.radians(turn) + np.linspace(0, np.radians(length), ticks)
            ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
            marks = np.stack([centre + ways * radius * 1.03, centre + ways * radius * 1.08], axis=1)
            cv2.polylines(picture, list(marks.astype(np.int32)), False, colour(tone, 0.6), 1, cv2.LINE_AA)
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
