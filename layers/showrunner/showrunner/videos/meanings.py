"""Compare texts by their meaning: vectors from the language provider, kept by the digest of their texts."""

import base64
import struct
from collections.abc import Collection, Iterator, Sequence

from showrunner import breakers, config
from showrunner.aws import s3, ssm
from showrunner.errors import (
    CredentialRejected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
)
from showrunner.production import costs, files
from showrunner.production.job import Job
from showrunner.telemetry import logger
from showrunner.videos import allowances, receipts

type Vector = tuple[float, ...]
# https://platform.openai.com/docs/api-reference/embeddings/create: inputs of one request. All of them may
# have 300,000 tokens together; a token has at least one byte.
_MOST_TEXTS, _MOST_BYTES = 2048, 300_000
# A longer description of a work says the same again.
_CHARACTERS = 500


class Meanings:
    """The vectors of one video's texts. Without a model, money or an answer there are none."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._model = config.setting("OPENAI_EMBEDDING_MODEL", " ").strip()
        self._known: dict[str, Vector] = {}

    def learn(self, groups: Sequence[Sequence[str]]) -> None:
        """Get the vectors of all texts, those that are kept for their group and the others by one request.

        The same group again, in whatever video of the organisation, is not paid for again.
        """
        if not self._model:
            return
        missing = [group for group in groups if not self._read(group)]
        texts = dict.fromkeys(_cut(each) for group in missing for each in group)
        unknown = [text for text in texts if text and text not in self._known]
        if unknown:
            self._ask(unknown)
        for group in missing:
            if all(text in self._known for text in map(_cut, group) if text):
                known = {text: _written(self._known[text]) for text in map(_cut, group) if text}
                s3.put_product_json(self._key(group), known)

    def find_nearness(self, shot: str, texts: Collection[str]) -> dict[str, float] | None:
        """Return for each text the cosine of its vector and the shot's, at least 0.

        None if one of the vectors is missing, or without texts: the two ways to compare don't mix.
        """
        meant = self._known.get(_cut(shot))
        if meant is None or not texts or any(_cut(text) not in self._known for text in texts):
            return None
        return {text: _cosine(meant, self._known[_cut(text)]) for text in texts}

    def _read(self, group: Sequence[str]) -> bool:
        if all(_cut(text) in self._known or not _cut(text) for text in group):
            return True
        kept: dict[str, str] | None = s3.find_json(self._key(group))
        if kept is not None:
            self._known |= {text: _vector(written) for text, written in kept.items()}
        return kept is not None

    def _key(self, group: Sequence[str]) -> str:
        name = files.digest("vectors", self._model, sorted({*map(_cut, group)}))
        return files.product_key(self._job.organisation_id, "visual", name, "json")

    def _ask(self, texts: list[str]) -> None:
        """Ask for the vectors of new texts, by as few requests as the service allows."""
        most = costs.embedding_charge("", self._model, sum(map(_size, texts))).amount_usd
        if most > allowances.left(self._job.folder):
            return
        try:
            for part in _parts(texts):
                self._ask_once(part)
        except (CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded) as error:
            if isinstance(error, CredentialRejected):
                ssm.refused()
            logger.warning("works are compared by their words", extra={"reason": error.message})
            self._model = ""

    def _ask_once(self, texts: list[str]) -> None:
        # The SDK's import takes half a second of a whole core, and most scenes need no answer.
        from showrunner.platforms.embeddings import Embeddings

        client = Embeddings(ssm.secret("openai/api_key"), config.setting("OPENAI_BASE_URL"))
        with breakers.guard("openai", "embed"):
            answer = client.of(self._model, texts, self._job.organisation_id)
        name = answer.request_id or files.digest(texts)
        receipts.add(self._job.folder, costs.embedding_charge(name, self._model, answer.tokens))
        self._known |= dict(zip(texts, answer.vectors, strict=True))


def _parts(texts: list[str]) -> Iterator[list[str]]:
    """Divide texts into those of one request each."""
    part: list[str] = []
    size = 0
    for text in texts:
        if part and (len(part) == _MOST_TEXTS or size + _size(text) > _MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(text)
        size += _size(text)
    yield part


def _size(text: str) -> int:
    return len(text.encode())


def _cosine(one: Vector, other: Vector) -> float:
    return max(0.0, sum(a * b for a, b in zip(one, other, strict=True)))


def _cut(text: str) -> str:
    return " ".join(text.split())[:_CHARACTERS]


def _written(vector: Vector) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _vector(written: str) -> Vector:
    content = base64.b64decode(written)
    return struct.unpack(f"<{len(content) // 4}f", content)
