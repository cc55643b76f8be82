"""Find when each character is spoken from the sound alone, for a speech service that gives no times.

A model that aligns text and sound doesn't fit into a Lambda function. So pauses of the sound are matched with
the punctuation of the text, and the characters between two matches share the time evenly.
"""

import re
import sys
from array import array
from itertools import accumulate, pairwise

# Pauses at punctuation last 0.15 to 0.6 s; the closure of a consonant lasts up to 0.1 s.
FRAME_SECONDS, SHORTEST_PAUSE_SECONDS = 0.02, 0.14
# Below this share of the loud frames a frame is silent: breath and room are quieter, consonants louder.
SILENT_SHARE = 0.06
# A pause further from where its punctuation is expected is another one's; leaving one out costs this much.
FARTHEST_SECONDS, LEFT_OUT_SECONDS = 1.2, 0.5

_PUNCTUATION = re.compile(r"[.,;:!?…—–]+[\"'”’»)\]]*(?=\s)|\s[—–-](?=\s)")

type _Run = tuple[float, float]


def of_sound(text: str, samples: bytes, rate: int) -> tuple[list[float], list[float]]:
    """Return start and end of each character in seconds; they never decrease and lie inside the sound.

    `samples`: mono, 16 bits signed, little-endian. Two empty lists for silence.
    """
    spoken = _spoken_runs(samples, rate)
    if not spoken or not text:
        return [], []
    bounds = [0, *(match.end() for match in _PUNCTUATION.finditer(text)), len(text)]
    weights = [max(1, sum(character.isalnum() for character in text[a:b])) for a, b in pairwise(bounds)]
    whole = sum(end - start for start, end in spoken)
    expected = [share * whole / sum(weights) for share in accumulate(weights)][:-1]
    passed = list(accumulate(end - start for start, end in spoken))[:-1]
    matched = _match(expected, passed)
    starts: list[float] = []
    ends: list[float] = []
    first = 0
    anchors = [(bounds[clause + 1], pause) for clause, pause in enumerate(matched) if pause is not None]
    for end, pause in [*anchors, (len(text), len(spoken) - 1)]:
        begin = bounds[0] if not starts else len(starts)
        from_s, to_s = spoken[first][0], spoken[pause][1]
        step = (to_s - from_s) / max(1, end - begin)
        starts += [from_s + number * step for number in range(end - begin)]
        ends += [from_s + (number + 1) * step for number in range(end - begin)]
        first = pause + 1
    return [round(each, 3) for each in starts], [round(each, 3) for each in ends]


def _spoken_runs(samples: bytes, rate: int) -> list[_Run]:
    """Return (start, end) of the stretches of speech between pauses, in seconds."""
    values = array("h", samples[: len(samples) // 2 * 2])
    if sys.byteorder == "big":
        values.byteswap()
    size = max(1, round(rate * FRAME_SECONDS))
    loud = [sum(map(abs, values[at : at + size])) / size for at in range(0, len(values) - size + 1, size)]
    if not loud or max(loud) == 0:
        return []
    threshold = SILENT_SHARE * sorted(loud)[int(0.95 * (len(loud) - 1))]
    runs: list[_Run] = []
    begun: int | None = None
    for number, level in enumerate([*loud, 0.0]):
        if level > threshold and begun is None:
            begun = number
        elif level <= threshold and begun is not None:
            start, end = begun * FRAME_SECONDS, number * FRAME_SECONDS
            if runs and start - runs[-1][1] < SHORTEST_PAUSE_SECONDS:
                runs[-1] = runs[-1][0], end
            else:
                runs.append((start, end))
            begun = None
    return runs


def _match(expected: list[float], passed: list[float]) -> list[int | None]:
    """Return for each punctuation the pause that is its own, None for one without: both in order.

    `expected` and `passed`: seconds of speech before each punctuation and before each pause. The match of the
    smallest sum of distances, where leaving one out has its price.
    """
    best = [[0.0] * (len(passed) + 1) for _ in range(len(expected) + 1)]
    taken = [[False] * (len(passed) + 1) for _ in range(len(expected) + 1)]
    for i in range(len(expected) + 1):
        for j in range(len(passed) + 1):
            if i == 0 or j == 0:
                best[i][j] = LEFT_OUT_SECONDS * i
                continue
            # A pause without punctuation costs nothing: speakers breathe, too.
            best[i][j] = min(best[i - 1][j] + LEFT_OUT_SECONDS, best[i][j - 1])
            distance = abs(expected[i - 1] - passed[j - 1])
            if distance <= FARTHEST_SECONDS and best[i - 1][j - 1] + distance < best[i][j]:
                best[i][j], taken[i][j] = best[i - 1][j - 1] + distance, True
    found: list[int | None] = [None] * len(expected)
    i, j = len(expected), len(passed)
    while i and j:
        if taken[i][j]:
            found[i - 1] = j - 1
            i, j = i - 1, j - 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i -= 1
    return found
