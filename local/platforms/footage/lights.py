"""Draw clips of lights out of focus."""

import cv2
import numpy as np

from local.platforms.footage.canvas import Canvas, Draw, Pixels, add


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
