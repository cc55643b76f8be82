"""Have an image drawn for a shot that no library has a picture of, and keep it for the organisation."""

from datetime import UTC, datetime
from typing import Any

from showrunner import breakers, config
from showrunner.aws import s3, ssm
from showrunner.errors import (
    AnswerRefused,
    CredentialRejected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
)
from showrunner.production import costs, files, image_prompts
from showrunner.production.job import Job
from showrunner.production.visuals import Shot
from showrunner.telemetry import logger
from showrunner.videos import allowances, receipts

# https://openai.com/policies/services-agreement/: the customer owns what the service returns.
_LICENCE, _LICENCE_URL = (
    "OpenAI output, owned by the customer",
    "https://openai.com/policies/services-agreement/",
)


class GeneratedImages:
    """The images of one scene. Each is paid for once, under the digest of what was asked.

    `shown` are the sources that the video shows already: a shot with the same words gets no second image.
    After an outage, a refused key or a spent quota no other is asked for in this scene.
    """

    def __init__(self, job: Job, shown: set[str]) -> None:
        self._job, self._shown = job, shown
        self._model = config.setting("OPENAI_IMAGE_MODEL", " ").strip()

    def find(self, shot: Shot) -> dict[str, Any] | None:
        """Return the picture of a shot as the visuals step stores pictures.

        None if images are switched off, if it is not in the allowance, if the content filter stops it, or
        without an answer.
        """
        if not self._model:
            return None
        # One of the template's allowed values.
        quality: Any = config.setting("OPENAI_IMAGE_QUALITY")
        prompt, size = image_prompts.prompt(self._job, shot), image_prompts.size(self._job.outputs)
        name = files.digest("image", self._model, quality, size, prompt)
        source = f"openai:{self._model}:{name[:16]}"
        if source in self._shown:
            return None
        described = files.product_key(self._job.organisation_id, "visual", name, "json")
        key = files.product_key(self._job.organisation_id, "visual", name, "jpg")
        kept = s3.find_json(described)
        # Both expire, but not in the same moment.
        if kept is None or (not kept.get("refused") and s3.size(key) is None):
            kept = self._drawn(prompt, size, quality, key)
            if kept is None:
                return None
            s3.put_product_json(described, kept)
        if kept.get("refused"):
            return None
        self._shown.add(source)
        return {
            "kind": "image",
            "uri": s3.uri(key),
            **{field: kept[field] for field in ("sha256", "fetched_at")},
            "source": source,
            "library": "openai",
            "author": f"{self._model}, generated",
            "licence": _LICENCE,
            "licence_url": _LICENCE_URL,
            "query": shot.queries[0] if shot.queries else shot.visual.description,
        }

    def _drawn(self, prompt: str, size: str, quality: Any, key: str) -> dict[str, Any] | None:
        """Pay for an image and store it. Returns what is kept beside it, None without an answer."""
        most = costs.most_for_image(self._model, quality, len(prompt.encode()))
        if most > allowances.left(self._job.folder):
            return None
        # The SDK's import takes half a second of a whole core, and most scenes need no image.
        from showrunner.platforms.images import Images

        try:
            client = Images(ssm.secret("openai/api_key"), config.setting("OPENAI_BASE_URL"))
            with breakers.guard("openai", "image"):
                image = client.generate(self._model, prompt, size, quality, self._job.organisation_id)
        except AnswerRefused as error:
            # Kept: another try of the same request would be refused again.
            logger.warning("no image for a shot", extra={"reason": error.message})
            return {"refused": error.message}
        except (CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded) as error:
            if isinstance(error, CredentialRejected):
                ssm.refused()
            logger.warning("no generated images", extra={"reason": error.message})
            self._model = ""
            return None
        name = image.request_id or files.digest(prompt)
        charge = costs.image_charge(name, self._model, image.input_tokens, image.output_tokens)
        receipts.add(self._job.folder, charge)
        sha256 = s3.put_product(key, image.content, "image/jpeg")
        return {"sha256": sha256, "fetched_at": datetime.now(UTC).isoformat(timespec="seconds")}
