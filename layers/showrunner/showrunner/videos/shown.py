"""Read what the shots of a planned video show."""

from typing import Any

from showrunner.aws import s3
from showrunner.production import files, visuals


def list_pictures(folder: str, scenes: int) -> list[list[dict[str, Any]]]:
    """Return the pictures of each scene's shots, with all that the visuals step stored of them.

    Raises StorageMissing if a scene has none yet.
    """
    stored: list[list[dict[str, Any]]] | None = s3.find_json(files.pictures_key(folder))
    if stored is not None:
        return stored
    # An earlier release planned the video.
    return [visuals.pictures_of(s3.get_json(files.visual_key(folder, scene))) for scene in range(scenes)]


def flat(pictures: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the pictures of all scenes in one list."""
    return [picture for scene in pictures for picture in scene]
