"""Step ChooseVisual: one scene -> the picture of each shot: the user's asset, else stock, else generated."""

from typing import Any

from showrunner import breakers, config
from showrunner.aws import s3, ssm
from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.platforms.stock import LICENCE, Photo, Stock
from showrunner.production import files, timeline, visuals
from showrunner.production.job import Asset, Job
from showrunner.production.script import Script, Visual
from showrunner.production.shots import Shot
from showrunner.telemetry import entrypoint, logger


def _own(job: Job, scene: int) -> dict[str, Any] | None:
    """Return the user's asset for this scene, None after the last one: assets are not repeated."""
    own = [asset for asset in job.assets if asset.kind in ("image", "clip")]
    return _of_asset(own[scene]) if scene < len(own) else None


def _of_asset(asset: Asset) -> dict[str, Any]:
    return {
        "kind": asset.kind,
        "uri": s3.uri(asset.key),
        "sha256": asset.sha256,
        "source": f"asset:{asset.id}",
        "licence": asset.licence or "provided by the user",
    }


def _stock(job: Job, shot: Shot, shown: set[str]) -> dict[str, Any] | None:
    """Return a photograph that is not in `shown`, None if there is none.

    A failing stock service never fails the video: the shot then gets a generated backdrop.
    """
    key = ssm.secret("pexels/api_key", default=" ").strip()
    # A shot that turns on a figure, a list or a quotation says more typeset than over somebody's photograph.
    if not key or shot.is_card:
        return None
    try:
        stock = Stock(key, config.setting("PEXELS_BASE_URL"), config.setting("PEXELS_PHOTO_HOST"))
        return _photograph(job, stock, shot.visual, shown)
    except (CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded) as error:
        logger.warning("no stock photograph", extra={"error": type(error).__name__, "reason": error.message})
        return None


def _shown_before(job: Job, scene: int) -> set[str]:
    """Return the sources of the earlier scenes. The Map state runs scenes one after another for this."""
    earlier = (s3.find_json(files.visual_key(job.folder, number)) for number in range(scene))
    return {picture["source"] for each in earlier if each for picture in timeline.pictures_of(each)}


def _photograph(job: Job, stock: Stock, visual: Visual, shown: set[str]) -> dict[str, Any] | None:
    with breakers.guard("pexels", "search"):
        found = stock.photos(visual.description[: visuals.QUERY_CHARACTERS], _orientation(job))
    photo = next((each for each in found if each.page not in shown), None)
    if photo is None:
        return None
    key, sha256 = _kept(job, stock, photo)
    return {
        "kind": "image",
        "uri": s3.uri(key),
        "sha256": sha256,
        "source": photo.page,
        "author": photo.author,
        "licence": LICENCE,
    }


def _kept(job: Job, stock: Stock, photo: Photo) -> tuple[str, str]:
    """Return the key and the sha256 of the photograph in the media bucket.

    It is fetched once for each organisation and size.
    """
    # One crop serves all outputs: as wide as the widest and as high as the highest.
    width = round(visuals.PHOTO_SCALE * max(output.width for output in job.outputs))
    height = round(visuals.PHOTO_SCALE * max(output.height for output in job.outputs))
    name = files.digest("pexels", photo.id, width, height)
    key = files.product_key(job.organisation_id, "visual", name, "jpg")
    described = files.product_key(job.organisation_id, "visual", name, "json")
    kept = s3.find_json(described)
    # Both expire, but not in the same moment.
    if kept is None or s3.size(key) is None:
        with breakers.guard("pexels", "download"):
            picture = stock.download(photo, width, height)
        kept = {"sha256": s3.put_product(key, picture, "image/jpeg"), "page": photo.page}
        s3.put_product_json(described, kept)
    return key, str(kept["sha256"])


def _orientation(job: Job) -> str:
    first = job.outputs[0]
    return (
        "square" if first.width == first.height else "portrait" if first.height > first.width else "landscape"
    )


def _shots(job: Job, scene: int) -> list[Shot]:
    """Return the shots of a scene. A script of an execution that began before there were any has one."""
    document = s3.get_json(files.script_key(job.folder))
    if "shots" in document:
        return [Shot.model_validate(each) for each in document["shots"][scene]]
    written = Script.model_validate(document["script"])
    text, visual = written.passages[scene], visuals.of_passages(written)[scene]
    return [Shot(words=0, text=text, visual=visual)]


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = Job.model_validate(s3.get_json(files.job_key(event["folder"])))
    scene = event["scene"]
    own, shown = _own(job, scene), _shown_before(job, scene)
    chosen = []
    for number, shot in enumerate(_shots(job, scene)):
        picture = own or _stock(job, shot, shown)
        picture = picture or visuals.generated(shot.visual, f"{job.seed}-{scene}-{number}")
        shown.add(picture["source"])
        chosen.append({"words": shot.words, **picture})
    # The user's own clip is not cut.
    whole = own is not None and own["kind"] == "clip"
    s3.put_json(files.visual_key(job.folder, scene), {"shots": [own] if whole else chosen})
    return {"scene": scene}
