"""The steps of a publication that talk to YouTube. Each can be repeated; none has a database.

What must survive a worker's death is in the state table (upload_state) before the call that depends on it.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from showrunner import config, quotas
from showrunner.accounts import youtube_access
from showrunner.aws import s3
from showrunner.errors import (
    CredentialRejected,
    Disconnected,
    InvalidRequest,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    UploadUnknown,
)
from showrunner.platforms.youtube_studio import UNITS, Studio
from showrunner.platforms.youtube_upload import Progress, SessionGone, Uploader
from showrunner.production.files import digest
from showrunner.publishing import mp4, slices, steps
from showrunner.publishing.job import Caption, PublicationJob
from showrunner.publishing.metadata import lasting_tags, request_body, status_body
from showrunner.publishing.steps import FINISHING, FOLLOWING, Outcome, Step, problem
from showrunner.telemetry import logger
from showrunner.videos import upload_state

# The function has 900 s, and one part takes at most two minutes of silence.
SEND_SECONDS = 600
# The renderer writes no edit list; films that it rendered before 2026-11-29 have one of 33 ms.
MOST_SHIFT_MS = 50
MOST_BYTES = 274_877_906_944
# With retry_seconds, forty failures in a row take three hours.
MOST_TRIES = 40
# With polling_seconds, about two days: a film of hours in 4K takes one.
MOST_POLLS = 300
RECONNECT_POLL_SECONDS = 900
# No single wait exceeds this, so that a cancelled publication ends within the hour.
MOST_WAIT_SECONDS = 3600
# Give up after this many writes in a row that lost to somebody else's change.
MOST_CONFLICTS = 3
# How often the list of uploads is searched for a video whose answer was lost: it appears within minutes.
SEARCHES = 5
UNIT_POLLS = 5


class Publication:
    """One invocation's work on a publication."""

    def __init__(self, job: PublicationJob) -> None:
        self.job = job
        self.progress = upload_state.find_progress(job)
        self._token: str | None = None

    def run(self, step: Step) -> Outcome:
        """Do one step and return what comes next.

        A temporary error becomes a wait. Another error ends the attempt; in a finishing step it is recorded
        as a problem.
        """
        if step != "remove" and upload_state.is_cancelled(self.job.publication_id):
            return {"do": "work", "step": "remove"}
        try:
            outcome = self._steps[step](self)
        except QuotaExceeded as error:
            outcome = self._wait_until(step, error)
        except Disconnected as error:
            outcome = self._wait_for_reconnection(step, error)
        except PlatformUnavailable as error:
            outcome = self._try_again(step, error)
        except PlatformRejected as error:
            outcome = self._give_up(step, error)
        else:
            self.progress |= {"tries": 0, "waiting_since": None}
        upload_state.save_progress(self.job, self.progress)
        return outcome

    # ------------------------------------------------------------ What went wrong

    def _wait_until(self, step: Step, error: QuotaExceeded) -> Outcome:
        if error.retry_at is None:
            error = self._close_ledger(step)
        seconds = (error.retry_at - datetime.now(UTC)).total_seconds() if error.retry_at else 300
        logger.info("waits for quota", extra={"step": step, "seconds": seconds})
        return {
            "do": "record",
            "step": step,
            "wait_seconds": int(min(max(seconds, 1), MOST_WAIT_SECONDS)),
            "waiting_for": error.message,
        }

    def _close_ledger(self, step: Step) -> QuotaExceeded:
        """Mark the quota of the day as spent because YouTube said so: nobody else asks in vain."""
        project = self._project
        bucket, limit = ("insert", project.inserts) if step == "send" else ("general", project.units)
        return quotas.Ledger(project.name, bucket, limit).exhaust(quotas.pacific_day(datetime.now(UTC)))

    def _wait_for_reconnection(self, step: Step, error: Disconnected) -> Outcome:
        now = int(time.time())
        since = self.progress["waiting_since"] or now
        self.progress["waiting_since"] = since
        if now - since > steps.RECONNECT_DAYS * 86_400:
            raise Disconnected(
                f"The channel's account was not connected again within {steps.RECONNECT_DAYS} days."
            ) from error
        return {
            "do": "record",
            "step": step,
            "wait_seconds": RECONNECT_POLL_SECONDS,
            "waiting_for": error.message,
            "is_disconnected": True,
        }

    def _try_again(self, step: Step, error: PlatformUnavailable) -> Outcome:
        self.progress["tries"] += 1
        if self.progress["tries"] > MOST_TRIES:
            return self._give_up(step, error)
        logger.info("tries again", extra={"step": step, "reason": error.message})
        return {"do": "wait", "step": step, "wait_seconds": steps.retry_seconds(self.progress["tries"])}

    def _give_up(self, step: Step, error: PlatformRejected | PlatformUnavailable) -> Outcome:
        """Record a problem if a finishing step failed, else raise the error."""
        self.progress["tries"] = 0
        if step not in FINISHING and step not in ("process", "compare", "reconcile", "change"):
            raise error
        code = getattr(error, "reason", "") or "UNAVAILABLE"
        self._add_problem(
            problem(
                step,
                code,
                error.message,
                NEXT_STEPS.get(step, "POST …/publish repeats only what is missing."),
            )
        )
        return self._after(step)

    def _add_problem(self, found: dict[str, str]) -> None:
        kept = [
            each
            for each in self.progress["problems"]
            if (each["step"], each["code"]) != (found["step"], found["code"])
        ]
        self.progress["problems"] = [*kept, found]

    def _after(self, step: Step) -> Outcome:
        if step in ("compare", "reconcile", "change", "remove"):
            return {"do": "record", "step": "settle"}
        return {"do": "work", "step": FOLLOWING[step]}

    # ------------------------------------------------------------ YouTube

    def _call[T](self, call: Callable[[str], T]) -> T:
        """Call YouTube with an access token; once more with a new one when it answers 401."""
        token = youtube_access.access_token(self.job.connection_id, self.job.organisation_id, refused=None)
        try:
            return call(token)
        except CredentialRejected:
            return call(
                youtube_access.access_token(self.job.connection_id, self.job.organisation_id, refused=token)
            )

    def _studio[T](self, call: Callable[[Studio], T]) -> T:
        return self._call(lambda token: call(Studio(config.setting("YOUTUBE_BASE_URL"), token)))

    def _uploader[T](self, call: Callable[[Uploader], T]) -> T:
        return self._call(lambda token: call(Uploader(config.setting("YOUTUBE_UPLOAD_URL"), token)))

    @property
    def video_id(self) -> str:
        found = upload_state.find_video(self.job.publication_id)
        if found is None:
            raise PlatformRejected("The video has no id on YouTube yet.")
        return found

    # ------------------------------------------------------------ Steps

    def check(self) -> Outcome:
        """Look at the file before a byte is sent. Raises InvalidRequest."""
        job = self.job
        if s3.size(job.key) != job.size or not 0 < job.size <= MOST_BYTES:
            raise InvalidRequest("The finished file is not the one that the render reported.")
        facts = mp4.read_facts(
            lambda start, length: b"".join(s3.stream(job.key, start, min(start + length, job.size))), job.size
        )
        if facts.video_tracks != 1 or facts.audio_tracks < 1:
            raise InvalidRequest(
                f"The file has {facts.video_tracks} video tracks and {facts.audio_tracks} audio tracks "
                "instead of one of each."
            )
        if facts.shift_ms > MOST_SHIFT_MS:
            raise InvalidRequest(
                f"The file's edit list moves a track by {facts.shift_ms:.0f} ms: "
                "on YouTube sound and picture would be out of step."
            )
        return self._after("check")

    def reserve(self) -> Outcome:
        """Reserve the units of the whole publication, so that none are missing for its captions."""
        holder, job = self._holder, self.job
        day = quotas.reserve_publication(self._project, units_of(job), holder, job.organisation_id)
        if upload_state.find_video(job.publication_id) is None:
            try:
                quotas.reserve_insert(self._project, holder)
            except QuotaExceeded:
                quotas.release_publication(self._project, units_of(job), holder, job.organisation_id, day)
                raise
        return self._after("reserve")

    @property
    def _project(self) -> quotas.Project:
        return quotas.Project(self.job.project, self.job.units_a_day, self.job.inserts_a_day)

    @property
    def _holder(self) -> str:
        return f"{self.job.publication_id}-{self.job.attempt}"

    def send(self) -> Outcome:
        """Send the film, from the offset that YouTube reports, for ten minutes at most."""
        until = time.monotonic() + SEND_SECONDS
        publication_id = self.job.publication_id
        if upload_state.find_video(publication_id) is None:
            session = self._session()
            try:
                progress = self._uploader(lambda uploader: uploader.ask(session.uri, session.total))
                while (
                    progress.video is None
                    and time.monotonic() < until
                    and not upload_state.is_cancelled(publication_id)
                ):
                    progress = self._send_slice(session, progress)
            except SessionGone:
                return self._session_gone(session)
            if progress.video is None:
                return {"do": "work", "step": "send"}
            upload_state.save_video(publication_id, progress.video["id"])
        return {"do": "record", "step": "process"}

    def _send_slice(self, session: upload_state.Session, progress: Progress) -> Progress:
        start, end = progress.stored, slices.end_of_slice(progress.stored, session.total)
        if start >= session.total:
            # Every byte is there and YouTube works on its answer.
            raise PlatformUnavailable("YouTube has every byte and no answer yet.")
        if end == session.total:
            upload_state.mark_final(self.job.publication_id, session.generation)
        sent = self._uploader(
            lambda uploader: uploader.send(
                progress.uri, s3.stream(self.job.key, start, end), start, end, session.total
            )
        )
        if sent.uri != session.uri:
            upload_state.move_session(self.job.publication_id, session, sent.uri)
        return sent

    def _session(self) -> upload_state.Session:
        """Return the session to continue, a new one if there is none. It is saved before its first byte."""
        job, body = self.job, request_body(self.job)
        known, name = upload_state.find_session(job.publication_id), digest(body, job.sha256)
        if known is not None and (
            known.digest == name or upload_state.final_generation(job.publication_id) == known.generation
        ):
            return known
        return self._start_session(known.generation + 1 if known else 1, body, name)

    def _start_session(self, generation: int, body: dict[str, Any], name: str) -> upload_state.Session:
        job = self.job
        uri = self._uploader(
            lambda uploader: uploader.start(body, job.size, notify=job.metadata.privacy == "public")
        )
        session = upload_state.Session(generation, uri, job.size, job.sha256, name)
        if upload_state.save_session(job.publication_id, session):
            return session
        other = upload_state.find_session(job.publication_id)
        if other is None:
            raise PlatformUnavailable("The upload's session was removed meanwhile.")
        return other

    def _session_gone(self, session: upload_state.Session) -> Outcome:
        """Start a new session. If the last bytes may have arrived, search for the video first."""
        job = self.job
        if upload_state.final_generation(job.publication_id) == session.generation:
            found = self._studio(lambda studio: studio.find_marked(job.youtube_channel_id, job.marker))
            if found is not None:
                upload_state.save_video(job.publication_id, found)
                return {"do": "record", "step": "process"}
            self.progress["polls"] += 1
            if self.progress["polls"] < SEARCHES:
                return {
                    "do": "wait",
                    "step": "send",
                    "wait_seconds": steps.polling_seconds(self.progress["polls"]),
                }
            if not job.confirm_repeat:
                raise UploadUnknown(
                    "YouTube has every byte, but no answer came and the channel shows no such video. "
                    "Look in YouTube Studio, then decide."
                )
        self.progress["polls"] = 0
        quotas.reserve_insert(self._project, f"{self._holder}-{session.generation + 1}")
        body = request_body(job)
        self._start_session(session.generation + 1, body, digest(body, job.sha256))
        return {"do": "work", "step": "send"}

    def process(self) -> Outcome:
        """Wait until YouTube has processed the film."""
        shown = self._studio(lambda studio: studio.find_video(self.video_id))
        state = (shown or {}).get("status", {}).get("uploadStatus", "uploaded")
        if state == "processed":
            self.progress["polls"] = 0
            return self._after("process")
        if state in ("failed", "rejected", "deleted"):
            status = (shown or {})["status"]
            reason = str(status.get("failureReason") or status.get("rejectionReason") or state)
            next_step = (
                "DELETE the video and publish another."
                if state == "rejected"
                else "Look at the video in YouTube Studio, then delete it and publish again."
            )
            self._add_problem(
                problem("process", reason, f"YouTube has {state} the video: {reason}.", next_step)
            )
            return {"do": "record", "step": "settle"}
        self.progress["polls"] += 1
        if self.progress["polls"] > MOST_POLLS:
            self._add_problem(
                problem(
                    "process",
                    "PROCESSING",
                    "YouTube is still processing the video after two days.",
                    "Look at the video in YouTube Studio.",
                )
            )
            return self._after("process")
        return {
            "do": "wait",
            "step": "process",
            "wait_seconds": steps.polling_seconds(self.progress["polls"] - 1),
        }

    def tags(self) -> Outcome:
        """Write the tags for which there was no room beside the marker."""
        job = self.job
        tags = lasting_tags(job.metadata.tags, job.marker)
        if job.marker not in tags:
            shown = self._studio(lambda studio: studio.find_video(self.video_id))
            if shown is not None and shown["snippet"].get("tags", []) != tags:
                self._studio(lambda studio: studio.update(shown, {"snippet": {"tags": tags}}))
        return self._after("tags")

    def thumbnail(self) -> Outcome:
        if self.job.thumbnail:
            picture = s3.get_bytes(self.job.thumbnail)
            kind = "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"
            self._studio(lambda studio: studio.set_thumbnail(self.video_id, picture, kind))
        return self._after("thumbnail")

    def captions(self) -> Outcome:
        """Add missing captions. Only a repeat lists them first, since that costs 50 units."""
        is_repeat = self.job.attempt > 1 or self.progress["tries"] > 0
        there = (
            self._studio(lambda studio: studio.list_captions(self.video_id))
            if is_repeat and self.job.captions
            else set()
        )
        for caption in self.job.captions:
            if (caption.language, caption.name) not in there:
                track = s3.get_bytes(caption.key)
                self._studio(partial(_add_captions, self.video_id, caption, track))
        return self._after("captions")

    def playlist(self) -> Outcome:
        playlist = self.job.playlist
        if playlist and not self._studio(lambda studio: studio.is_in_playlist(playlist, self.video_id)):
            self._studio(lambda studio: studio.add_to_playlist(playlist, self.video_id))
        return self._after("playlist")

    def compare(self) -> Outcome:
        """Compare what YouTube shows with what was requested; differences are problems of the video."""
        self.progress["problems"] = [each for each in self.progress["problems"] if each["step"] != "compare"]
        shown = self._studio(lambda studio: studio.find_video(self.video_id))
        if shown is None:
            gone = problem(
                "compare",
                "GONE",
                "YouTube doesn't show the video any more.",
                "Look in YouTube Studio. If it was deleted there, DELETE the video here, too.",
            )
            self._add_problem(gone)
        for each in steps.find_differences(self.job, shown, datetime.now(UTC)) if shown else ():
            self._add_problem(each)
        return self._after("compare")

    def change(self) -> Outcome:
        """Write title, description, tags and time over what YouTube has. A live video stays live."""
        job, changed = self.job, False
        units = 2 + UNITS["videos.update"] + UNITS["thumbnails.set"]
        quotas.reserve_of_share(self._project, units, self._holder, "metadata")
        for _ in range(MOST_CONFLICTS):
            shown = self._studio(lambda studio: studio.find_video(self.video_id))
            if shown is None:
                raise PlatformRejected("YouTube doesn't show the video any more.", "videoNotFound")
            try:
                self._studio(partial(_update, job, shown))
            except PlatformRejected as error:
                if error.reason != "conditionNotMet":
                    raise
                continue
            changed = True
            break
        if not changed:
            raise PlatformUnavailable("Somebody else keeps changing the video.")
        if job.thumbnail:
            self.thumbnail()
        self.progress["problems"] = []
        return self._after("change")

    def remove(self) -> Outcome:
        """Delete the video. A session without one is left to expire."""
        found = upload_state.find_video(self.job.publication_id)
        session = upload_state.find_session(self.job.publication_id)
        if (
            found is None
            and session is not None
            and upload_state.final_generation(self.job.publication_id) == session.generation
        ):
            found = self._late_video(session)
        if found is not None:
            self._studio(lambda studio: studio.delete(found))
        return self._after("remove")

    def _late_video(self, session: upload_state.Session) -> str | None:
        """Return the id of a video whose last answer was lost."""
        try:
            finished = self._uploader(lambda uploader: uploader.ask(session.uri, session.total)).video
        except SessionGone:
            finished = None
        return (
            finished["id"]
            if finished
            else self._studio(lambda studio: studio.find_marked(self.job.youtube_channel_id, self.job.marker))
        )

    _steps: dict[Step, Callable[["Publication"], Outcome]] = {  # noqa: RUF012 - filled once, with the class
        "check": check,
        "reserve": reserve,
        "send": send,
        "process": process,
        "tags": tags,
        "thumbnail": thumbnail,
        "captions": captions,
        "playlist": playlist,
        "compare": compare,
        "reconcile": compare,
        "change": change,
        "remove": remove,
    }


NEXT_STEPS = {
    "thumbnail": "If YouTube refuses thumbnails, verify the channel's phone number at youtube.com/verify; "
    "then POST …/publish repeats only this.",
    "change": "PUT … again, or change the video in YouTube Studio.",
}


def _add_captions(video_id: str, caption: Caption, track: bytes, studio: Studio) -> None:
    studio.add_captions(video_id, caption.language, caption.name, track)


def _update(job: PublicationJob, shown: dict[str, Any], studio: Studio) -> None:
    studio.update(shown, changes_of(job, shown))


def units_of(job: PublicationJob) -> int:
    """Return the general units that a whole publication costs."""
    units = len(job.captions) * UNITS["captions.insert"] + (UNITS["thumbnails.set"] if job.thumbnail else 0)
    units += UNITS["playlistItems.insert"] + 1 if job.playlist else 0
    is_full = job.marker not in lasting_tags(job.metadata.tags, job.marker)
    return units + (UNITS["videos.update"] if is_full else 0) + UNIT_POLLS


def changes_of(job: PublicationJob, shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what to write over the shown video.

    Its privacy is left alone unless it waits for its time of publication.
    """
    metadata = job.metadata
    snippet = {
        "title": metadata.title,
        "description": metadata.description,
        "tags": lasting_tags(metadata.tags, job.marker),
        "categoryId": str(metadata.category_id),
    }
    waits = (
        shown.get("status", {}).get("privacyStatus") == "private"
        and metadata.publish_at
        and metadata.publish_at > datetime.now(UTC) + timedelta(minutes=1)
    )
    return {"snippet": snippet, "status": status_body(metadata) if waits else {}}
