"""Take orders of videos from the API, estimate briefs, and list the voices."""

from showrunner import config
from showrunner.database import db
from showrunner.production import voices
from showrunner.videos import ordering, voice_checks
from showrunner.videos.schemas import (
    Batch,
    BatchResult,
    Brief,
    OrderedVideo,
    VideoEstimate,
    VoiceInfo,
    VoiceList,
)
from showrunner.web import idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import LATER, Routes
from showrunner.web.fields import MEGABYTE
from showrunner.web.routing import Request

routes = Routes()

# Calls a minute: a batch is one call. Enough for a person, too few for a loop that orders by mistake.
BURST = ((60, 10),)


@routes.post(
    "/api/v1/videos/generate",
    permission="videos:write",
    **LATER,
    answer=OrderedVideo,
    limits=BURST,
    errors=(402, 404, 409),
)
def generate(request: Request, body: Brief) -> Answer:
    """Order a video. The brief becomes a queued video, and its production starts."""
    ordering.check_uploads(request, body.assets)
    ordering.announce_work(request)
    added: list[str] = []

    def add(tx: db.Transaction) -> Answer:
        ordered = ordering.accept(tx, request, body)
        added.append(ordered.video_id)
        return Answer(ordered, 202)

    answer = idempotency.once(request, add)
    ordering.start(request, added)
    return answer


@routes.post(
    "/api/v1/videos/generate/batch",
    permission="videos:write",
    **LATER,
    answer=BatchResult,
    limits=BURST,
    max_bytes=2 * MEGABYTE,
    errors=(409,),
)
def generate_batch(request: Request, body: Batch) -> Answer:
    """Order up to 50 videos. Each brief is accepted or refused on its own."""
    briefs = ordering.read_briefs(body)
    assets = [asset for brief in briefs if isinstance(brief, Brief) for asset in brief.assets]
    ordering.check_uploads(request, assets)
    ordering.announce_work(request)
    added: list[str] = []

    def add(_: db.Transaction) -> Answer:
        result = ordering.accept_each(request, briefs)
        added.extend(each["video_id"] for each in result.results if each["status"] == "accepted")
        return Answer(result, 202)

    answer = idempotency.once(request, add)
    ordering.start(request, added)
    return answer


@routes.post("/api/v1/videos/estimate", permission="videos:write", answer=VideoEstimate, errors=(404, 409))
def estimate(request: Request, body: Brief) -> VideoEstimate:
    """Return what a brief would take and cost, without ordering it."""
    with db.reading() as tx:
        return ordering.estimate_brief(tx, request, body)


@routes.get("/api/v1/voices", permission="videos:read", answer=VoiceList)
def list_voices(request: Request) -> VoiceList:
    """List the voices with their languages, a sample, and whether orders can use them."""
    configured = voices.configured(config.setting("VOICES", " "))
    return VoiceList(voices=[_describe(name, voice_id) for name, voice_id in sorted(configured.items())])


def _describe(name: str, provider_id: str) -> VoiceInfo:
    spoken = ordering.spoken_languages()
    languages = [each for each in voices.languages(name) if each in spoken]
    problem, sample_url = voice_checks.find(provider_id)
    if not languages:
        problem = problem or f"It speaks no language of this stage ({', '.join(spoken)})."
    return VoiceInfo(
        name=name,
        provider="elevenlabs",
        languages=languages,
        is_usable=not problem,
        problem=problem,
        sample_url=sample_url,
    )
