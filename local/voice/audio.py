"""Samples, the styles that shape them, and a spoken text. No model is needed to import this."""

from dataclasses import dataclass

import numpy as np

from local.voice.alignment import Span

SAMPLE_RATE = 24_000
Samples = np.ndarray[tuple[int], np.dtype[np.float32]]
Styles = np.ndarray[tuple[int, int], np.dtype[np.float32]]  # (length of the phonemes, width)


@dataclass(frozen=True, slots=True)
class Speech:
    """A spoken text. `spans` are places in the written text, `spoken_spans` places in `spoken`, its words."""

    samples: Samples
    spans: list[Span]
    spoken: str
    spoken_spans: list[Span]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE
