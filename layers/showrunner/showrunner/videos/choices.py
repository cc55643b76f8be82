"""Choose the pictures of a scene's shots, and keep those of an earlier attempt that still fit."""

from typing import Any

from showrunner.aws import s3
from showrunner.production import files, ranking, visuals
from showrunner.production.job import Job
from showrunner.production.own import Placed
from showrunner.production.visuals import Shot
from showrunner.videos import replacements
from showrunner.videos.footage import Footage
from showrunner.videos.generated_images import GeneratedImages

# What a picture of the visuals step has when a search or an owner chose it: the digest of what was asked.
ASKED = "asked"


class Chooser:
    """Chooses for one scene. `shots` are those of all scenes.

    A new attempt keeps what was chosen for the same shot of the same video, so that a retry or one replaced
    shot changes nothing else.
    """

    def __init__(self, job: Job, shots: list[list[Shot]], scene: int) -> None:
        self._job, self._shots = job, shots
        self._wishes = replacements.list_(job.folder)
        self._kept = self._known(scene, shots[scene])
        pictures = self._shown(shots, scene)
        shown = {picture["source"] for picture in pictures}
        looks = {picture["look"] for picture in pictures if "look" in picture}
        about = [picture.get("about", "") for picture in pictures]
        self._footage, self._images = Footage(job, shown, looks, about), GeneratedImages(job, shown)

    def wanted(self, scene: int, number: int, shot: Shot) -> dict[str, Any] | None:
        """Return the picture that the owner wants for the shot, None without a wish or if it can't be had."""
        wish = replacements.find(self._wishes, scene, shot.text)
        if wish is None:
            return None
        if wish.picture:
            return wish.picture
        if number in self._kept:
            return self._kept[number]
        if wish.candidates:
            picture = self._footage.first([ranking.read(each) for each in wish.candidates])
        else:
            picture = self._footage.find(
                shot.model_copy(update={"queries": [wish.query or ""]}), wish.refused
            )
        return {ASKED: self._asked(scene, shot), **picture} if picture else None

    def prepare(self, taken: Placed) -> None:
        """Search for all shots of the video that nothing is known of yet. `taken` show the owner's assets."""
        shots: list[Shot] = []
        for scene, found in enumerate(self._shots):
            kept = self._known(scene, found)
            shots += [
                shot
                for number, shot in enumerate(found)
                if not shot.is_card and number not in kept
                if scene not in taken.of_scenes and (scene, number) not in taken.of_shots
            ]
        self._footage.prepare(shots)

    def choose(self, scene: int, number: int, shot: Shot) -> dict[str, Any]:
        """Return the picture of a shot: the one of an earlier attempt, else of a library, else a card."""
        if number in self._kept:
            return self._kept[number]
        wish = replacements.find(self._wishes, scene, shot.text)
        # A shot that turns on a figure, a list or a quotation says more typeset than over somebody's footage.
        picture = None
        if not shot.is_card:
            refused = wish.refused if wish else []
            picture = self._footage.find(shot, refused)
            # Clips of libraries move, generated images don't: these take the place of grounds only. A number
            # moves on its own card.
            if picture is None and shot.kind in visuals.FILMED:
                picture = self._images.find(shot)
        if picture:
            return {ASKED: self._asked(scene, shot), **picture}
        return visuals.generated(shot.visual, f"{self._job.seed}-{scene}-{number}", shot.motif)

    def _asked(self, scene: int, shot: Shot) -> str:
        """Return the digest of everything that decides which picture is chosen for a shot."""
        wish = replacements.find(self._wishes, scene, shot.text)
        outputs = [output.model_dump() for output in self._job.outputs]
        return files.digest(shot.model_dump(), outputs, wish.model_dump() if wish else None)

    def _known(self, scene: int, found: list[Shot]) -> dict[int, dict[str, Any]]:
        """Return the files that an earlier attempt chose for the same shots, by their numbers.

        Of a video that promises motion only clips are kept: an attempt without enough of them searches again.
        """
        kinds = ("clip",) if self._job.promised_motion else ("clip", "image")
        stored = s3.find_json(files.visual_key(self._job.folder, scene))
        known = visuals.pictures_of(stored) if stored else []
        return {
            number: {name: value for name, value in picture.items() if name != "words"}
            for number, (picture, shot) in enumerate(zip(known, found, strict=False))
            if picture.get(ASKED) == self._asked(scene, shot) and picture["kind"] in kinds
            if s3.size(s3.key(picture["uri"])) is not None
        }

    def _shown(self, shots: list[list[Shot]], scene: int) -> list[dict[str, Any]]:
        """Return what other shots show: of earlier scenes, and of those that keep their pictures.

        The Map state runs scenes one after another for this.
        """
        earlier = (s3.find_json(files.visual_key(self._job.folder, number)) for number in range(scene))
        shown = [picture for each in earlier if each for picture in visuals.pictures_of(each)]
        shown += self._kept.values()
        if self._job.attempt > 1:
            for number in range(scene + 1, len(shots)):
                shown += self._known(number, shots[number]).values()
        return shown
