"""Remember what the owner of a video wants to see instead in single shots."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from showrunner.aws import s3
from showrunner.production import files


class Replacement(BaseModel):
    """The wish for one shot, known by its scene and words: one of `picture`, `candidates` and `query`.

    `picture` is an uploaded asset as the visuals step stores pictures; `candidates` are works, as
    ranking.Candidate.as_dict returns them, of which the first that can be had is shown; `query` is what is
    searched for.
    """

    model_config = ConfigDict(frozen=True)
    scene: int
    text: str
    picture: dict[str, Any] | None = None
    candidates: list[dict[str, Any]] = []
    query: str | None = None
    # Sources that were replaced: they are not chosen again for this shot.
    refused: list[str] = []


def list_(folder: str) -> list[Replacement]:
    """Return the wishes for a video's shots."""
    return [Replacement.model_validate(each) for each in s3.find_json(files.replacements_key(folder)) or []]


def find(wishes: list[Replacement], scene: int, text: str) -> Replacement | None:
    """Return the wish for a shot, None if there is none."""
    return next((each for each in wishes if (each.scene, each.text) == (scene, text)), None)


def save(folder: str, wish: Replacement) -> None:
    """Store a wish in place of an earlier one for the same shot. The caller has locked the video's row."""
    others = [each for each in list_(folder) if (each.scene, each.text) != (wish.scene, wish.text)]
    s3.put_json(files.replacements_key(folder), [each.model_dump() for each in [*others, wish]])


def picture_of_asset(
    asset_id: str, kind: Literal["image", "clip"], key: str, sha256: str, licence: str | None
) -> dict[str, Any]:
    """Return an upload as the visuals step stores pictures."""
    return {
        "kind": kind,
        "uri": s3.uri(key),
        "sha256": sha256,
        "source": f"asset:{asset_id}",
        "licence": licence or "provided by the user",
    }
