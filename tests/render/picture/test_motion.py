import cv2
import numpy as np
import pytest

from render.picture import colour, motion

WIDTH, HEIGHT, COUNT = 540, 960, 90


def plate(move):
    rng = np.random.default_rng(2)
    size = motion.Plate.size(WIDTH, HEIGHT, move.headroom)
    grain = cv2.GaussianBlur(rng.integers(0, 255, (size[1], size[0], 3), np.uint8), (0, 0), 2.5)
    grain = cv2.normalize(grain, None, 0, 255, cv2.NORM_MINMAX)
    return motion.Plate(colour.to_planes(grain), WIDTH, HEIGHT)


def steps(move):
    """Measured displacement between neighbouring frames of a patch off the centre, and the one the move asks
    for.
    """
    source = plate(move)
    patch = np.s_[100:356, 60:316]
    before, found, wanted = None, [], []
    for number in range(COUNT):
        now = source.paint(move, (number + 0.5) / COUNT).luma[patch].astype(np.float32)
        if before is not None:
            found.append(_shift(before, now))
            wanted.append(_expected(move, source, number))
        before = now
    return np.array(found), np.array(wanted)


def _shift(before, now):
    """Mean displacement by least squares on the brightness-constancy equation (Lucas and Kanade), good to a
    hundredth of a pixel for steps below one.
    """
    middle = (before + now) / 2
    gradient = np.stack(
        [
            cv2.Sobel(middle, cv2.CV_32F, 1, 0, scale=1 / 8).ravel(),
            cv2.Sobel(middle, cv2.CV_32F, 0, 1, scale=1 / 8).ravel(),
        ]
    )
    return np.linalg.solve(gradient @ gradient.T, gradient @ (before - now).ravel())


def _expected(move, source, number):
    """Where the patch's middle goes when the window moves."""

    def at(progress):
        zoom, x, y = move.window(progress)
        scale = source.fineness * zoom / move.headroom
        rows, columns = (side - 2 * motion._RIM for side in source._planes[0].shape)
        left, top = (columns - WIDTH * scale) * x, (rows - HEIGHT * scale) * y
        return scale, left, top

    (s0, l0, t0), (s1, l1, t1) = at((number - 0.5) / COUNT), at((number + 0.5) / COUNT)
    x, y = l0 + (188 + 0.5) * s0, t0 + (228 + 0.5) * s0
    return (x - l1) / s1 - 188.5, (y - t1) / s1 - 228.5


@pytest.mark.parametrize("kind", ["zoom_in", "zoom_out", "pan_left", "pan_right", "pan_up", "pan_down"])
def test_moves_are_smooth_to_a_fraction_of_a_pixel(kind):
    found, wanted = steps(motion.Move(kind, 0.12))
    for axis in (0, 1):
        # The estimator reads steps a few percent too long. Trembling would show as scatter around that.
        gain = found[:, axis] @ wanted[:, axis] / max(1e-9, wanted[:, axis] @ wanted[:, axis])
        if np.abs(wanted[:, axis]).max() > 0.05:
            assert 0.85 < gain < 1.2
        else:
            gain = 1.0
        # Whole-pixel windows (a plain crop, or zoompan without oversampling) scatter by 0.25 and more.
        assert (found[:, axis] - gain * wanted[:, axis]).std() < 0.06


@pytest.mark.parametrize("kind", ["zoom_in", "pan_left"])
def test_a_move_never_stands_still(kind):
    found, _ = steps(motion.Move(kind, 0.12))
    assert np.linalg.norm(found, axis=1).min() > 0.02


def test_easing_starts_and_ends_slower_than_it_runs():
    speed = np.diff([motion.eased(at) for at in np.linspace(0, 1, 101)])
    assert speed[0] < speed[50] > speed[-1]
    assert speed.min() > 0.5 * speed.max() * 0.9
    assert motion.eased(0) == 0
    assert motion.eased(1) == pytest.approx(1)


def test_the_window_is_drawn_at_the_requested_position():
    ramp = np.tile((np.arange(1200) / 5).astype(np.uint8), (1200, 1))
    target = motion.window(ramp, (400, 400), 1.13, 100.4, 60.0)
    wanted = ((np.arange(400) + 0.5) * 1.13 - 0.5 + 100.4) / 5
    assert np.abs(target[200] - wanted).max() < 1.1
