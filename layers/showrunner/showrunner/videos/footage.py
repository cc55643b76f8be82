"""Find the picture of a shot in stock libraries, and keep each file once for each organisation.

What is found and fetched is stored under the digest of its request: the same brief again asks and downloads
nothing.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any

from showrunner.aws import s3, ssm
from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.models import Work
from showrunner.production import files, ranking, visuals
from showrunner.production.job import Job
from showrunner.production.ranking import Candidate, Frame
from showrunner.production.visuals import Shot
from showrunner.telemetry import logger
from showrunner.videos import libraries, previews
from showrunner.videos.libraries import Source
from showrunner.videos.meanings import Meanings
from showrunner.videos.previews import Preview

# Files of one search that are tried until one can be used.
_TRIES = 3
# With a candidate of this relevance no further phrase and no further library are asked: each costs a request.
_GOOD = 0.5
# Candidates of a shot whose previews are looked at: each is a request, and further ones fit less.
_LOOKS = 5
# How long a scene waits for all its previews, of the step's 180 s: 30 previews of a fifth of a second come
# in a fifth of it, and without them the scene is as good as its words.
_LOOK_SECONDS = 30
# How long all shots of a video are searched for before the first one is chosen, of the step's 180 s.
_PREPARE_SECONDS = 60
# Shots before one that it should differ from in what it shows.
_NEIGHBOURS = 2
# The candidates behind the chosen one that are stored, for `POST …/replace`.
_RUNNERS_UP = 5


class Footage:
    """The stock libraries for one scene of a video.

    `shown` are the sources that the video shows already, `looks` the hashes of what they look like, `about`
    what their libraries say of them, the last shot's last.
    A library that fails never fails the video: after an outage, a refusal of the key, a spent quota or two
    files that don't come it is not asked again for this scene.
    """

    def __init__(self, job: Job, shown: set[str], looks: set[str], about: Iterable[str] = ()) -> None:
        self._job, self._shown, self._looks, self._about = job, shown, looks, list(about)
        self._used = frozenset(job.used_sources)
        self._sources = libraries.configured()
        self._meanings = Meanings(job)
        # Libraries whose previews didn't come: the scene doesn't wait for further ones.
        self._unseen: set[str] = set()
        self._looked_seconds = 0.0
        self._previews: dict[str, Preview] = {}
        self._late: Counter[str] = Counter()

    def prepare(self, shots: Iterable[Shot]) -> None:
        """Search for all these shots and compare all texts found with theirs by one paid request.

        It stops after a minute: the step has other work. What is left is asked for shot by shot.
        """
        until = time.monotonic() + _PREPARE_SECONDS
        groups: list[list[str]] = []
        for shot in shots:
            if time.monotonic() > until:
                break
            for kind in _kinds(shot):
                if found := self._found(kind, shot):
                    groups += _texts(shot, found)
                    break
        self._meanings.learn(groups)

    def find(self, shot: Shot, refused: Collection[str] = ()) -> dict[str, Any] | None:
        """Return the best clip or photograph that the video doesn't show yet, None if there is none.

        What the channel's last videos show is taken only if there is nothing else. `refused` are sources that
        the owner doesn't want for this shot.
        """
        for kind in _kinds(shot):
            tried: set[str] = set()
            while candidates := self._candidates(kind, shot, refused, tried):
                if picture := self.first(self._unlike_first(self._seen(candidates))):
                    return picture
                # None of their files can be had: the libraries behind them are asked.
                tried |= {each.work.library for each in candidates}
        return None

    def first(self, candidates: list[Candidate]) -> dict[str, Any] | None:
        """Return the picture of the first candidate whose file can be had, with those behind it.

        None if the first ones can't be had.
        """
        for number, candidate in enumerate(candidates[:_TRIES]):
            if picture := self._fetch(candidate):
                others = candidates[number + 1 : number + 1 + _RUNNERS_UP]
                return {**picture, "runners_up": [each.as_dict() for each in others]}
        return None

    def _seen(self, candidates: list[Candidate]) -> list[Candidate]:
        """Return the candidates, ranked again by the previews of the best ones."""
        ranked = [*map(self._with_preview, candidates[:_LOOKS]), *candidates[_LOOKS:]]
        return self._sorted(ranked)

    def _sorted(self, candidates: list[Candidate]) -> list[Candidate]:
        """Return the candidates by score, what the last shots show a little later.

        What the channel has used lately comes last.
        """
        before = self._about[-_NEIGHBOURS:]

        def order(each: Candidate) -> tuple[bool, float]:
            repeats = any(ranking.are_alike(each.work.words, other) for other in before)
            return each.work.page in self._used, ranking.REPETITION * repeats - each.score

        return sorted(candidates, key=order)

    def _with_preview(self, candidate: Candidate) -> Candidate:
        preview = self._preview(candidate.work)
        if preview is None:
            return candidate
        kept = [previews.subject_kept(preview, output.width, output.height) for output in self._job.outputs]
        return ranking.seen(candidate, preview.sharpness, min(kept))

    def _unlike_first(self, candidates: list[Candidate]) -> list[Candidate]:
        """Return the candidates, the first one before the others that looks like nothing that is shown.

        Unchanged if all of the best ones look like something.
        """
        for number, candidate in enumerate(candidates[:_LOOKS]):
            preview = self._preview(candidate.work)
            if preview is None or not any(previews.are_alike(preview.look, other) for other in self._looks):
                return [candidate, *candidates[:number], *candidates[number + 1 :]]
        return candidates

    def _preview(self, work: Work) -> Preview | None:
        """Return what the preview of a work shows, None if it can't be had."""
        source = next((each for each in self._sources if each.name == work.library), None)
        if source is None or not work.preview:
            return None
        name = files.digest("preview", work.library, work.kind, work.id)
        if name in self._previews:
            return self._previews[name]
        key = files.product_key(self._job.organisation_id, "visual", name, "json")
        kept: dict[str, Any] | None = s3.find_json(key)
        if kept is None:
            if source.name in self._unseen or self._looked_seconds > _LOOK_SECONDS:
                return None
            began = time.monotonic()
            try:
                with source.downloading():
                    measured = previews.measure(source.library.preview(work))
            except (CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded) as error:
                if not isinstance(error, PlatformRejected):
                    self._unseen.add(source.name)
                logger.warning("no preview", extra={"library": source.name, "reason": error.message})
                return None
            finally:
                self._looked_seconds += time.monotonic() - began
            kept = measured._asdict() if measured else {}
            s3.put_product_json(key, kept)
        if kept:
            self._previews[name] = Preview(**kept)
        return self._previews.get(name)

    def _fetch(self, candidate: Candidate) -> dict[str, Any] | None:
        """Return the picture with the candidate's file, None if that can't be had or used."""
        work = candidate.work
        source = next((each for each in self._sources if each.name == work.library), None)
        if source is None or work.page in self._shown:
            return None
        kept = self._asked(source, lambda: self._kept(source, work), is_download=True)
        if kept is None:
            return None
        self._shown.add(work.page)
        self._about.append(work.words)
        if preview := self._preview(work):
            self._looks.add(preview.look)
        return {
            "kind": work.kind,
            **({"seconds": work.seconds} if work.kind == "clip" else {}),
            **kept,
            "source": work.page,
            "author": work.author,
            "licence": work.licence,
            "licence_url": work.licence_url,
            "library": work.library,
            "must_credit": work.must_credit,
            "score": candidate.score,
            "relevance": candidate.relevance,
            "sharpness": candidate.sharpness,
            "subject_kept": candidate.subject_kept,
            "query": candidate.query,
            "about": work.words,
            **({"look": preview.look} if preview else {}),
        }

    def _frames(self, shot: Shot) -> list[Frame]:
        """Return the size of each output, and how long the shot is probably shown."""
        usual = visuals.LENGTHS[self._job.pace].usual
        seconds = shot.words * 60 / self._job.voice.words_per_minute if shot.words else usual
        return [Frame(output.width, output.height, seconds) for output in self._job.outputs]

    def _candidates(
        self, kind: str, shot: Shot, refused: Collection[str], tried: Collection[str]
    ) -> list[Candidate]:
        """Return the candidates, the best first, and those that the channel has used lately last.

        Libraries in `tried` are not asked.
        """
        found = self._found(kind, shot, refused, tried)
        self._meanings.learn(_texts(shot, found))
        found = [(query, self._fresh(works, refused)) for query, works in found]
        nearness = self._meanings.find_nearness(
            _meant(shot), {work.words for _, works in found for work in works if work.words}
        )
        ranked = ranking.rank(found, _queries(shot), shot.avoid, self._frames(shot), shot.language, nearness)
        return self._sorted(ranked)

    def _found(
        self, kind: str, shot: Shot, refused: Collection[str] = (), tried: Collection[str] = ()
    ) -> list[tuple[str, list[Work]]]:
        """Return what the searches find: (query, works), until one has a work whose words fit well.

        Of each search all works are returned, since their texts are compared and kept together.
        """
        queries, frames = _queries(shot), self._frames(shot)
        found: list[tuple[str, list[Work]]] = []
        for source in [each for each in self._sources if each.name not in tried]:
            for query in queries:
                works = self._searched(source, kind, query, shot.language)
                fresh = self._fresh(works, refused)
                if not fresh:
                    continue
                found.append((query, works))
                best = ranking.rank([(query, fresh)], queries, shot.avoid, frames, shot.language)
                unused = [each for each in best if each.work.page not in self._used]
                if unused and unused[0].relevance >= _GOOD:
                    return found
        return found

    def _fresh(self, found: Iterable[Work], refused: Collection[str]) -> list[Work]:
        return [each for each in found if each.page not in self._shown and each.page not in refused]

    def _searched(self, source: Source, kind: str, query: str, language: str) -> list[Work]:
        """Return what a search finds; it is asked once for each organisation until the product expires."""
        orientation = _orientation(self._job)
        side = min(min(output.width, output.height) for output in self._job.outputs)
        asked = files.digest("works", source.name, kind, query, language, orientation, side)
        key = files.product_key(self._job.organisation_id, "visual", asked, "json")
        kept: list[dict[str, Any]] | None = s3.find_json(key)
        if kept is not None:
            return [Work(**each) for each in kept]

        def search() -> list[Work]:
            with source.searching():
                if kind == "clip":
                    return source.library.clips(query, orientation, side, language)
                return source.library.photos(query, orientation, language)

        works = self._asked(source, search)
        if works is None:
            return []
        s3.put_product_json(key, [each._asdict() for each in works])
        return works

    def _asked[Answer](
        self, source: Source, ask: Callable[[], Answer], *, is_download: bool = False
    ) -> Answer | None:
        """Return what a library answers; None if it doesn't, and then it isn't asked again.

        A single file that doesn't come is left out.
        """
        if source not in self._sources:
            return None
        try:
            return ask()
        except PlatformRejected as error:
            logger.warning("left out", extra={"library": source.name, "reason": error.message})
        except (CredentialRejected, PlatformUnavailable, QuotaExceeded) as error:
            self._late[source.name] += is_download
            if is_download and isinstance(error, PlatformUnavailable) and self._late[source.name] == 1:
                logger.warning("left out", extra={"library": source.name, "reason": error.message})
                return None
            self._sources.remove(source)
            if isinstance(error, CredentialRejected):
                ssm.refused()
            reason = {"library": source.name, "error": type(error).__name__, "reason": error.message}
            logger.warning("no stock footage", extra=reason)
        return None

    def _kept(self, source: Source, work: Work) -> dict[str, Any]:
        """Return where the file is in the media bucket, its sha256 and when it was fetched.

        Raises PlatformRejected if it can't be used, and as platforms do.
        """
        # One crop serves all outputs: as wide as the widest and as high as the highest.
        width = round(visuals.PHOTO_SCALE * max(output.width for output in self._job.outputs))
        height = round(visuals.PHOTO_SCALE * max(output.height for output in self._job.outputs))
        size = (work.width, work.height) if work.kind == "clip" else (width, height)
        name = files.digest(work.library, work.kind, work.id, *size)
        suffix, content_type = ("mp4", "video/mp4") if work.kind == "clip" else ("jpg", "image/jpeg")
        key = files.product_key(self._job.organisation_id, "visual", name, suffix)
        return libraries.keep(source, work, key, content_type, (width, height))


def _kinds(shot: Shot) -> tuple[str, str]:
    """Return the kinds of works that a shot may show, the better one first."""
    return ("image", "clip") if shot.kind == "photograph" else ("clip", "image")


def _queries(shot: Shot) -> list[str]:
    return [query[: visuals.QUERY_CHARACTERS] for query in shot.queries if query.strip()]


def _meant(shot: Shot) -> str:
    """Return the text that works are compared with."""
    return "; ".join(_queries(shot))


def _texts(shot: Shot, found: list[tuple[str, list[Work]]]) -> list[list[str]]:
    """Return the texts to compare in groups that are kept together: the shot's, and those of each search."""
    groups = [[work.words for work in works if work.words] for _, works in found]
    return [[_meant(shot)], *groups] if any(groups) else []


def _orientation(job: Job) -> str:
    """Return the orientation to search for: landscape if outputs differ, of which a tall crop keeps more."""
    shapes = {(output.width > output.height) - (output.width < output.height) for output in job.outputs}
    if len(shapes) > 1:
        return "landscape"
    return {-1: "portrait", 0: "square", 1: "landscape"}[shapes.pop()]
